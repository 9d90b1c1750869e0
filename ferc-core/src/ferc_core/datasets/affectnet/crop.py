"""The faces in AffectNet's images: which part of an image its box means."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.datasets.samples import Box, ImageReader, cropped
from ferc_core.errors import BadImageError

# How face_x, face_y, face_width, face_height are read.
CROPS = {
    "auto": "corners or sizes, decided for each image",
    "corners": "left, top, right, bottom",
    "sizes": "left, top, width, height",
    "none": "not at all: the whole image",
}


class CropReader(ImageReader):
    """Reads images and crops them to the boxes int32 [N, 4] of their faces."""

    def __init__(
        self, names: Sequence[str], folder: Path | str, boxes: npt.NDArray[np.int32], crop: str
    ) -> None:
        super().__init__(names, folder)
        self.boxes = boxes
        self.crop = crop

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Read face i as uint8 RGB [H, W, 3]; raises `BadImageError` naming the image."""
        image = super().__call__(i)
        height, width = image.shape[:2]
        x, y, w, h = self.boxes[i].tolist()
        face = cropped(image, face_edges((x, y, w, h), width, height, self.crop))
        if face.size == 0:
            raise BadImageError(
                f"image {self.path(i)}: the box {x}, {y}, {w}, {h} of its face contains none of "
                f"its {width} x {height} pixels (crop={self.crop})"
            )
        return np.ascontiguousarray(face)


def face_edges(box: Box, width: int, height: int, crop: str) -> Box:
    """Return left, top, right and bottom of the face in an image of ``width`` x ``height``.

    ``box`` holds face_x, face_y, face_width, face_height from AffectNet's table. The authors of
    FER-C crop as if the last two were the right and the bottom edge, and for many rows that leaves
    equal margins; in others they can only be a width and a height. With ``crop`` "auto" the
    possible reading is taken; if both are, the one whose opposite margins differ less, and sizes
    if they differ equally.

    >>> face_edges((134, 134, 899, 899), 1033, 1033, "auto")
    (134, 134, 899, 899)
    >>> face_edges((20, 20, 100, 100), 140, 140, "auto")
    (20, 20, 120, 120)
    """
    x, y, w, h = box
    corners, sizes = (x, y, w, h), (x, y, x + w, y + h)
    if crop == "corners":
        return corners
    if crop == "sizes" or w <= x or h <= y:
        return sizes
    if x + w > width or y + h > height:
        return corners

    def asymmetry(edges: Box) -> int:
        left, top, right, bottom = edges
        return abs(left - (width - right)) + abs(top - (height - bottom))

    return corners if asymmetry(corners) < asymmetry(sizes) else sizes
