"""Spline calibration of the confidence."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline

from ferc_models.calibrators.inputs import Floats, check_samples
from ferc_models.calibrators.score_maps import Interpolated, TopLabel, fit_top_label, smoothed
from ferc_models.options import whole

KNOTS = 6  # Gupta et al.
MOST_KNOTS = 1000


def fit_spline(logits: npt.ArrayLike, targets: npt.ArrayLike, *, knots: int = KNOTS) -> TopLabel:
    """Return the map of the confidence s to s + S'(t), S a spline of the summed gaps.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    knots: their number, 2 to 1000, evenly spaced on [0, 1].

    With scores s_1 <= ... <= s_n and hits a_j, H_0 = 0 and H_j = (1/n) sum_{i <= j} (a_i - s_i) at
    t_j = j/n; S is the least-squares natural cubic spline of H. Tied scores get the mean of their
    hits and the mean of their corrections. The map is linear between fitted scores, constant
    outside, and stays 1/(n + 2) away from 0 and 1; it need not increase everywhere. The predicted
    class stays the predicted one, and the others divide the rest in their old proportions; see
    `ferc_models.calibrators.score_maps`. Raises `DataError` for empty or broken input,
    `RequestError` for a wrong option.

    Source: Gupta et al. 2021, arXiv:2006.12800. Their code puts t_j at (j - 1)/(n - 1), omits H_0,
    and swaps the weights between two scores.
    """
    number = whole("knots", knots, 2, MOST_KNOTS)
    return fit_top_label(*check_samples(logits, targets), partial(spline_map, knots=number))


def spline_map(scores: Floats, hits: Floats, *, knots: int) -> Interpolated:
    """Return the recalibrated score at each distinct score."""
    n = len(scores)
    distinct, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    gap = np.bincount(place, hits) / count - distinct
    summed = np.concatenate([[0.0], np.cumsum(np.repeat(gap, count))]) / n
    t = np.arange(n + 1) / n
    slope = natural_spline(t, summed, knots).derivative()(t[1:])
    first_of_tie = np.cumsum(count) - count
    correction = np.add.reduceat(slope, first_of_tie) / count
    return Interpolated(distinct, smoothed(distinct + correction, n))


def natural_spline(t: Floats, values: Floats, knots: int) -> CubicSpline:
    """Return the least-squares natural cubic spline on [0, 1] of ``values`` at ``t``.

    With fewer values than knots, of all solutions the one with the smallest norm at the knots.
    """
    places = np.linspace(0, 1, knots)
    basis = CubicSpline(places, np.eye(knots), bc_type="natural")(t)
    heights, *_ = np.linalg.lstsq(basis, values)
    return CubicSpline(places, heights, bc_type="natural")
