"""Calibration errors against hard labels: is a confidence of 0.8 correct in 80 of 100 cases?

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K].
Every error is in [0, 1]; lower is better. The score of a sample is its largest probability.
``bins`` is 15 as in the paper; bins are (lo, hi], the first closed at 0, and empty bins count 0.
``legacy=True`` uses the FER-C authors' edges, which leave samples out, for comparison with
published numbers; the equal-width edges of `ece` and `mce` are the authors' already.

Bad arrays raise `MetricInputError`; soft rows (see `ferc_metrics.soft_calibration`) and bad
options raise `RequestError`.
"""

from __future__ import annotations

import numpy.typing as npt

from ferc_metrics import gaps
from ferc_metrics.inputs import hard_labels, probabilities, soft_labels
from ferc_metrics.outcomes import hits
from ferc_metrics.reliability import BINS


def ece(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return the expected calibration error: sum over bins of count/N |accuracy - confidence|.

    Source: FER-C, eq. 3; Guo et al. (2017), arXiv:1706.04599, eq. 3.

    >>> round(ece([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]), 6)  # (.1 + .8 + .3) / 3
    0.4
    """
    return gaps.equal_width_error(*hits(probs, targets, "use 'soft_ece'"), bins)


def mce(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return the maximum calibration error: the largest |accuracy - confidence| of any bin.

    Source: Guo et al. (2017), arXiv:1706.04599, eq. 5.

    >>> round(mce([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]), 6)
    0.8
    """
    return gaps.largest_error(*hits(probs, targets, "use 'soft_mce'"), bins)


def ada_ece(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, legacy: bool = False
) -> float:
    """Return the adaptive calibration error: as `ece`, with equally many samples per bin.

    Bins never split tied scores: a tie falls in the bin of its first sample.
    ``legacy`` interpolates the edges and leaves out the samples with the smallest score, so that
    N = 1 gives 0. Source: Mukhoti et al. (2020), arXiv:2002.09437, section 3.

    >>> round(ada_ece([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1], bins=2), 6)
    0.2
    """
    return gaps.equal_mass_error(*hits(probs, targets, "use 'soft_ada_ece'"), bins, legacy)


def classwise_ece(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, legacy: bool = False
) -> float:
    """Return the mean over classes k of the error of p_k against "the label is k".

    Classes without a label count, too. ``legacy`` leaves out p_k = 0. Source: Kull et al.
    (2019), arXiv:1910.12656, definition of classwise-ECE.

    >>> round(classwise_ece([[0.9, 0.1], [0.2, 0.8]], [0, 0]), 6)  # (.1 + .8) / 2 for each class
    0.45
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, "use 'soft_classwise_ece'")
    return gaps.classwise_error(p, soft_labels(labels, p), bins, legacy)


def kse(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the Kolmogorov-Smirnov calibration error: the largest |running gap| over scores.

    No bins: max over t of |sum of (score - hit) over samples with score <= t| / N. This is what
    the FER-C authors compute; the integral printed in the paper (eq. 4) agrees where a model is
    over-confident, or under-confident, everywhere. Source: Gupta et al. (2021),
    arXiv:2006.12800.

    >>> round(kse([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1]), 6)  # -.3, +.5, +.4 over 3
    0.166667
    """
    return gaps.kolmogorov_smirnov_error(*hits(probs, targets, "use 'soft_kse'"))
