"""Motion, defocus, glass, zoom and Gaussian blur.

The random ones have two layers: a random field, and a pure ``apply_`` function that uses a given
field. Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache, lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.filters import (
    DIRECT_SIDE,
    enlargement,
    gaussian_kernel,
    gaussian_smooth,
    line_blur,
    line_kernel,
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
    disk = _disk(*c)
    direct = len(disk) <= DIRECT_SIDE
    blurred = cv2.filter2D(image.astype(np.float32), -1, disk) if direct else _by_fourier(image, c)
    return truncate(blurred, kernel_losses(disk))


@cache
def _disk(radius: float, softness: float) -> Floats:
    """Return a square kernel, odd side, sum 1, without the empty margin of the reference."""
    reach, side = (8, 3) if radius <= 8 else (int(radius), 5)
    steps = np.arange(-reach, reach + 1)
    disk = (steps[:, None] ** 2 + steps**2 <= radius**2).astype(np.float32)
    disk = cv2.GaussianBlur(disk / disk.sum(), (side, side), softness)
    disk[disk < FAINTEST] = 0
    margin = int(np.flatnonzero(disk.any(axis=0))[0])
    return np.ascontiguousarray(disk[margin : len(disk) - margin, margin : len(disk) - margin])


def _by_fourier(image: Image, c: tuple[float, float]) -> Floats:
    """Filter [H, W, 3] with a disk by its spectrum, the image mirrored at its edges."""
    height, width = image.shape[:2]
    reach = len(_disk(*c)) // 2
    rows, columns = (_transform_length(side + 2 * reach) for side in (height, width))
    bottom, right = rows - height - reach, columns - width - reach
    padded = cv2.copyMakeBorder(image, reach, bottom, reach, right, cv2.BORDER_REFLECT_101)
    channels = []
    for channel in cv2.split(padded):
        spectrum = cv2.dft(channel.astype(np.float32))
        product = cv2.mulSpectrums(spectrum, _spectrum(c, rows, columns), 0, conjB=True)
        whole = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE)
        channels.append(whole[:height, :width])
    return cv2.merge(channels)


def _transform_length(least: int) -> int:
    """Return a fast length for a Fourier transform: a multiple of 16, of primes up to 5."""
    return 16 * cv2.getOptimalDFTSize(-(-least // 16))


@lru_cache(maxsize=16)  # one per size: datasets of mixed sizes must not fill the memory
def _spectrum(c: tuple[float, float], rows: int, columns: int) -> Floats:
    """Return the spectrum of a disk in [rows, columns]."""
    plane = np.zeros((rows, columns), np.float32)
    disk = _disk(*c)
    plane[: len(disk), : len(disk)] = disk
    return cv2.dft(plane)


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
    height, width = image.shape[:2]
    near = np.arange(-reach, reach)
    steps = (near[:, None] * width + near).ravel()
    places = np.arange(height * width).reshape(height, width)
    inner = np.s_[reach + 1 : height - reach + 1, reach + 1 : width - reach + 1]
    blurred = apply_gaussian_blur(image, sigma)
    whole = cv2.cvtColor(blurred, cv2.COLOR_RGB2RGBA).view(np.uint32)  # one number per pixel
    pixels = whole.ravel()
    for i in range(rounds):
        taken = places.copy()
        taken[inner] += steps.take(field[i])
        pixels = pixels.take(_follow(taken.ravel(), places.ravel()))
    moved = pixels.view(np.uint8).reshape(height, width, 4)
    return apply_gaussian_blur(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), sigma)


def _follow(taken: npt.NDArray[np.int_], places: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Return whose original colour each pixel ends with when i = N-1 .. 0 copies ``taken[i]``.

    A later pixel has been overwritten before it is copied, so its own source counts. Each lookup
    doubles how far every pixel follows its chain, until all chains are followed to the end.
    """
    last = np.maximum(taken, places)  # the pixel itself if it copies from an earlier one
    for _ in range(3):  # every field has chains of eight, so comparing earlier is useless
        last = last.take(last)
    while not np.array_equal(last, further := last.take(last)):
        last = further
    return taken.take(last)


def zoom_blur(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Average the image with enlargements of its centre."""
    return apply_zoom_blur(image, constants("zoom_blur", severity, table))


def apply_zoom_blur(image: Image, factors: tuple[float, ...]) -> Image:
    """Average the image and its linear enlargements by ``factors``, the first of which is 1."""
    height, width = image.shape[:2]
    totals = []
    for channel in cv2.split(image):  # one at a time, for the CPU cache
        total: Floats = channel.astype(np.float32)
        columns = cv2.transpose(total)
        total *= 2  # the image itself, and the factor 1
        for factor in factors[1:]:
            wide = cv2.transpose(enlargement(width, factor, rows=width) @ columns)
            total += enlargement(height, factor, rows=height) @ wide
        totals.append(total)
    mean: Floats = cv2.merge(totals)
    mean /= np.float32(len(factors) + 1)
    return truncate(mean, _zoom_losses(len(factors)))


@cache
def _zoom_losses(count: int) -> Mask:
    return zoom_losses(count)
