"""What charts draw: names of trials, scores in the units of tables, predictions of some cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from ferc_core.base.files import read_json
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.experiment.benchmark import NO_LOSS
from ferc_core.experiment.cases import Case
from ferc_core.plugins.host import registry
from ferc_core.results.formats import heading
from ferc_core.results.reading import cases_in
from ferc_core.results.requests import checked_metrics
from ferc_core.results.side_by_side import RUN
from ferc_core.suite.cells import CLEAN, Cell

if TYPE_CHECKING:
    from ferc_core.results.run import Run

T = TypeVar("T")

CORRUPTED = "corrupted"  # all corrupted cells, pooled


def kept(function: Callable[..., T]) -> Callable[..., T]:
    """Compute what a function returns of a run and names once: charts ask for it again."""

    @wraps(function)
    def known(run: Run, *names: str) -> T:
        place = (function.__name__, *names)
        if place not in run.memory:
            run.memory[place] = function(run, *names)
        found: T = run.memory[place]
        return found

    return known


@kept
def metric_name(run: Run, text: str) -> str:
    """Return the canonical call of a metric; raises `RequestError` for one that the run lacks."""
    if "members" in registry().metrics.choose(text).entry.needs:
        raise RequestError(f"{text} compares the models of an ensemble, which no chart shows")
    return checked_metrics((text,), run.sources, ensemble=False)[0]


def axis_title(metric: str) -> str:
    """Return what an axis says of a metric: its title, unit and direction."""
    entry = registry().metrics.choose(metric).entry
    unit = {"fraction": " (%)", "nats": " (nats)", "plain": ""}[entry.unit]
    better = "higher" if entry.higher_is_better else "lower"
    return f"{heading(metric)}{unit}, {better} is better"


def scale_of(metric: str) -> float:
    """Return the number that scores of a metric are shown times."""
    return 100.0 if registry().metrics.choose(metric).entry.unit == "fraction" else 1.0


def named(frame: pl.DataFrame, apart: Sequence[str] = ()) -> pl.DataFrame:
    """Return scores with a column ``trial``: what tells runs apart, method, loss and noise."""
    told = [RUN] if RUN in apart else apart  # the name of a run says it all
    parts = [pl.format("{} {}", pl.lit(n), pl.col(n)) if n != RUN else pl.col(n) for n in told]
    loss = pl.when(pl.col("loss") == NO_LOSS).then(pl.lit("")).otherwise(" " + pl.col("loss"))
    parts.append(pl.col("method") + loss)
    if frame["dataset"].n_unique() > 1 and RUN not in apart:
        parts.insert(0, pl.col("dataset"))
    if frame["noise"].n_unique() > 1:
        parts.append("noise " + pl.col("noise").cast(pl.String))
    return frame.with_columns(pl.concat_str(parts, separator=", ").alias("trial"))


def apart_in(run: Run) -> list[str]:
    """Return the columns that tell the runs of a `Run` apart."""
    return list(run.sources[0].apart)


@kept
def trials_in(run: Run) -> list[str]:
    """Return the names of the trials of a run, in their order: so each keeps its colour."""
    frame = named(run.scores, apart_in(run))
    return frame["trial"].unique(maintain_order=True).to_list()


@kept
def calibrators_of(run: Run) -> list[str]:
    """Return the calibrators that have scores."""
    return run.scores["calibrator"].unique(maintain_order=True).to_list()


def calibrators_in(run: Run, asked: str, several: bool = True) -> list[str]:
    """Return the calibrators that are asked for: one of them, or "all" where a chart tells
    ``several`` apart.
    """
    there = calibrators_of(run)
    if asked == "all" and several:
        return there
    if asked not in there:
        raise UnknownNameError("calibrator", asked, [*there, *(["all"] if several else [])])
    return [asked]


def chosen_trials(run: Run, asked: str) -> list[str]:
    """Return the trials with this name, or with this in their name: all for nothing."""
    there = trials_in(run)
    found = [name for name in there if name == asked] or [n for n in there if asked in n]
    if not found:
        raise UnknownNameError("trial", asked, there)
    return found


def cells_asked(run: Run, text: str) -> list[Cell]:
    """Return the cells that a text means: "clean", "corrupted" (all of them) or "snow/3"."""
    if text in ("clean", str(CLEAN)):
        return [CLEAN]
    corrupted = [cell for cell in run.cells if cell != CLEAN]
    found = (
        corrupted if text == CORRUPTED else [c for c in corrupted if text in (str(c), c.corruption)]
    )
    if not found:
        raise UnknownNameError("cell", text, ["clean", CORRUPTED, *map(str, corrupted)])
    return found


def predictions(
    run: Run, cells: Sequence[Cell], calibrators: Sequence[str], trials: Sequence[str]
) -> Iterator[tuple[str, Case]]:
    """Yield the predictions of trials in some cells, all seeds, with the names of the trials."""
    for source in run.sources:
        frame = named(source.scores, list(source.apart))
        wanted = pl.DataFrame([vars(cell) for cell in cells])
        kept = frame.join(wanted, on=["corruption", "severity"], how="semi").filter(
            pl.col("calibrator").is_in(calibrators), pl.col("trial").is_in(trials)
        )
        if kept.is_empty():
            continue
        keys = "method", "loss", "noise", "trial"
        names = {tuple(row[:3]): row[3] for row in kept.select(keys).unique().iter_rows()}
        for case in cases_in(source.directory, kept.drop("trial"), run.failures):
            yield names[case.trial.method, case.trial.loss, case.trial.noise], case


def classes_of(run: Run) -> list[str]:
    """Return the names of the classes."""
    manifest = read_json(run.sources[0].directory.manifest)
    return list(manifest["classes"])
