"""The scores of a run directory with their intervals, and those of differences between runs.

Scores are means over seeds and over the cells of a group; so is the score of each draw of images,
and the interval is one of that mean. A difference is taken seed by seed and draw by draw: each
loss against the first loss of its method, and each calibrator against the plain softmax.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial, reduce
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ferc_core.base.files import claim, read_parquet, write_parquet
from ferc_core.base.progress import Advance, Watcher
from ferc_core.base.seeds import key
from ferc_core.errors import DataError, RequestError, RunError, UnknownNameError
from ferc_core.experiment.benchmark import Run
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.scoring import cell_labels, fitted, stored_logits
from ferc_core.plugins.host import registry
from ferc_core.results.bootstrap import Array, Bootstrap, Predictions, percentiles, pieces
from ferc_core.results.tables import (
    BY_METRICS,
    CELL_COLUMNS,
    SUMMARY_CLEAN,
    SUMMARY_CORRUPTED,
    read_results,
)
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.corrupt import CLEAN, Cell

RESAMPLES = 1000  # the ends of a 95 % interval need the 25 outermost on each side
LEVEL = 0.95
CORRUPTED = "corrupted"  # in the column "corruption": all of them
FILE = "intervals.parquet"
MADE_OF = "ferc.made_of"  # in the metadata of the file: the key of what it answers

SCHEMA = {
    "dataset": pl.String,
    "method": pl.String,
    "loss": pl.String,
    "calibrator": pl.String,
    "noise": pl.Float64,
    "corruption": pl.String,
    "severity": pl.Int64,  # null: the mean over severities
    "metric": pl.String,
    "against": pl.String,  # null: the score itself; else "loss NAME" or "calibrator none"
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n": pl.Int64,
    "seeds": pl.Int64,
    "resamples": pl.Int64,
    "level": pl.Float64,
}

# Maps the bootstrap over the cells, in order: `map`, or an executor with its number of workers.
Engine = Callable[[Bootstrap, Iterator[Predictions]], Iterator[Array]]


@dataclass(frozen=True)
class Request:
    """What is asked: groups of cells, metrics, the number of draws and the level.

    Without ``by``, the clean set and all corrupted cells; else a group for each value of
    "corruption", "severity" or both. Without ``metrics``, those that `results.tables` shows.
    """

    by: Sequence[str] = ()
    metrics: Sequence[str] = ()
    resamples: int = RESAMPLES
    level: float = LEVEL

    def check(self) -> None:
        """Raise `RequestError` for what cannot be done."""
        for name in self.by:
            if name not in CELL_COLUMNS:
                raise UnknownNameError("column", name, CELL_COLUMNS)
        for name in self.metrics:
            _ = registry().metrics[name]  # raises with the nearest name
        if self.resamples < 1:
            raise RequestError(f"resamples must be at least 1, not {self.resamples}")
        if not 0 < self.level < 1:
            raise RequestError(f"level must lie between 0 and 1, as 0.95 does, not {self.level:g}")


@dataclass(frozen=True)
class Group:
    """A row of the answer for each metric: the mean over some cells."""

    corruption: str
    severity: int | None
    metrics: tuple[str, ...]


class Setting(NamedTuple):
    """A run without its seed, and a calibrator."""

    method: str
    loss: str
    noise: float
    calibrator: str


# of each group, the scores [M, 1 + B] of its M metrics: of the images, then of each draw of them
Scores = dict[Group, Array]


def make_intervals(path: Path, request: Request, engine: Engine, watcher: Watcher) -> pl.DataFrame:
    """Return the intervals of a run directory, or of all that lie side by side in a folder.

    They have the columns of ``SCHEMA``, and are stored in each directory; the same request on the
    same results is answered from there. Raises `RequestError` for a wrong request or a path that
    is no run directory, `DataError` where it has no results.
    """
    request.check()
    alone = RunDirectory(path).results.exists()
    found = [path] if alone else sorted(f.parent for f in path.glob("*/results.parquet"))
    if not found:
        read_results(path)  # raises, saying what is wrong with the path
    return pl.concat(of_one(RunDirectory(each), request, engine, watcher) for each in found)


def of_one(
    directory: RunDirectory, request: Request, engine: Engine, watcher: Watcher
) -> pl.DataFrame:
    """Return the stored intervals of one run directory, made now unless they are there."""
    file = directory.path / FILE
    with claim(directory.path):
        answers = made_of(directory, request)
        if metadata(file).get(MADE_OF) == answers:
            return read_parquet(file)
        results = read_results(directory.path)
        frame = intervals(directory, results, request, engine, watcher)
        record = {k: v for k, v in metadata(directory.results).items() if k.startswith("ferc.")}
        write_parquet(file, frame, {**record, MADE_OF: answers})
    return frame


def made_of(directory: RunDirectory, request: Request) -> str:
    """Return the key of all that intervals depend on.

    Raises `DataError` where there are scores alone, as `ferc score --out` leaves them.
    """
    if not directory.labels.exists():
        raise DataError(
            f"{directory.path} lacks {directory.labels.name} and predictions, which images are "
            "drawn from: give the directory of a ferc run"
        )
    metrics = registry().metrics
    owners = {metrics.owner(name) for name in metrics}
    return key(
        *astuple(request),
        directory.results.read_bytes(),
        directory.labels.read_bytes(),
        *sorted(f"{o} {o.file.read_bytes() if o.file else b''!r}" for o in owners),
    ).hex()


def metadata(file: Path) -> dict[str, str]:
    """Return what a parquet file says about its making; nothing where there is none."""
    with suppress(OSError, pl.exceptions.PolarsError):
        return pl.read_parquet_metadata(file)
    return {}


def intervals(
    directory: RunDirectory,
    results: pl.DataFrame,
    request: Request,
    engine: Engine,
    watcher: Watcher,
) -> pl.DataFrame:
    """Return the intervals of the runs, calibrators and cells that ``results`` has."""
    forms = [
        Cell(*cell) for cell in results.select(CELL_COLUMNS).unique(maintain_order=True).rows()
    ]
    groups = groups_of(forms, request)
    dataset, n = results["dataset"][0], results["n"][0]
    draws = pieces(request.resamples)
    calibrators = calibrators_of(results)
    steps = sum(map(len, calibrators.values())) * len(groups) * len(draws)
    with watcher.track(f"resample {request.resamples} times", steps) as step:
        work = partial(engine, Bootstrap(dataset))
        scores = scores_of(directory, calibrators, groups, draws, work, step)
    rows = [
        {
            **setting._asdict(),
            "dataset": dataset,
            "against": against,
            **row,
            "n": n,
            "seeds": len(by_seed),
            "resamples": request.resamples,
            "level": request.level,
        }
        for setting, against, by_seed in compared(scores)
        for row in rows_of(by_seed, request.level)
    ]
    return pl.DataFrame(rows, SCHEMA)


def calibrators_of(results: pl.DataFrame) -> dict[Run, list[str]]:
    """Return the runs that have results, and the calibrators of each."""
    columns = ("method", "loss", "noise", "seed", "calibrator")
    found: dict[Run, list[str]] = {}
    for *run, calibrator in results.select(columns).unique(maintain_order=True).iter_rows():
        found.setdefault(Run(*run), []).append(calibrator)
    return found


def groups_of(forms: Sequence[Cell], request: Request) -> dict[Cell, Group]:
    """Return the group that each cell belongs to."""

    clean, corrupted = (BY_METRICS,) * 2 if request.by else (SUMMARY_CLEAN, SUMMARY_CORRUPTED)
    chosen = tuple(dict.fromkeys(request.metrics))

    def group(cell: Cell) -> Group:
        if cell == CLEAN:
            return Group(cell.corruption, cell.severity, chosen or clean)
        return Group(
            cell.corruption if "corruption" in request.by else CORRUPTED,
            cell.severity if "severity" in request.by else None,
            chosen or corrupted,
        )

    return {cell: group(cell) for cell in forms}


def scores_of(
    directory: RunDirectory,
    calibrators: Mapping[Run, Sequence[str]],
    groups: Mapping[Cell, Group],
    draws: Sequence[range],
    work: Callable[[Iterator[Predictions]], Iterator[Array]],
    advance: Advance,
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of each setting and seed: in every group the mean over its cells."""
    sizes = Counter(groups.values())
    places = product(
        [(run, name) for run, names in calibrators.items() for name in names],
        groups.values(),
        draws,
    )
    scores: dict[Setting, dict[int, Scores]] = {}
    jobs = predictions(directory, calibrators, groups, draws)
    for ((run, name), group, drawn), found in zip(places, work(jobs), strict=True):
        setting = Setting(run.method, run.loss, run.noise, name)
        means = scores.setdefault(setting, {}).setdefault(run.seed, {})
        mean = means.setdefault(group, np.zeros((len(group.metrics), draws[-1].stop)))
        mean[:, drawn.start : drawn.stop] += found / sizes[group]
        advance(1, f"{run}, {name}")
    return scores


def predictions(
    directory: RunDirectory,
    calibrators: Mapping[Run, Sequence[str]],
    groups: Mapping[Cell, Group],
    draws: Sequence[range],
) -> Iterator[Predictions]:
    """Yield the work: every run, calibrator and cell, and all pieces of the draws of each."""
    labels = cell_labels(directory, list(groups))
    for run, names in calibrators.items():
        transforms = fitted(directory, run, [n for n in names if n != UNCALIBRATED], stop)
        logits = {cell: stored_logits(directory.predictions(run, cell)) for cell in groups}
        for name in names:
            for cell, group in groups.items():
                probs = transforms[name](logits[cell])
                for drawn in draws:
                    yield Predictions(probs, *labels[cell], group.metrics, drawn)


def stop(sentence: str) -> None:
    """Raise `RunError`: a calibrator that has results cannot be fitted again."""
    raise RunError(sentence)


def compared(
    scores: Mapping[Setting, Mapping[int, Scores]],
) -> Iterator[tuple[Setting, str | None, list[Scores]]]:
    """Yield the scores of each setting, then its differences to others, seed by seed.

    The second part names the other: "loss NAME" or "calibrator none"; None for scores themselves.
    """
    first: dict[str, str] = {}
    for setting in scores:
        first.setdefault(setting.method, setting.loss)
    for setting, by_seed in scores.items():
        yield setting, None, list(by_seed.values())
        loss = first[setting.method]
        for against, other in (
            (f"loss {loss}", setting._replace(loss=loss)),
            (f"calibrator {UNCALIBRATED}", setting._replace(calibrator=UNCALIBRATED)),
        ):
            base = scores.get(other, {})
            shared = [seed for seed in by_seed if seed in base]
            if other != setting and shared:
                yield setting, against, [minus(by_seed[seed], base[seed]) for seed in shared]


def minus(one: Scores, other: Scores) -> Scores:
    """Return the differences of two settings' scores."""
    return {group: one[group] - other[group] for group in one}


def rows_of(by_seed: Sequence[Scores], level: float) -> Iterator[dict[str, Any]]:
    """Yield the mean over seeds with its interval, for every group and metric."""
    for group in by_seed[0]:
        mean = reduce(np.add, (scores[group] for scores in by_seed)) / len(by_seed)
        low, high = percentiles(mean[:, 1:], level)
        for place, metric in enumerate(group.metrics):
            yield {
                "corruption": group.corruption,
                "severity": group.severity,
                "metric": metric,
                "value": float(mean[place, 0]),
                "low": float(low[place]),
                "high": float(high[place]),
            }
