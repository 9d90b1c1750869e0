"""Elastic deformation: a random displacement field, and a pure ``apply_`` function.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix; the constants
without shear are those of the ``imagecorruptions`` library.
"""

from __future__ import annotations

import cv2
import numpy as np

from ferc_corruptions import fields
from ferc_corruptions.compiled import Flat, Real, U, Whole, compiled, read_only
from ferc_corruptions.filters import MIRROR, MIRROR_101, smooth, taps, within
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
    out = read_only(image.astype(np.float32))
    if shear:
        back = _inverse_shear(height, width, corners * (shear * height)).astype(np.float32)
        out = _sample(out, height, width, *_sheared(height, width, back), MIRROR_101)
    if length:
        down = taps(sigma * height, reach=3)
        across = taps(sigma * width, reach=3, times=length * height)
        dx, dy = (
            smooth(read_only(plane.astype(np.float32)), height, width, 1, down, across, MIRROR)
            for plane in field
        )
        out = _sample(read_only(out), height, width, *_moved(height, width, dx, dy), MIRROR)
    return truncate(out.reshape(image.shape))


def _inverse_shear(height: int, width: int, moves: Doubles) -> Doubles:
    """Return the 2x3 map from new to old pixels when three points around the middle move."""
    middle = np.array([height // 2, width // 2], np.float64)  # (sic) the reference mixes up axes
    arm = min(height, width) // 3
    points = middle + np.array([[arm, arm], [arm, -arm], [-arm, -arm]])
    moved = points + moves
    return cv2.getAffineTransform(moved.astype(np.float32), points.astype(np.float32))


@compiled
def _sheared(height: Whole, width: Whole, back: Floats) -> tuple[Flat, Flat]:
    xs, ys = np.empty(height * width, np.float32), np.empty(height * width, np.float32)
    for y in range(height):
        for x in range(width):
            fx, fy = np.float32(x), np.float32(y)
            xs[y * width + x] = back[0, 0] * fx + back[0, 1] * fy + back[0, 2]
            ys[y * width + x] = back[1, 0] * fx + back[1, 1] * fy + back[1, 2]
    return xs, ys


@compiled
def _moved(height: Whole, width: Whole, dx: Flat, dy: Flat) -> tuple[Flat, Flat]:
    for y in range(height):
        for x in range(width):
            dx[y * width + x] += np.float32(x)
            dy[y * width + x] += np.float32(y)
    return dx, dy


@compiled
def _sample(image: Flat, height: Whole, width: Whole, xs: Flat, ys: Flat, edge: Whole) -> Floats:
    """Return [H, W, 3] at ``xs``, ``ys`` [H, W], interpolated linearly."""
    out = np.empty(height * width * 3, np.float32)
    one = U(1)
    for i in range(U(height * width)):
        left, top = np.floor(xs[i]), np.floor(ys[i])
        to_right, to_bottom = xs[i] - left, ys[i] - top
        x: Whole = np.int64(left)
        y: Whole = np.int64(top)
        next_x, next_y = x + 1, y + 1
        if x < 0 or y < 0 or next_x >= width or next_y >= height:
            x, next_x = within(x, width, edge), within(next_x, width, edge)
            y, next_y = within(y, height, edge), within(next_y, height, edge)
        a, b = U((y * width + x) * 3), U((y * width + next_x) * 3)
        c, d = U((next_y * width + x) * 3), U((next_y * width + next_x) * 3)
        red = _blend(image[a], image[b], image[c], image[d], to_right, to_bottom)
        a, b, c, d = a + one, b + one, c + one, d + one
        green = _blend(image[a], image[b], image[c], image[d], to_right, to_bottom)
        a, b, c, d = a + one, b + one, c + one, d + one
        blue = _blend(image[a], image[b], image[c], image[d], to_right, to_bottom)
        into = U(3) * i
        out[into], out[into + one], out[into + U(2)] = red, green, blue
    return out


@compiled
def _blend(a: Real, b: Real, c: Real, d: Real, to_right: Real, to_bottom: Real) -> Real:
    upper, lower = a + to_right * (b - a), c + to_right * (d - c)
    return upper + to_bottom * (lower - upper)
