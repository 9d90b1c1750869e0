"""The scores of a run directory with their intervals, and those of differences between trials.

Scores are means over seeds and over the cells of a group; so is the score of each draw of images,
and the interval is one of that mean, less the bias of the draws. A difference is taken seed by seed
and draw by draw: each loss against the first loss of its method, or every trial against a chosen
baseline; each calibrator against the plain softmax, and of several runs each against the first.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from functools import partial, reduce
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
from ferc_core.results.bootstrap import Array, Bootstrap, Predictions, interval, pieces
from ferc_core.results.filters import Filters, one_trial
from ferc_core.results.reading import CELL_COLUMNS, Source, calibrators_of, cells_of
from ferc_core.results.side_by_side import filtered, together
from ferc_core.results.tables import metrics_of
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
    ``filters`` leave out trials and cells. Every trial is compared with the ``baseline``, a method
    or method and loss as in "baseline ce"; without one, each loss with the first of its method.
    """

    by: Sequence[str] = ()
    metrics: Sequence[str] = ()
    resamples: int = RESAMPLES
    level: float = LEVEL
    filters: Filters = field(default_factory=Filters)
    baseline: str = ""

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
    run: int = 0  # the place of its run among several


# of each group and metric, its scores [1 + B]: of the images, then of each draw of them
Scores = dict[tuple[Group, str], Array]


def make_intervals(
    sources: Sequence[Source], request: Request, work: Map, failures: Failures
) -> pl.DataFrame:
    """Return the intervals of runs.

    They have the columns of ``SCHEMA`` and those that tell runs apart, which are compared with each
    other, too. Those of runs by themselves are stored in each directory; the same request on the
    same results is answered from there. A metric or calibrator that fails goes into ``failures``.
    Raises `RequestError` for a wrong request, `DataError` where there are scores alone.
    """
    request.check()
    sources = filtered(sources, request.filters)
    if request.baseline:
        trials = together(sources).select("method", "loss").unique(maintain_order=True)
        request = replace(request, baseline=" ".join(one_trial(request.baseline, trials.rows())))
    if any(source.apart for source in sources):
        return between(sources, request, work, failures)
    return pl.concat(of_one(each, request, work, failures) for each in sources)


def of_one(source: Source, request: Request, work: Map, failures: Failures) -> pl.DataFrame:
    """Return the stored intervals of one run directory, made now unless they are there."""
    out = source.directory
    file = out.path / FILE
    with claim(out.path):
        check_target(file)
        answers = made_of(out, request)
        with suppress(DataError):  # there are none, or they are damaged
            stored, record = read_table(file)
            if record.get(MADE_OF) == answers:
                return checked(stored, SCHEMA, file, UNDEFINED).select(*SCHEMA)
        known = len(failures.causes)
        scores = scores_in(source, request, work, failures)
        frame = pl.DataFrame(rows_for(scores, [source], request), SCHEMA)
        scored = read_table(out.results)[1]
        record = {k: v for k, v in scored.items() if k.startswith("ferc.")}
        if len(failures.causes) == known:
            record[MADE_OF] = answers
        write_parquet(file, frame, record)
    return frame


def between(
    sources: Sequence[Source], request: Request, work: Map, failures: Failures
) -> pl.DataFrame:
    """Return the intervals of several runs that are told apart, and of their differences."""
    scores: dict[Setting, dict[int, Scores]] = {}
    for place, source in enumerate(sources):
        found = scores_in(source, request, work, failures)
        scores |= {setting._replace(run=place): each for setting, each in found.items()}
    columns = {name: pl.Series([source.apart[name] for source in sources]).dtype
               for name in sources[0].apart}  # fmt: skip
    return pl.DataFrame(rows_for(scores, sources, request), {**columns, **SCHEMA})


def made_of(out: RunDirectory, request: Request) -> str:
    """Return the key of all that intervals depend on."""
    metrics = registry().metrics
    owners = {metrics.owner(name) for name in metrics}
    return key(
        *astuple(request),
        out.results.read_bytes(),
        out.labels.read_bytes(),
        *sorted(f"{o} {o.file.read_bytes() if o.file else b''!r}" for o in owners),
    ).hex()


def scores_in(
    source: Source, request: Request, work: Map, failures: Failures
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of the trials, calibrators and cells of a run, and those of the draws."""
    results = source.scores
    groups = groups_of(cells_of(results), request)
    draws = pieces(request.resamples)
    calibrators = calibrators_of(results)
    steps = sum(map(len, calibrators.values())) * len(groups) * len(draws)
    with track(f"resample {request.resamples} times", steps) as step:
        done = partial(work, Bootstrap(results["dataset"][0]))
        each = stored_cases(source.directory, calibrators, list(groups), failures)
        return scores_of(each, groups, draws, done, step, failures)


def rows_for(
    scores: Mapping[Setting, Mapping[int, Scores]], sources: Sequence[Source], request: Request
) -> list[dict[str, Any]]:
    """Return the rows of the answer."""
    apart = [source.apart for source in sources]
    first = faces_of(sources[0])
    return [
        {
            **apart[setting.run],
            **{name: value for name, value in setting._asdict().items() if name != "run"},
            "dataset": sources[setting.run].scores["dataset"][0],
            "against": against,
            **row,
            "n": sources[setting.run].scores["n"][0],
            "seeds": len(by_seed),
            "resamples": request.resamples,
            "level": request.level,
        }
        for setting, against, by_seed in compared(scores, apart, request.baseline)
        if against is None or setting.run == 0 or faces_of(sources[setting.run]) == first
        for row in rows_of(by_seed, request.level)
    ]


def faces_of(source: Source) -> tuple[str, int]:
    """Return the dataset of a source and the number of its faces, which draws depend on."""
    return source.scores["dataset"][0], source.scores["n"][0]


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
    apart: Sequence[Mapping[str, Any]] = ({},),
    baseline: str = "",
) -> Iterator[tuple[Setting, str | None, list[Scores]]]:
    """Yield the scores of each setting, then its differences to others, seed by seed.

    The second part names the other: "loss NAME" or the ``baseline``, "calibrator none", or what
    tells the first of several runs ``apart``; None for scores themselves.
    """
    first: dict[str, str] = {}
    for setting in scores:
        first.setdefault(setting.method, setting.loss)
    told = ", ".join(f"{name} {value}" for name, value in apart[0].items())
    for setting, by_seed in scores.items():
        yield setting, None, list(by_seed.values())
        loss = first[setting.method]
        usual = f"loss {loss}", setting._replace(loss=loss)
        if baseline:
            chosen = next((s for s in scores if f"{s.method} {s.loss}" == baseline), setting)
            usual = baseline, setting._replace(method=chosen.method, loss=chosen.loss)
        for against, other in (
            usual,
            (f"calibrator {UNCALIBRATED}", setting._replace(calibrator=UNCALIBRATED)),
            (told, setting._replace(run=0)),
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
        low, high = interval(float(mean[0]), mean[1:], level)
        yield {
            "corruption": group.corruption,
            "severity": group.severity,
            "metric": metric,
            "value": float(mean[0]),
            "low": low,
            "high": high,
        }
