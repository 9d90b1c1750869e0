"""Histogram binning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_models.calibrators.inputs import Floats, check_samples
from ferc_models.calibrators.score_maps import (
    OneVsRest,
    TopLabel,
    fit_one_vs_rest,
    fit_top_label,
    smoothed,
)
from ferc_models.options import choice, flag, whole

BINS, MOST_BINS = 15, 10_000
BINNINGS = ("equal-width", "equal-mass")


@dataclass(frozen=True, eq=False)
class Bins:
    """A value [B] for each bin between ``edges`` [B + 1], (lo, hi], the first closed at 0."""

    edges: Floats
    values: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Return the value of the bin of each score."""
        return self.values[bin_of(scores, self.edges)]

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"edges": self.edges.tolist(), "values": self.values.tolist()}


def fit_histogram(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    bins: int = BINS,
    binning: str = "equal-width",
    top_label: bool = False,
) -> OneVsRest | TopLabel:
    """Return the map of each probability to the mean outcome of its bin.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    bins: their number, 15 as in the metrics. binning: "equal-width", or "equal-mass" with equally
    many samples in each bin, where ties are never split. top_label: as for ``isotonic``.

    Bins are (lo, hi], the first closed at 0; the value of an empty bin is its centre, that of one
    with n samples stays 1/(n + 2) away from 0 and 1. Raises
    `DataError` for empty or broken input, `RequestError` for a wrong option.

    Source: Zadrozny and Elkan 2001, "Obtaining calibrated probability estimates from decision trees
    and naive Bayesian classifiers"; for several classes Guo et al. 2017, arXiv:1706.04599.

    >>> found = fit_histogram([[0.0, 1.0]] * 4, [0, 1, 1, 1], bins=2)
    >>> found([[0.0, 5.0]]).tolist()
    [[0.25, 0.75]]
    """
    edges_of = equal_mass if choice("binning", binning, BINNINGS) == "equal-mass" else equal_width
    count = whole("bins", bins, 1, MOST_BINS)
    fit = fit_top_label if flag("top_label", top_label) else fit_one_vs_rest
    return fit(*check_samples(logits, targets), partial(histogram_map, bins=count, rule=edges_of))


def histogram_map(
    scores: Floats, outcomes: Floats, *, bins: int, rule: Callable[[Floats, int], Floats]
) -> Bins:
    """Return the mean outcome of each bin between the edges that ``rule(scores, bins)`` gives."""
    edges = rule(scores, bins)
    index = bin_of(scores, edges)
    count = np.bincount(index, minlength=len(edges) - 1)
    total = np.bincount(index, outcomes, minlength=len(edges) - 1)
    centres = (edges[:-1] + edges[1:]) / 2
    means = np.divide(total, count, out=centres, where=count > 0)
    return Bins(edges, np.where(count > 0, smoothed(means, count), means))


def bin_of(scores: Floats, edges: Floats) -> npt.NDArray[np.intp]:
    """Return the bin [M] of each score; scores beyond the ends belong to the first or last."""
    return np.searchsorted(edges[1:-1], scores, side="left")


def equal_width(scores: Floats, bins: int) -> Floats:
    """Return the edges j / bins, whatever the scores."""
    return np.arange(bins + 1) / bins


def equal_mass(scores: Floats, bins: int) -> Floats:
    """Return edges from 0 to 1 that cut the sorted scores into parts whose sizes differ by one.

    The last score of a part is its right edge, so ties stay together in the first part they reach;
    parts that become empty are dropped.
    """
    ends = [part[-1] for part in np.array_split(np.sort(scores), bins) if len(part)]
    return np.concatenate([[0.0], np.unique(ends)[:-1], [1.0]])
