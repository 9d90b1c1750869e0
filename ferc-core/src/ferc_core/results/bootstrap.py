"""The bootstrap: how far a score would move if other images had been drawn.

From the N images N are drawn with replacement, B times over, and the score is computed on each
draw. The middle 95 % of the B scores, say, less their bias, are its interval (percentile method and
bias; Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13 and 10).

A draw depends on the name of the dataset, on N and on its number alone. So the same images are
drawn in every cell, trial and calibrator, and differences are taken draw by draw (paired).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import generator
from ferc_core.errors import FercError, as_failure
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Metric, resolve

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

PIECE = 100  # draws that are one piece of work: small, for Ctrl-C waits for those begun
SAME = 1e-9  # a metric and its fast form for many draws differ by rounding alone


@dataclass(frozen=True)
class Predictions:
    """What one cell holds, and what is asked of it: M metrics, on some draws.

    ``probs`` and ``soft`` are float64 [N, K], ``hard`` int64 [N]; N is at least 1.
    """

    probs: Array
    hard: npt.NDArray[np.int64]
    soft: Array
    metrics: tuple[Chosen[Metric], ...]
    draws: range

    def scores(self, metric: Metric, rows: Rows, counts: Array) -> Array | FercError:
        """Return a metric of each draw, given as its rows [D, N] and as counts of them [D, N]."""
        targets = self.soft if metric.target == "soft" else self.hard
        try:
            if metric.resampled is not None:
                y = np.eye(self.probs.shape[1])[targets] if targets.ndim == 1 else targets
                form = resolve(metric.resampled)
                (known,) = form(self.probs, y, np.ones((1, len(y))))
                if abs(known - metric(self.probs, targets)) < SAME:  # else it is not its form
                    found: Array = form(self.probs, y, counts)
                    return found
            return np.array([metric(self.probs[drawn], targets[drawn]) for drawn in rows])
        except BaseException as error:  # a metric may raise anything; the others continue
            return as_failure(error)


@dataclass(frozen=True)
class Bootstrap:
    """Draws of the images of a dataset, by number. Stateless and picklable."""

    dataset: str

    def rows(self, n: int, draws: range) -> Rows:
        """Return the rows [draws, N] of a piece of `pieces`."""
        if draws.start == 0:
            return np.arange(n)[None]
        # The address of the draws: another word in it would move every interval.
        rng = generator(self.dataset, "every picture", "bootstrap", 0, draws.start)
        return rng.integers(n, size=(len(draws), n))

    def __call__(self, asked: Predictions) -> list[Array | FercError]:
        """Return each metric on each draw that is asked for, [draws], or why it failed."""
        n = len(asked.probs)
        rows = self.rows(n, asked.draws)
        counts = np.array([np.bincount(drawn, minlength=n) for drawn in rows], np.float64)
        return [asked.scores(metric.entry, rows, counts) for metric in asked.metrics]


def pieces(resamples: int) -> list[range]:
    """Return the numbers of the draws, cut always alike: 0 (the images themselves), 1 .. 100, ...

    So a draw is the same whatever their number.
    """
    starts = range(1, 1 + resamples, PIECE)
    return [range(1), *(range(i, min(i + PIECE, 1 + resamples)) for i in starts)]


def interval(value: float, replicates: Array, level: float) -> tuple[float, float]:
    """Return the middle ``level`` (0 to 1) of replicates [B] of a score, less their bias.

    A draw adds chance to chance: the replicates of an ECE lie above the ECE itself, on average. So
    they are shifted by the difference of their mean and the ``value``, which lies in its interval
    then. Where no replicate is negative, the interval ends at 0.

    >>> low, high = interval(45.0, np.arange(101.0), 0.9)
    >>> round(low, 6), round(high, 6)
    (0.0, 90.0)
    """
    ends = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    low, high = ends - (replicates.mean() - value)
    if replicates.min() >= 0:
        low = max(low, 0.0)
    return float(min(low, value)), float(max(high, value))
