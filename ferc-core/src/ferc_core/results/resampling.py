"""The scores of every trial on draws of the images: of each group of cells their mean."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.progress import Advance, track
from ferc_core.errors import FercError, LostError, RequestError
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.cases import Case
from ferc_core.plugins.host import registry
from ferc_core.results.bootstrap import Array, Bootstrap, Predictions, Rows, portions
from ferc_core.results.ensembles import ensembles_in
from ferc_core.results.reading import Source, calibrators_of, cases_in, cells_of
from ferc_core.results.requests import Request
from ferc_core.results.tables import metrics_of
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import GROUP_PREFIX

CORRUPTED = "corrupted"  # in the column "corruption": all of them
SUBJECT = f"{GROUP_PREFIX}subject"  # the column of labels

# Maps the bootstrap over the cells, in order: `map`, or an executor with its number of workers.
Answer = list[Array | FercError] | LostError
Map = Callable[[Bootstrap, Iterator[Predictions]], Iterator[Answer]]


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


def scores_in(
    source: Source,
    request: Request,
    work: Map,
    failures: Failures,
    note: Callable[[Case], object] = lambda _: None,
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of the trials, calibrators and cells of a run, and those of the draws.

    ``note`` is called with the predictions of each cell.
    """
    results = source.scores
    groups = groups_of(cells_of(results), request)
    draws = portions(request.resamples, int(results["n"].to_numpy().max()))
    trials = trials_of(source, request)
    steps = sum(map(len, trials.values())) * len(groups) * len(draws)
    metrics = {name for group in groups.values() for name in group.metrics}
    needs = {n for name in metrics for n in registry().metrics.choose(name).entry.needs}
    with track(f"resample {request.resamples} times", steps) as step:
        drawn = Bootstrap(results["dataset"][0], subjects_of(source, request.unit))
        each = cases_in(source.directory, results, failures, needs, trials)
        return scores_of(each, groups, draws, needs, partial(work, drawn), step, failures, note)


def regrouped(scores: Scores, request: Request) -> Scores:
    """Return the scores of the groups that are asked for, of scores by corruption and severity."""
    cells = {Cell(group.corruption, group.severity or 0): None for group, _ in scores}
    groups = groups_of(list(cells), request)
    sizes, found = Counter(groups.values()), Scores()
    for (each, metric), values in scores.items():
        group = groups[Cell(each.corruption, each.severity or 0)]
        if metric in group.metrics:
            mean = found.setdefault((group, metric), np.zeros(len(values)))
            mean += values / sizes[group]
    return found


def trials_of(source: Source, request: Request) -> dict[Trial, list[str]]:
    """Return the trials and ensembles of a source, with their calibrators."""
    trials = calibrators_of(source.scores)
    return trials | ensembles_in(trials, str(source.path)) if request.ensemble else trials


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


def subjects_of(source: Source, unit: str) -> Rows | None:
    """Return the number of the subject of each image, None where images are drawn.

    Raises `RequestError` for subjects that are not known, or are not worth drawing.
    """
    if unit == "image":
        return None
    labels = source.directory.read_labels()
    rows = labels.unique("sample", maintain_order=True)
    if SUBJECT not in labels.columns:
        several = 0
    else:
        names = rows[SUBJECT].fill_null("sample " + rows["sample"])
        several = names.n_unique()
    wrong = {
        0: "the subjects of its images are not known",
        1: "all of its images are of one subject",
        len(rows): "every one of its images is of another subject",
    }.get(several)
    if wrong is None:
        first = {name: i for i, name in enumerate(names.unique(maintain_order=True))}
        return names.replace_strict(first, return_dtype=pl.Int64).to_numpy()
    if unit:
        raise RequestError(f"{source.path} cannot be resampled by subject: {wrong}; use images")
    return None


def scores_of(
    each: Iterator[Case],
    groups: Mapping[Cell, Group],
    draws: Sequence[range],
    needs: Collection[str],
    work: Callable[[Iterator[Predictions]], Iterator[Answer]],
    step: Advance,
    failures: Failures,
    note: Callable[[Case], object],
) -> dict[Setting, dict[int, Scores]]:
    """Return the scores of each setting and seed: in every group the mean over its cells."""
    sizes = Counter(groups.values())
    metrics = registry().metrics
    asked: deque[tuple[Case, range]] = deque()

    def jobs() -> Iterator[Predictions]:
        for case in each:
            note(case)
            chosen = tuple(metrics.choose(name) for name in groups[case.cell].metrics)
            for drawn in draws:
                asked.append((case, drawn))
                context = case.context.only(needs)
                yield Predictions(case.probs, case.hard, case.soft, chosen, drawn, context)

    scores: dict[Setting, dict[int, Scores]] = {}
    for found in work(jobs()):
        if isinstance(found, LostError):
            raise found
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
