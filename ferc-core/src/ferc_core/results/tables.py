"""Views of tidy scores: the summary of the paper's tables, and means by any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from ferc_core.base.files import read_parquet
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Run
from ferc_core.experiment.config import read_config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.scoring import SCHEMA, score
from ferc_core.plugins.host import registry

RUN_COLUMNS = ("dataset", "method", "loss", "calibrator", "noise", "seed")
CELL_COLUMNS = ("corruption", "severity")
SUMMARY_CLEAN = ("macro_f1", "ece", "kse", "nll")
SUMMARY_CORRUPTED = ("macro_f1", "soft_ece", "soft_kse", "soft_nll")
BY_METRICS = ("accuracy", "macro_f1", "soft_ece", "soft_kse", "soft_nll")


def read_results(path: Path) -> pl.DataFrame:
    """Return the tidy scores of a run directory, or of all that lie side by side in a folder.

    Metrics that are new since are worked out from the stored predictions.
    """
    directory = RunDirectory(path)
    if not path.is_dir():
        raise RequestError(f"{path} is no run directory")
    if directory.results.exists():
        return run_results(directory)
    children = [RunDirectory(found.parent) for found in sorted(path.glob("*/results.parquet"))]
    if not children:
        raise DataError(
            f"{path} has no results yet: the `ferc run` that started it, run again, makes them"
        )
    return together({child.path: run_results(child) for child in children})


def run_results(directory: RunDirectory) -> pl.DataFrame:
    """Return the tidy scores of one run directory, with those of metrics that are new since."""
    frame = read_parquet(directory.results)
    if missing := SCHEMA.keys() - set(frame.columns):
        raise DataError(f"{directory.results} lacks the column {min(missing)!r}")
    new = registry().metrics.keys() - set(frame["metric"].unique())
    if new and directory.config.exists():  # without it the table came alone, and is all there is
        config = read_config(directory.config, {})
        runs = frame.select("method", "loss", "noise", "seed").unique(maintain_order=True)
        frame, _ = score(directory, config, [Run(*run) for run in runs.iter_rows()])
    return frame


def together(frames: Mapping[Path, pl.DataFrame]) -> pl.DataFrame:
    """Return the scores of several run directories as one table.

    Raises `RequestError` when two hold the same run, for their means would mix what differs.
    """
    owners: dict[tuple[object, ...], Path] = {}
    for path, frame in frames.items():
        for run in frame.select(RUN_COLUMNS).unique(maintain_order=True).iter_rows():
            if run in owners:
                described = ", ".join(f"{c} {v}" for c, v in zip(RUN_COLUMNS, run, strict=True))
                raise RequestError(
                    f"{owners[run]} and {path} both hold {described}: show one of them alone"
                )
            owners[run] = path
    return pl.concat([frame.select(*SCHEMA) for frame in frames.values()])


def view(
    frame: pl.DataFrame, by: Sequence[str] | None, metrics: Sequence[str] | None
) -> pl.DataFrame:
    """Return the summary, or with ``by`` the means of ``metrics`` for its columns."""
    return means(frame, by, metrics or BY_METRICS) if by else summary(frame)


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each method, loss, noise and calibrator: clean beside corrupted scores.

    ``clean_*`` are the scores of the clean set against hard labels; ``ferc_*`` are means over
    all (corruption, severity) cells, calibration against soft labels. Seeds are averaged; ``n``
    is the number of images in a cell.
    """
    columns = group_columns(frame)
    table = wide(frame, [], [], "")
    for part, metrics, prefix in (
        (frame.filter(corruption="clean"), SUMMARY_CLEAN, "clean_"),
        (frame.filter(pl.col("corruption") != "clean"), SUMMARY_CORRUPTED, "ferc_"),
    ):
        scores = part.group_by(columns).agg(*mean_columns(metrics, prefix))
        table = table.join(scores, on=columns, how="left", maintain_order="left")
    return table.select(pl.exclude("n"), "n")


def means(
    frame: pl.DataFrame, by: Sequence[str], metrics: Sequence[str] = BY_METRICS
) -> pl.DataFrame:
    """Return the mean of each metric for every run and every value of the columns ``by``."""
    for name in by:
        if name not in (*RUN_COLUMNS, *CELL_COLUMNS):
            raise UnknownNameError("column", name, (*RUN_COLUMNS, *CELL_COLUMNS))
    known = frame["metric"].unique().to_list()
    for name in metrics:
        if name not in known:
            raise UnknownNameError("metric", name, known)
    return wide(frame, by, metrics, "")


def group_columns(frame: pl.DataFrame, by: Sequence[str] = ()) -> list[str]:
    """Return the columns that tell rows apart: method, loss, calibrator, and what varies."""
    always = ("method", "loss", "calibrator")
    varying = [c for c in ("dataset", "noise") if frame[c].n_unique() > 1]
    return list(dict.fromkeys([*varying, *always, *by]))


def wide(
    frame: pl.DataFrame, by: Sequence[str], metrics: Sequence[str], prefix: str
) -> pl.DataFrame:
    """Return one row for each group with the mean of each metric as a column, and n."""
    return frame.group_by(group_columns(frame, by), maintain_order=True).agg(
        *mean_columns(metrics, prefix), pl.col("n").first()
    )


def mean_columns(metrics: Sequence[str], prefix: str) -> list[pl.Expr]:
    """Return the mean of each metric as a column."""
    return [pl.col("value").filter(metric=m).mean().alias(f"{prefix}{m}") for m in metrics]
