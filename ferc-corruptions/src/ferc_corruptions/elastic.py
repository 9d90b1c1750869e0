"""Elastic deformation: a random displacement field, and a pure ``apply_`` function.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix; the constants
without shear are those of the ``imagecorruptions`` library.
"""

from __future__ import annotations

import cv2
import numpy as np

from ferc_corruptions import fields
from ferc_corruptions.filters import gaussian_kernel, three
from ferc_corruptions.rounding import Doubles, Floats, Image, truncate
from ferc_corruptions.severities import IMAGENET_C, constants


def elastic_transform(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Stretch and squeeze the image locally."""
    c = constants("elastic_transform", severity, table)
    field = fields.uniform(rng, (2, *image.shape[:2]))
    corners = rng.uniform(-1, 1, size=(3, 2)) if c[2] else np.zeros((3, 2))
    return apply_elastic_transform(image, field, corners, c)


def apply_elastic_transform(
    image: Image,
    field: Floats,
    corners: Doubles,
    c: tuple[float, float, float],
) -> Image:
    """Shear by moving three points, then move every pixel by a smooth random displacement.

    ``c`` is, in image heights, the length of the displacements before smoothing, the sigma that
    smooths them (relative to the side of each axis), and how far the three points move.
    ``field`` [2, H, W], uniform over (-1, 1), holds the displacements in x and in y; ``corners``
    [3, 2], uniform over (-1, 1), those of the points.
    """
    length, sigma, shear = c
    height, width = image.shape[:2]
    out = image
    y, x = np.indices((height, width), dtype=np.float32, sparse=True)
    if shear:
        back = _inverse_shear(height, width, corners * (shear * height))
        x_from, y_from = (row[0] * x + row[1] * y + row[2] for row in back.astype(np.float32))
        out = _sample(out, x_from, y_from, cv2.BORDER_REFLECT_101)
    if length:
        rows = gaussian_kernel(sigma * height, reach=3)
        columns = gaussian_kernel(sigma * width, reach=3) * (length * height)
        dx, dy = (
            cv2.sepFilter2D(
                plane.astype(np.float32), -1, columns, rows, borderType=cv2.BORDER_REFLECT
            )
            for plane in field
        )
        out = _sample(out, x + dx, y + dy, cv2.BORDER_REFLECT)
    return truncate(out)


def _inverse_shear(height: int, width: int, moves: Doubles) -> Doubles:
    """Return the 2x3 map from new to old pixels when three points around the middle move."""
    middle = np.array([height // 2, width // 2], np.float64)  # (sic) the reference mixes up axes
    arm = min(height, width) // 3
    points = middle + np.array([[arm, arm], [arm, -arm], [-arm, -arm]])
    moved = points + moves
    return cv2.getAffineTransform(moved.astype(np.float32), points.astype(np.float32))


def _sample(image: Floats, x: Floats, y: Floats, border: int) -> Floats:
    """Return ``image`` [H, W, 3] at ``x``, ``y`` [H, W], interpolated linearly."""
    left, top = np.floor(x), np.floor(y)
    to_right, to_bottom = three(x - left), three(y - top)

    # with a border no position lies outside, and pixels of four channels are faster to gather
    height, width = image.shape[:2]
    above, before = _outside(top, height), _outside(left, width)
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    padded = cv2.copyMakeBorder(four, *above, *before, border)
    stride = padded.shape[1]
    pixels = padded.reshape(-1, 4)
    place = (top.astype(np.int32) + above[0]) * stride
    place += left.astype(np.int32) + before[0]
    place = place.astype(np.intp)

    def picked(offset: int) -> Floats:
        taken = cv2.cvtColor(pixels[offset:].take(place, axis=0), cv2.COLOR_RGBA2RGB)
        floats: Floats = taken.astype(np.float32, copy=False)
        return floats

    upper = _between(picked(0), picked(1), to_right)
    lower = _between(picked(stride), picked(stride + 1), to_right)
    return _between(upper, lower, to_bottom)


def _between(start: Floats, end: Floats, fraction: Floats) -> Floats:
    """Return ``start`` + ``fraction`` * (``end`` - ``start``); overwrites the first two."""
    end -= start
    return cv2.accumulateProduct(end, fraction, start)


def _outside(place: Floats, length: int) -> tuple[int, int]:
    """Return how far ``place`` and its successors reach before 0 and beyond ``length`` - 1."""
    least, most, _, _ = cv2.minMaxLoc(place)
    return max(0, -int(least)), max(0, int(most) + 2 - length)
