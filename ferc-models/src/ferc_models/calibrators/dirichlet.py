"""Dirichlet calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from ferc_core.errors import RequestError
from ferc_models.calibrators.affine import Affine, fit_diagonal, fit_full
from ferc_models.calibrators.inputs import Floats, check_logits, check_samples
from ferc_models.calibrators.temperature import fit_temperature
from ferc_models.options import choice

VARIANTS = ("full", "diagonal", "fixed-diagonal")
SMALLEST_LOG = float(np.log(np.finfo(np.float64).tiny))  # about -708, where doubles end


@dataclass(frozen=True, eq=False)
class Dirichlet:
    """A fitted map of log-probabilities, to be called with logits."""

    variant: str
    affine: Affine

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Return softmax(W log p + b), float64 [M, K], for finite logits [M, K]."""
        return self.affine(log_probabilities(check_logits(logits)))

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"variant": self.variant, **self.affine.parameters()}


def fit_dirichlet(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    variant: str = "full",
    lam: str | float = "cv",
    mu: str | float = "cv",
) -> Dirichlet:
    """Return the map ``softmax(W log p + b)`` with p = softmax(logits), by cross-entropy.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    variant: "full" is regularised and chosen as in ``matrix``; "diagonal" is ``vector`` on log p;
    "fixed-diagonal" has one number on the diagonal and no b, which is ``temperature``.
    lam, mu: strengths for "full", "cv" or numbers of at least 0. log p is clipped at -708.

    The predicted class may change, but not by "fixed-diagonal". Raises `DataError` for empty or
    broken input, `RequestError` for a wrong option.

    Source: Kull et al. 2019, arXiv:1910.12656, the linear parametrisation.
    """
    if choice("variant", variant, VARIANTS) != "full" and (lam, mu) != ("cv", "cv"):
        raise RequestError(f"options 'lam' and 'mu' need variant=full, not {variant}")
    scores, soft = check_samples(logits, targets)
    log_p = log_probabilities(scores)
    if variant == "full":
        return Dirichlet(variant, fit_full(log_p, soft, lam, mu))
    if variant == "diagonal":
        return Dirichlet(variant, fit_diagonal(log_p, soft))
    k = scores.shape[1]
    one = 1 / fit_temperature(log_p, soft).temperature
    return Dirichlet(variant, Affine(np.full(k, one), np.zeros(k)))


def log_probabilities(scores: Floats) -> Floats:
    """Return log softmax(scores), at least the log of the smallest normal double."""
    clipped: Floats = np.maximum(log_softmax(scores, axis=1), SMALLEST_LOG)
    return clipped
