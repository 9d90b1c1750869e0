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

import numpy as np
import numpy.typing as npt

from ferc_corruptions.compiled import Flat, U, Whole, compiled

Image = npt.NDArray[Any]  # uint8, [H, W, 3] unless said otherwise
Floats = npt.NDArray[Any]  # float32
Doubles = npt.NDArray[Any]  # float64
Mask = npt.NDArray[np.bool_]

PIECE = 64  # values that are looked at together
SLACK = 2e-4  # above the rounding errors of single precision, far below a level
LEVELS = np.arange(256)


def truncate(values: Floats, lost: Mask | None = None) -> Image:
    """Truncate ``values`` to uint8, and lower the levels of ``lost`` [256] where they are whole."""
    levels = _truncated(values.reshape(-1))
    if lost is not None and lost.any():
        _lower(levels, values.reshape(-1), lost)
    return levels.reshape(values.shape)


@compiled
def _truncated(values: Flat) -> Image:
    out = np.empty(len(values), np.uint8)
    for i in range(len(values)):
        out[i] = np.uint8(min(max(values[i] + np.float32(SLACK), np.float32(0)), np.float32(255)))
    return out


@compiled
def _lower(levels: Flat, values: Flat, lost: Mask) -> None:
    for start in range(0, len(levels), PIECE):
        end = min(start + PIECE, len(levels))
        if _any_whole(levels, values, U(start), U(end - start)):  # rare but in flat areas
            _lower_piece(levels, values, lost, start, end)


@compiled
def _any_whole(levels: Flat, values: Flat, start: Whole, n: Whole) -> Whole:
    found = np.int32(0)
    for i in range(n):
        found += np.int32(values[start + i] - np.float32(SLACK) < np.float32(levels[start + i]))
    return found


@compiled
def _lower_piece(levels: Flat, values: Flat, lost: Mask, start: Whole, end: Whole) -> None:
    for i in range(start, end):
        level = levels[i]
        whole = values[i] - np.float32(SLACK) < np.float32(level)
        levels[i] = level - np.uint8(lost[level] & whole)  # without a branch, which none foresees


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
