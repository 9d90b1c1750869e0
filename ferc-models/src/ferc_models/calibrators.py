"""Post-hoc calibrators: fitted on validation logits, applied to logits of the test split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax

from ferc_core.errors import DataError

Floats = npt.NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 20.0  # the temperatures that are searched (SPEC section 4)
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature, to be called with logits."""

    temperature: float

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Return softmax(logits / temperature), float64 [M, K], for finite logits [M, K]."""
        scaled: Floats = softmax(check_logits(logits) / self.temperature, axis=1)
        return scaled

    def parameters(self) -> dict[str, float]:
        """What was fitted, for the record."""
        return {"temperature": self.temperature}


def fit_temperature(logits: npt.ArrayLike, targets: npt.ArrayLike) -> Temperature:
    """Return the temperature in [0.05, 20] with the smallest NLL of ``softmax(logits / T)``.

    logits: [N, K], finite. targets: classes int [N], or shares [N, K] whose rows sum to 1.

    The NLL is convex in 1/T, so the root of its slope is the only minimum; where the slope keeps
    one sign, the nearer bound is returned (all predictions right: 0.05). Logits that are equal
    within every row leave T open, and it stays 1. Raises `DataError` for empty or broken input.

    Source: Guo et al. 2017, arXiv:1706.04599.

    >>> round(fit_temperature([[4.0, 0.0]], [[0.75, 0.25]]).temperature, 4)  # 4 / log 3
    3.641
    """
    scores = check_logits(logits)
    if len(scores) == 0:
        raise DataError("a temperature cannot be fitted on no samples at all")
    shares = check_targets(targets, *scores.shape)
    scores = scores - scores.max(axis=1, keepdims=True)
    wanted = (shares * scores).sum(axis=1)

    def slope(log_temperature: float) -> float:
        """Derivative of the NLL with respect to 1/T."""
        p = softmax(scores / np.exp(log_temperature), axis=1)
        return float(np.mean((p * scores).sum(axis=1) - wanted))

    low, high = np.log(LOWEST), np.log(HIGHEST)
    sharp, flat = slope(low), slope(high)
    if sharp == 0 and flat == 0:
        return Temperature(1.0)
    if sharp <= 0:
        return Temperature(LOWEST)
    if flat >= 0:
        return Temperature(HIGHEST)
    return Temperature(float(np.exp(brentq(slope, low, high, xtol=1e-12))))


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
