"""Motion, defocus, glass, zoom and Gaussian blur.

The random ones are two layers: a random field, and an ``apply_`` function that is pure and uses a
given field. Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.filters import (
    DIRECT_SIDE,
    gaussian_kernel,
    gaussian_smooth,
    line_blur,
    line_kernel,
    zoom_rows,
)
from ferc_corruptions.rounding import (
    Floats,
    Image,
    gaussian_slack,
    kernel_slack,
    line_slack,
    truncate,
    zoom_slack,
)
from ferc_corruptions.severities import IMAGENET_C, constants


def gaussian_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur with a Gaussian."""
    return apply_gaussian_blur(image, constants("gaussian_blur", severity, table))


def apply_gaussian_blur(image: Image, sigma: float) -> Image:
    """Blur with a Gaussian of ``sigma`` pixels."""
    return truncate(gaussian_smooth(image, sigma), _gaussian_slack(sigma))


@cache
def _gaussian_slack(sigma: float) -> Floats:
    return gaussian_slack(gaussian_kernel(sigma))


def motion_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Smear along a random direction, up to 45 degrees off the horizontal."""
    c = constants("motion_blur", severity, table)
    return apply_motion_blur(image, rng.uniform(-45, 45), c)


def apply_motion_blur(image: Image, angle: float, c: tuple[int, float]) -> Image:
    """Smear at ``angle`` degrees; ``c`` is the radius and the sigma of the line in pixels."""
    radius, sigma = c
    blurred = line_blur(image.astype(np.float32), radius, sigma, angle)
    return truncate(blurred, _line_slack(radius, sigma))


@cache
def _line_slack(radius: int, sigma: float) -> Floats:
    return line_slack(line_kernel(radius, sigma))


def defocus_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur with a disk, as a lens out of focus does."""
    return apply_defocus_blur(image, constants("defocus_blur", severity, table))


def apply_defocus_blur(image: Image, c: tuple[float, float]) -> Image:
    """Blur with a disk; ``c`` is its radius and the sigma that softens its rim, in pixels."""
    kernel = _disk(*c)
    return truncate(_convolve(image, kernel), kernel_slack(kernel))


@cache
def _disk(radius: float, softness: float) -> Floats:
    """Return a square kernel, odd side, sum 1, without the empty margin of the definition."""
    reach, side = (8, 3) if radius <= 8 else (int(radius), 5)
    steps = np.arange(-reach, reach + 1)
    disk = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float32)
    disk = cv2.GaussianBlur(disk / disk.sum(), (side, side), softness)
    margin = int(np.flatnonzero(disk.any(axis=0))[0])
    return np.ascontiguousarray(disk[margin : len(disk) - margin, margin : len(disk) - margin])


def _convolve(image: Image, kernel: Floats) -> Floats:
    """Filter [H, W, 3] with a symmetric kernel of odd side, the picture mirrored at its edges."""
    if len(kernel) <= DIRECT_SIDE:
        return cv2.filter2D(image.astype(np.float32), -1, kernel)
    reach = len(kernel) // 2
    rows, columns = (cv2.getOptimalDFTSize(side + 2 * reach) for side in image.shape[:2])
    bottom, right = rows - image.shape[0] - reach, columns - image.shape[1] - reach
    padded = cv2.copyMakeBorder(image, reach, bottom, reach, right, cv2.BORDER_REFLECT_101)
    weights = cv2.dft(
        cv2.copyMakeBorder(
            kernel, 0, rows - len(kernel), 0, columns - len(kernel), cv2.BORDER_CONSTANT
        )
    )
    inside = np.s_[: image.shape[0], : image.shape[1]]
    channels = []
    for channel in cv2.split(padded):
        spectrum = cv2.dft(channel.astype(np.float32))
        product = cv2.mulSpectrums(spectrum, weights, 0, conjB=True)
        channels.append(cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)[inside])
    return cv2.merge(channels)


def glass_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Blur, let pixels take the place of near ones, and blur again, as frosted glass does."""
    c = constants("glass_blur", severity, table)
    height, width = image.shape[:2]
    _, reach, rounds = c
    shape = (rounds, height - 2 * reach, width - 2 * reach)
    return apply_glass_blur(image, fields.below(4 * reach**2, rng, shape), c)


def apply_glass_blur(
    image: Image, field: npt.NDArray[np.integer], c: tuple[float, int, int]
) -> Image:
    """Blur, move and blur; ``c`` is sigma in pixels, the reach d and the number of rounds.

    ``field`` [rounds, H - 2d, W - 2d] says from where each pixel of rows d + 1 .. H - d and columns
    d + 1 .. W - d takes its colour: ``2d (dy + d) + dx + d``, both steps in -d .. d - 1. A round
    goes from the last pixel to the first and copies: where the definition means to swap, its
    published form leaves the other pixel as it was, and that is the benchmark.
    """
    sigma, reach, rounds = c
    height, width = image.shape[:2]
    near = np.arange(-reach, reach)
    steps = (near[:, None] * width + near).ravel()
    places = np.arange(height * width).reshape(height, width)
    inner = np.s_[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1]
    origin = places.ravel()
    for i in range(rounds):
        taken = places.copy()
        taken[inner] += steps.take(field[i])
        origin = origin.take(_follow(taken.ravel()))

    blurred = apply_gaussian_blur(image, sigma)
    whole = cv2.cvtColor(blurred, cv2.COLOR_RGB2RGBA).view(np.uint32)  # one number for a pixel
    moved = whole.ravel().take(origin).view(np.uint8).reshape(height, width, 4)
    return apply_gaussian_blur(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), sigma)


def _follow(taken: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Return whose original colour each pixel ends with, when i = N-1 .. 0 copies ``taken[i]``.

    A pixel further on has been overwritten before it is copied, so that its own source counts;
    all pixels step along their chains together until none is left that points onwards.
    """
    origin = taken.copy()
    pixels = np.flatnonzero(taken > np.arange(len(taken)))
    source = taken[pixels]
    while len(pixels):
        further = taken[source]
        origin[pixels] = further
        onwards = further > source
        pixels, source = pixels[onwards], further[onwards]
    return origin


def zoom_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Average the picture with enlargements of its middle."""
    return apply_zoom_blur(image, constants("zoom_blur", severity, table))


def apply_zoom_blur(image: Image, factors: tuple[float, ...]) -> Image:
    """Average the picture and its linear enlargements by ``factors``, the first of which is 1."""
    height, width = image.shape[:2]
    slack = zoom_slack(len(factors))
    channels = []
    for channel in cv2.split(image):  # one at a time, for the processor's cache
        total: Floats = channel.astype(np.float32)
        columns = cv2.transpose(total)  # rows of memory are quick to pick and to weigh
        total *= 2  # the picture itself, and the factor 1
        for factor in factors[1:]:
            wide = cv2.transpose(zoom_rows(columns, factor)[:width])
            cv2.add(total, zoom_rows(wide, factor)[:height], dst=total)
        total /= np.float32(len(factors) + 1)
        channels.append(truncate(total, slack))
    return cv2.merge(channels)
