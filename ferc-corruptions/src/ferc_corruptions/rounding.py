"""Truncation to whole grey levels, as in the benchmark.

The reference truncates, so a value that is whole in exact arithmetic ends one level lower where the
computation came out a rounding error too low. This matters in flat areas only, and there it depends
on the level alone. Our single precision cannot reproduce such an error; instead, each function
below repeats the arithmetic of the reference for flat images of all 256 levels and returns the
levels that `truncate` must lower by one.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# OpenCV's type stubs do not say which dtype an array has; these names tell the reader.
Image = npt.NDArray[Any]  # uint8, [H, W, 3] unless said otherwise
Floats = npt.NDArray[Any]  # float32
Doubles = npt.NDArray[Any]  # float64
Mask = npt.NDArray[np.bool_]

SLACK = 2e-4  # above the rounding errors of single precision, far below a level
LEVELS = np.arange(256)


def truncate(values: Floats, lost: Mask | None = None) -> Image:
    """Truncate ``values`` (at least -SLACK) to uint8, and lower the levels of ``lost`` [256]."""
    # truncating is rounding half a level lower, for which OpenCV has one fast pass
    cut = cv2.convertScaleAbs(values, alpha=1, beta=SLACK - 0.5)
    if lost is None or not lost.any():
        return cut
    below = cv2.convertScaleAbs(values, alpha=1, beta=-SLACK - 0.5)
    whole = np.flatnonzero(cut > below)  # few, unless there are flat areas
    levels = cut.ravel()
    levels[whole] -= lost[levels[whole]]
    return cut


def line_losses(weights: Doubles) -> Mask:
    """Return which levels a sum of pixels with ``weights``, added one by one, loses."""
    flat: Doubles = sum((weight * LEVELS for weight in weights), np.zeros(256))
    lost: Mask = flat < LEVELS
    return lost


def kernel_losses(kernel: Floats) -> Mask:
    """Return which levels a single-precision ``kernel`` loses whose sum may be just below 1."""
    lost: Mask = kernel.sum(dtype=np.float64) * LEVELS < LEVELS
    return lost


def gaussian_losses(kernel: Doubles) -> Mask:
    """Return which levels a symmetric ``kernel`` along both axes loses, on a scale of [0, 1]."""
    flat = LEVELS / 255
    half = len(kernel) // 2
    for _ in range(2):
        # the reference starts in the middle and adds pairs, the outermost first
        pairs = ((flat + flat) * weight for weight in kernel[:half])
        flat = sum(pairs, flat * kernel[half])
    return flat * 255 < LEVELS


def zoom_losses(count: int) -> Mask:
    """Return which levels the single-precision mean of an image and ``count`` more loses."""
    level = (LEVELS / 255).astype(np.float32)
    total = functools.reduce(np.add, [level] * count)
    return (level + total) / np.float32(count + 1) * np.float32(255) < LEVELS
