"""The bootstrap: how far a score would move if other images had been drawn.

From the N images at hand N are drawn with replacement, B times over, and the score is worked out
on each draw. The middle 95 % of the B scores, say, are its interval (percentile method; Efron and
Tibshirani 1993, An Introduction to the Bootstrap, ch. 13).

A draw depends on the name of the dataset, on N and on its number alone. So the same images are
drawn in every cell, run and calibrator, and what two of them differ by is looked at draw by draw
(paired).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import generator
from ferc_core.errors import PluginError, as_failure
from ferc_core.plugins.host import registry
from ferc_core.results.weighted import at_once

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

PIECE = 100  # draws that are one piece of work: small, for Ctrl-C waits for those begun


@dataclass(frozen=True)
class Predictions:
    """What one cell holds, and what is asked of it: the names of M metrics, on some draws.

    ``probs`` and ``soft`` are float64 [N, K], ``hard`` int64 [N]; N is at least 1.
    """

    probs: Array
    hard: npt.NDArray[np.int64]
    soft: Array
    metrics: tuple[str, ...]
    draws: range

    def scores(self, name: str, rows: Rows, counts: Array) -> Array:
        """Return a metric of each draw, given as its rows [D, N] and as counts of them [D, N]."""
        metric = registry().metrics[name]
        targets = self.soft if metric.target == "soft" else self.hard
        try:
            found = at_once(metric, self.probs, targets, counts)
            if found is None:
                found = np.array([metric(self.probs[drawn], targets[drawn]) for drawn in rows])
        except Exception as error:
            raise PluginError(
                f"metric {name!r} failed on resampled images: {as_failure(error)}"
            ) from error
        return found


@dataclass(frozen=True)
class Bootstrap:
    """Draws of the images of a dataset, by number. Stateless and picklable."""

    dataset: str

    def rows(self, n: int, draws: range) -> Rows:
        """Return the rows [draws, N] of a piece of `pieces`."""
        if draws.start == 0:
            return np.arange(n)[None]
        rng = generator(self.dataset, "every image", "bootstrap", 0, draws.start)
        return rng.integers(n, size=(len(draws), n))

    def __call__(self, asked: Predictions) -> Array:
        """Return the score of each metric on each draw that is asked for, [M, draws]."""
        n = len(asked.probs)
        rows = self.rows(n, asked.draws)
        counts = np.array([np.bincount(drawn, minlength=n) for drawn in rows], np.float64)
        return np.array([asked.scores(name, rows, counts) for name in asked.metrics])


def pieces(resamples: int) -> list[range]:
    """Return the numbers of the draws, cut always alike: 0 (the images themselves), 1 .. 100, ...

    So a draw is the same whatever their number.
    """
    starts = range(1, 1 + resamples, PIECE)
    return [range(1), *(range(i, min(i + PIECE, 1 + resamples)) for i in starts)]


def percentiles(replicates: Array, level: float) -> tuple[Array, Array]:
    """Return the ends of the middle ``level`` (0 to 1) of replicates [..., B], [...] each.

    >>> low, high = percentiles(np.arange(101.0), 0.9)
    >>> round(float(low), 6), round(float(high), 6)
    (5.0, 95.0)
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return low, high
