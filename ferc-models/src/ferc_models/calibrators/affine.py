"""softmax(W x + b) with the smallest cross-entropy, for vector, matrix and Dirichlet scaling.

x are features [N, K], logits or log-probabilities; y targets [N, K]. The regularisation of the
full matrix is ODIR, off-diagonal and intercept: lam mean_{i != j} W_ij^2 + mu mean_i b_i^2.
Source: Kull et al. 2019, arXiv:1910.12656.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ferc_core.errors import RequestError
from ferc_models.calibrators.inputs import Floats, canonical_order, check_logits
from ferc_models.options import number

STRENGTHS = tuple(10.0**power for power in range(1, -6, -1))  # tried by "cv", strongest first
FOLDS = 5
ITERATIONS = 1000  # enough for all but separable samples, whose W has no finite optimum
TOLERANCE = 1e-9  # of the slope at which L-BFGS stops; its square for the value
ROUGH = 1e-4  # the same, where strengths are only compared


@dataclass(frozen=True, eq=False)
class Affine:
    """A fitted map; ``weights`` is [K, K], or [K] for a diagonal matrix; ``bias`` is [K]."""

    weights: Floats
    bias: Floats
    settings: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, features: npt.ArrayLike) -> Floats:
        """Return softmax(W x + b), float64 [M, K], for finite features [M, K]."""
        x = check_logits(features, len(self.bias))
        scaled = x * self.weights if self.weights.ndim == 1 else x @ self.weights.T
        probs: Floats = softmax(scaled + self.bias, axis=1)
        return probs

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {
            "weights": self.weights.tolist(),
            "bias": self.bias.tolist(),
            **self.settings,
        }


def fit_diagonal(x: Floats, soft: Floats) -> Affine:
    """Return the diagonal W and the b with the smallest cross-entropy."""
    order = canonical_order(x, soft)
    k = x.shape[1]
    free = np.eye(k, k + 1, dtype=bool)
    free[:, k] = True
    theta = minimised(x[order], soft[order], np.zeros((k, k + 1)), free, np.eye(k, k + 1))
    return Affine(np.diag(theta[:, :k]).copy(), theta[:, k].copy())


def fit_full(x: Floats, soft: Floats, lam: str | float, mu: str | float) -> Affine:
    """Return W and b with the smallest regularised cross-entropy; "cv" chooses a strength."""
    order = canonical_order(x, soft)
    x, soft = x[order], soft[order]
    k = x.shape[1]
    chosen = best_strengths(x, soft, strengths("lam", lam), strengths("mu", mu))
    free = np.ones((k, k + 1), dtype=bool)
    theta = minimised(x, soft, odir(k, *chosen), free, np.eye(k, k + 1))
    return Affine(
        theta[:, :k].copy(), theta[:, k].copy(), dict(zip(("lam", "mu"), chosen, strict=True))
    )


def strengths(option: str, value: str | float) -> Sequence[float]:
    """Return the strengths to try for an option, strongest first."""
    if value == "cv":
        return STRENGTHS
    if isinstance(value, str):
        raise RequestError(f"option {option!r} must be cv or a number, not {value!r}")
    return (number(option, value),)


def odir(k: int, lam: float, mu: float) -> Floats:
    """Return the weight of each square of [W | b] in the regularisation, [K, K + 1]."""
    penalty = np.full((k, k + 1), lam / max(k * (k - 1), 1))
    np.fill_diagonal(penalty, 0)
    penalty[:, k] = mu / k
    return penalty


def best_strengths(
    x: Floats, soft: Floats, lams: Sequence[float], mus: Sequence[float]
) -> tuple[float, float]:
    """Return lam and mu with the smallest held-out cross-entropy over folds of sorted samples.

    The strongest wins a tie, and is taken for a single sample, which cannot be held out.
    """
    n, k = x.shape
    if n == 1 or len(lams) == len(mus) == 1:
        return lams[0], mus[0]
    free = np.ones((k, k + 1), dtype=bool)
    fold_of = np.arange(n) % FOLDS
    losses = np.zeros((len(lams), len(mus)))
    for fold in range(min(FOLDS, n)):
        held = fold_of == fold
        theta = np.eye(k, k + 1)  # each fit starts where the previous one ended
        for i, lam in enumerate(lams):
            for j, mu in enumerate(mus):
                penalty = odir(k, lam, mu)
                theta = minimised(x[~held], soft[~held], penalty, free, theta, ROUGH)
                log_p = log_softmax(x[held] @ theta[:, :k].T + theta[:, k], axis=1)
                losses[i, j] -= np.sum(soft[held] * log_p)
    i, j = divmod(int(losses.argmin()), len(mus))
    return lams[i], mus[j]


def minimised(
    x: Floats,
    soft: Floats,
    penalty: Floats,
    free: npt.NDArray[np.bool_],
    start: Floats,
    tolerance: float = TOLERANCE,
) -> Floats:
    """Return theta = [W | b] with the smallest mean cross-entropy plus sum(penalty * theta^2).

    Only entries that are ``free`` move from ``start``; all are [K, K + 1]. The problem is convex.
    """
    n, k = x.shape
    extended = np.hstack([x, np.ones((n, 1))])
    # Each entry in units of its own curvature, so that L-BFGS handles any scale of the logits
    curvature = (np.mean(extended**2, axis=0) / k + 2 * penalty)[free]
    unit = 1 / np.sqrt(np.where(curvature > 0, curvature, 1))

    def theta_at(step: Floats) -> Floats:
        theta = start.copy()
        theta[free] += unit * step
        return theta

    def objective(step: Floats) -> tuple[float, Floats]:
        theta = theta_at(step)
        log_p = log_softmax(extended @ theta.T, axis=1)
        value = -np.sum(soft * log_p) / n + np.sum(penalty * theta**2)
        slope = (np.exp(log_p) - soft).T @ extended / n + 2 * penalty * theta
        return float(value), unit * slope[free]

    found = minimize(
        objective,
        np.zeros(int(free.sum())),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": ITERATIONS,
            "maxfun": 3 * ITERATIONS,
            "gtol": tolerance,
            "ftol": tolerance**2,
        },
    )
    return theta_at(found.x)
