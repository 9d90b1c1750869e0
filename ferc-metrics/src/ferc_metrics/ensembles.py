"""How much the models of an ensemble disagree, and whether they do where people do.

``members`` are the probabilities [N, M, K] of M models, ``probs`` their mean [N, K]; ``targets``
[N] or [N, K] play no part. Bad arrays raise `MetricInputError`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.confidence import rank_correlation
from ferc_metrics.inputs import Floats, MetricInputError, probabilities, soft_labels
from ferc_metrics.proper import logarithms
from ferc_metrics.sharing import remembered


def disagreement(probs: npt.ArrayLike, targets: npt.ArrayLike, *, members: npt.ArrayLike) -> float:
    """Return the mean mutual information of label and model in nats, in [0, log min(M, K)].

    The entropy of the mean prediction less the mean entropy of the predictions: 0 where all models
    agree. Source: Houlsby et al. 2011, arXiv:1112.5745, eq. 2; for ensembles Lakshminarayanan et
    al. 2017, arXiv:1612.01474.

    >>> members = [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]]
    >>> round(disagreement([[0.5, 0.5], [0.5, 0.5]], [0, 0], members=members), 6)  # log(2) / 2
    0.346574
    """
    return float(information(probs, members).mean())


def disagreement_correlation(
    probs: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    members: npt.ArrayLike,
    distribution: npt.ArrayLike,
) -> float:
    """Return the rank correlation (Spearman) of disagreement with the entropy of the annotators'
    label ``distribution`` [N, K], in [-1, 1].

    Higher is better: models disagree about the faces that people disagree about. NaN where either
    is the same for all samples.

    >>> members, votes = [[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]] * 2], [[0.6, 0.4], [0.9, 0.1]]
    >>> disagreement_correlation([[0.5, 0.5]] * 2, [0, 0], members=members, distribution=votes)
    1.0
    """
    votes = soft_labels(distribution, probabilities(probs))
    return rank_correlation(information(probs, members), entropy(votes), "distribution")


@remembered
def information(probs: npt.ArrayLike, members: npt.ArrayLike) -> Floats:
    """Return the mutual information of each sample in nats, float64 [N]."""
    p, each = probabilities(probs), np.asarray(members, np.float64)
    if each.ndim != 3 or (each.shape[0], each.shape[2]) != p.shape or not each.shape[1]:
        n, k = p.shape
        raise MetricInputError(f"members must have shape [{n}, M, {k}], not {list(each.shape)}")
    mean = each.mean(axis=1)
    if np.abs(mean - p).max() > 1e-6:
        raise MetricInputError("probs must be the mean of members")
    found: Floats = np.maximum(entropy(mean) - entropy(each).mean(axis=1), 0)
    return found


def entropy(p: Floats) -> Floats:
    """Return the entropy of the last axis in nats."""
    found: Floats = -(p * logarithms(p)).sum(axis=-1)
    return found
