"""What models say of images, as far as charts draw it: the class, and how sure they are of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.errors import RequestError
from ferc_core.experiment.cases import Case
from ferc_core.results.charts.data import kept, named
from ferc_core.results.reading import CELL_COLUMNS, Source, calibrators_of, cases_in, cells_of
from ferc_core.suite.cells import Cell

if TYPE_CHECKING:
    from ferc_core.results.run import Run

Ints = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class InCell:
    """What a model says of the N images of a cell: small, so that all of a run can be kept.

    samples:   the ids of the N images, shared by all models
    predicted: the class [N]
    confidence: its probability [N]
    hard, soft: the labels [N] and [N, K], shared by all models
    """

    samples: Sequence[str]
    predicted: Ints
    confidence: Floats
    hard: Ints
    soft: Floats

    @classmethod
    def of(cls, case: Case) -> InCell:
        """Return that of the probabilities of a cell."""
        predicted, k = case.probs.argmax(axis=1), case.probs.shape[1]
        small = predicted.astype(np.uint8 if k <= 256 else np.int64)
        return cls(case.samples, small, case.probs.max(axis=1), case.hard, case.soft)


@dataclass(frozen=True)
class Answers:
    """What is said in several cells, or by several models of one trial, one after the other."""

    parts: Sequence[InCell]

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """The class that is predicted, [N]."""
        return np.concatenate([part.predicted for part in self.parts]).astype(np.int64)

    @cached_property
    def confidence(self) -> Floats:
        """Its probability, [N]."""
        return np.concatenate([part.confidence for part in self.parts])

    @cached_property
    def hard(self) -> Ints:
        """The annotated class, [N]."""
        return np.concatenate([part.hard for part in self.parts])

    @cached_property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the two are the same, [N]."""
        found: npt.NDArray[np.bool_] = self.predicted == self.hard
        return found

    @property
    def soft(self) -> Floats:
        """The probability of the predicted class by the soft label, [N]."""
        found = [p.soft[np.arange(len(p.soft)), p.predicted] for p in self.parts]
        return np.concatenate(found)


def noted(run: Run, place: int, case: Case) -> InCell:
    """Keep what is said in a cell of one of the sources, for charts that are drawn later."""
    found = InCell.of(case)
    run.memory["said", place, str(case.trial), case.calibrator, case.cell] = found
    return found


@kept
def cases_of(run: Run) -> list[pl.DataFrame]:
    """Return the cells of each trial and calibrator of each run, with the name of the trial."""
    of_metrics = ("metric", "value", "n")
    return [
        named(source.scores.drop(of_metrics).unique(maintain_order=True), list(source.apart))
        for source in run.sources
    ]


def by_seed(
    run: Run, cells: Sequence[Cell], calibrators: Sequence[str], trials: Sequence[str]
) -> dict[tuple[str, str], list[Answers]]:
    """Return what each trial and calibrator says in some cells, once for each seed."""
    found: dict[tuple[str, str], list[Answers]] = {}
    wanted = pl.DataFrame([vars(cell) for cell in cells])
    for place, (source, frame) in enumerate(zip(run.sources, cases_of(run), strict=True)):
        frame = frame.join(wanted, on=CELL_COLUMNS, how="semi").filter(
            pl.col("calibrator").is_in(calibrators), pl.col("trial").is_in(trials)
        )
        keys = ["method", "loss", "noise", "seed", "calibrator", "trial"]
        for (*_, calibrator, name), part in frame.group_by(keys, maintain_order=True):
            parts = list(in_cells(run, place, source, part.drop("trial")))
            found.setdefault((str(name), str(calibrator)), []).append(Answers(parts))
    if not found:
        raise RequestError("there are no predictions of these cells and trials")
    return found


def in_cells(run: Run, place: int, source: Source, frame: pl.DataFrame) -> Iterator[InCell]:
    """Yield what one model says in the cells of a table of its scores, read where not known."""
    trial, (calibrator, *_) = next(iter(calibrators_of(frame).items()))
    cells = cells_of(frame)
    known = [run.memory.get(("said", place, str(trial), calibrator, cell)) for cell in cells]
    missing = [cell for cell, there in zip(cells, known, strict=True) if there is None]
    if missing:
        wanted = pl.DataFrame([vars(cell) for cell in missing])
        rest = frame.join(wanted, on=CELL_COLUMNS, how="semi")
        for case in cases_in(source.directory, rest, run.failures):
            noted(run, place, case)
    yield from (run.memory["said", place, str(trial), calibrator, cell] for cell in cells)


def pooled(
    run: Run, cells: Sequence[Cell], calibrators: Sequence[str], trials: Sequence[str]
) -> dict[tuple[str, str], Answers]:
    """Return what each trial and calibrator says in some cells, all seeds together."""
    found = by_seed(run, cells, calibrators, trials)
    return {place: together(each) for place, each in found.items()}


def together(each: Iterable[Answers]) -> Answers:
    """Return several as one."""
    return Answers([part for answers in each for part in answers.parts])
