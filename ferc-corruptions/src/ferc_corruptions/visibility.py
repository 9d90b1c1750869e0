"""How much a corruption degrades an image: ``f(clean, corrupted) -> float``.

All return degradations, 0 for identical images and larger for worse ones; both images are uint8
[H, W, 3] of one shape. The suite turns them into a visibility in [0, 1] (FER-C, eq. 9). All raise
`RequestError` when the shapes differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ferc_core.errors import RequestError
from ferc_corruptions.filters import gaussian_kernel
from ferc_corruptions.rounding import Floats, Image

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
    _check_shapes(clean, corrupted)
    difference = clean - corrupted
    difference *= difference
    return float(difference.mean())


@dataclass(frozen=True)
class Plane:
    """What SSIM needs of one channel of a clean image, computed once for all its cells.

    Values are relative to the rounded mean of the channel: the squares of large ones would leave no
    digits for a small variance. All are [H, W], the last three over the window around each pixel.
    """

    centred: Floats  # x - middle
    offset: Floats  # mean - middle
    mean: Floats
    variance: Floats


def planes(clean: Image) -> tuple[Plane, ...]:
    """Return what `ssim` takes in place of the clean image."""
    return tuple(_plane(channel) for channel in cv2.split(clean))


def ssim(clean: Sequence[Plane], corrupted: Image) -> float:
    """Return 1 - SSIM, 0 to 2: the mean over the channels and all full 11x11 windows.

    Gaussian windows of sigma 1.5, population covariances, peak 255. Source: Wang et al. 2004,
    doi:10.1109/TIP.2003.819861, eqs 13 to 17; equal to scikit-image's ``structural_similarity``
    with ``gaussian_weights=True, use_sample_covariance=False``. ``clean`` comes from `planes`.
    """
    _check_shapes(clean[0].centred, corrupted)
    pairs = zip(clean, cv2.split(corrupted), strict=True)
    return 1 - sum(_similarity(x, _plane(channel)) for x, channel in pairs) / 3


def _similarity(x: Plane, y: Plane) -> float:
    """Return the mean SSIM of two channels."""
    covariance = _windowed(x.centred * y.centred) - x.offset * y.offset
    top = x.mean * y.mean
    top += np.float32(SSIM_C1 / 2)
    covariance += np.float32(SSIM_C2 / 2)
    top *= covariance
    bottom = x.mean * x.mean
    bottom += y.mean * y.mean
    bottom += np.float32(SSIM_C1)
    spread = x.variance + y.variance
    spread += np.float32(SSIM_C2)
    bottom *= spread
    top /= bottom  # a quarter of the similarity, exactly so for equal images
    full = top[SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]  # windows within the image
    return 4 * cv2.sumElems(full)[0] / full.size


def _plane(channel: Image) -> Plane:
    middle = round(cv2.mean(channel)[0])
    centred = channel.astype(np.float32)
    centred -= np.float32(middle)
    offset = _windowed(centred)
    variance = _windowed(centred * centred) - offset * offset
    return Plane(centred, offset, offset + np.float32(middle), variance)


def _windowed(plane: Floats) -> Floats:
    """Return the weighted mean of the window around each pixel of [H, W]."""
    return cv2.sepFilter2D(plane, -1, _window(), _window())


@cache
def _window() -> Floats:
    """Return the taps of the window, [11].

    They sum to 1 in single precision, too, or variances would be off by a fraction of the squared
    mean; the middle tap takes the difference.
    """
    window = gaussian_kernel(SSIM_SIGMA, SSIM_RADIUS / SSIM_SIGMA).astype(np.float32)
    window[SSIM_RADIUS] += np.float32(1 - window.sum(dtype=np.float64))
    return window


def _mean_squared_error(clean: Image, corrupted: Image) -> float:
    _check_shapes(clean, corrupted)
    return cv2.norm(clean, corrupted, cv2.NORM_L2SQR) / clean.size


def _check_shapes(clean: Image, corrupted: Image) -> None:
    if clean.shape[:2] != corrupted.shape[:2]:
        raise RequestError(
            f"the clean image is {clean.shape[1]}x{clean.shape[0]} and the corrupted one "
            f"{corrupted.shape[1]}x{corrupted.shape[0]}; both must have the same size"
        )
