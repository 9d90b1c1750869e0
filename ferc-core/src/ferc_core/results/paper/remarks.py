"""What a reader of a comparison must know of the run: what it lacks, where it differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import polars as pl

from ferc_core.results.paper.compare import (
    Number,
    Place,
    corrupted_cells,
    datasets,
    losses,
    paper_dataset,
    plain,
    unique,
)
from ferc_core.results.paper.values import (
    BENCHMARK_CELLS,
    CORRUPTED,
    DATASETS,
    LAYOUTS,
    OVERALL,
    SCORES,
    Layout,
    printed,
)
from ferc_core.spec import UNCALIBRATED

NAMED_GAPS = 4  # single gaps named before the rest is counted


def remarks(
    scores: pl.DataFrame, numbers: Sequence[Number], name: str, beside: str | None = None
) -> list[str]:
    """Return what a reader must know of this run: first, in one line, what it lacks."""
    present = datasets(scores)
    lacks = [*absent_datasets(present, name), *gaps(numbers, name)]
    foreign = [d for d in present if not paper_dataset(d, beside)]
    lines = [f"Not in this run: {'; '.join(lacks)}."] if lacks else []
    if foreign:
        lines.append(
            f"The paper has no dataset {', '.join(foreign)}; --paper-dataset NAME compares it "
            f"with one of the paper's: {', '.join(DATASETS)}."
        )
    elif beside and (unknown := [d for d in present if plain(d) not in DATASETS]):
        lines.append(f"{', '.join(unknown)} is compared with the paper's {DATASETS[beside]}.")
    for dataset in present:
        lines += variant_losses(scores, dataset, name)
        count = corrupted_cells(scores, dataset)
        if CORRUPTED in LAYOUTS[name].parts and count not in (0, BENCHMARK_CELLS):
            lines.append(
                f"{dataset}: {count} corrupted cells; the benchmark has {BENCHMARK_CELLS}."
            )
    return lines


def absent_datasets(present: Sequence[str], name: str) -> list[str]:
    """Return as one entry the datasets of a table that a run with others of the paper lacks."""
    here = {plain(dataset) for dataset in present}
    there = {key[1].removesuffix(CORRUPTED) for key in printed() if key[0] == LAYOUTS[name].printed}
    absent = [dataset for dataset in DATASETS if dataset in there - here]
    return [f"datasets {', '.join(absent)}"] if absent and here & DATASETS.keys() else []


def gaps(numbers: Sequence[Number], name: str) -> list[str]:
    """Return what is missing, for each dataset."""
    panels: dict[str, list[Number]] = defaultdict(list)
    for number in numbers:
        place = number.place
        if place.calibrator == UNCALIBRATED and place.method != OVERALL:
            panels[place.dataset].append(number)
    lacks = {dataset: gaps_of(panel, name) for dataset, panel in panels.items()}
    return [
        text if len(panels) == 1 else f"of {dataset} {text}"
        for dataset, text in lacks.items()
        if text
    ]


def gaps_of(numbers: Sequence[Number], name: str) -> str:
    """Return what is missing: methods, rates, losses, parts, metrics, then single numbers."""
    stages = LAYOUTS[name].stages
    filled = [n.place for n in numbers if n.mean is not None]
    empty = [n.place for n in numbers if n.mean is None]
    if not filled:
        return f"any number of {name}, which needs {needs(LAYOUTS[name])}"
    axes: dict[str, Callable[[Place], str]] = {
        "methods": lambda place: place.method,
        "noise": lambda place: f"{place.noise} %",
        "losses": lambda place: stages[place.stage].loss,
        "cells": lambda place: "corrupted" if place.part == CORRUPTED else "clean",
        "metrics": lambda place: SCORES[place.score].metric(place.part),
    }
    lacks = []
    for axis, value in axes.items():
        there = {value(place) for place in filled}
        if absent := unique(value(place) for place in empty if value(place) not in there):
            lacks.append(f"{axis} {', '.join(absent)}")
        empty = [place for place in empty if value(place) in there]
    single = unique(
        " ".join([p.method, *([f"{p.noise} %"] if p.noise else []), stages[p.stage].title])
        for p in empty
    )
    if len(single) > NAMED_GAPS:
        single = [*single[:NAMED_GAPS], f"{len(single) - NAMED_GAPS} more"]
    return ", ".join([*lacks, *single])


def needs(layout: Layout) -> str:
    """Return the losses and noise of a table."""
    rates = [f"{noise} %" for noise in layout.noise if noise]
    noise = f" and noise {', '.join(rates)}" if rates else ""
    return f"losses {', '.join(stage.loss for stage in layout.stages.values())}{noise}"


def variant_losses(scores: pl.DataFrame, dataset: str, name: str) -> list[str]:
    """Return a line for each stage whose loss has options or several variants."""
    lines = []
    for stage in LAYOUTS[name].stages.values():
        present = losses(scores, dataset, stage.loss)
        if stage.loss in present or not present:
            continue
        if len(present) == 1:
            lines.append(f"{dataset}: {stage.title} is the loss {present[0]}.")
        else:
            lines.append(
                f"{dataset}: {stage.title} is left out: {', '.join(present)} are variants, and "
                f"none of them is {stage.loss}."
            )
    return lines
