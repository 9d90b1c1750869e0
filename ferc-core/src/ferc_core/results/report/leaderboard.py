"""The leaderboard: every trial beside the first one, with the interval of each difference.

Trials of run directories are compared draw by draw on the same faces. A card has no draws: its
difference to others has the interval that follows from the two single ones, as if they had been
measured on different faces, which is wider (MOVER; Zou and Donner 2008, Statistics in Medicine 27).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferc_core.results.bootstrap import Array, interval
from ferc_core.results.charts.data import apart_in, named, scale_of
from ferc_core.results.differences import mean_of
from ferc_core.results.formats import heading
from ferc_core.results.intervals import faces_of
from ferc_core.results.requests import LEVEL, Request
from ferc_core.results.resampling import CORRUPTED, Setting, regrouped
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN

if TYPE_CHECKING:
    from ferc_core.results.run import Run

Place = tuple[str, str]  # part of the cells, metric
Estimate = tuple[float, float, float]  # a score and the ends of its interval

# what is compared
COLUMNS = (
    (CLEAN.corruption, "accuracy"),
    (CORRUPTED, "accuracy"),
    (CORRUPTED, "soft_ece"),
)
TITLES = {CLEAN.corruption: "clean", CORRUPTED: "FER-C"}


@dataclass(frozen=True)
class Line:
    """A trial and calibrator: of each column the ends of its interval and, where there are any, the
    score of the images and of each draw [1 + B].
    """

    trial: str
    calibrator: str
    faces: tuple[str, int]
    estimates: dict[Place, Estimate] = field(default_factory=dict)
    draws: dict[Place, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Leaderboard:
    """A table of texts, and the trial that the differences are to."""

    against: str
    headings: list[str]
    rows: list[list[str]]


def leaderboard(run: Run, resamples: int) -> Leaderboard | None:
    """Return the leaderboard of the trials of some runs; None where there is one line alone."""
    lines = list(lines_of(run, resamples))
    if len(lines) < 2:
        return None
    first = lines[0]
    headings = ["trial", "calibrator"]
    for part, metric in COLUMNS:
        unit = f"{TITLES[part]} {heading(metric)}"
        headings += [unit, f"{unit}: difference"]
    rows = []
    for line in sorted(lines, key=rank):
        row = [line.trial, line.calibrator]
        for place in COLUMNS:
            by = scale_of(place[1])
            row.append(told(line.estimates.get(place), by))
            row.append("" if line is first else told(difference(line, first, place), by, "+"))
        rows.append(row)
    calibrated = "" if first.calibrator == UNCALIBRATED else f" with {first.calibrator}"
    return Leaderboard(first.trial + calibrated, headings, rows)


def lines_of(run: Run, resamples: int) -> Iterator[Line]:
    """Yield the trials and calibrators in the order of the runs."""
    metrics = list(dict.fromkeys(metric for _, metric in COLUMNS))
    frame = named(run.estimates([], metrics, resamples, differences=False), apart_in(run))
    drawn = run.drawn(metrics, resamples)
    request = Request((), metrics, resamples)
    keys = ["method", "loss", "noise", "calibrator"]
    for place, source in enumerate(run.sources):
        faces = faces_of(source)
        mine = frame.filter(dataset=faces[0], **source.apart)
        there = source.scores.select(keys).unique(maintain_order=True)
        for (*_, trial), rows in mine.join(there, on=keys, how="semi").group_by(
            [*keys, "trial"], maintain_order=True
        ):
            method, loss, noise, calibrator = rows.select(keys).row(0)
            setting = Setting(method, loss, noise, calibrator, place)
            seeds = {seed: regrouped(s, request) for seed, s in drawn.get(setting, {}).items()}
            yield Line(
                str(trial),
                calibrator,
                faces,
                {(r["corruption"], r["metric"]): (r["value"], r["low"], r["high"])
                 for r in rows.iter_rows(named=True)},
                {(group.corruption, metric): values
                 for (group, metric), values in (mean_of(seeds) if seeds else {}).items()},
            )  # fmt: skip


def difference(line: Line, first: Line, place: Place) -> Estimate | None:
    """Return how a line differs from the first one in a column, with the ends of its interval; None
    on other faces.
    """
    if line.faces != first.faces:
        return None
    if place in line.draws and place in first.draws:
        draws = line.draws[place] - first.draws[place]
        return float(draws[0]), *interval(float(draws[0]), draws[1:], LEVEL)
    if place not in line.estimates or place not in first.estimates:
        return None
    return apart(line.estimates[place], first.estimates[place])


def apart(one: Estimate, other: Estimate) -> Estimate:
    """Return the difference of two scores measured apart, with the ends of its interval.

    >>> low, high = apart((5.0, 2.0, 8.0), (1.0, -3.0, 5.0))[1:]
    >>> low, high
    (-1.0, 9.0)
    """
    (a, a_low, a_high), (b, b_low, b_high) = one, other
    below, above = math.hypot(a - a_low, b_high - b), math.hypot(a_high - a, b - b_low)
    return a - b, a - b - below, a - b + above


def told(estimate: Estimate | None, by: float, sign: str = "") -> str:
    """Return a score, or a difference, and the ends of its interval; a star marks a difference
    whose interval leaves out 0.
    """
    if estimate is None or None in estimate or not all(map(math.isfinite, estimate)):
        return ""
    value, low, high = (by * each for each in estimate)
    star = " *" if sign and (low > 0 or high < 0) else ""
    return f"{value:{sign}.1f} ({low:{sign}.1f} to {high:{sign}.1f}){star}"


def rank(line: Line) -> float:
    """Return what the table is sorted by: the soft ECE on corrupted faces."""
    found = line.estimates.get((CORRUPTED, "soft_ece"), (math.inf,))[0]
    return math.inf if found is None else found
