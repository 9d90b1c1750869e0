"""Checks of what a calibrator is fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError

Floats = npt.NDArray[np.float64]

SUM_TOLERANCE = 1e-3


def check_logits(logits: npt.ArrayLike) -> Floats:
    """Return logits as float64 [N, K], or raise `DataError`."""
    scores = np.asarray(logits, dtype=np.float64)
    if scores.ndim != 2 or scores.shape[1] == 0:
        raise DataError(f"logits must have the shape [N, K], not {list(scores.shape)}")
    check_finite(scores, "the logits")
    return scores


def check_targets(targets: npt.ArrayLike, n: int, k: int) -> Floats:
    """Return targets as shares, float64 [N, K], or raise `DataError`."""
    given: npt.NDArray[Any] = np.asarray(targets)
    if given.shape == (n,) and np.issubdtype(given.dtype, np.integer):
        outside = np.flatnonzero((given < 0) | (given >= k))
        if len(outside):
            row = outside[0]
            raise DataError(f"the target of row {row} is class {given[row]}, not 0 to {k - 1}")
        one_hot: Floats = np.eye(k)[given]
        return one_hot
    if given.shape != (n, k):
        raise DataError(
            f"targets must be {n} class numbers or shares [{n}, {k}], "
            f"not {given.dtype} {list(given.shape)}"
        )
    shares = given.astype(np.float64)
    check_finite(shares, "the targets")
    off = (np.abs(shares.sum(axis=1) - 1) > SUM_TOLERANCE) | (shares < 0).any(axis=1)
    if off.any():
        raise DataError(f"the targets of row {np.argmax(off)} are no shares that sum to 1")
    return shares


def check_finite(values: Floats, what: str) -> None:
    """Raise `DataError` naming the first row with NaN or infinity."""
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise DataError(f"{what} of row {np.argmax(bad)} are not finite")
