"""The multipliers of maximum entropy under moment constraints, by the dual problem.

Of all distributions on the class indices with given means of some features t, the one with the
largest entropy is p_k = exp(-lambda . t_k) / Z(lambda). Its multipliers lambda are the minimum of
the convex log Z(lambda) + lambda . m, where m are the wanted means (Jaynes 1957).
"""

from __future__ import annotations

import numpy as np
from scipy.special import softmax

from ferc_models.losses.base import Prior

Floats = Prior  # float64 of any shape

STEPS = 100  # far more than Newton's method needs where there is a minimum
TOLERANCE = 1e-10  # of the means, relative to the largest feature


def multipliers(features: Floats, probs: Prior) -> Floats | None:
    """Return lambda [D] of the distribution with the largest entropy and the means of ``probs``.

    features: t [K, D]. probs: a distribution [K], whose means sum_k probs_k t_k are wanted.
    The features must not depend on each other linearly.

    Returns None where so few classes have a positive probability that the wanted means may lie at
    the edge of the possible, such as a mean index of 0, where lambda is infinite.

    >>> multipliers(np.array([[0.0], [1.0]]), np.array([0.8, 0.2]))  # log 4
    array([1.38629436])
    """
    if np.count_nonzero(probs) <= features.shape[1]:
        return None
    scale = np.abs(features).max(axis=0)
    scaled = features / scale
    wanted, found = probs @ scaled, np.zeros(features.shape[1])
    for _ in range(STEPS):
        p = softmax(-scaled @ found)
        centred = scaled - p @ scaled
        surplus = p @ scaled - wanted
        if np.abs(surplus).max() < TOLERANCE:
            return found / scale
        try:
            step = np.linalg.solve(centred.T @ (p[:, None] * centred), surplus)
        except np.linalg.LinAlgError:
            return None
        # Damped so that it always descends: log Z is self-concordant in the range of the step
        # (Sun and Tran-Dinh 2019, arXiv:1703.04599, nu = 2)
        spread = np.ptp(scaled @ step)
        found = found + step * np.log1p(spread) / spread
    return None
