"""Checks of what a calibrator is fitted on and applied to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SUM_TOLERANCE = 1e-3


def check_logits(logits: npt.ArrayLike, classes: int | None = None) -> Floats:
    """Return logits as float64 [N, K], or raise `DataError`; K must be ``classes`` if given."""
    try:
        scores = np.asarray(logits, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"logits are not an array of numbers: {error}") from error
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise DataError(f"logits must have the shape [N, K], not {list(scores.shape)}")
    if classes is not None and scores.shape[1] != classes:
        raise DataError(
            f"the calibrator was fitted on {classes} classes, but the logits have {scores.shape[1]}"
        )
    check_finite(scores, "the logits")
    return scores


def check_targets(targets: npt.ArrayLike, n: int, k: int) -> Floats:
    """Return targets as distributions, float64 [N, K], or raise `DataError`."""
    try:
        given: npt.NDArray[Any] = np.asarray(targets)
    except ValueError as error:  # rows of different length
        raise DataError(f"targets are not an array: {error}") from error
    if given.shape == (n,) and np.issubdtype(given.dtype, np.integer):
        outside = np.flatnonzero((given < 0) | (given >= k))
        if len(outside):
            row = outside[0]
            raise DataError(f"the target of row {row} is class {given[row]}, not 0 to {k - 1}")
        one_hot: Floats = np.eye(k)[given]
        return one_hot
    if given.shape != (n, k) or not (np.isrealobj(given) and np.issubdtype(given.dtype, np.number)):
        raise DataError(
            f"targets must be {n} class numbers or probabilities [{n}, {k}], "
            f"not {given.dtype} {list(given.shape)}"
        )
    soft = given.astype(np.float64)
    check_finite(soft, "the targets")
    off = (np.abs(soft.sum(axis=1) - 1) > SUM_TOLERANCE) | (soft < 0).any(axis=1)
    if off.any():
        raise DataError(f"the targets of row {np.argmax(off)} are not probabilities that sum to 1")
    return soft


def check_samples(logits: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return logits and targets of at least one sample, [N, K]; rows of targets sum to 1."""
    scores = check_logits(logits)
    if len(scores) == 0:
        raise DataError("a calibrator cannot be fitted without samples")
    soft = check_targets(targets, *scores.shape)
    return scores, soft / soft.sum(axis=1, keepdims=True)


def check_features(features: npt.ArrayLike, n: int) -> Floats:
    """Return features as float64 [n, D], or raise `DataError`."""
    found = np.asarray(features, dtype=np.float64)
    if found.ndim != 2 or len(found) != n or found.shape[1] == 0:
        raise DataError(f"features must have the shape [{n}, D], not {list(found.shape)}")
    check_finite(found, "the features")
    return found


def check_finite(values: Floats, what: str) -> None:
    """Raise `DataError` naming the first row with NaN or infinity."""
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise DataError(f"{what} of row {np.argmax(bad)} are not finite")


def canonical_order(scores: Floats, soft: Floats) -> Ints:
    """Return the order [N] that sorts samples by likeliest class, then targets, then logits.

    A fit on samples in this order is the same to the bit for every input order, and every F-th
    sample makes a fold with all classes in it.
    """
    keys = np.column_stack([soft.argmax(axis=1), soft, scores])
    return np.lexsort(keys.T[::-1])
