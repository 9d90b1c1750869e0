"""How much a corruption took from a picture: ``f(clean, corrupted) -> float``.

All are degradations, 0 for identical pictures and larger for worse ones; both pictures are uint8
[H, W, 3] of one shape. The suite turns them into a visibility in [0, 1] (FER-C, eq. 9). All raise
`RequestError` when the shapes differ.
"""

from __future__ import annotations

import math
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
    """Return how many decibels of peak signal-to-noise ratio are lost, 0 to 48.13.

    The ratio itself is infinite for identical pictures, so an error of one squared grey level is
    added to both sides: 10 log10(1 + MSE) = 48.13 - 10 log10(255**2 / (1 + MSE)). For an MSE well
    above 1 this is 48.13 dB minus the usual PSNR.
    """
    return 10 * math.log10(1 + _mean_squared_error(clean, corrupted))


def l2_uint8(clean: Image, corrupted: Image) -> float:
    """Return the mean of ((x - y) mod 256)**2 mod 256, 0 to 255 (a square: at most 249).

    No sensible distance, but the arithmetic behind the published labels: uint8 arrays subtracted
    and squared as they are. Dense noise of any strength ends near 105.5.
    """
    _check_shapes(clean, corrupted)
    difference = clean - corrupted
    difference *= difference
    return float(difference.mean())


def ssim(clean: Image, corrupted: Image) -> float:
    """Return 1 - SSIM, 0 to 2: the mean over the channels and all full 11x11 windows.

    Gaussian windows of sigma 1.5, population covariances, peak 255. Source: Wang et al. 2004,
    doi:10.1109/TIP.2003.819861, eqs 13 to 17; equal to scikit-image's ``structural_similarity``
    with ``gaussian_weights=True, use_sample_covariance=False``.
    """
    _check_shapes(clean, corrupted)
    planes = zip(cv2.split(clean), cv2.split(corrupted), strict=True)
    return 1 - sum(_similarity(x, y) for x, y in planes) / 3


def _similarity(x: Image, y: Image) -> float:
    """Return the mean SSIM of two planes [H, W]."""
    # The moments of s = x + y and d = x - y give those of x and y in four filters, not five. Both
    # are centred: the squares of large values would leave no digits for a small variance.
    middle_x, middle_y = round(cv2.mean(x)[0]), round(cv2.mean(y)[0])
    mean_s, var_s = _moments(cv2.add(x, y, dtype=cv2.CV_32F), middle_x + middle_y)
    mean_d, var_d = _moments(cv2.subtract(x, y, dtype=cv2.CV_32F), middle_x - middle_y)
    mean_s *= mean_s
    mean_d *= mean_d

    # 4 mx my = S - D and 2 (mx^2 + my^2) = S + D; and so for covariance and variances
    top = mean_s - mean_d + np.float32(2 * SSIM_C1)
    top *= var_s - var_d + np.float32(2 * SSIM_C2)
    bottom = mean_s + mean_d + np.float32(2 * SSIM_C1)
    bottom *= var_s + var_d + np.float32(2 * SSIM_C2)
    top /= bottom
    full = top[SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]
    return cv2.sumElems(full)[0] / full.size


def _moments(plane: Floats, middle: int) -> tuple[Floats, Floats]:
    """Return the windowed mean and variance of [H, W] (overwritten), whose mean is ``middle``."""
    plane -= np.float32(middle)
    mean = _windowed(plane)
    plane *= plane
    variance = _windowed(plane) - mean * mean
    mean += np.float32(middle)
    return mean, variance


def _windowed(plane: Floats) -> Floats:
    """Return the weighted mean of the window about every pixel of [H, W]."""
    return cv2.sepFilter2D(plane, -1, _window(), _window())


@cache
def _window() -> Floats:
    """Return the taps of the window, [11].

    In single precision, too, they sum to 1, or variances would be off by a share of the squared
    mean; the middle tap takes up the rest.
    """
    window = gaussian_kernel(SSIM_SIGMA, SSIM_RADIUS / SSIM_SIGMA).astype(np.float32)
    window[SSIM_RADIUS] += np.float32(1 - window.sum(dtype=np.float64))
    return window


def _mean_squared_error(clean: Image, corrupted: Image) -> float:
    _check_shapes(clean, corrupted)
    return cv2.norm(clean, corrupted, cv2.NORM_L2SQR) / clean.size


def _check_shapes(clean: Image, corrupted: Image) -> None:
    if clean.shape != corrupted.shape:
        raise RequestError(
            f"the clean picture is {clean.shape[1]}x{clean.shape[0]} and the corrupted one "
            f"{corrupted.shape[1]}x{corrupted.shape[0]}; both must have one size"
        )
