"""Calibration errors that are not inflated by chance, or by where bins happen to begin.

The binned error of `ferc_metrics.calibration.ece` sums absolute gaps, and chance alone makes gaps:
a perfectly calibrated model has an ECE of 0.12 at N = 100. These estimators correct for it, choose
their bins by the data, or have none.

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K].
The score of a sample is its largest probability, its outcome whether the label is predicted. Lower
is better. Bad arrays raise `MetricInputError`; soft rows and bad options raise `RequestError`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import check_bins
from ferc_metrics.outcomes import hits
from ferc_metrics.reliability import BINS, ascending, equal_mass, tally

CELLS = 2000  # of the grid that scores are smoothed on
CLOSE = 1e-4  # of the width that is found


def debiased_ece(probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS) -> float:
    """Return the root of the debiased mean squared gap between confidence and accuracy, in [0, 1].

    Bins of equal mass; from the squared gap of each bin of n > 1 samples with the accuracy a, its
    expectation under calibration, a (1 - a) / (n - 1), is subtracted. Bins of one sample count 0;
    a negative mean counts 0, which is what a calibrated model has half of the time. It is the root
    of a mean square, so larger than a mean gap of the same size that varies.

    Sources: Bröcker 2012, Climate Dynamics 39; Kumar et al. 2019, arXiv:1909.10155, definition 4.1.

    >>> probs, labels = [[0.8, 0.2]] * 10, [0] * 5 + [1] * 5
    >>> round(debiased_ece(probs, labels, bins=1), 6)  # .3^2 - .25/9
    0.249444
    """
    check_bins(bins)
    s, a = hits(probs, targets, "use 'soft_ece'")
    found = tally(s, a, equal_mass(s, bins), bins)
    several = found.count > 1
    n, accuracy = found.count[several], found.accuracy[several]
    square = np.square(found.gap[several]) - accuracy * (1 - accuracy) / (n - 1)
    return float(np.sqrt(max(np.sum(n * square) / len(s), 0.0)))


def ece_sweep(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the mean gap of as many bins of equal mass as leave the accuracy non-decreasing.

    The number of bins grows from 1 until the accuracy of a bin falls below that of the bin before
    it. Where scores are equal, their samples are interchangeable: outcomes of ties are replaced by
    their mean. Source: Roelofs et al. 2022, arXiv:2012.08668, algorithm 1, with the absolute gap.

    >>> round(ece_sweep([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4]], [0, 1, 0]), 6)  # one bin
    0.1
    """
    s, a = hits(probs, targets, "use 'soft_ece'")
    order = ascending(s)
    starts = np.flatnonzero(np.diff(s[order], prepend=-1))  # of blocks of equal scores
    count = np.diff(starts, append=len(s))
    outcome = np.repeat(np.add.reduceat(a[order], starts) / count, count)
    hit_sums = np.concatenate([[0.0], np.cumsum(outcome)])
    score_sums = np.concatenate([[0.0], np.cumsum(s[order])])
    n, best = len(s), np.array([0, len(s)])
    for bins in range(2, n + 1):
        edges = np.arange(bins + 1) * n // bins
        accuracy = np.diff(hit_sums[edges]) / np.diff(edges)
        if (np.diff(accuracy) < -1e-12).any():
            break
        best = edges
    return float(np.abs(np.diff(hit_sums[best]) - np.diff(score_sums[best])).sum() / n)


def smooth_ece(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the smooth calibration error: the gap after smoothing over scores, in [0, 1].

    Gaps (outcome - score) / N are smoothed by a Gaussian of width sigma that is reflected at 0 and
    1, and the absolute value is integrated; the width is the one at which this integral equals
    sigma, which exists and is unique. A consistent measure: it is within constant factors of the
    distance to the nearest calibrated model. Computed on a grid of 2,000 cells.

    Source: Blasiok and Nakkiran 2023, arXiv:2309.12236, definition 3 and section 4.

    >>> smooth_ece([[1.0, 0.0]] * 4, [0, 0, 0, 0])
    0.0
    """
    from scipy.fft import dct, idct

    s, a = hits(probs, targets, "use 'soft_ece'")
    cell = np.minimum((s * CELLS).astype(np.int64), CELLS - 1)
    gaps = np.bincount(cell, a - s, minlength=CELLS) / len(s)
    # Waves that are even at both ends: a reflected Gaussian multiplies each by a number.
    waves, frequency = dct(gaps, norm="ortho"), np.pi * np.arange(CELLS)

    def smoothed(sigma: float) -> float:
        kept = waves * np.exp(-np.square(frequency * sigma) / 2)
        return float(np.abs(idct(kept, norm="ortho")).sum())

    low, high = 0.0, 1.0
    while high - low > CLOSE:
        middle = (low + high) / 2
        low, high = (middle, high) if smoothed(middle) > middle else (low, middle)
    return (low + high) / 2 if gaps.any() else 0.0
