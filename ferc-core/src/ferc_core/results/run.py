"""Finished runs, to look at from Python: scores, tables, intervals, logits, labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.parallel import threads
from ferc_core.base.text import number
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.cases import labels_of
from ferc_core.plugins.host import registry
from ferc_core.results import formats
from ferc_core.results.asked import Asked
from ferc_core.results.charts.answers import noted
from ferc_core.results.intervals import frame_of, joined, make_intervals
from ferc_core.results.reading import (
    SCORES,
    Source,
    calibrators_of,
    cells_of,
    parameters_in,
    read_scores,
    run_directories,
)
from ferc_core.results.requests import LEVEL, RESAMPLES, Request
from ferc_core.results.resampling import Scores, Setting, regrouped, scores_in
from ferc_core.results.robustness import corruption_errors
from ferc_core.results.side_by_side import opened, together
from ferc_core.suite.cells import CLEAN, Cell


@dataclass(frozen=True)
class Table:
    """A table for people, which shows itself in a notebook; ``frame`` has the plain values."""

    frame: pl.DataFrame

    def __str__(self) -> str:
        return formats.table(self.frame)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return formats.html(self.frame)


def names(given: str | Sequence[str]) -> tuple[str, ...]:
    """Return one name or several as several."""
    return (given,) if isinstance(given, str) else tuple(given)


class Run:
    """A run directory, or several side by side: folders of them, and files of scores.

    path:     where it is, the first of several
    failures: what failed while it was made in this process, by part
    """

    def __init__(
        self, path: Path | str, *others: Path | str, failures: Failures | None = None
    ) -> None:
        self.paths = tuple(map(Path, (path, *others)))
        self.path = self.paths[0]
        self.failures = Failures() if failures is None else failures
        self.memory: dict[tuple[object, ...], Any] = {}  # what charts ask for again
        self._drawn: dict[int, dict[Setting, dict[int, Scores]]] = {}
        self._estimates: dict[tuple[object, ...], pl.DataFrame] = {}
        self._asked: set[tuple[int, str]] = set()  # resamples and metrics in it
        folders = [each for each in self.paths if each.suffix not in SCORES or each.is_dir()]
        self.directories = [out for each in folders for out in run_directories(each)]

    def __repr__(self) -> str:
        trials = number(len({str(trial) for trial in self.trials}), "trial")
        paths = ", ".join(repr(str(path)) for path in self.paths)
        return f"Run({paths}): {trials} in {number(len(self.cells), 'cell')}"

    @cached_property
    def sources(self) -> list[Source]:
        """Where the scores are from, told apart where that is needed."""
        return opened(self.paths, self.failures)

    @cached_property
    def scores(self) -> pl.DataFrame:
        """The tidy scores, with the columns of ``results.parquet``: a row for each metric of each
        trial, calibrator and cell. Several runs that hold the same trial have a further column for
        each setting that tells them apart.
        """
        return together(self.sources)

    @property
    def trials(self) -> list[Trial]:
        """The trials that have scores."""
        return list(calibrators_of(self.scores))

    @property
    def cells(self) -> list[Cell]:
        """The cells that have scores, the clean one first."""
        return cells_of(self.scores)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What seems to be wrong with models that came from elsewhere, in sentences."""
        return tuple(text for source in self.sources for text in source.warnings)

    def fitted(self) -> pl.DataFrame:
        """Return what calibrators were fitted to, temperatures for example, as in
        ``calibrators.parquet``.
        """
        return parameters_in(self.sources)

    def summary(self, ensemble: bool = False) -> Table:
        """Return the table that ``ferc run`` prints: clean beside corrupted scores.

        With ``ensemble`` there is a row for the mean prediction of all seeds of a trial, too.
        """
        return Table(Asked(ensemble=ensemble).table(self.sources, self.failures))

    def means(
        self, by: str | Sequence[str], metrics: str | Sequence[str] = (), ensemble: bool = False
    ) -> Table:
        """Return the mean of each metric for each value of the columns ``by``: those of `scores`,
        "group" of the corruption, "class", or a group of the faces. ``ensemble`` as in `summary`.
        """
        asked = Asked(names(by), names(metrics), ensemble=ensemble)
        return Table(asked.table(self.sources, self.failures))

    def corruption_errors(self, baseline: str) -> Table:
        """Return mCE and relative mCE of every trial against one of them, such as "baseline ce"."""
        return Table(corruption_errors(self.scores, baseline))

    def intervals(
        self,
        by: str | Sequence[str] = (),
        metrics: str | Sequence[str] = (),
        resamples: int = RESAMPLES,
        level: float = LEVEL,
        baseline: str = "",
        unit: str = "",
        ensemble: bool = False,
    ) -> pl.DataFrame:
        """Return the scores with their bootstrap intervals, as ``ferc intervals`` does.

        ``by`` is "corruption", "severity" or both; every trial is compared with a ``baseline`` such
        as "baseline ce", or each loss with the first of its method. The ``unit`` that is drawn is
        "subject", where they are known, or "image"; ``ensemble`` is as in `summary`. The frame has
        the columns of ``intervals.parquet``, and those that tell several runs apart.
        """
        request = Request(
            names(by),
            names(metrics),
            resamples,
            level,
            baseline=baseline,
            unit=unit,
            ensemble=ensemble,
        )
        work = partial(threads, workers=os.cpu_count() or 1)
        return make_intervals(self.sources, request, work, self.failures)

    def estimates(
        self, by: Sequence[str], metrics: Sequence[str], resamples: int, differences: bool = True
    ) -> pl.DataFrame:
        """Return what `intervals` does, or the scores alone, and store nothing; what was drawn and
        asked before is kept.
        """
        place = (*by, "", *metrics, resamples, differences)
        if place not in self._estimates:
            request, drawn = Request(by, metrics, resamples), self.drawn(metrics, resamples)
            chosen = {
                setting: {seed: regrouped(scores, request) for seed, scores in seeds.items()}
                for setting, seeds in drawn.items()
            }
            self._estimates[place] = frame_of(chosen, self.sources, request, differences)
        return self._estimates[place]

    def drawn(self, metrics: Sequence[str], resamples: int) -> dict[Setting, dict[int, Scores]]:
        """Return the scores [1 + B] of every trial in every cell: of the images, and of draws of
        them; those of before are kept.
        """
        known = self._drawn.setdefault(resamples, {})
        missing = [name for name in metrics if (resamples, name) not in self._asked]
        if missing:
            request = Request(("corruption", "severity"), missing, resamples)
            each = (
                (place, scores_in(source, request, map, self.failures, partial(noted, self, place)))
                for place, source in enumerate(self.sources)
                if source.card is None  # which has its intervals, and no predictions
            )
            for setting, seeds in joined(each).items():
                for seed, scores in seeds.items():
                    known.setdefault(setting, {}).setdefault(seed, {}).update(scores)
            self._asked |= {(resamples, name) for name in missing}
        return known

    def report(self, path: Path | str, with_images: bool = False) -> None:
        """Write one page on the runs, as ``ferc report`` does."""
        from ferc_core.results.report.page import write_report

        write_report(self, Path(path), with_images)

    def chart(self, kind: str, **options: Any) -> Any:
        """Return a chart, which shows itself in a notebook: an `altair.Chart`.

        ``kind`` is one of ``ferc list charts``; options are keywords, or in the name as in
        "reliability(cell=snow/3)".
        """
        from ferc_core.drawing.theme import themed

        chosen = registry().charts.choose(kind)
        given = {**chosen.call.options, **options}
        chosen.entry.check_options(given)
        return themed(chosen.entry(self, **given))

    def logits(
        self, trial: Trial | str, cell: Cell | str | tuple[str, int] = CLEAN
    ) -> npt.NDArray[np.float64]:
        """Return the logits [N, K] of a trial in a cell, in the order of `labels`.

        A trial is one of `trials`, or its name; a cell one of `cells`, or "snow/3".
        """
        for out in self.directories:
            for known in calibrators_of(read_scores(out.results)):
                if str(trial) in (str(known), known.name):
                    there = self._cell(cell)
                    if not out.predictions(known, "scored", there).exists():
                        raise DataError(f"{out.path} has no logits of {known} in {there}")
                    labels = labels_of(out.read_labels(), [there])
                    return out.logits(known, there, labels[there].samples)
        raise UnknownNameError("trial", str(trial), map(str, self.trials))

    def labels(self) -> pl.DataFrame:
        """Return hard and soft label of every sample in every cell, as in ``labels.parquet``."""
        if len(self.directories) > 1:
            raise RequestError(f"{self.path} has several runs; open one of them")
        if not self.directories:
            raise DataError(f"{self.path} has scores alone, without labels")
        return self.directories[0].read_labels()

    def _cell(self, cell: Cell | str | tuple[str, int]) -> Cell:
        named = str(Cell(*cell)) if isinstance(cell, tuple) else str(cell)
        known = {str(each): each for each in self.cells}
        if named not in known:
            raise UnknownNameError("cell", named, known)
        return known[named]
