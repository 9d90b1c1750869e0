"""The verdict: three sentences made from the numbers, each with its interval.

Nothing is claimed whose interval holds 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ferc_core.results.bootstrap import Array, interval
from ferc_core.results.charts.data import apart_in, named
from ferc_core.results.differences import mean_of
from ferc_core.results.requests import LEVEL, Request
from ferc_core.results.resampling import Scores, Setting, regrouped
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN

if TYPE_CHECKING:
    from ferc_core.results.run import Run

METRICS = ("accuracy", "mean_confidence", "soft_ece")  # that the sentences are made of


@dataclass(frozen=True)
class Estimate:
    """A number in percent, or percentage points, with the ends of its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, draws: Array) -> Estimate:
        """Return that of a score [1 + B]: of the images, then of each draw of them."""
        low, high = interval(float(draws[0]), draws[1:], LEVEL)
        return cls(100 * float(draws[0]), 100 * low, 100 * high)

    @property
    def certain(self) -> bool:
        """Whether its interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        ends = sorted((abs(self.low), abs(self.high)))
        return f"{abs(self.value):.1f} points ({ends[0]:.1f} to {ends[1]:.1f})"


def verdict(run: Run, resamples: int) -> list[str]:
    """Return the sentences on the trial of each dataset that is best on clean faces."""
    datasets = dict.fromkeys(s.scores["dataset"][0] for s in run.sources if s.card is None)
    return [text for name in datasets for text in of_dataset(run, name, resamples)]


def of_dataset(run: Run, dataset: str, resamples: int) -> list[str]:
    """Return the sentences on the trials of a dataset."""
    setting, name = best(run, dataset)
    request = Request(("corruption",), ("accuracy", "mean_confidence"), resamples)
    drawn = run.drawn(METRICS, resamples)[setting]
    by_metric = averaged([regrouped(scores, request) for scores in drawn.values()])
    sentences = [
        *falls(by_metric, name),
        *trusted(by_metric, name),
        helped(run, dataset, resamples),
    ]
    return [sentence for sentence in sentences if sentence]


def best(run: Run, dataset: str) -> tuple[Setting, str]:
    """Return the setting and name of the trial with the best accuracy on clean faces of a dataset,
    seeds averaged.
    """
    found = []
    for place, source in enumerate(run.sources):
        if source.card is not None or source.scores["dataset"][0] != dataset:
            continue
        clean = named(source.scores, apart_in(run)).filter(
            metric="accuracy", calibrator=UNCALIBRATED, corruption=CLEAN.corruption
        )
        keys = ["method", "loss", "noise", "trial"]
        means = clean.group_by(keys, maintain_order=True).agg(pl.col("value").mean())
        found += [
            (value, Setting(method, loss, noise, UNCALIBRATED, place), name)
            for method, loss, noise, name, value in means.iter_rows()
        ]
    _, setting, name = max(found, key=lambda each: each[0])
    return setting, name


def averaged(seeds: Sequence[Scores]) -> dict[str, dict[str, Array]]:
    """Return the scores by metric and corruption, seeds averaged."""
    found: dict[str, dict[str, Array]] = {}
    for (group, metric), mean in mean_of(dict(enumerate(seeds))).items():
        found.setdefault(metric, {})[group.corruption] = mean
    return found


def falls(scores: Mapping[str, Mapping[str, Array]], name: str) -> list[str]:
    """Say under which corruption accuracy falls most."""
    accuracy = scores["accuracy"]
    clean = accuracy[CLEAN.corruption]
    losses = {c: clean - each for c, each in accuracy.items() if c != CLEAN.corruption}
    if not losses:
        return []
    worst = max(losses, key=lambda corruption: losses[corruption][0])
    loss = Estimate.of(losses[worst])
    if not loss.certain or loss.value < 0:
        return [f"{name} loses no accuracy with certainty under any corruption."]
    return [
        f"{name}, the most accurate on clean faces, falls most under {worst}: from "
        f"{100 * clean[0]:.1f} % to {100 * accuracy[worst][0]:.1f} % accuracy, by {loss}."
    ]


def trusted(scores: Mapping[str, Mapping[str, Array]], name: str) -> list[str]:
    """Say where confidence is furthest above accuracy."""
    over = {c: scores["mean_confidence"][c] - each for c, each in scores["accuracy"].items()}
    worst = max(over, key=lambda corruption: over[corruption][0])
    gap = Estimate.of(over[worst])
    where = "on clean faces" if worst == CLEAN.corruption else f"under {worst}"
    if not gap.certain or gap.value < 0:
        return ["Its confidence is nowhere above its accuracy with certainty."]
    clean = Estimate.of(over[CLEAN.corruption])
    beside = ""
    if worst != CLEAN.corruption and clean.certain:
        side = "above" if clean.value > 0 else "below"
        beside = f" On clean faces it is {clean} {side}."
    return [
        f"Its confidence is least to be trusted {where}, where it is {gap} above accuracy.{beside}"
    ]


def helped(run: Run, dataset: str, resamples: int) -> str:
    """Say which of what was tried against miscalibration lowers the soft ECE most."""
    frame = named(run.estimates([], ["soft_ece"], resamples), apart_in(run))
    tried = frame.filter(frame["against"].is_not_null(), corruption="corrupted", dataset=dataset)
    if tried.is_empty():
        return ""
    row = tried.sort("value").row(0, named=True)
    change = Estimate(100 * row["value"], 100 * row["low"], 100 * row["high"])
    if change.value >= 0 or not change.certain:
        return "Nothing that was tried lowers the soft ECE on corrupted faces with certainty."
    what, against = row["trial"], f"with {row['against']}"
    if row["calibrator"] != UNCALIBRATED:
        what += f" with calibrator {row['calibrator']}"
    if row["against"] == f"calibrator {UNCALIBRATED}":
        against = "without it"
    return (
        f"On corrupted faces calibration is helped most by {what}: its soft ECE is {change} lower "
        f"than {against}."
    )
