"""Result cards: what a run found, in one JSON file to pass on, without images or predictions.

A card has all scores and their intervals, the settings, the versions, and hashes of what it was
made from. ``ferc report`` and ``ferc results`` read cards in place of run directories.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import polars as pl
from pydantic import Field

from ferc_core.base.files import digest_of, write_text
from ferc_core.base.schemas import Checked, Count, Texts, read_checked
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.config import RESOURCES, SETTINGS
from ferc_core.experiment.manifest import RunManifest
from ferc_core.experiment.scoring import SCHEMA
from ferc_core.suite.cells import CLEAN, Cell

if TYPE_CHECKING:
    from ferc_core.results.reading import Source
    from ferc_core.results.run import Run

SUFFIX = ".json"
RESAMPLES = 200
KEYS = ("method", "loss", "calibrator", "noise")
FILES = ("backbone", "weights", "gmm")  # settings that may be paths: of them the name alone

Part = Annotated[float, Field(ge=0, le=1)]


class Scores(Checked):
    """The scores of a trial and calibrator: by metric one for each cell; null is undefined."""

    method: str
    loss: str
    calibrator: str
    noise: Part
    seed: Count
    values: dict[str, list[float | None]]


class Interval(Checked):
    """A score of a trial and calibrator, seeds averaged, with the ends of its interval.

    corruption: "clean", or "corrupted" for the mean over all of them
    severity:   null for the mean over all
    """

    method: str
    loss: str
    calibrator: str
    noise: Part
    corruption: str
    severity: Count | None
    metric: str
    value: float | None
    low: float | None
    high: float | None


class Card(Checked):
    """What a card holds."""

    ferc_card: Literal[1]
    dataset: str
    images: Annotated[int, Field(ge=1, lt=2**63)]
    cells: Texts
    run: RunManifest
    settings: dict[str, Any]
    hashes: dict[str, str]
    warnings: Texts
    verdict: Texts
    resamples: Count
    level: Part
    scores: Annotated[list[Scores], Field(min_length=1)]
    intervals: list[Interval]

    def frame(self) -> pl.DataFrame:
        """Return the tidy scores; raises `ValueError` with half a sentence for what are none."""
        cells = list(map(cell_of, self.cells))
        rows = []
        for i, each in enumerate(self.scores):
            for metric, values in each.values.items():
                if len(values) != len(cells):
                    raise ValueError(
                        f"scores.{i}.values.{metric}: {len(values)} values in {len(cells)} cells"
                    )
                head = (
                    self.dataset,
                    each.method,
                    each.loss,
                    each.calibrator,
                    each.noise,
                    each.seed,
                )
                rows += [
                    (*head, cell.corruption, cell.severity, metric, value, self.images)
                    for cell, value in zip(cells, values, strict=True)
                ]
        return pl.DataFrame(rows, SCHEMA, orient="row")


def cell_of(text: str) -> Cell:
    """Return the cell that a text names; raises `ValueError` for one that names none.

    >>> cell_of("snow/3")
    Cell(corruption='snow', severity=3)
    """
    name, slash, severity = text.rpartition("/")
    if not slash or not name or not severity.isdecimal() or len(severity) > 3:
        raise ValueError(f"cells: {text!r} is no cell such as 'snow/3'")
    return Cell(name, int(severity))


def read_card(path: Path) -> tuple[Card, pl.DataFrame]:
    """Return a card and its tidy scores; raises `DataError`, which names the field at fault."""
    try:
        card = read_checked(path, Card)
        return card, card.frame()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not a result card of FER-C: {error}") from error


def check_single(runs: Sequence[Run]) -> None:
    """Raise `RequestError` for several runs, or a card, `DataError` for one without a manifest."""
    if [len(run.sources) for run in runs] != [1] or not runs[0].directories:
        raise RequestError("a card is of one run directory; write one for each")
    _ = runs[0].sources[0].manifest


def write_card(run: Run, path: Path, verdict: Sequence[str]) -> None:
    """Write the card of a run that `check_single` has passed."""
    fields = (f"{json.dumps(n)}: {lines(each)}" for n, each in card_of(run, verdict).items())
    write_text(path, "{\n" + ",\n".join(fields) + "\n}\n")


def lines(value: Any) -> str:
    """Return JSON with a line for each object of a list."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(map(lines, value)) + "\n]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def card_of(run: Run, verdict: Sequence[str]) -> dict[str, Any]:
    """Return what the card of a run holds."""
    (source,) = run.sources
    out = source.directory
    manifest = source.manifest
    manifest["making"] = told(manifest["making"])
    metrics = metrics_in(run)
    frames = [
        run.estimates(by, metrics, RESAMPLES, differences=False) for by in ((), ("severity",))
    ]
    rows = pl.concat(frames).unique(
        [*KEYS, "corruption", "severity", "metric"], maintain_order=True
    )
    return {
        "ferc_card": 1,
        "dataset": source.scores["dataset"][0],
        "images": source.scores["n"][0],
        "cells": list(map(str, run.cells)),
        "run": manifest,
        "settings": told(source.config),
        "hashes": {
            **{file.name: digest_of(file) for file in (out.results, out.labels, out.manifest)},
            "data": manifest["data"],
        },
        "warnings": list(run.warnings),
        "verdict": list(verdict),
        "resamples": RESAMPLES,
        "level": rows["level"][0],
        "scores": scores_in(source.scores, run.cells),
        "intervals": rows.select(*Interval.model_fields).to_dicts(),
    }


def estimates(source: Source, by: Sequence[str], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the intervals of a card as rows of ``intervals.parquet``: those by no column or by
    severity; others are not in it.
    """
    card, seeds = source.card, source.scores["seed"].n_unique()
    if card is None or tuple(by) not in ((), ("severity",)):
        return []
    about = {
        **source.apart,
        "dataset": card.dataset,
        "n": card.images,
        "seeds": seeds,
        "resamples": card.resamples,
        "level": card.level,
        "unit": "image",
    }
    return [
        {**each.model_dump(), **about}
        for each in card.intervals
        if each.metric in metrics
        and (each.corruption == CLEAN.corruption or bool(by) == (each.severity is not None))
    ]


def metrics_in(run: Run) -> list[str]:
    """Return the metrics of a card's intervals: those that tables show unasked."""
    from ferc_core.results.tables import metrics_of

    there = set(run.scores["metric"].unique())
    shown = dict.fromkeys((*metrics_of("clean"), *metrics_of("corrupted")))
    return [name for name in shown if name in there]


def scores_in(frame: pl.DataFrame, cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """Return tidy scores as a card has them."""
    place = {(cell.corruption, cell.severity): i for i, cell in enumerate(cells)}
    found = []
    keys = [*KEYS, "seed"]
    for head, part in frame.group_by(keys, maintain_order=True):
        values: dict[str, list[float | None]] = {}
        columns = ("metric", "corruption", "severity", "value")
        for metric, corruption, severity, value in part.select(columns).iter_rows():
            finite = value if value is not None and abs(value) < float("inf") else None
            row = values.setdefault(metric, [None] * len(place))
            row[place[corruption, severity]] = finite
        found.append({**dict(zip(keys, head, strict=True)), "values": values})
    return found


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without what is of one machine: folders, and where files lie."""
    kept = {
        name: value
        for name, value in settings.items()
        if name not in SETTINGS or SETTINGS[name].role != RESOURCES
    }
    return {
        name: Path(value).name if name in FILES and isinstance(value, str) and value else value
        for name, value in kept.items()
    }
