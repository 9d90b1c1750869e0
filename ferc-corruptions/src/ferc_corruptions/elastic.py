"""Elastic deformation: a random field of steps, and a pure ``apply_`` function that takes them.

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
    """Stretch and squeeze the picture locally."""
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
    """Shear by moving three points, then move every pixel by a smooth random step.

    ``c`` is, in picture heights, the length of the steps before they are smoothed, the sigma that
    smooths them (in its own side for each axis), and how far the three points move.
    ``field`` [2, H, W], uniform over (-1, 1), holds the steps in x and in y; ``corners`` [3, 2],
    uniform over (-1, 1), how the points move in x and in y.
    """
    length, sigma, shear = c
    height, width = image.shape[:2]
    out = image.astype(np.float32)
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
    """Return the 2x3 map from new to old pixels when three points about the middle move."""
    middle = np.array([height // 2, width // 2], np.float64)  # (sic) the definition mixes up axes
    arm = min(height, width) // 3
    points = middle + np.array([[arm, arm], [arm, -arm], [-arm, -arm]])
    moved = points + moves
    return cv2.getAffineTransform(moved.astype(np.float32), points.astype(np.float32))


def _sample(image: Floats, x: Floats, y: Floats, border: int) -> Floats:
    """Return ``image`` [H, W, 3] between its pixels, at ``x``, ``y`` [H, W], linearly."""
    left, top = np.floor(x), np.floor(y)
    right_share, low_share = three(x - left), three(y - top)
    columns, rows = left.astype(np.int16), top.astype(np.int16)

    def shifted(dx: int, dy: int) -> Floats:
        place = cv2.merge((columns + np.int16(dx), rows + np.int16(dy)))
        return cv2.remap(  # type: ignore[call-overload, no-any-return]
            image, place, None, cv2.INTER_NEAREST, borderMode=border
        )

    def between(start: Floats, end: Floats, share: Floats) -> Floats:
        end -= start
        end *= share
        end += start
        return end

    upper = between(shifted(0, 0), shifted(1, 0), right_share)
    lower = between(shifted(0, 1), shifted(1, 1), right_share)
    return between(upper, lower, low_share)
