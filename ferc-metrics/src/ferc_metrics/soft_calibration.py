"""Calibration errors against label distributions y.

The outcome of predicting class c is a = y[c], the probability that a label drawn from y is c. The
signed gap of a bin, accuracy - confidence, is then the expectation of the hard one over such draws;
its absolute gap is at most the expected absolute hard one. The ``*_ferc`` metrics are what the
FER-C authors compute (their ECE.py): a = max y where c = argmax y, else 1 - max y. Both agree for
K = 2, and with the hard metric for one-hot y.

``probs`` are float [N, K], rows summing to 1; ``targets`` are [N, K], or int [N], read as
one-hot. Bins, ``legacy``, ranges, directions and errors: see `ferc_metrics.calibration`.
"""

from __future__ import annotations

import numpy.typing as npt

from ferc_metrics import gaps
from ferc_metrics.inputs import probabilities, soft_labels
from ferc_metrics.outcomes import authors_hits, expected_hits
from ferc_metrics.reliability import BINS


def soft_ece(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return `ece` with a = y[predicted], in [0, 1]; lower is better. Source: FER-C, eq. 3.

    >>> round(soft_ece([[0.7, 0.2, 0.1]], [[0.2, 0.5, 0.3]]), 6)  # |.2 - .7|
    0.5
    """
    return gaps.equal_width_error(*expected_hits(probs, targets), bins)


def soft_mce(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return `mce` with a = y[predicted], in [0, 1]; lower is better. Source: as `mce`.

    >>> round(soft_mce([[0.7, 0.3], [0.1, 0.9]], [[0.6, 0.4], [0.5, 0.5]]), 6)
    0.4
    """
    return gaps.largest_error(*expected_hits(probs, targets), bins)


def soft_ada_ece(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, legacy: bool = False
) -> float:
    """Return `ada_ece` with a = y[predicted], in [0, 1]; lower is better. Source: as `ada_ece`.

    >>> round(soft_ada_ece([[0.7, 0.3], [0.1, 0.9]], [[0.6, 0.4], [0.5, 0.5]]), 6)
    0.25
    """
    return gaps.equal_mass_error(*expected_hits(probs, targets), bins, legacy)


def soft_classwise_ece(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, legacy: bool = False
) -> float:
    """Return the mean over classes k of the error of p_k against y_k, in [0, 1]; lower is better.

    The authors have no soft variant; this is `classwise_ece` with y_k for "the label is k".

    >>> round(soft_classwise_ece([[0.9, 0.1], [0.2, 0.8]], [[0.8, 0.2], [0.5, 0.5]]), 6)
    0.2
    """
    p = probabilities(probs)
    return gaps.classwise_error(p, soft_labels(targets, p), bins, legacy)


def soft_kse(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return `kse` with a = y[predicted], in [0, 1]; lower is better. Source: as `kse`.

    >>> round(soft_kse([[0.7, 0.3], [0.1, 0.9]], [[0.6, 0.4], [0.5, 0.5]]), 6)  # .1, .5 over 2
    0.25
    """
    return gaps.kolmogorov_smirnov_error(*expected_hits(probs, targets))


def soft_ece_ferc(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return `soft_ece` with the authors' a, in [0, 1]; lower is better. Source: ECE.py.

    >>> round(soft_ece_ferc([[0.7, 0.2, 0.1]], [[0.2, 0.5, 0.3]]), 6)  # |1 - .5 - .7|
    0.2
    """
    return gaps.equal_width_error(*authors_hits(probs, targets), bins)


def soft_ada_ece_ferc(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, legacy: bool = False
) -> float:
    """Return `soft_ada_ece` with the authors' a, in [0, 1]; lower is better. Source: ECE.py.

    The published numbers also need ``legacy=True``.

    >>> round(soft_ada_ece_ferc([[0.7, 0.2, 0.1]], [[0.2, 0.5, 0.3]]), 6)
    0.2
    """
    return gaps.equal_mass_error(*authors_hits(probs, targets), bins, legacy)


def soft_kse_ferc(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return `soft_kse` with the authors' a, in [0, 1]; lower is better. Source: ECE.py.

    >>> round(soft_kse_ferc([[0.7, 0.2, 0.1]], [[0.2, 0.5, 0.3]]), 6)
    0.2
    """
    return gaps.kolmogorov_smirnov_error(*authors_hits(probs, targets))
