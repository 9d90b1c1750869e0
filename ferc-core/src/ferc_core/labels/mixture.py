"""The valence-arousal mixture of the paper (eqs 5-6): one Gaussian per expression.

The parameters come from the training set as in the authors' code: moments of the rows
within one standard deviation of their class in valence and in arousal; weights over all rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.base.exact import exponential
from ferc_core.errors import DataError

RIDGE = 1e-6  # added to the covariance of a class with too few or collinear rows
FLAT = 1e-9  # a smaller ratio of its two variances is one of rounding: the rows are collinear
EDGE = 1e-9  # rows this close to one standard deviation count as on it, whatever the rounding

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Weights ``pi`` [K], means ``mu`` [K, 2] and covariances ``sigma`` [K, 2, 2].

    ``fallback`` names the classes with too few or collinear rows within one standard deviation,
    whose moments are those of all their rows.
    """

    pi: Array
    mu: Array
    sigma: Array
    fallback: tuple[int, ...] = ()

    def posterior(self, points: Array) -> Array:
        """Return gamma [N, K], the probability of each class at valence-arousal [N, 2] (eq. 6).

        Distances count from the nearest class, so that a point far from every mean still gets a
        distribution. The same bytes on every processor: see `ferc_core.base.exact`.
        """
        x, y = np.moveaxis(points[:, None, :] - self.mu, 2, 0)
        (xx, xy), (yx, yy) = np.moveaxis(self.sigma, 0, 2)
        determinant = xx * yy - xy * yx
        distance = (yy * x * x - (xy + yx) * x * y + xx * y * y) / determinant
        present = self.pi > 0
        distance -= distance[:, present].min(axis=1, keepdims=True)
        density = exponential(-0.5 * np.where(present, distance, 0))
        density *= self.pi / np.sqrt(determinant)
        gamma: Array = density / density.sum(axis=1, keepdims=True)
        return gamma


def fit(points: Array, labels: npt.NDArray[np.int64], num_classes: int) -> Mixture:
    """Learn the mixture from valence-arousal ``points`` [N, 2] and their classes [N]."""
    if len(points) == 0:
        raise DataError(
            "the valence-arousal mixture needs training rows, and there are none; "
            "use that of another dataset with --gmm FILE"
        )
    counts = np.bincount(labels, minlength=num_classes)
    mu, sigma = np.zeros((num_classes, 2)), np.tile(np.eye(2), (num_classes, 1, 1))
    fallback = []
    for k in np.flatnonzero(counts).tolist():
        rows = points[labels == k]
        kept = within_one_deviation(rows)
        if is_flat(kept):
            fallback.append(k)
            mu[k], sigma[k] = moments(rows)
            sigma[k] += RIDGE * np.eye(2)
        else:
            mu[k], sigma[k] = moments(kept)
    return Mixture(counts / counts.sum(), mu, sigma, tuple(fallback))


def moments(rows: Array) -> tuple[Array, Array]:
    """Return the mean [2] and the covariance [2, 2] of rows [N, 2], from sums rounded once."""
    mean = np.array([math.fsum(column) / len(rows) for column in rows.T])
    x, y = (rows - mean).T
    xx, xy, yy = (math.fsum(product) / len(rows) for product in (x * x, x * y, y * y))
    return mean, np.array([[xx, xy], [xy, yy]])


def is_flat(rows: Array) -> bool:
    """Say whether rows [N, 2] are collinear, or too few to tell."""
    if len(rows) < 3:
        return True
    small, large = np.linalg.eigvalsh(moments(rows)[1])
    return bool(small <= FLAT * large)


def within_one_deviation(rows: Array) -> Array:
    """Return those of ``rows`` [N, 2] within one standard deviation of their mean, on both axes."""
    mean, covariance = moments(rows)
    distance, deviation = np.abs(rows - mean), np.sqrt(np.diag(covariance))
    inside: Array = rows[(distance < (1 - EDGE) * deviation).all(axis=1)]
    return inside
