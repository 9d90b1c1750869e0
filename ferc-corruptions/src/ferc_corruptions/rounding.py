"""Cutting values down to whole grey levels, as the benchmark does.

The definition truncates, so that a value which is whole in exact arithmetic ends a level lower
when the computation on the way came out a rounding error too low. That decides over nothing but
flat areas, and there it depends on the level alone. Our single precision cannot show such an
error; instead, each function below follows the definition's arithmetic for flat pictures of all
256 levels, and gives the slack that makes `truncate` keep a level or lose it.
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

SLACK = np.float32(2e-4)  # above the rounding errors of single precision, far below a level
LEVELS = np.arange(256)


def truncate(values: Floats, slack: Floats | None = None) -> Image:
    """Cut ``values`` (0 .. 255, overwritten) down to uint8; ``slack`` [256] is given by level."""
    values += SLACK if slack is None else cv2.LUT(np.rint(values).astype(np.uint8), slack)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def _slack(flat: npt.NDArray[np.floating]) -> Floats:
    """Return the slack of each level, given what the definition makes of flat pictures."""
    return np.where(flat < LEVELS, -SLACK, SLACK).astype(np.float32)


def line_slack(weights: Doubles) -> Floats:
    """Slack of a sum of pixels with ``weights``, taken one after the other."""
    return _slack(sum((weight * LEVELS for weight in weights), np.zeros(256)))


def kernel_slack(kernel: Floats) -> Floats:
    """Slack of a filter whose single-precision ``kernel`` may sum to a little less than 1."""
    return _slack(LEVELS * kernel.sum(dtype=np.float64))


def gaussian_slack(kernel: Doubles) -> Floats:
    """Slack of a symmetric ``kernel`` along both axes, on values scaled to [0, 1]."""
    flat = LEVELS / 255
    half = len(kernel) // 2
    for _ in range(2):
        # the definition starts in the middle and goes on with pairs, the outermost first
        pairs = ((flat + flat) * weight for weight in kernel[:half])
        flat = sum(pairs, flat * kernel[half])
    return _slack(flat * 255)


def zoom_slack(count: int) -> Floats:
    """Slack of the mean of a picture and ``count`` more, in single precision on [0, 1]."""
    level = (LEVELS / 255).astype(np.float32)
    total = functools.reduce(np.add, [level] * count)
    return _slack((level + total) / np.float32(count + 1) * np.float32(255))
