"""The bootstrap: how far a score would move if other images had been drawn.

From the N images N are drawn with replacement, B times over, and the score is computed on each
draw; where images of one subject resemble each other, subjects are drawn with all their images. The
middle 95 % of the B scores, say, less their bias, are its interval (percentile method, cluster
bootstrap and bias; Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 13, 8 and 10).

A draw depends on the name of the dataset, on N (or the number of subjects) and on its number alone.
So the same images are drawn in every cell, trial and calibrator, and differences are taken draw by
draw (paired).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import ANY_VERSION, generator
from ferc_core.errors import FercError, as_failure
from ferc_core.experiment.cases import Context, frozen
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Metric, resolve

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

PIECE = 100  # draws that are made at a time
PORTION = 2_000_000  # rows that are drawn in one piece of work
KEPT = 16  # pieces that are kept for the next cell
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
    context: Context = field(default_factory=Context)

    def frozen(self) -> Predictions:
        """Return the same with arrays that nobody can change; metrics share what they compute."""
        parts = {name: frozen(getattr(self, name)) for name in ("probs", "hard", "soft")}
        return replace(self, **parts)

    @cached_property
    def one_hot(self) -> Array:
        """The hard labels as distributions [N, K]."""
        found: Array = frozen(np.eye(self.probs.shape[1])[self.hard])
        return found

    def scores(self, metric: Chosen[Metric], counts: Sequence[Array]) -> Array | FercError:
        """Return a metric of each draw, given as counts of the rows, each [D, N]."""
        soft = metric.entry.target == "soft"
        targets = self.soft if soft else self.hard
        try:
            if metric.entry.resampled is not None and not metric.call.options:
                y = self.soft if soft else self.one_hot
                form = resolve(metric.entry.resampled)
                found = np.concatenate([form(self.probs, y, each) for each in counts])
                known = found[0]  # draw 0 is the images themselves
                if self.draws.start > 0:
                    (known,) = form(self.probs, y, np.ones((1, len(y))))
                if abs(known - metric(self.probs, targets)) < SAME:  # else it is not its form
                    return found
            drawn = (row for each in counts for row in each)
            return np.array([self.score(metric, targets, row) for row in drawn])
        except BaseException as error:  # a metric may raise anything; the others continue
            return as_failure(error)

    def score(self, metric: Chosen[Metric], targets: npt.NDArray[Any], drawn: Array) -> float:
        """Return a metric of one draw, given as counts of the rows [N]."""
        rows = np.repeat(np.arange(len(drawn)), drawn.astype(np.int64))
        given = self.context.rows(rows).given_to(metric.entry)
        return float(metric(self.probs[rows], targets[rows], **given))


@dataclass(frozen=True)
class Bootstrap:
    """Draws of the images of a dataset, or of its ``subjects``, by number. Stateless and picklable.

    subjects: 0 .. S-1 for each of the N images, or None where images are drawn
    """

    dataset: str
    subjects: Rows | None = None

    def counts(self, n: int, draws: range) -> Array:
        """Return how often each of n images is drawn, [draws, n], in a piece of `pieces`."""
        if self.subjects is None:
            return times(self.dataset, n, draws)
        return times(self.dataset, int(self.subjects.max()) + 1, draws)[:, self.subjects]

    def __call__(self, asked: Predictions) -> list[Array | FercError]:
        """Return each metric on each draw that is asked for, [draws], or why it failed."""
        known, n = asked.frozen(), len(asked.probs)
        counts = [self.counts(n, piece) for piece in pieces(asked.draws)]
        return [known.scores(metric, counts) for metric in known.metrics]


def rows_of(dataset: str, n: int, draws: range) -> Rows:
    """Return what is drawn of n images or subjects, [draws, n], in a piece of `pieces`."""
    if draws.start == 0:
        return np.arange(n)[None]
    # The address of the draws: another word in it would move every interval.
    rng = generator(dataset, "every picture", "bootstrap", 0, draws.start, ANY_VERSION)
    return rng.integers(n, size=(len(draws), n))


@lru_cache(maxsize=KEPT)  # all cells ask for the same draws
def times(dataset: str, n: int, draws: range) -> Array:
    """Return how often each of n images or subjects is drawn, [draws, n], read-only."""
    rows = rows_of(dataset, n, draws)
    found: Array = np.array([np.bincount(drawn, minlength=n) for drawn in rows], np.float64)
    found.flags.writeable = False
    return found


def pieces(draws: range) -> list[range]:
    """Return the numbers of draws, cut always alike: 0 (the images themselves), 1 .. 100, ...

    So a draw is the same whatever their number. A range must begin where a piece does.
    """
    starts = [i for i in draws if i % PIECE == 1 or i == 0]
    return [range(a, b) for a, b in pairwise([*starts, draws.stop])]


def portions(resamples: int, n: int) -> list[range]:
    """Return the numbers of all draws of n images, in portions of work of some pieces each: small,
    for Ctrl-C waits for those begun.
    """
    every, together = pieces(range(1 + resamples)), max(1, PORTION // (PIECE * n))
    parts = [every[i : i + together] for i in range(0, len(every), together)]
    return [range(part[0].start, part[-1].stop) for part in parts]


def interval(value: float, replicates: Array, level: float) -> tuple[float, float]:
    """Return the middle ``level`` (0 to 1) of replicates [B] of a score, less their bias.

    A draw adds chance to chance: the replicates of an ECE lie above the ECE itself, on average, and
    so does the ECE above the truth. Shifted by the difference of their mean and the ``value``, they
    lie around the value; shifted once more, around what it is without its bias. The interval spans
    both. Where no replicate is negative, it ends at 0.

    >>> low, high = interval(45.0, np.arange(101.0), 0.9)
    >>> round(low, 6), round(high, 6)
    (0.0, 90.0)
    """
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2])
    bias = replicates.mean() - value
    low, high = low - bias - max(bias, 0), high - bias - min(bias, 0)
    if replicates.min() >= 0:
        low = max(low, 0.0)
    return float(min(low, value)), float(max(high, value))


def p_value(value: float, replicates: Array) -> float:
    """Return the two-sided p of no difference, given replicates [B] of a difference: that of a
    normal distribution with their standard deviation. NaN for less than two replicates, and where
    there is nothing to compare: accuracy after temperature scaling, for example, is what it was.

    >>> round(p_value(1.96, np.array([-1.0, 1.0]) / np.sqrt(2)), 3)
    0.05
    """
    if len(replicates) < 2 or not math.isfinite(value):
        return math.nan
    spread = float(replicates.std(ddof=1))
    if spread == 0:
        return math.nan if value == 0 else 0.0
    return math.erfc(abs(value) / spread / math.sqrt(2))


def holm(p: Array) -> Array:
    """Return p-values [M] corrected for their number (Holm 1979, Scandinavian J. Statistics 6).

    Below 5 %, the probability that any of those below it is there by chance is at most 5 %. NaN
    counts as no comparison.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    there = np.flatnonzero(~np.isnan(p))
    order = there[np.argsort(p[there], kind="stable")]
    found = np.full(len(p), np.nan)
    steps = p[order] * (len(order) - np.arange(len(order)))
    found[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return found
