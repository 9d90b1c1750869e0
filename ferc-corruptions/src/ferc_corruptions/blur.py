"""Motion, defocus, glass, zoom and Gaussian blur.

The random ones have two layers: a random field, and a pure ``apply_`` function that uses a given
field. Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.compiled import Flat, Real, U, Whole, compiled, read_only
from ferc_corruptions.filters import (
    MIRROR_101,
    enlarge,
    exponential,
    filter_round,
    gaussian_kernel,
    gaussian_smooth,
    line_blur,
    line_kernel,
    padded,
    shape_of,
)
from ferc_corruptions.rounding import (
    Floats,
    Image,
    Mask,
    gaussian_losses,
    kernel_losses,
    line_losses,
    truncate,
    zoom_losses,
)
from ferc_corruptions.severities import IMAGENET_C, constants

FAINTEST = 1e-9  # smaller weights at the rim of a disk do not show in single precision


def gaussian_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur with a Gaussian."""
    return apply_gaussian_blur(image, constants("gaussian_blur", severity, table))


def apply_gaussian_blur(image: Image, sigma: float) -> Image:
    """Blur with a Gaussian of ``sigma`` pixels."""
    return truncate(gaussian_smooth(image, sigma), _gaussian_losses(sigma))


@cache
def _gaussian_losses(sigma: float) -> Mask:
    return gaussian_losses(gaussian_kernel(sigma))


def motion_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur along a random direction, up to 45 degrees off the horizontal."""
    c = constants("motion_blur", severity, table)
    return apply_motion_blur(image, rng.uniform(-45, 45), c)


def apply_motion_blur(image: Image, angle: float, c: tuple[int, float]) -> Image:
    """Blur at ``angle`` degrees; ``c`` is the radius and the sigma of the line in pixels."""
    radius, sigma = c
    blurred = line_blur(image, radius, sigma, angle)
    return truncate(blurred, _line_losses(radius, sigma))


@cache
def _line_losses(radius: int, sigma: float) -> Mask:
    return line_losses(line_kernel(radius, sigma))


def defocus_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur with a disk, as a lens out of focus does."""
    return apply_defocus_blur(image, constants("defocus_blur", severity, table))


def apply_defocus_blur(image: Image, c: tuple[float, float]) -> Image:
    """Blur with a disk; ``c`` is its radius and the sigma that softens its rim, in pixels."""
    quarter = _quarter_disk(*c)
    height, width, step = shape_of(image)
    tall, wide = len(quarter) - 1, len(quarter[0]) - 1
    whole, stride = padded(image, (tall, tall, wide, wide), MIRROR_101)
    blurred = filter_round(whole, height, width * step, stride, step, quarter)
    return truncate(blurred.reshape(image.shape), _disk_losses(*c))


@cache
def _disk(radius: float, softness: float) -> Floats:
    """Return a square kernel, odd side, sum 1."""
    reach, half = (8, 1) if radius <= 8 else (int(radius), 2)
    steps = np.arange(-reach, reach + 1)
    disk = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float64)
    disk /= disk.sum()
    weights = np.array([exponential(-(i**2) / (2 * softness**2)) for i in range(-half, half + 1)])
    weights /= math.fsum(weights)
    for _ in range(2):  # along each axis; what lies beyond the reach is mirrored, as by OpenCV
        rows = np.pad(disk, ((half, half), (0, 0)), "reflect")
        disk = sum(w * rows[i : i + len(disk)] for i, w in enumerate(weights)).T
    disk[disk < FAINTEST] = 0
    return disk.astype(np.float32)


@cache
def _quarter_disk(radius: float, softness: float) -> Floats:
    """Return the part of a disk from its middle on, for `filter_round`."""
    disk = _disk(radius, softness)
    middle = len(disk) // 2
    quarter = disk[middle:, middle:].copy()
    quarter[0] /= 2
    quarter[:, 0] /= 2
    reach = int(np.flatnonzero(quarter.any(axis=0))[-1])
    return np.pad(quarter[: reach + 1, : reach + 1], ((0, 0), (0, (reach + 1) % 2)))


@cache
def _disk_losses(radius: float, softness: float) -> Mask:
    return kernel_losses(_disk(radius, softness))


def glass_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur, displace pixels locally and blur again, as frosted glass does."""
    c = constants("glass_blur", severity, table)
    height, width = image.shape[:2]
    _, reach, rounds = c
    shape = (rounds, height - 2 * reach, width - 2 * reach)
    return apply_glass_blur(image, fields.below(4 * reach**2, rng, shape), c)


def apply_glass_blur(
    image: Image, field: npt.NDArray[np.integer], c: tuple[float, int, int]
) -> Image:
    """Blur, displace, blur; ``c`` is sigma in pixels, the reach d and the number of rounds.

    ``field`` [rounds, H - 2d, W - 2d] says where each pixel of rows d + 1 .. H - d and columns
    d + 1 .. W - d takes its colour from: ``2d (dy + d) + dx + d``, both steps in -d .. d - 1. A
    round goes from the last pixel to the first and copies: the published code means to swap, but
    leaves the other pixel unchanged, and that is the benchmark.
    """
    sigma, reach, rounds = c
    near = np.arange(-reach, reach)
    height, width = image.shape[:2]
    steps = (near[:, None] * width + near) * 3
    moved = apply_gaussian_blur(image, sigma)
    for i in range(rounds):
        _move(moved.reshape(-1), height, width, field[i], steps.ravel(), reach)
    return apply_gaussian_blur(moved, sigma)


@compiled
def _move(
    image: Flat,
    height: Whole,
    width: Whole,
    field: npt.NDArray[np.int32],
    steps: npt.NDArray[np.int64],
    reach: Whole,
) -> None:
    """Copy pixels of [H, W, 3] from where ``steps`` of ``field`` lead, the last ones first."""
    for y in range(height - reach, reach, -1):
        for x in range(width - reach, reach, -1):
            into = (y * width + x) * 3
            i, j = U(into), U(into + steps[field[y - reach - 1, x - reach - 1]])
            image[i], image[i + U(1)], image[i + U(2)] = image[j], image[j + U(1)], image[j + U(2)]


def zoom_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Average the image with enlargements of its centre."""
    return apply_zoom_blur(image, constants("zoom_blur", severity, table))


def apply_zoom_blur(image: Image, factors: tuple[float, ...]) -> Image:
    """Average the image and its linear enlargements by ``factors``, the first of which is 1."""
    total = enlarge(image, factors[1:])
    mean = _mean_with(total.reshape(-1), read_only(image), np.float32(len(factors) + 1))
    return truncate(mean.reshape(image.shape), _zoom_losses(len(factors)))


@compiled
def _mean_with(total: Flat, image: Flat, count: Real) -> Floats:
    """Return ``total`` and twice the image (itself, and the factor 1), divided by ``count``."""
    for i in range(len(total)):
        total[i] = (total[i] + np.float32(2) * np.float32(image[i])) / count
    return total


@cache
def _zoom_losses(count: int) -> Mask:
    return zoom_losses(count)
