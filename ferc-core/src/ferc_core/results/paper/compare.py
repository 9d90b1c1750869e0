"""A run's scores at the places of a table of the paper, beside the printed numbers.

In distribution (the clean cell) scores are against the annotated class. Out of distribution
(``-C``) they are means over the corrupted cells, and calibration is against soft labels. A number
is the mean and the standard deviation (n - 1) over seeds, in percent; NLL is in nats.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import polars as pl

from ferc_core.errors import UnknownNameError
from ferc_core.results.paper.values import (
    CLEAN,
    CORRUPTED,
    DATASETS,
    LAYOUTS,
    METHODS,
    OVERALL,
    SCORES,
    Layout,
    printed,
)
from ferc_core.spec import UNCALIBRATED

LARGEST = 1e9  # of a score that is compared


@dataclass(frozen=True)
class Place:
    """The place of a number in a table of the paper; ``noise`` is in percent."""

    dataset: str
    part: str
    method: str
    calibrator: str
    noise: int
    stage: str
    score: str

    @property
    def panel(self) -> str:
        """The dataset as the paper writes it: AffectNet, AffectNet-C."""
        title = DATASETS.get(self.dataset, self.dataset)
        return title if self.part == CLEAN else f"{title}-C"

    @property
    def row(self) -> str:
        """The method, with its post-hoc calibrator where it has one."""
        plus = "" if self.calibrator == UNCALIBRATED else f" + {self.calibrator}"
        return self.method + plus


@dataclass(frozen=True)
class Number:
    """A run's mean and standard deviation over seeds beside the digits that the paper prints.

    ``images`` is their number in a cell; it and ``mean`` are None where the run has nothing. One
    seed has no deviation.
    """

    place: Place
    mean: float | None
    deviation: float | None
    seeds: int
    images: int | None
    paper: str | None


Seeds = Mapping[int, tuple[float, int]]  # seed -> value in the paper's unit, images


def compare(
    scores: pl.DataFrame, name: str, calibrators: Sequence[str] = (), beside: str | None = None
) -> list[Number]:
    """Return every number of a table or figure for the datasets of a run, in the paper's order.

    ``scores`` has the columns of ``results.parquet``. Methods that the paper lacks follow its
    five; rows for post-hoc ``calibrators`` follow their method. ``beside`` is the dataset of the
    paper that datasets which it lacks are compared with.
    """
    layout = LAYOUTS[name]
    known = scores["calibrator"].unique().to_list()
    for calibrator in calibrators:
        if calibrator not in known:
            raise UnknownNameError("calibrator of this run", calibrator, known)
    posthoc = unique((UNCALIBRATED, *calibrators))
    found = collect(scores, layout)
    numbers = []
    for part, dataset, noise in product(layout.parts, datasets(scores), layout.noise):
        methods = rows(place.method for place in found if place.dataset == dataset)
        lines = list(product(methods, posthoc))
        if layout.overall:
            lines.append((OVERALL, UNCALIBRATED))
        for (method, calibrator), stage, score in product(lines, layout.stages, layout.scores):
            place = Place(dataset, part, method, calibrator, noise, stage, score)
            printed_value = paper_value(layout, place, beside)
            numbers.append(over_seeds(place, found.get(place, {}), printed_value))
    return numbers


def collect(scores: pl.DataFrame, layout: Layout) -> dict[Place, Seeds]:
    """Return what a run has of a table: at each place, the mean of each seed over its cells."""
    part = pl.when(corruption="clean").then(pl.lit(CLEAN)).otherwise(pl.lit(CORRUPTED))
    keys = ("dataset", "part", "method", "loss", "calibrator", "noise", "seed", "metric")
    means = (
        scores.with_columns(part.alias("part"))
        .group_by(keys, maintain_order=True)
        .agg(pl.col("value").mean(), pl.col("n").min())
    )
    metrics = {(p, SCORES[s].metric(p)): s for p in layout.parts for s in layout.scores}
    stages = {
        (dataset, loss): stage
        for dataset in datasets(scores)
        for stage in layout.stages
        if (loss := loss_of(scores, dataset, layout.stages[stage].loss))
    }
    found: dict[Place, dict[int, tuple[float, int]]] = defaultdict(dict)
    for row in means.iter_rows(named=True):
        stage = stages.get((row["dataset"], row["loss"]))
        score = metrics.get((row["part"], row["metric"]))
        noise = round(100 * row["noise"])
        if stage is None or score is None or noise not in layout.noise:
            continue
        unit = 100 if SCORES[score].percent else 1
        value = math.nan if row["value"] is None else unit * row["value"]
        if not abs(value) < LARGEST:  # undefined, or of a table that no run made: as if not there
            continue
        place = Place(
            row["dataset"],
            row["part"],
            row["method"],
            row["calibrator"],
            noise,
            stage,
            score,
        )
        found[place][row["seed"]] = (value, row["n"])
    return {**found, **averages(found)}


def averages(found: Mapping[Place, Seeds]) -> dict[Place, Seeds]:
    """Return the mean over the paper's five methods, for seeds that all of them have.

    There is no mean where a method is missing or has two variants.
    """
    columns: dict[Place, dict[str, Seeds]] = defaultdict(dict)
    for place, seeds in found.items():
        if place.calibrator == UNCALIBRATED and plain(place.method) in METHODS:
            columns[replace(place, method=OVERALL)][place.method] = seeds
    means: dict[Place, Seeds] = {}
    for place, column in columns.items():
        if sorted(map(plain, column)) != sorted(METHODS):
            continue
        common = set.intersection(*(set(seeds) for seeds in column.values()))
        means[place] = {
            seed: (
                statistics.fmean(seeds[seed][0] for seeds in column.values()),
                min(seeds[seed][1] for seeds in column.values()),
            )
            for seed in sorted(common)
        }
    return means


def over_seeds(place: Place, seeds: Seeds, paper: str | None) -> Number:
    """Return the number at a place: mean and standard deviation over seeds."""
    values = [value for value, _ in seeds.values()]
    return Number(
        place,
        mean=statistics.fmean(values) if values else None,
        deviation=statistics.stdev(values) if len(values) > 1 else None,
        seeds=len(values),
        images=min((n for _, n in seeds.values()), default=None),
        paper=paper,
    )


def paper_value(layout: Layout, place: Place, beside: str | None) -> str | None:
    """Return what the paper prints at a place; it has no post-hoc calibrators."""
    if place.calibrator != UNCALIBRATED:
        return None
    dataset = f"{paper_dataset(place.dataset, beside)}{place.part}"
    method = plain(place.method)
    key = (layout.printed, dataset, method, place.noise, place.score, place.stage)
    return printed().get(key)


def paper_dataset(dataset: str, beside: str | None) -> str | None:
    """Return the name of a run's dataset in the paper, else ``beside``."""
    return plain(dataset) if plain(dataset) in DATASETS else beside


def datasets(scores: pl.DataFrame) -> list[str]:
    """Return a run's datasets: those of the paper in its order, then the others."""
    present = unique(scores["dataset"])
    return [d for known in DATASETS for d in present if plain(d) == known] + [
        d for d in present if plain(d) not in DATASETS
    ]


def rows(present: Iterable[str]) -> list[str]:
    """Return the methods of a block: the paper's five, in each variant of the run, then others."""
    methods = [method for method in unique(present) if method != OVERALL]
    known = [variant for name in METHODS for variant in variants(name, methods) or [name]]
    return [*known, *(method for method in methods if method not in known)]


def variants(name: str, texts: Iterable[str]) -> list[str]:
    """Return the texts that are a name, with or without options."""
    return [text for text in texts if plain(text) == name]


def losses(scores: pl.DataFrame, dataset: str, name: str) -> list[str]:
    """Return a run's losses that are a name, with or without options."""
    return variants(name, unique(scores.filter(dataset=dataset)["loss"]))


def loss_of(scores: pl.DataFrame, dataset: str, name: str) -> str | None:
    """Return a run's loss for a stage: the plain name, else its only variant with options."""
    present = losses(scores, dataset, name)
    if name in present:
        return name
    return present[0] if len(present) == 1 else None


def corrupted_cells(scores: pl.DataFrame, dataset: str) -> int:
    """Return the number of corrupted cells that a dataset was scored in."""
    corrupted = scores.filter(pl.col("corruption") != "clean", dataset=dataset)
    return corrupted.select("corruption", "severity").n_unique()


def plain(text: str) -> str:
    """Return a name, or a sum of names, without options.

    >>> plain("maxent(mode=mean)+mbls(margin=8)")
    'maxent+mbls'
    """
    return re.sub(r"\s*\([^()]*\)", "", text).strip()


def unique(texts: Iterable[str]) -> list[str]:
    """Return texts once each, in order."""
    return list(dict.fromkeys(texts))
