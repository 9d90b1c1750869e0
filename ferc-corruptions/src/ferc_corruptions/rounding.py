"""Cutting values down to whole grey levels, as the benchmark does.

The definition truncates, so that a value which is whole in exact arithmetic ends a level lower
when the computation on the way came out a rounding error too low. That decides over nothing but
flat areas, and there it depends on the level alone. Our single precision cannot show such an
error; instead, each function below follows the definition's arithmetic for flat images of all
256 levels, and says which of them `truncate` shall lose.
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

# The types of OpenCV know arrays of numbers, but not of which numbers: these names tell the reader.
Image = npt.NDArray[Any]  # uint8, [H, W, 3] unless said otherwise
Floats = npt.NDArray[Any]  # float32
Doubles = npt.NDArray[Any]  # float64
Mask = npt.NDArray[np.bool_]

SLACK = 2e-4  # above the rounding errors of single precision, far below a level
LEVELS = np.arange(256)


def truncate(values: Floats, lost: Mask | None = None) -> Image:
    """Cut ``values`` (not below -SLACK) down to uint8; ``lost`` [256]: the levels not kept."""
    # cutting down is rounding half a level lower, for which OpenCV has one fast pass
    cut = cv2.convertScaleAbs(values, alpha=1, beta=SLACK - 0.5)
    if lost is None or not lost.any():
        return cut
    below = cv2.convertScaleAbs(values, alpha=1, beta=-SLACK - 0.5)
    whole = np.flatnonzero(cut > below)  # few, unless there are flat areas
    levels = cut.ravel()
    levels[whole] -= lost[levels[whole]]
    return cut


def line_losses(weights: Doubles) -> Mask:
    """Say which levels a sum of pixels with ``weights``, taken one after the other, loses."""
    flat: Doubles = sum((weight * LEVELS for weight in weights), np.zeros(256))
    lost: Mask = flat < LEVELS
    return lost


def kernel_losses(kernel: Floats) -> Mask:
    """Say which levels a single-precision ``kernel`` loses that may sum to a little less than 1."""
    lost: Mask = kernel.sum(dtype=np.float64) * LEVELS < LEVELS
    return lost


def gaussian_losses(kernel: Doubles) -> Mask:
    """Say which levels a symmetric ``kernel`` along both axes loses, on a scale of [0, 1]."""
    flat = LEVELS / 255
    half = len(kernel) // 2
    for _ in range(2):
        # the definition starts in the middle and goes on with pairs, the outermost first
        pairs = ((flat + flat) * weight for weight in kernel[:half])
        flat = sum(pairs, flat * kernel[half])
    return flat * 255 < LEVELS


def zoom_losses(count: int) -> Mask:
    """Say which levels the single-precision mean of an image and ``count`` more loses."""
    level = (LEVELS / 255).astype(np.float32)
    total = functools.reduce(np.add, [level] * count)
    return (level + total) / np.float32(count + 1) * np.float32(255) < LEVELS
