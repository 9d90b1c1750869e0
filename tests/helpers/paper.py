"""Made-up scores beside the paper's, and ``ferc results --paper`` in this process."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import polars as pl
from typer.testing import CliRunner

from ferc_core.cli.app import app
from ferc_core.experiment.scoring import SCHEMA
from ferc_core.results.paper.values import METHODS, SCORES

METRICS = sorted({s.metric(part) for s in SCORES.values() for part in ("", "_c")})
CELLS = [("clean", 0), ("snow", 1), ("snow", 5)]


def rows(
    dataset="rafdb",
    methods=METHODS,
    losses=("ce", "maxent+mbls"),
    calibrators=("none",),
    noise=(0.0,),
    seeds=(0, 1),
    metrics=METRICS,
    cells=CELLS,
    n=30,
    value=lambda **_: 0.5,
):
    """Return tidy rows; ``value`` is called with the fields of each."""
    made = []
    for method, loss, calibrator, rate, seed, (corruption, severity), metric in itertools.product(
        methods, losses, calibrators, noise, seeds, cells, metrics
    ):
        row = {
            "dataset": dataset,
            "method": method,
            "loss": loss,
            "calibrator": calibrator,
            "noise": rate,
            "seed": seed,
            "corruption": corruption,
            "severity": severity,
            "metric": metric,
        }
        made.append({**row, "value": value(**row), "n": n})
    return pl.DataFrame(made, SCHEMA)


def store(folder: Path, *frames: pl.DataFrame) -> Path:
    """Write a run directory that has its results alone."""
    folder.mkdir(parents=True, exist_ok=True)
    pl.concat(frames).write_parquet(folder / "results.parquet")
    return folder


def show(*arguments: object) -> str:
    """Return what ``ferc results`` prints, run in this process; raises what it raises."""
    done = CliRunner().invoke(app, ["results", *map(str, arguments)])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def told(folder: Path, *arguments: object) -> dict[tuple[str, ...], dict[str, str]]:
    """Return the cells of ``--format csv`` by dataset, method, metric and stage."""
    table = csv.DictReader(io.StringIO(show(folder, *arguments, "--format", "csv")))
    return {(r["dataset"], r["method"], r["metric"], r["stage"]): r for r in table}


def missing_line(text: str) -> str:
    """Return the one line that names what is missing."""
    (line,) = [line for line in text.splitlines() if "Not in this run" in line]
    return line
