"""How far a predicted distribution is from a label distribution: the votes of people, for example.

``probs`` p are float [N, K], rows summing to 1; ``targets`` y are label distributions [N, K] (int
[N] is read as one-hot). Every measure is the mean over the N samples. Lower is better, but for
`cosine`, `intersection` and `rank_cs`. Bad arrays raise `MetricInputError`.

Sources: Geng 2016, Label Distribution Learning, IEEE TKDE 28, table 1 (`chebyshev`, `clark`,
`canberra`, `kl`, `cosine`, `intersection`); Baan et al. 2022, arXiv:2210.16133 (`dist_ce`,
`ent_ce`, `rank_cs`); Lin 1991, IEEE Trans. Inform. Theory 37 (`js`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Floats, probabilities, soft_labels
from ferc_metrics.proper import logarithms
from ferc_metrics.sharing import remembered


def kl(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return KL(y || p) = sum_k y_k log(y_k / p_k) in nats, from 0 up.

    A p_k of 0 counts as the smallest normal double, as in `ferc_metrics.proper.soft_nll`.

    >>> round(kl([[0.5, 0.5]], [[1.0, 0.0]]), 6)  # log 2
    0.693147
    """
    p, y = pair(probs, targets)
    return mean(y * (logarithms(y) - logarithms(p)))


def js(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the Jensen-Shannon divergence in nats, in [0, log 2]: KL of each to their mean, halved
    and added.

    >>> round(js([[1.0, 0.0]], [[0.0, 1.0]]), 6)  # log 2
    0.693147
    """
    p, y = pair(probs, targets)
    middle = (p + y) / 2
    return mean((p * logarithms(p) + y * logarithms(y)) / 2 - middle * logarithms(middle))


def chebyshev(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return max_k |y_k - p_k|, in [0, 1].

    >>> round(chebyshev([[0.5, 0.3, 0.2]], [[0.9, 0.1, 0.0]]), 6)
    0.4
    """
    p, y = pair(probs, targets)
    return float(np.abs(p - y).max(axis=1).mean())


def clark(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return sqrt(sum_k (y_k - p_k)^2 / (y_k + p_k)^2), in [0, sqrt K]; 0 / 0 counts 0.

    A class that one of the two has at 0 and the other has not counts 1, however small.

    >>> round(clark([[0.5, 0.5]], [[1.0, 0.0]]), 6)  # sqrt(1/9 + 1)
    1.054093
    """
    p, y = pair(probs, targets)
    return float(np.sqrt(np.square(relative(p, y)).sum(axis=1)).mean())


def canberra(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return sum_k |y_k - p_k| / (y_k + p_k), in [0, K]; 0 / 0 counts 0.

    >>> round(canberra([[0.5, 0.5]], [[1.0, 0.0]]), 6)  # 1/3 + 1
    1.333333
    """
    p, y = pair(probs, targets)
    return mean(relative(p, y))


def cosine(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the cosine of the angle between y and p, in [0, 1]; higher is better.

    >>> round(cosine([[0.5, 0.5]], [[1.0, 0.0]]), 6)
    0.707107
    """
    p, y = pair(probs, targets)
    lengths = np.linalg.norm(p, axis=1) * np.linalg.norm(y, axis=1)
    return float(np.minimum((p * y).sum(axis=1) / lengths, 1).mean())


def intersection(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return sum_k min(y_k, p_k), in [0, 1]; higher is better, and 1 - it is `dist_ce`.

    >>> round(intersection([[0.5, 0.5]], [[0.75, 0.25]]), 6)
    0.75
    """
    p, y = pair(probs, targets)
    return mean(np.minimum(p, y))


def dist_ce(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the human distribution calibration error: the total variation distance, in [0, 1].

    Source: Baan et al. 2022, arXiv:2210.16133, section 4.

    >>> round(dist_ce([[0.5, 0.5]], [[0.75, 0.25]]), 6)
    0.25
    """
    p, y = pair(probs, targets)
    return mean(np.abs(p - y) / 2)


def ent_ce(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the human entropy calibration error: |H(p) - H(y)| in nats, in [0, log K].

    Source: Baan et al. 2022, arXiv:2210.16133, section 4, with the absolute value as in their code.

    >>> round(ent_ce([[0.5, 0.5]], [[1.0, 0.0]]), 6)
    0.693147
    """
    p, y = pair(probs, targets)
    gap = (y * logarithms(y) - p * logarithms(p)).sum(axis=1)
    return float(np.abs(gap).mean())


def rank_cs(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the human ranking calibration score: the fraction of samples whose order of classes
    by p is that by y; higher is better.

    Where y has ties, as votes do, p may order these classes either way; where p has a tie between
    classes that y tells apart, the order is wrong. Source: Baan et al. 2022, arXiv:2210.16133,
    section 4, which does not treat ties.

    >>> rank_cs([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]], [[0.8, 0.2, 0.0], [0.6, 0.0, 0.4]])
    0.5
    """
    p, y = pair(probs, targets)
    order = np.argsort(-y, axis=1, kind="stable")
    p, y = (np.take_along_axis(each, order, axis=1).T.copy() for each in (p, y))
    right, lowest, bound = np.ones(p.shape[1], bool), p[0], np.full(p.shape[1], np.inf)
    for k in range(1, len(p)):  # below the lowest of the classes that y has above this one
        bound = np.where(y[k] < y[k - 1], lowest, bound)
        right &= p[k] < bound
        lowest = np.minimum(lowest, p[k])
    return float(right.mean())


def pair(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return probabilities and label distributions, both [N, K]."""
    p = probabilities(probs)
    return p, soft_labels(targets, p)


def mean(parts: Floats) -> float:
    """Return the mean over samples of the sums of parts [N, K] over classes, at least 0."""
    return max(float(parts.sum() / len(parts)), 0.0)


@remembered
def relative(p: Floats, y: Floats) -> Floats:
    """Return |y - p| / (y + p), [N, K]; 0 where both are 0."""
    total = p + y
    found: Floats = np.divide(np.abs(p - y), total, out=np.zeros_like(p), where=total > 0)
    return found
