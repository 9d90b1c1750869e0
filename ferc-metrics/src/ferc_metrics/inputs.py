"""Checks of what a metric is given, in one place: probabilities [N, K] and targets.

Everything becomes float64 (labels: int64), so a float32 score such as 0.2 is the double
0.20000000298, slightly above the edge 3/15 that the double 0.2 lies on.
"""

from __future__ import annotations

from numbers import Integral
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError, RequestError
from ferc_core.faces import SUM_TOLERANCE

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

ROUNDING = 1e-6  # a value may leave [0, 1] by this much, as float32 does, and is then clipped


class MetricInputError(DataError, ValueError):
    """Probabilities or targets that no metric can be computed of; names the row."""


def probabilities(probs: npt.ArrayLike) -> Floats:
    """Return ``probs`` as float64 [N, K] in [0, 1], N and K at least 1.

    Raises `MetricInputError` for another shape, no rows, NaN, a value outside [0, 1] by more than
    1e-6, or a row whose sum is off 1 by more than `ferc_core.faces.SUM_TOLERANCE`. The tolerance
    lets tables printed with three digits pass; rows are taken as they are, not rescaled.
    """
    return _distributions(probs, "probs", "give softmax probabilities, not logits")


def hard_labels(targets: npt.ArrayLike, probs: Floats, instead: str) -> Ints:
    """Return ``targets``, int [N] or exactly one-hot [N, K], as int64 [N] in 0 .. K-1.

    Raises `RequestError` for really soft rows, with ``instead`` as the remedy, and
    `MetricInputError` for all else.
    """
    array = _matching(targets, probs)
    if array.ndim == 1:
        return _class_numbers(array, probs.shape[1])
    rows = _label_distributions(array)
    soft = np.flatnonzero(((rows != 0) & (rows != 1)).any(axis=1))
    if len(soft):
        raise RequestError(
            f"targets row {soft[0]} is a soft label with {rows[soft[0]].max():g} on its largest "
            f"class, but this metric takes one class per sample; {instead}"
        )
    labels: Ints = rows.argmax(axis=1)
    return labels


def soft_labels(targets: npt.ArrayLike, probs: Floats) -> Floats:
    """Return ``targets``, [N, K] or int [N], as float64 [N, K]; class numbers become one-hot.

    Raises `MetricInputError` as `probabilities` does, and for class numbers outside 0 .. K-1.
    """
    array = _matching(targets, probs)
    if array.ndim == 2:
        return _label_distributions(array)
    one_hot = np.zeros(probs.shape)
    one_hot[np.arange(len(probs)), _class_numbers(array, probs.shape[1])] = 1
    return one_hot


def check_bins(bins: int) -> None:
    """Raise `RequestError` unless ``bins`` is a whole number of at least 1."""
    if not isinstance(bins, Integral) or bins < 1:
        raise RequestError(f"bins must be a whole number of at least 1, not {bins!r}")


def _matching(targets: npt.ArrayLike, probs: Floats) -> npt.NDArray[np.generic]:
    """Return ``targets`` as an array of shape [N] or [N, K] of these probabilities."""
    try:
        array = np.asarray(targets)
    except ValueError as error:  # rows of different length
        raise MetricInputError(f"targets is no array: {error}") from error
    if array.shape not in (probs.shape[:1], probs.shape):
        n, k = probs.shape
        raise MetricInputError(
            f"targets has shape {list(array.shape)}, but probs has {n} rows and {k} classes; "
            f"give class numbers [{n}] or label distributions [{n}, {k}]"
        )
    return array


def _class_numbers(array: npt.NDArray[np.generic], classes: int) -> Ints:
    if array.dtype.kind not in "iu":
        raise MetricInputError(
            f"targets of shape [N] must be whole class numbers (int), not {array.dtype}"
        )
    labels = array.astype(np.int64)
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise MetricInputError(
            f"targets row {outside[0]} has label {array[outside[0]]}, outside the {classes} "
            f"classes 0 to {classes - 1}"
        )
    return labels


def _label_distributions(array: npt.ArrayLike) -> Floats:
    return _distributions(array, "targets", "give each class's share, summing to 1")


def _distributions(values: npt.ArrayLike, name: str, remedy: str) -> Floats:
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise MetricInputError(f"{name} is no array of numbers: {error}") from error
    if rows.size == 0:
        raise MetricInputError(f"{name} is empty; a metric needs at least one sample and class")
    if rows.ndim != 2:
        raise MetricInputError(
            f"{name} must have shape [N, K], one row per sample, not {list(rows.shape)}"
        )
    low, high = rows.min(), rows.max()
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # NaN fails the comparison, too
        within = (rows >= -ROUNDING) & (rows <= 1 + ROUNDING)
        row, column = np.argwhere(~within)[0]
        raise MetricInputError(
            f"{name} row {row} holds {rows[row, column]:g}, which is not in [0, 1]; {remedy}"
        )
    sums = rows.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    if len(off):
        raise MetricInputError(f"{name} row {off[0]} sums to {sums[off[0]]:g}, not 1; {remedy}")
    return np.clip(rows, 0, 1) if low < 0 or high > 1 else rows
