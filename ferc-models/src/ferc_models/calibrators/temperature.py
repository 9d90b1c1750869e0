"""Temperature scaling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import softmax

from ferc_core.errors import DataError
from ferc_models.calibrators.inputs import Floats, check_logits, check_targets

LOWEST, HIGHEST = 0.05, 20.0  # range of the search


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

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].

    The NLL is convex in 1/T, so the root of its slope is the only minimum; if the slope does not
    change sign, the result is the better bound (0.05 if all predictions are right). If the logits
    of every row are equal, every T is optimal and the result is 1. Raises `DataError` for empty or
    broken input.

    Source: Guo et al. 2017, arXiv:1706.04599.

    >>> round(fit_temperature([[4.0, 0.0]], [[0.75, 0.25]]).temperature, 4)  # 4 / log 3
    3.641
    """
    scores = check_logits(logits)
    if len(scores) == 0:
        raise DataError("a temperature cannot be fitted without samples")
    soft = check_targets(targets, *scores.shape)
    scores = scores - scores.max(axis=1, keepdims=True)
    wanted = (soft * scores).sum(axis=1)

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
