"""The calibration statistics, of scores s and outcomes a, float64 [N] in [0, 1].

All return a float in [0, 1], 0 = calibrated. They apply to hard and to soft labels alike.
"""

from __future__ import annotations

import numpy as np

from ferc_metrics.inputs import Floats, check_bins
from ferc_metrics.reliability import (
    ReliabilityBins,
    ascending,
    equal_mass,
    equal_width,
    legacy_equal_mass,
    legacy_equal_width,
    tally,
)


def mean_gap(found: ReliabilityBins, n: int) -> float:
    """Return the mean gap of the bins, weighted by count / ``n`` (paper, eq. 3).

    ``n`` includes the samples that legacy edges leave out of every bin.
    """
    return float(found.count @ found.gap / n)


def equal_width_error(s: Floats, a: Floats, bins: int, legacy: bool = False) -> float:
    """Return the mean gap over bins of equal width."""
    check_bins(bins)
    place = legacy_equal_width if legacy else equal_width
    return mean_gap(tally(s, a, place(s, bins), bins), len(s))


def equal_mass_error(s: Floats, a: Floats, bins: int, legacy: bool = False) -> float:
    """Return the mean gap over bins of equal mass."""
    check_bins(bins)
    place = legacy_equal_mass if legacy else equal_mass
    return mean_gap(tally(s, a, place(s, bins), bins), len(s))


def largest_error(s: Floats, a: Floats, bins: int) -> float:
    """Return the largest gap of any bin of equal width."""
    check_bins(bins)
    return float(tally(s, a, equal_width(s, bins), bins).gap.max())


def classwise_error(p: Floats, y: Floats, bins: int, legacy: bool) -> float:
    """Return the mean over classes k of `equal_width_error` of p[:, k] against y[:, k], [N, K]."""
    check_bins(bins)
    n, k = p.shape
    place = (legacy_equal_width if legacy else equal_width)(p, bins)
    place += (bins + 1) * np.arange(k) + 1  # before the bins of each class one for what is in none
    sums = np.bincount(place.ravel(), (p - y).ravel(), (bins + 1) * k).reshape(k, bins + 1)
    return float(np.abs(sums[:, 1:]).sum() / (n * k))


def kolmogorov_smirnov_error(s: Floats, a: Floats) -> float:
    """Return max over scores t of |sum of (s - a) over samples with s <= t| / N.

    The running sum is evaluated only at the end of a block of tied scores: within one, it would
    depend on the order of the samples.
    """
    order = ascending(s)
    running = np.cumsum((s - a)[order])
    ends_block = np.append(np.diff(s[order]) > 0, True)
    return float(np.abs(running[ends_block]).max() / len(s))
