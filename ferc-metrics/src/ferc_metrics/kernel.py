"""The squared kernel calibration error of whole predicted distributions, and its test.

Binned errors look at the largest probability alone. The kernel error asks of every distribution p
whether the labels of samples with such a prediction are distributed as p. With the residual
r_i = onehot(label_i) - p_i and a kernel k on distributions it is

    SKCE = mean over pairs i != j of k(p_i, p_j) <r_i, r_j>

which is unbiased: 0 on average for a calibrated model, and therefore often negative. Here
k(p, q) = exp(-TV(p, q) / width), TV the total variation distance and the width its median.

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K].
Bad arrays raise `MetricInputError`; soft rows and bad options raise `RequestError`. Source: Widmann
et al. 2019, arXiv:1910.11385, lemma 2, table 1 and section 7.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ferc_metrics.chance import check_draws, seeded
from ferc_metrics.inputs import Floats, hard_labels, probabilities
from ferc_metrics.sharing import remembered

TOGETHER = 4000  # samples up to which all pairs are formed
BLOCK = 100  # samples of a block where there are more: pairs are formed within blocks
MOST = 2000  # blocks
FEW = 1000  # samples that the width is the median of
DRAWS = 200
AT_ONCE = 400  # columns of residuals that are multiplied at a time


@dataclass(frozen=True)
class Block:
    """Some samples: probabilities and residuals [N, K], and the kernel of their pairs."""

    p: Floats
    residuals: Floats
    width: float

    @cached_property
    def kernel(self) -> Floats:
        """k(p_i, p_j), [N, N]; 0 where i = j, which is no pair."""
        kernel = np.exp(distances(self.p) / -self.width)
        np.fill_diagonal(kernel, 0)
        return kernel

    def error(self) -> float:
        """Return the mean over pairs."""
        total = np.vdot(self.residuals, self.kernel @ self.residuals)
        return float(total / max(self.pairs, 1))

    @property
    def pairs(self) -> int:
        """The number of ordered pairs."""
        return len(self.p) * (len(self.p) - 1)

    def drawn_errors(self, draws: int, rng: np.random.Generator) -> Floats:
        """Return the errors with labels that are drawn from the probabilities, [draws]."""
        n, k = self.p.shape
        ends = np.cumsum(self.p, axis=1)[:, None, :]
        errors = []
        for start in range(0, draws, max(1, AT_ONCE // k)):
            size = min(max(1, AT_ONCE // k), draws - start)
            labels = (rng.random((n, size, 1)) > ends).sum(axis=2).clip(max=k - 1)
            residuals = (labels[..., None] == np.arange(k)) - self.p[:, None, :]
            moved = (self.kernel @ residuals.reshape(n, -1)).reshape(residuals.shape)
            errors.append(np.einsum("ndk,ndk->d", residuals, moved) / self.pairs)
        return np.concatenate(errors)


def skce(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the squared kernel calibration error, at most 2; lower is better, a calibrated model
    is around 0 on either side.

    Over all pairs of up to 4,000 samples; of more, over the pairs within blocks of 100 that are
    drawn at random, 2,000 at most. One sample has no pair and an error of 0.

    >>> p = [[0.5, 0.5]] * 4
    >>> round(skce(p, [0, 0, 0, 0]), 6), round(skce(p, [0, 0, 1, 1]), 6)  # 1/2, (2 - 4) / 6 / 2
    (0.5, -0.166667)
    """
    return float(np.mean(errors_of(probs, targets)))


def skce_p(probs: npt.ArrayLike, targets: npt.ArrayLike, *, draws: int = DRAWS) -> float:
    """Return the probability that a calibrated model with these predictions has an `skce` as large.

    Below 0.05 the model is not calibrated in the strong sense, at the level 5 %. In (0, 1]. Up to
    4,000 samples, labels are drawn from the predictions ``draws`` times and the errors compared; of
    more, the mean of the blocks is compared with its standard error by a normal distribution.

    >>> p = [[0.8, 0.2]] * 100
    >>> skce_p(p, [0] * 80 + [1] * 20) > 0.5, skce_p(p, [0] * 50 + [1] * 50) < 0.01
    (True, True)
    """
    check_draws(draws)
    errors = errors_of(probs, targets)
    if len(errors) > 1:
        spread = errors.std(ddof=1) / np.sqrt(len(errors))
        return math.erfc(errors.mean() / spread / math.sqrt(2)) / 2 if spread else 1.0
    (whole,) = blocks(probs, targets)
    if whole.pairs == 0:
        return 1.0
    found = whole.drawn_errors(draws, seeded(np.sort(whole.p, axis=0)))
    return float((1 + np.sum(found >= errors[0] - 1e-9)) / (draws + 1))


@remembered
def errors_of(probs: npt.ArrayLike, targets: npt.ArrayLike) -> Floats:
    """Return the error of each block, float64 [B]."""
    return np.array([block.error() for block in blocks(probs, targets)])


def blocks(probs: npt.ArrayLike, targets: npt.ArrayLike) -> Iterator[Block]:
    """Yield all samples as one block, or blocks of samples in a random order that depends on the
    samples alone.
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, "pass class numbers")
    n, k = p.shape
    mixed = (p * np.sqrt(np.arange(2, k + 2))).sum(axis=1)  # different for different rows
    order = np.lexsort((labels, mixed))
    order = order[seeded(p[order]).permutation(n)]
    if n > TOGETHER:
        order = order[: MOST * BLOCK]
    p, labels = p[order], labels[order]
    residuals = (labels[:, None] == np.arange(k)) - p
    apart = distances(p[:FEW])[np.triu_indices(min(n, FEW), 1)]
    width = float(np.median(apart)) if len(apart) else 0.0
    ends = [0, n] if n <= TOGETHER else range(0, min(n, MOST * BLOCK) + 1, BLOCK)
    for start, end in pairwise(ends):
        yield Block(p[start:end], residuals[start:end], width or 1.0)


def distances(p: Floats) -> Floats:
    """Return the total variation distances of rows of p [N, K], [N, N] in [0, 1]."""
    from scipy.spatial.distance import cdist

    found: Floats = cdist(p, p, "cityblock") / 2
    return found
