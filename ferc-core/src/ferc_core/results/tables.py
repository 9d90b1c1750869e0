"""Views of tidy scores: the summary of the paper's tables, and means by any column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import read_parquet
from ferc_core.base.progress import say
from ferc_core.base.tables import checked
from ferc_core.errors import DataError, RequestError, UnknownNameError, as_failure
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.scoring import SCHEMA, cases, labels_of, score
from ferc_core.plugins.host import registry
from ferc_core.spec import UNCALIBRATED, Metric
from ferc_core.suite.cells import POOLED, Cell

TRIAL_COLUMNS = ("dataset", "method", "loss", "calibrator", "noise", "seed")
CELL_COLUMNS = ("corruption", "severity")
SPREAD = "_sd"  # behind the name of a metric: its standard deviation over seeds


def metrics_of(view: str) -> tuple[str, ...]:
    """Return the metrics that a view shows unasked: "clean", "corrupted" or "by"."""
    shown = [metric for metric in registry().metrics.values() if view in metric.views]
    return tuple(m.name for m in sorted(shown, key=lambda m: not m.higher_is_better))


def run_directories(path: Path) -> list[RunDirectory]:
    """Return the run directory at a path, or all in a folder."""
    if not path.is_dir():
        raise RequestError(f"{path} is not a run directory")
    if RunDirectory(path).results.exists():
        return [RunDirectory(path)]
    children = [RunDirectory(child) for child in folders_in(path)]
    children = [child for child in children if child.results.exists()]
    if not children:
        raise DataError(f"{path} has no results yet; rerun the `ferc run` that started it")
    return children


def folders_in(path: Path) -> list[Path]:
    """Return the folders in a folder; links to others are left out, which is said."""
    try:
        found = [child for child in sorted(path.iterdir()) if child.is_dir()]
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    linked = [child for child in found if child.is_symlink()]
    for child in linked:
        say(f"{child} is a link and left out; name what it leads to")
    return [child for child in found if child not in linked]


def read_results(path: Path | str, failures: Failures | None = None) -> pl.DataFrame:
    """Return the tidy scores of a run directory, or of all in a folder.

    Metrics that are new since are computed from the stored predictions; one that cannot be goes
    into ``failures``.
    """
    failures = Failures() if failures is None else failures
    found = run_directories(Path(path))
    frames = {each.path: results_of(each, failures) for each in found}
    return next(iter(frames.values())) if len(frames) == 1 else together(frames)


def results_of(out: RunDirectory, failures: Failures) -> pl.DataFrame:
    """Return the tidy scores of one run directory, with those of metrics that are new since."""
    frame = read_scores(out.results)
    known = set(frame["metric"].unique())
    new = [metric for name, metric in registry().metrics.items() if name not in known]
    if not (new and out.labels.exists()):
        return frame  # without labels the table came alone, and is all there is
    try:
        return pl.concat([frame, scores_of(out, frame, new, failures)])
    except BaseException as error:  # what there is is shown all the same
        failures.add(f"metrics {', '.join(m.name for m in new)}", as_failure(error))
        return frame


def read_scores(path: Path) -> pl.DataFrame:
    """Return the tidy scores in a file; raises `DataError` for what are none.

    A score may be undefined; all else must be there, and every row once.
    """
    frame = checked(read_parquet(path), SCHEMA, path, undefined=("value",)).select(*SCHEMA)
    if frame.is_empty():
        raise DataError(f"{path} has no rows")
    if not frame["noise"].is_between(0, 1).all():
        raise DataError(f"{path}: column 'noise' has a value outside [0, 1]")
    keys = [*TRIAL_COLUMNS, *CELL_COLUMNS, "metric"]
    for row in frame.filter(frame.select(keys).is_duplicated()).select(keys).head(1).iter_rows():
        described = ", ".join(f"{name} {value}" for name, value in zip(keys, row, strict=True))
        raise DataError(f"{path} has two rows with {described}")
    return frame


def scores_of(
    out: RunDirectory, frame: pl.DataFrame, metrics: Sequence[Metric], failures: Failures
) -> pl.DataFrame:
    """Return the scores by some metrics of the trials, calibrators and cells that a table has."""
    dataset, cells = frame["dataset"][0], cells_of(frame)
    labels = labels_of(out.read_labels(), cells)
    found = []
    for trial, names in calibrators_of(frame).items():
        chosen = [registry().calibrators.choose(n) for n in names if n != UNCALIBRATED]
        each = cases(out, [trial], chosen, labels, failures)
        found.append(score((c for c in each if c.cell != POOLED), metrics, dataset, failures))
    return pl.concat(found)


def cells_of(frame: pl.DataFrame) -> list[Cell]:
    """Return the cells that a table of scores has, in its order."""
    return [Cell(*cell) for cell in frame.select(CELL_COLUMNS).unique(maintain_order=True).rows()]


def calibrators_of(frame: pl.DataFrame) -> dict[Trial, list[str]]:
    """Return the trials that a table of scores has, and the calibrators of each."""
    columns = ("method", "loss", "noise", "seed", "calibrator")
    found: dict[Trial, list[str]] = {}
    for *trial, calibrator in frame.select(columns).unique(maintain_order=True).iter_rows():
        found.setdefault(Trial(*trial), []).append(calibrator)
    return found


def together(frames: Mapping[Path, pl.DataFrame]) -> pl.DataFrame:
    """Return the scores of several run directories as one table.

    Raises `RequestError` when two hold the same trial, for their means would mix what differs.
    """
    owners: dict[tuple[object, ...], Path] = {}
    for path, frame in frames.items():
        for trial in frame.select(TRIAL_COLUMNS).unique(maintain_order=True).iter_rows():
            if trial in owners:
                described = ", ".join(f"{c} {v}" for c, v in zip(TRIAL_COLUMNS, trial, strict=True))
                raise RequestError(
                    f"{owners[trial]} and {path} both hold {described}; show one of them alone"
                )
            owners[trial] = path
    return pl.concat([frame.select(*SCHEMA) for frame in frames.values()])


def view(
    frame: pl.DataFrame, by: Sequence[str] | None = None, metrics: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return the summary, or with ``by`` the means of ``metrics`` for its columns."""
    return means(frame, by, metrics or metrics_of("by")) if by else summary(frame)


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
    """Return the mean of each metric for every trial and every value of the columns ``by``."""
    for name in by:
        if name not in (*TRIAL_COLUMNS, *CELL_COLUMNS):
            raise UnknownNameError("column", name, (*TRIAL_COLUMNS, *CELL_COLUMNS))
    known = frame["metric"].unique().to_list()
    metrics = metrics or metrics_of("by")
    for name in metrics:
        if name not in known:
            raise UnknownNameError("metric", name, known)
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
    return list(dict.fromkeys([*varying, *always, *by]))
