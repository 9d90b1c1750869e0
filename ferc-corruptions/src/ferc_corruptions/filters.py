"""Small filters that several corruptions share.

Single precision throughout, and only OpenCV functions that give the same bytes for any number of
threads. Not ``remap`` or ``warpAffine`` with interpolation: their rounding of coordinates differs
between OpenCV 4 and 5.
"""

from __future__ import annotations

from functools import cache, lru_cache, reduce
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from ferc_corruptions.rounding import Doubles, Floats

# Beyond 11x11 pixels, cv2.filter2D uses a Fourier transform, which is slow for a few taps.
DIRECT_SIDE = 11

# The C library of Linux returns freed blocks of the size of an image to the system, and clearing
# new ones takes about a third of the time of all corruptions at 224x224. Once a larger block has
# been freed, it keeps them. This one is never written to.
np.empty(16 << 20, np.uint8)


def three(plane: Floats) -> Floats:
    """Repeat a plane [H, W] as the three channels of [H, W, 3]."""
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)


@cache
def gaussian_kernel(sigma: float, reach: float = 4.0) -> Doubles:
    """Return the taps of a normalised Gaussian cut off at ``reach`` standard deviations."""
    radius = int(reach * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    kernel: Doubles = weights / weights.sum()
    kernel.setflags(write=False)
    return kernel


@cache
def line_kernel(radius: int, sigma: float) -> Doubles:
    """Return the 2 radius + 1 taps of half a Gaussian, from its middle on, normalised."""
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    kernel: Doubles = weights / weights.sum()
    kernel.setflags(write=False)
    return kernel


def gaussian_smooth(image: npt.NDArray[Any], sigma: float) -> Floats:
    """Blur uint8 or float32 [H, W(, 3)] with a Gaussian, the edge pixels repeated outwards."""
    kernel = gaussian_kernel(sigma)
    return cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)


def line_blur(image: npt.NDArray[Any], radius: int, sigma: float, angle: float) -> Floats:
    """Smear uint8 or float32 [H, W(, 3)] along a line, the edge pixels repeated outwards.

    The line has 2 radius + 1 taps, half a Gaussian of ``sigma`` pixels, and points ``angle``
    degrees down from the horizontal. Its kernel sums to 1 for images of any size; the reference
    drops taps outside the image and so darkens images smaller than the line.
    """
    weights = line_kernel(radius, sigma)
    steps = np.arange(len(weights))
    ys = np.ceil(steps * np.sin(np.deg2rad(angle)) - 0.5).astype(int)
    xs = np.ceil(steps * np.cos(np.deg2rad(angle)) - 0.5).astype(int)

    top, left = min(0, ys.min()), min(0, xs.min())
    kernel = np.zeros((max(0, ys.max()) - top + 1, max(0, xs.max()) - left + 1), np.float32)
    np.add.at(kernel, (ys - top, xs - left), weights)  # steps may share a pixel
    rows, columns = kernel.shape
    padded = cv2.copyMakeBorder(
        image, -top, rows - 1 + top, -left, columns - 1 + left, cv2.BORDER_REPLICATE
    )
    return _filter_valid(padded.astype(np.float32, copy=False), kernel)


def _filter_valid(image: Floats, kernel: Floats) -> Floats:
    """Filter [H, W(, 3)] with a thin [M, N] ``kernel`` where it lies inside, piece by piece.

    Returns [H - M + 1, W - N + 1(, 3)].
    """
    rows, columns = kernel.shape
    height, width = image.shape[0] - rows + 1, image.shape[1] - columns + 1
    tall = max(DIRECT_SIDE, DIRECT_SIDE**2 // columns)
    wide = max(DIRECT_SIDE, DIRECT_SIDE**2 // rows)
    parts = []
    for top in range(0, rows, tall):
        for left in range(0, columns, wide):
            piece = kernel[top : top + tall, left : left + wide]
            if piece.any():
                bottom, right = top + height + len(piece) - 1, left + width + len(piece[0]) - 1
                part = cv2.filter2D(image[top:bottom, left:right], -1, piece, anchor=(0, 0))
                parts.append(part[:height, :width])
    return reduce(cv2.add, parts)


@lru_cache(maxsize=1024)  # one per size: datasets of mixed sizes must not fill the memory
def enlargement(length: int, factor: float, rows: int | None = None) -> csr_array:
    """Return the matrix [rows, length] that enlarges the middle of a line linearly.

    The middle ``length / factor`` pixels, rounded up, are stretched to ``length`` or a few pixels
    more, of which the first ``rows`` are returned; the outermost pixels become the ends.
    """
    count = int(np.ceil(length / factor))
    start, size = (length - count) // 2, round(count * factor)
    place = np.arange(size)[:rows] * ((count - 1) / (size - 1))
    before = np.minimum(place.astype(np.int32), count - 2)
    fraction = (place - before).astype(np.float32)
    weights = np.stack([1 - fraction, fraction], axis=1)
    taken = np.stack([before, before + 1], axis=1) + start
    ends = np.arange(len(place) + 1) * 2
    return csr_array((weights.ravel(), taken.ravel(), ends), shape=(len(place), length))
