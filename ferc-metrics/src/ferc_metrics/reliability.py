"""Bins of samples by their score: the data of reliability diagrams and binned errors.

Bins are (lo, hi], the first closed at 0, so that each sample falls in exactly one. Scores s and
outcomes a are float64 [N] in [0, 1]; an index is int64 [N] in 0 .. bins-1. The legacy edges of
the FER-C authors leave some samples out; those get index -1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Floats, Ints, check_bins
from ferc_metrics.outcomes import expected_hits
from ferc_metrics.sharing import remembered

BINS = 15  # paper, eq. 3


@dataclass(frozen=True)
class ReliabilityBins:
    """Count and sums of each of B bins; the bins of two sets of samples add up field by field.

    count:          int64 [B], samples in the bin
    confidence_sum: float64 [B], sum of their scores
    accuracy_sum:   float64 [B], sum of their outcomes (1 correct, 0 wrong; soft labels: between)
    """

    count: Ints
    confidence_sum: Floats
    accuracy_sum: Floats

    @property
    def confidence(self) -> Floats:
        """Mean score of each bin, float64 [B]; NaN where the bin is empty."""
        return self._mean(self.confidence_sum)

    @property
    def accuracy(self) -> Floats:
        """Mean outcome of each bin, float64 [B]; NaN where the bin is empty."""
        return self._mean(self.accuracy_sum)

    @property
    def gap(self) -> Floats:
        """|accuracy - confidence| of each bin, float64 [B] in [0, 1]; 0 where it is empty."""
        gap: Floats = np.abs(self.accuracy_sum - self.confidence_sum) / np.maximum(self.count, 1)
        return gap

    def _mean(self, total: Floats) -> Floats:
        mean = np.full(len(total), np.nan)
        np.divide(total, self.count, out=mean, where=self.count > 0)
        return mean


def reliability_bins(
    probs: npt.ArrayLike, targets: npt.ArrayLike, bins: int = BINS
) -> ReliabilityBins:
    """Return the bins of a reliability diagram, of equal width over the largest probability.

    ``probs`` are float [N, K]; ``targets`` are int [N] or soft [N, K], where the outcome of a
    prediction is y[predicted]. The counts sum to N. `ece` and `mce` are computed from these bins.
    Raises `MetricInputError` for bad arrays and `RequestError` for bins below 1.

    >>> found = reliability_bins([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1], bins=5)
    >>> found.count.tolist()
    [0, 0, 0, 2, 1]
    >>> found.accuracy.tolist()
    [nan, nan, nan, 0.5, 1.0]
    """
    check_bins(bins)
    s, a = expected_hits(probs, targets)
    return tally(s, a, equal_width(s, bins), bins)


def tally(s: Floats, a: Floats, index: Ints, bins: int) -> ReliabilityBins:
    """Return the sums of each bin; samples with index -1 are in no bin."""

    def per_bin(weights: Floats | None) -> npt.NDArray[np.generic]:
        return np.bincount(index + 1, weights, minlength=bins + 1)[1:]

    return ReliabilityBins(
        count=per_bin(None).astype(np.int64),
        confidence_sum=per_bin(s).astype(np.float64),
        accuracy_sum=per_bin(a).astype(np.float64),
    )


def equal_width(s: Floats, bins: int) -> Ints:
    """Return the bin ceil(bins s) - 1 of each score.

    Up to 24 bins the double nearest to an edge j/bins falls in the bin below it, as it should;
    with more bins, rounding moves some (7/25, 14/25, 15/29) to the bin above.
    """
    # clip: s = 0 would be bin -1, on which the authors' code fails
    index: Ints = np.clip(np.ceil(bins * s) - 1, 0, bins - 1).astype(np.int64)
    return index


def equal_mass(s: Floats, bins: int) -> Ints:
    """Return the bin of each score among bins of as nearly equal size as the ties allow.

    Sorted scores are split as by `numpy.array_split` (sizes differ by one at most, larger ones
    first). The last score of each part is a right edge, so tied scores stay together in the bin of
    the first of them; a later bin may stay empty.
    """
    size, larger = divmod(len(s), bins)
    ends = np.cumsum(size + (np.arange(bins) < larger)) - 1
    return np.searchsorted(s[ascending(s)][ends], s, side="left").astype(np.int64)


@remembered
def ascending(s: Floats) -> Ints:
    """Return the rows of scores in increasing order; equal ones in the order they have."""
    return np.argsort(s, kind="stable")


def legacy_equal_width(s: Floats, bins: int) -> Ints:
    """Return the authors' bin of each score, lo < s <= hi: a score of 0 is in no bin."""
    return np.searchsorted(np.linspace(0, 1, bins + 1), s, side="left").astype(np.int64) - 1


def legacy_equal_mass(s: Floats, bins: int) -> Ints:
    """Return the authors' bin of each score, with edges interpolated between sorted scores.

    The first bin is open at the smallest score, so samples with that score are in no bin.
    """
    n = len(s)
    edges = np.interp(np.linspace(0, n, bins + 1), np.arange(n), s[ascending(s)])
    return np.searchsorted(edges, s, side="left").astype(np.int64) - 1
