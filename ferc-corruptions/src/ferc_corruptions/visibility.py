"""How much a corruption degrades an image: ``f(clean, corrupted) -> float``.

All return degradations, 0 for identical images and larger for worse ones; both images are uint8
[H, W, 3] of one shape. The suite turns them into a visibility in [0, 1] (FER-C, eq. 9). All raise
`RequestError` when the shapes differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from ferc_core.errors import RequestError
from ferc_corruptions.compiled import Flat, U, Whole, compiled, read_only
from ferc_corruptions.filters import REPEAT, smooth, taps, total_of
from ferc_corruptions.rounding import Doubles, Floats, Image

SSIM_SIGMA, SSIM_RADIUS = 1.5, 5  # the 11x11 window of Wang et al. 2004, section III-B
SSIM_C1, SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def l2(clean: Image, corrupted: Image) -> float:
    """Return the root mean squared difference of values scaled to [0, 1], 0 to 1."""
    return math.sqrt(_mean_squared_error(clean, corrupted) / 255**2)


def psnr(clean: Image, corrupted: Image) -> float:
    """Return the loss of peak signal-to-noise ratio in decibels, 0 to 48.13.

    The ratio itself is infinite for identical images, so an error of one squared grey level is
    added to both sides: 10 log10(1 + MSE) = 48.13 - 10 log10(255**2 / (1 + MSE)). For an MSE well
    above 1 this is 48.13 dB minus the usual PSNR.
    """
    return 10 * math.log10(1 + _mean_squared_error(clean, corrupted))


def l2_uint8(clean: Image, corrupted: Image) -> float:
    """Return the mean of ((x - y) mod 256)**2 mod 256, 0 to 255 (a square: at most 249).

    Not a sensible distance, but the arithmetic behind the published labels: uint8 arrays subtracted
    and squared as they are. Dense noise of any strength comes out near 105.5.
    """
    _check_shapes(clean.shape, corrupted.shape)
    difference = clean - corrupted
    difference *= difference
    return float(difference.mean())


@dataclass(frozen=True)
class Windows:
    """What SSIM needs of an image; of a clean one it is computed once for all its cells.

    Values are relative to the rounded mean of their channel: the squares of large ones would leave
    no digits for a small variance. All are flat, the last three over the window around each value.
    """

    shape: tuple[int, ...]
    centred: Floats  # x - middle
    offset: Floats  # mean - middle
    mean: Floats
    variance: Floats


def windows(image: Image) -> Windows:
    """Return what `ssim` takes in place of the clean image."""
    centred, middles = _centred(read_only(image))
    offset, squares = (_windowed(image.shape, x) for x in (centred, _product(centred, centred)))
    return Windows(image.shape, centred, offset, *_moments(offset, squares, middles))


def ssim(clean: Windows, corrupted: Image) -> float:
    """Return 1 - SSIM, 0 to 2: the mean over the channels and all full 11x11 windows.

    Gaussian windows of sigma 1.5, population covariances, peak 255. Source: Wang et al. 2004,
    doi:10.1109/TIP.2003.819861, eqs 13 to 17; equal to scikit-image's ``structural_similarity``
    with ``gaussian_weights=True, use_sample_covariance=False``. ``clean`` comes from `windows`.
    """
    _check_shapes(clean.shape, corrupted.shape)
    x, y = clean, windows(corrupted)
    products = _windowed(x.shape, _product(x.centred, y.centred))
    height, width, channels = x.shape
    parts = (x.offset, y.offset, x.mean, y.mean, x.variance, y.variance)
    columns = _similarities(products, *parts, height, width * channels, channels)
    full = (height - 2 * SSIM_RADIUS) * (width - 2 * SSIM_RADIUS) * channels
    return 1 - 4 * math.fsum(columns) / full


@compiled
def _centred(image: Flat) -> tuple[Floats, Floats]:
    """Return the values relative to the middle of their channel, and the middles [3]."""
    middles = np.empty(3, np.float32)
    pixels = len(image) // 3
    for channel in range(3):
        middles[channel] = np.rint(total_of(image, U(channel), U(pixels)) / pixels)
    out = np.empty(len(image), np.float32)
    _shift(out, image, -middles, U(pixels))
    return out, middles


@compiled
def _shift(out: Flat, a: Flat, by: Floats, n: Whole) -> None:
    red, green, blue = by
    for x in range(n):
        r, g, b = U(3) * x, U(3) * x + U(1), U(3) * x + U(2)
        out[r] = np.float32(a[r]) + red
        out[g] = np.float32(a[g]) + green
        out[b] = np.float32(a[b]) + blue


@compiled
def _product(a: Flat, b: Flat) -> Floats:
    out = np.empty(len(a), np.float32)
    for i in range(len(a)):
        out[i] = a[i] * b[i]
    return out


@compiled
def _moments(offset: Flat, squares: Flat, middles: Floats) -> tuple[Floats, Floats]:
    """Return the means and the variances."""
    mean = np.empty(len(offset), np.float32)
    _shift(mean, offset, middles, U(len(offset) // 3))
    for i in range(len(offset)):
        squares[i] -= offset[i] * offset[i]
    return mean, squares


def _windowed(shape: tuple[int, ...], values: Floats) -> Floats:
    """Return the weighted mean of the window around each value of [H, W, 3], all flat."""
    height, width, channels = shape
    return smooth(read_only(values), height, width, channels, _window(), _window(), REPEAT)


@compiled
def _similarities(
    products: Flat,
    x_offset: Flat,
    y_offset: Flat,
    x_mean: Flat,
    y_mean: Flat,
    x_variance: Flat,
    y_variance: Flat,
    height: Whole,
    n: Whole,
    step: Whole,
) -> Doubles:
    """Return a quarter of the similarity in each column of values, windows within the image."""
    c1, c2 = np.float32(SSIM_C1), np.float32(SSIM_C2)
    half1, half2 = np.float32(SSIM_C1 / 2), np.float32(SSIM_C2 / 2)
    columns = np.zeros(n)
    for y in range(SSIM_RADIUS, height - SSIM_RADIUS):
        for x in range(U(SSIM_RADIUS * step), U(n - SSIM_RADIUS * step)):
            i = U(y * n) + x
            covariance = products[i] - x_offset[i] * y_offset[i]
            top = (x_mean[i] * y_mean[i] + half1) * (covariance + half2)
            bottom = x_mean[i] * x_mean[i] + y_mean[i] * y_mean[i] + c1
            columns[x] += top / (bottom * (x_variance[i] + y_variance[i] + c2))
    return columns


@cache
def _window() -> Floats:
    """Return the taps of the window, from its middle on.

    Both sides sum to 1 in single precision, too, or variances would be off by a fraction of the
    squared mean; the middle tap takes the difference.
    """
    window = taps(SSIM_SIGMA, SSIM_RADIUS / SSIM_SIGMA).copy()
    window[0] = np.float32(1 - 2 * window[1:].sum(dtype=np.float64))
    return read_only(window)


def _mean_squared_error(clean: Image, corrupted: Image) -> float:
    _check_shapes(clean.shape, corrupted.shape)
    return _squared_error(read_only(clean), read_only(corrupted)) / clean.size


@compiled
def _squared_error(a: Flat, b: Flat) -> Whole:
    total = np.int64(0)
    for i in range(len(a)):
        gap = np.int64(a[i]) - np.int64(b[i])
        total += gap * gap
    return total


def _check_shapes(clean: tuple[int, ...], corrupted: tuple[int, ...]) -> None:
    if clean[:2] != corrupted[:2]:
        raise RequestError(
            f"the clean image is {clean[1]}x{clean[0]} and the corrupted one "
            f"{corrupted[1]}x{corrupted[0]}; both must have the same size"
        )
