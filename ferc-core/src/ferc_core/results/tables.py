"""Views of tidy scores: the summary of the paper's tables, and means by any column."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ferc_core.base.calls import parse_call
from ferc_core.errors import UnknownNameError
from ferc_core.experiment.scoring import SCHEMA
from ferc_core.plugins.host import registry
from ferc_core.results.reading import CELL_COLUMNS, TRIAL_COLUMNS
from ferc_core.suite.cells import CLEAN

SPREAD = "_sd"  # behind the name of a metric: its standard deviation over seeds
IMAGES, GROUP, WORST = "images", "group", "worst"  # columns of views


def metrics_of(view: str) -> tuple[str, ...]:
    """Return the metrics that a view shows unasked: "clean", "corrupted" or "by"."""
    shown = [metric for metric in registry().metrics.values() if view in metric.views]
    return tuple(m.name for m in sorted(shown, key=lambda m: not m.higher_is_better))


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each method, loss, noise and calibrator: clean beside corrupted scores.

    ``clean_*`` are the scores of the clean set against hard labels; ``ferc_*`` are means over
    all (corruption, severity) cells, calibration against soft labels. Scores are means over
    seeds; where there are several, ``*_sd`` are their standard deviations and ``seeds`` their
    number. ``n`` is the number of images in a cell.
    """
    columns = group_columns(frame)
    table = frame.group_by(columns, maintain_order=True).agg(*counts(frame))
    for part, metrics, prefix in (
        (frame.filter(corruption="clean"), metrics_of("clean"), "clean_"),
        (frame.filter(pl.col("corruption") != "clean"), metrics_of("corrupted"), "ferc_"),
    ):
        scores = over_seeds(part, columns, metrics, prefix)
        table = table.join(scores, on=columns, how="left", maintain_order="left")
    return table.select(
        pl.exclude("n", "seeds"), *(c for c in ("seeds", "n") if c in table.columns)
    )


def means(
    frame: pl.DataFrame, by: Sequence[str], metrics: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return the mean of each metric for every trial and every value of the columns ``by``.

    ``by`` are columns of the frame, or "group", that of the corruption. The clean set and corrupted
    cells are never averaged together: without a column that tells them apart, ``images`` does.
    """
    known = frame["metric"].unique().to_list()
    metrics = metrics or [name for name in metrics_of("by") if name in known]
    for name in metrics:
        if name not in known:
            raise UnknownNameError("metric", name, known)
    if GROUP in by:
        groups = {text: group_of(text) for text in frame["corruption"].unique()}
        frame = frame.with_columns(pl.col("corruption").replace_strict(groups).alias(GROUP))
    for name in by:
        if name not in frame.columns or name in ("metric", "value", "n"):
            there = (*TRIAL_COLUMNS, *CELL_COLUMNS, GROUP, *extra_columns(frame))
            raise UnknownNameError("column", name, there)
    if not {*CELL_COLUMNS, GROUP} & set(by):
        clean = pl.col("corruption") == CLEAN.corruption
        shown = pl.when(clean).then(pl.lit("clean")).otherwise(pl.lit("corrupted"))
        frame = frame.with_columns(shown.alias(IMAGES))
        by = [*by, IMAGES]
    columns = group_columns(frame, by)
    table = over_seeds(frame, columns, metrics, "")
    last = frame.group_by(columns, maintain_order=True).agg(*counts(frame, by))
    return table.join(last, on=columns, how="left", maintain_order="left")


def over_seeds(
    frame: pl.DataFrame, columns: Sequence[str], metrics: Sequence[str], prefix: str
) -> pl.DataFrame:
    """Return the mean of each metric in each group and, where it has several seeds, their spread.

    The mean is over all rows; the standard deviation (ddof 1) is of the seeds' own means.
    """
    scores = [pl.col("value").filter(metric=m).mean().alias(f"{prefix}{m}") for m in metrics]
    of_groups = frame.group_by(columns, maintain_order=True).agg(scores)
    if frame["seed"].n_unique() < 2 or "seed" in columns:
        return of_groups
    # In order, for the last bit of a standard deviation depends on it.
    by_seed = frame.group_by([*columns, "seed"], maintain_order=True).agg(scores)
    spread = by_seed.group_by(columns, maintain_order=True).agg(
        *(pl.col(f"{prefix}{m}").std().alias(f"{prefix}{m}{SPREAD}") for m in metrics)
    )
    joined = of_groups.join(spread, on=columns, how="left", maintain_order="left")
    beside = [f"{prefix}{m}{end}" for m in metrics for end in ("", SPREAD)]
    return joined.select(*columns, *beside)


def counts(frame: pl.DataFrame, by: Sequence[str] = ()) -> list[pl.Expr]:
    """Return the number of seeds of a group, where several are averaged, and of its images."""
    several = frame["seed"].n_unique() > 1 and "seed" not in by
    seeds = [pl.col("seed").n_unique().alias("seeds")] if several else []
    return [*seeds, pl.col("n").first()]


def group_columns(frame: pl.DataFrame, by: Sequence[str] = ()) -> list[str]:
    """Return the columns that tell rows apart: method, loss, calibrator, and what varies."""
    always = ("method", "loss", "calibrator")
    varying = [c for c in ("dataset", "noise") if frame[c].n_unique() > 1]
    apart = [c for c in extra_columns(frame) if c not in by]
    return list(dict.fromkeys([*varying, *apart, *always, *by]))


def extra_columns(frame: pl.DataFrame) -> list[str]:
    """Return the columns that a table has beside those of all scores: what tells runs apart."""
    return [name for name in frame.columns if name not in (*SCHEMA, IMAGES, GROUP)]


def group_of(corruption: str) -> str:
    """Return the group of a corruption, "clean" for the clean set, "other" for an unknown one."""
    if corruption == CLEAN.corruption:
        return corruption
    entry = registry().corruptions.get(parse_call(corruption).name)
    return entry.group if entry else "other"


def with_worst(table: pl.DataFrame, column: str, metrics: Sequence[str]) -> pl.DataFrame:
    """Mark, among rows that differ in a column alone, the one with the lowest accuracy."""
    if "accuracy" not in table.columns:
        return table
    scores = {*metrics, *(f"{name}{SPREAD}" for name in metrics), "n", "seeds", column}
    others = [name for name in table.columns if name not in scores]
    lowest = pl.col("accuracy").min().over(others)
    return table.with_columns((pl.col("accuracy") == lowest).alias(WORST))
