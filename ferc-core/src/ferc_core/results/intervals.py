"""The scores of a run directory with their intervals, and those of differences between trials.

Scores are means over seeds and over the cells of a group; so is the score of each draw of images,
and the interval is one of that mean. A difference is taken seed by seed and draw by draw: each
loss against the first loss of its method, and each calibrator against the plain softmax.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import check_target, claim, read_table, write_parquet
from ferc_core.base.progress import Advance, track
from ferc_core.base.seeds import key
from ferc_core.base.tables import checked
from ferc_core.errors import DataError, FercError, RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.scoring import Case, cases, labels_of
from ferc_core.plugins.host import registry
from ferc_core.results.bootstrap import Array, Bootstrap, Predictions, percentiles, pieces
from ferc_core.results.tables import (
    CELL_COLUMNS,
    calibrators_of,
    cells_of,
    metrics_of,
    results_of,
    run_directories,
)
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN, POOLED, Cell

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

UNDEFINED = ("severity", "against", "value", "low", "high")  # columns that may have empty fields

# Maps the bootstrap over the cells, in order: `map`, or an executor with its number of workers.
Map = Callable[[Bootstrap, Iterator[Predictions]], Iterator[list[Array | FercError]]]


@dataclass(frozen=True)
class Request:
    """What is asked: groups of cells, metrics, the number of draws and the level.

    Without ``by``, the clean set and all corrupted cells; else a group for each value of
    "corruption", "severity" or both. Without ``metrics``, those that tables show unasked.
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
            raise RequestError(f"level must be between 0 and 1, such as 0.95, not {self.level:g}")


@dataclass(frozen=True)
class Group:
    """A row of the answer for each metric: the mean over some cells."""

    corruption: str
    severity: int | None
    metrics: tuple[str, ...]


class Setting(NamedTuple):
    """A trial without its seed, and a calibrator."""

    method: str
    loss: str
    noise: float
    calibrator: str


# of each group and metric, its scores [1 + B]: of the images, then of each draw of them
Scores = dict[tuple[Group, str], Array]


def make_intervals(path: Path, request: Request, work: Map, failures: Failures) -> pl.DataFrame:
    """Return the intervals of a run directory, or of all in a folder.

    They have the columns of ``SCHEMA``, and are stored in each directory; the same request on the
    same results is answered from there. A metric or calibrator that fails goes into ``failures``.
    Raises `RequestError` for a wrong request or a path that is not a run directory, `DataError`
    where it has no results.
    """
    request.check()
    found = run_directories(path)
    return pl.concat(of_one(each, request, work, failures) for each in found)


def of_one(out: RunDirectory, request: Request, work: Map, failures: Failures) -> pl.DataFrame:
    """Return the stored intervals of one run directory, made now unless they are there."""
    file = out.path / FILE
    with claim(out.path):
        check_target(file)
        answers = made_of(out, request)
        with suppress(DataError):  # there are none, or they are damaged
            stored, record = read_table(file)
            if record.get(MADE_OF) == answers:
                return checked(stored, SCHEMA, file, UNDEFINED).select(*SCHEMA)
        known = len(failures.causes)
        frame = intervals(out, results_of(out, failures), request, work, failures)
        scored = read_table(out.results)[1]
        record = {k: v for k, v in scored.items() if k.startswith("ferc.")}
        if len(failures.causes) == known:
            record[MADE_OF] = answers
        write_parquet(file, frame, record)
    return frame


def made_of(out: RunDirectory, request: Request) -> str:
    """Return the key of all that intervals depend on.

    Raises `DataError` where there are scores alone, as `ferc score --out` leaves them.
    """
    if not out.labels.exists():
        raise DataError(
            f"{out.path} lacks {out.labels.name} and predictions, which images are drawn from; "
            "use the directory of a ferc run"
        )
    metrics = registry().metrics
    owners = {metrics.owner(name) for name in metrics}
    return key(
        *astuple(request),
        out.results.read_bytes(),
        out.labels.read_bytes(),
        *sorted(f"{o} {o.file.read_bytes() if o.file else b''!r}" for o in owners),
    ).hex()


def intervals(
    out: RunDirectory, results: pl.DataFrame, request: Request, work: Map, failures: Failures
) -> pl.DataFrame:
    """Return the intervals of the trials, calibrators and cells that ``results`` has."""
    groups = groups_of(cells_of(results), request)
    dataset, n = results["dataset"][0], results["n"][0]
    draws = pieces(request.resamples)
    calibrators = calibrators_of(results)
    steps = sum(map(len, calibrators.values())) * len(groups) * len(draws)
    with track(f"resample {request.resamples} times", steps) as step:
        done = partial(work, Bootstrap(dataset))
        each = stored_cases(out, calibrators, list(groups), failures)
        scores = scores_of(each, groups, draws, done, step, failures)
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


def groups_of(cells: Sequence[Cell], request: Request) -> dict[Cell, Group]:
    """Return the group that each cell belongs to."""
    by = metrics_of("by")
    clean, corrupted = (by, by) if request.by else (metrics_of("clean"), metrics_of("corrupted"))
    chosen = tuple(dict.fromkeys(request.metrics))

    def group(cell: Cell) -> Group:
        if cell == CLEAN:
            return Group(cell.corruption, cell.severity, chosen or clean)
        return Group(
            cell.corruption if "corruption" in request.by else CORRUPTED,
            cell.severity if "severity" in request.by else None,
            chosen or corrupted,
        )

    return {cell: group(cell) for cell in cells}


def stored_cases(
    out: RunDirectory,
    calibrators: Mapping[Trial, Sequence[str]],
    cells: Sequence[Cell],
    failures: Failures,
) -> Iterator[Case]:
    """Yield the stored predictions of every trial, calibrator and cell."""
    labels = labels_of(out.read_labels(), cells)
    for trial, names in calibrators.items():
        chosen = [registry().calibrators.choose(n) for n in names if n != UNCALIBRATED]
        for case in cases(out, [trial], chosen, labels, failures):
            if case.cell != POOLED and case.calibrator in names:
                yield case


def scores_of(
    each: Iterator[Case],
    groups: Mapping[Cell, Group],
    draws: Sequence[range],
    work: Callable[[Iterator[Predictions]], Iterator[list[Array | FercError]]],
    step: Advance,
    failures: Failures,
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of each setting and seed: in every group the mean over its cells."""
    sizes = Counter(groups.values())
    metrics = registry().metrics
    asked: deque[tuple[Case, range]] = deque()

    def jobs() -> Iterator[Predictions]:
        for case in each:
            chosen = tuple(metrics.choose(name) for name in groups[case.cell].metrics)
            for drawn in draws:
                asked.append((case, drawn))
                yield Predictions(case.probs, case.hard, case.soft, chosen, drawn)

    scores: dict[Setting, dict[int, Scores]] = {}
    for found in work(jobs()):
        case, drawn = asked.popleft()
        trial, group = case.trial, groups[case.cell]
        setting = Setting(trial.method, trial.loss, trial.noise, case.calibrator)
        means = scores.setdefault(setting, {}).setdefault(trial.seed, {})
        for name, values in zip(group.metrics, found, strict=True):
            if isinstance(values, FercError):
                failures.add(f"metric {name}", values)
                continue
            mean = means.setdefault((group, name), np.zeros(draws[-1].stop))
            mean[drawn.start : drawn.stop] += values / sizes[group]
        step(1, f"{trial}, {case.calibrator}")
    for by_seed in scores.values():
        for means in by_seed.values():
            for place in [p for p in means if f"metric {p[1]}" in failures]:
                del means[place]
    return scores


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
    return {place: one[place] - other[place] for place in one if place in other}


def rows_of(by_seed: Sequence[Scores], level: float) -> Iterator[dict[str, Any]]:
    """Yield the mean over seeds with its interval, for every group and metric."""
    for group, metric in by_seed[0]:
        mean = reduce(np.add, (scores[group, metric] for scores in by_seed)) / len(by_seed)
        low, high = percentiles(mean[1:], level)
        yield {
            "corruption": group.corruption,
            "severity": group.severity,
            "metric": metric,
            "value": float(mean[0]),
            "low": float(low),
            "high": float(high),
        }
