"""Validation of what a metric is given: probabilities [N, K] and targets.

Everything becomes float64 (labels: int64), so a float32 score such as 0.2 is the double
0.20000000298, slightly above the edge 3/15 that the double 0.2 lies on.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError, RequestError
from ferc_core.faces import SUM_TOLERANCE
from ferc_metrics.sharing import remembered

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

MOST_BINS = 10_000
ROUNDING = 1e-6  # a value may leave [0, 1] by this much, as float32 does, and is then clipped
REAL = "biuf"  # NumPy's kinds of bool, int and float


class MetricInputError(DataError, ValueError):
    """Probabilities or targets that no metric can be computed from; names the row."""


@remembered
def probabilities(probs: npt.ArrayLike) -> Floats:
    """Return ``probs`` as float64 [N, K] in [0, 1], N and K at least 1.

    Raises `MetricInputError` for what is not an array of real numbers, another shape, no rows,
    NaN, a value outside [0, 1] by more than 1e-6, or a row whose sum differs from 1 by more than
    `ferc_core.faces.SUM_TOLERANCE`. The tolerance accepts tables printed with three digits; rows
    are used as they are, not rescaled.
    """
    array = _real_array(probs, "probs")
    return _distributions(array, "probs", "pass softmax probabilities, not logits")


def hard_labels(targets: npt.ArrayLike, probs: Floats, instead: str) -> Ints:
    """Return ``targets``, int [N] or exactly one-hot [N, K], as int64 [N] in 0 .. K-1.

    Raises `RequestError` for rows that are not one-hot, with ``instead`` as the remedy, and
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


@remembered
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


def check_targets(targets: npt.ArrayLike, probs: Floats) -> None:
    """Raise `MetricInputError` for what are no targets, [N] or [N, K], of these probabilities."""
    array = _matching(targets, probs)
    if array.ndim == 2:
        _label_distributions(array)
    else:
        _class_numbers(array, probs.shape[1])


def check_bins(bins: int) -> None:
    """Raise `RequestError` unless ``bins`` is a whole number from 1 to 10,000."""
    if not isinstance(bins, Integral) or isinstance(bins, bool) or not 1 <= bins <= MOST_BINS:
        raise RequestError(f"bins must be a whole number from 1 to {MOST_BINS:,}, not {bins!r}")


def _real_array(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Return ``values`` as an array of bool, int or float, without losing any part of them."""
    if getattr(values, "requires_grad", False):
        raise MetricInputError(f"{name} is a tensor that requires gradients; pass {name}.detach()")
    if np.ma.is_masked(values):
        raise MetricInputError(f"{name} has masked values; pass the samples without them")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # ragged rows, a tensor on a GPU, ...
        reason = str(error).partition("\n")[0]
        raise MetricInputError(f"{name} is not an array of numbers: {reason}") from error
    if array.dtype.kind not in REAL:
        raise MetricInputError(f"{name} must hold real numbers, but its dtype is {array.dtype}")
    return array


def _matching(targets: npt.ArrayLike, probs: Floats) -> npt.NDArray[Any]:
    """Return ``targets`` as an array of shape [N] or [N, K] of these probabilities."""
    array = _real_array(targets, "targets")
    if array.shape not in (probs.shape[:1], probs.shape):
        n, k = probs.shape
        raise MetricInputError(
            f"targets has shape {list(array.shape)}, but probs has {n} rows and {k} classes; "
            f"pass class numbers [{n}] or label distributions [{n}, {k}]"
        )
    return array


def _class_numbers(array: npt.NDArray[Any], classes: int) -> Ints:
    if array.dtype.kind not in "iu":
        raise MetricInputError(
            f"targets of shape [N] must be whole class numbers (int), not {array.dtype}"
        )
    labels = array.astype(np.int64, copy=False)
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise MetricInputError(
            f"targets row {outside[0]} has label {array[outside[0]]}, outside the {classes} "
            f"classes 0 to {classes - 1}"
        )
    return labels


def _label_distributions(array: npt.NDArray[Any]) -> Floats:
    return _distributions(array, "targets", "pass one probability per class, summing to 1")


def _distributions(array: npt.NDArray[Any], name: str, remedy: str) -> Floats:
    rows = np.asarray(array, dtype=np.float64)
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
