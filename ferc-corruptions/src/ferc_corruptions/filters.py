"""Small filters that several corruptions share.

Single precision throughout, and only forms of OpenCV that give the same bytes whatever the number
of threads; nothing rests on ``remap`` or ``warpAffine`` with interpolation, whose rounding of
coordinates differs between OpenCV 4 and 5.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions.rounding import Doubles, Floats

# From 11x11 on, cv2.filter2D turns to a Fourier transform, which is slower for a few taps.
DIRECT_SIDE = 10

# The C library of Linux hands memory of this size back to the system each time it is freed, and
# clearing it anew costs up to half of a corruption's time. Once a larger block was freed, it keeps
# such memory. Nothing is ever written here.
np.empty(16 << 20, np.uint8)


def three(plane: Floats) -> Floats:
    """Repeat a plane [H, W] as the three channels of [H, W, 3]."""
    return cv2.cvtColor(plane, cv2.COLOR_GRAY2RGB)


def gaussian_kernel(sigma: float, reach: float = 4.0) -> Doubles:
    """Return the taps of a normalised Gaussian cut off at ``reach`` standard deviations."""
    radius = int(reach * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    weights = np.exp(-0.5 / sigma**2 * np.arange(-radius, radius + 1) ** 2)
    kernel: Doubles = weights / weights.sum()
    return kernel


def line_kernel(radius: int, sigma: float) -> Doubles:
    """Return the 2 radius + 1 taps of half a Gaussian, from its middle on, normalised."""
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    kernel: Doubles = weights / weights.sum()
    return kernel


def gaussian_smooth(image: npt.NDArray[Any], sigma: float) -> Floats:
    """Blur uint8 or float32 [H, W(, 3)] with a Gaussian, the edge pixels repeated outwards."""
    kernel = gaussian_kernel(sigma)
    return cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)


def line_blur(image: Floats, radius: int, sigma: float, angle: float) -> Floats:
    """Smear [H, W(, 3)] along a line, as a moving camera does, edge pixels repeated outwards.

    The line has 2 radius + 1 taps, half a Gaussian of ``sigma`` pixels, and points ``angle``
    degrees down from the horizontal. Its kernel sums to 1 for pictures of any size; the reference
    drops what reaches past the picture and so darkens pictures smaller than the line.
    """
    weights = line_kernel(radius, sigma)
    steps = np.arange(len(weights))
    ys = np.ceil(steps * np.sin(np.deg2rad(angle)) - 0.5).astype(int)
    xs = np.ceil(steps * np.cos(np.deg2rad(angle)) - 0.5).astype(int)

    up, left = max(0, -ys.min()), max(0, -xs.min())
    padded = cv2.copyMakeBorder(
        image, up, max(0, ys.max()), left, max(0, xs.max()), cv2.BORDER_REPLICATE
    )
    height, width = image.shape[:2]
    blurred = np.zeros_like(image)
    for part in _pieces(ys, xs):
        y, x = ys[part] - ys[part].min(), xs[part] - xs[part].min()
        kernel = np.zeros((y.max() + 1, x.max() + 1), np.float32)
        np.add.at(kernel, (y, x), weights[part])  # steps may share a pixel
        top, start = up + ys[part].min(), left + xs[part].min()
        window = padded[top : top + height + y.max(), start : start + width + x.max()]
        blurred += cv2.filter2D(window, -1, kernel, anchor=(0, 0))[:height, :width]
    return blurred


def _pieces(ys: npt.NDArray[np.int_], xs: npt.NDArray[np.int_]) -> list[slice]:
    """Cut a straight line of taps into runs that span at most 10x10 pixels."""
    pieces, start = [], 0
    for i in range(1, len(ys) + 1):
        if i == len(ys) or max(abs(ys[i] - ys[start]), abs(xs[i] - xs[start])) >= DIRECT_SIDE:
            pieces.append(slice(start, i))
            start = i
    return pieces


def zoom_rows(image: Floats, factor: float) -> Floats:
    """Enlarge the middle rows of [H, W] linearly to H rows or a few more.

    The first and the last row of the middle part keep their places at the ends.
    """
    above, share = _zoom_places(len(image), factor)
    rows = image.take(above, axis=0)
    below = image.take(above + 1, axis=0)
    below -= rows
    below *= share[:, None]
    rows += below
    return rows


@cache
def _zoom_places(length: int, factor: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return for each new row the old row above it and how far it is below that, 0 to 1."""
    count = int(np.ceil(length / factor))
    start, size = (length - count) // 2, round(count * factor)
    place = np.arange(size) * ((count - 1) / (size - 1))
    above = np.minimum(place.astype(np.intp), count - 2)
    return above + start, (place - above).astype(np.float32)
