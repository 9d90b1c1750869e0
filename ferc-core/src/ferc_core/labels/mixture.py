"""The valence-arousal mixture of the paper (eqs 5-6): one Gaussian per expression.

The parameters come from the training set as in the authors' code: moments of the rows that lie
within one standard deviation of their class in valence and in arousal; shares over all rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError

RIDGE = 1e-6  # added to the covariance of a class with too few or collinear rows

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Shares ``pi`` [K], means ``mu`` [K, 2] and covariances ``sigma`` [K, 2, 2]."""

    pi: Array
    mu: Array
    sigma: Array

    def posterior(self, points: Array) -> Array:
        """Return gamma [N, K], the probability of each class at valence-arousal [N, 2] (eq. 6).

        Worked out in logarithms, so that a point far from every mean still gets a distribution.
        """
        offset = points[:, None, :] - self.mu
        inverse = np.linalg.inv(self.sigma)
        distance = np.einsum("nki,kij,nkj->nk", offset, inverse, offset)
        with np.errstate(divide="ignore"):  # a class without rows has share 0
            log_density = np.log(self.pi) - 0.5 * (np.linalg.slogdet(self.sigma)[1] + distance)
        density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
        gamma: Array = density / density.sum(axis=1, keepdims=True)
        return gamma


def fit(points: Array, labels: npt.NDArray[np.int64], num_classes: int) -> Mixture:
    """Learn the mixture from valence-arousal ``points`` [N, 2] and their classes [N]."""
    if len(points) == 0:
        raise DataError(
            "the valence-arousal mixture needs training rows, and there are none; "
            "borrow one of another dataset with --gmm FILE"
        )
    counts = np.bincount(labels, minlength=num_classes)
    mu, sigma = np.zeros((num_classes, 2)), np.tile(np.eye(2), (num_classes, 1, 1))
    for k in np.flatnonzero(counts):
        mu[k], sigma[k] = class_moments(points[labels == k])
    return Mixture(counts / counts.sum(), mu, sigma)


def class_moments(rows: Array) -> tuple[Array, Array]:
    """Return mean and covariance (1/n) of the rows within one standard deviation per axis."""
    kept = within_one_deviation(rows)
    if len(kept) > 1:
        sigma = np.cov(kept.T, bias=True)
        if np.linalg.det(sigma) > np.finfo(np.float64).eps ** 2:
            return kept.mean(axis=0), sigma
    # Too few rows for a covariance: take all of the class, and keep it invertible.
    return rows.mean(axis=0), np.cov(rows.T, bias=True).reshape(2, 2) + RIDGE * np.eye(2)


def within_one_deviation(rows: Array) -> Array:
    """Return those of ``rows`` [N, 2] within one standard deviation of their mean, on both axes."""
    inside: Array = rows[(np.abs(rows - rows.mean(axis=0)) < rows.std(axis=0)).all(axis=1)]
    return inside
