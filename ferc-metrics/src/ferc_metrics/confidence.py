"""Does the confidence, the largest probability, fall where less can be seen?

``probs`` are float [N, K], rows summing to 1; ``targets`` [N] or [N, K] play no part. Bad arrays
raise `MetricInputError`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Floats, MetricInputError, check_targets, probabilities
from ferc_metrics.outcomes import prediction
from ferc_metrics.reliability import ascending


def mean_confidence(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the mean confidence, in [1/K, 1]; where it is above the accuracy, it is too high.

    >>> round(mean_confidence([[0.9, 0.1], [0.4, 0.6]], [0, 0]), 6)
    0.75
    """
    p = probabilities(probs)
    check_targets(targets, p)
    return float(p.max(axis=1).mean())


def clean_auroc(probs: npt.ArrayLike, targets: npt.ArrayLike, *, clean: npt.ArrayLike) -> float:
    """Return the probability that a clean image has the larger confidence of one clean and one
    corrupted image, ties counted half: the AUROC of confidence, in [0, 1].

    ``probs`` are of corrupted images, ``clean`` [M, K] of clean ones. 0.5 where confidence does not
    tell them apart; higher is better for a model that should know what it cannot see. Source:
    Hendrycks and Gimpel 2017, arXiv:1610.02136, section 2.

    >>> clean_auroc([[0.6, 0.4], [0.8, 0.2]], [0, 0], clean=[[0.9, 0.1], [0.3, 0.7]])
    0.75
    """
    s, known = (prediction(probabilities(p))[1] for p in (probs, clean))
    s, known = s[ascending(s)], known[ascending(known)]
    below = sum(np.searchsorted(s, known, side).sum() for side in ("left", "right"))
    return float(below / 2 / (len(known) * len(s)))


def visibility_correlation(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, visibility: npt.ArrayLike
) -> float:
    """Return the rank correlation (Spearman) of confidence with visibility [N], in [-1, 1].

    Higher is better: what is less visible is predicted with less confidence. NaN where either is
    the same for all samples, as visibility is within a cell unless its scope is ``image`` or
    ``dataset``.

    >>> visibility_correlation([[0.9, 0.1], [0.4, 0.6]], [0, 0], visibility=[0.8, 0.3])
    1.0
    """
    return rank_correlation(prediction(probabilities(probs))[1], visibility, "visibility")


def rank_correlation(values: Floats, others: npt.ArrayLike, name: str) -> float:
    """Return Spearman's rank correlation of two arrays [N], NaN where one of them is constant."""
    given = np.asarray(others, np.float64)
    if given.shape != values.shape or not np.isfinite(given).all():
        raise MetricInputError(f"{name} must be {len(values)} finite numbers, one for each row")
    x, y = (ranks(each) - (len(values) - 1) / 2 for each in (values, given))
    size = np.sqrt(np.sum(x * x) * np.sum(y * y))
    return float(np.clip(np.sum(x * y) / size, -1, 1)) if size else float("nan")


def ranks(values: Floats) -> Floats:
    """Return the ranks of values [N], from 0 up; equal ones share their mean rank."""
    order = ascending(values)
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)
    count = np.diff(starts, append=len(values))
    found = np.empty(len(values))
    found[order] = np.repeat(starts + (count - 1) / 2, count)
    return found
