"""What is scored: the probabilities of a trial and a calibrator in a cell, beside their labels.

All cases of a run are made from its stored logits; no model is needed. Those of an ensemble are the
means of its members' probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.tables import matrix
from ferc_core.errors import DataError
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.calibration import Fitted, fit, softmax
from ferc_core.experiment.directory import RunDirectory
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import UNCALIBRATED, Calibrator, Metric
from ferc_core.suite.cells import CLEAN, POOLED, Cell

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class CellLabels(NamedTuple):
    """The samples of a cell, their hard labels [N] and their soft labels [N, K]; where known their
    visibility [N] and the dataset's label distributions [N, K].
    """

    samples: tuple[str, ...]
    hard: Ints
    soft: Array
    visibility: Array | None = None
    distribution: Array | None = None

    @classmethod
    def together(cls, parts: Sequence[CellLabels]) -> CellLabels:
        """Return several cells as one; what one of them lacks, all lack."""
        samples = tuple(sample for part in parts for sample in part.samples)
        arrays: Any = (joined(column) for column in zip(*(part[1:] for part in parts), strict=True))
        return cls(samples, *arrays)


Labels = Mapping[Cell, CellLabels]


@dataclass(frozen=True)
class Context:
    """What some metrics take beside probabilities and labels of a cell, as far as it is known.

    clean:        probabilities [N, K] of the same faces without corruption
    visibility:   of the images [N]
    distribution: of the dataset's labels [N, K]
    members:      probabilities [N, M, K] of the models of an ensemble
    validation:   probabilities [V, K] and labels [V] of the clean validation split
    """

    clean: Array | None = None
    visibility: Array | None = None
    distribution: Array | None = None
    members: Array | None = None
    validation: tuple[Array, Ints] | None = None

    def rows(self, chosen: npt.NDArray[Any]) -> Context:
        """Return what belongs to some of the samples."""
        of_samples = ("clean", "visibility", "distribution", "members")
        there = {name: getattr(self, name) for name in of_samples}
        kept = {name: each[chosen] for name, each in there.items() if each is not None}
        return replace(self, **kept)

    def only(self, names: Collection[str]) -> Context:
        """Return some of it."""
        return Context(**{name: getattr(self, name) for name in names})

    def lacks(self, metric: Metric) -> list[str]:
        """Return what a metric needs and is not known."""
        return [name for name in metric.needs if getattr(self, name) is None]

    def given_to(self, metric: Metric) -> dict[str, Any]:
        """Return what a metric needs, by keyword."""
        return {name: getattr(self, name) for name in metric.needs}


@dataclass(frozen=True)
class Case:
    """The probabilities [N, K] of a trial and a calibrator for the N samples of a cell, and their
    labels.
    """

    trial: Trial
    calibrator: str
    cell: Cell
    samples: Sequence[str]
    probs: Array
    hard: Ints
    soft: Array
    context: Context = field(default_factory=Context)

    def head(self, dataset: str) -> dict[str, Any]:
        """Return the columns of tidy scores that say what a score is of."""
        return {
            "dataset": dataset,
            **vars(self.trial),
            "calibrator": self.calibrator,
            "corruption": self.cell.corruption,
            "severity": self.cell.severity,
            "n": len(self.probs),
        }

    def rows(self, chosen: npt.NDArray[Any]) -> Case:
        """Return some of the samples."""
        parts = {name: getattr(self, name)[chosen] for name in ("probs", "hard", "soft")}
        samples = list(np.array(self.samples, object)[chosen])
        return replace(self, **parts, samples=samples, context=self.context.rows(chosen))

    def frozen(self) -> Case:
        """Return the same with arrays that nobody can change: what metrics have in common is then
        computed once.
        """
        parts = {name: frozen(getattr(self, name)) for name in ("probs", "hard", "soft")}
        return replace(self, **parts)

    def score(self, metric: Chosen[Metric]) -> float:
        """Return a metric of the case; raises whatever it raises."""
        targets = self.soft if metric.entry.target == "soft" else self.hard
        return float(metric(self.probs, targets, **self.context.given_to(metric.entry)))


def cases(
    out: RunDirectory,
    trials: Iterable[Trial],
    calibrators: Sequence[Chosen[Calibrator]],
    labels: Labels,
    failures: Failures,
    note: Callable[[Trial, str, Fitted], None] = lambda *_: None,
    needs: Collection[str] = (),
    pooled: bool = True,
) -> Iterator[Case]:
    """Yield the cells of each trial and calibrator, and then all its corrupted images ``pooled``.

    A calibrator that cannot be fitted or applied goes into ``failures``; the others are given to
    ``note``. Cases know the validation split where ``needs`` has it.
    """
    with_features = any(calibrator.entry.features for calibrator in calibrators)
    corrupted = [cell for cell in labels if cell != CLEAN] if pooled else []
    if corrupted:
        labels = {**labels, POOLED: CellLabels.together([labels[cell] for cell in corrupted])}
    for trial in trials:
        answers = {
            cell: out.answers(trial, cell, labels[cell].samples, with_features)
            for cell in labels
            if cell != POOLED
        }
        known = out.validation(trial, [CLEAN]) if "validation" in needs else None
        for name, found in fitted(out, trial, calibrators, list(answers), failures).items():
            try:
                probs = {cell: found(each) for cell, each in answers.items()}
                validation = None
                if known:
                    of_known = Answers(known.logits, features=known.features)
                    validation = found(of_known), known.labels
            except BaseException as error:
                failures.add(f"{trial}, calibrator {name}", error)
                continue
            note(trial, name, found)
            if corrupted:
                probs[POOLED] = np.concatenate([probs[cell] for cell in corrupted])
            clean = probs.get(CLEAN)
            for cell, (samples, hard, soft, visibility, distribution) in labels.items():
                beside = clean
                if cell == POOLED and clean is not None:
                    beside = np.tile(clean, (len(corrupted), 1))
                context = Context(beside, visibility, distribution, validation=validation)
                yield Case(trial, name, cell, samples, probs[cell], hard, soft, context)


def averaged(trial: Trial, members: Sequence[Iterable[Case]]) -> Iterator[Case]:
    """Yield the cases of an ensemble, ``trial``: the means of its members' probabilities.

    Members must have the same calibrators and cells; raises `DataError` otherwise.
    """
    for each in zip(*members, strict=True):
        one = each[0]
        if len({(case.calibrator, case.cell) for case in each}) > 1:
            raise DataError(f"{trial}: calibrator {one.calibrator} failed for some of its members")
        contexts = [case.context for case in each]
        clean = mean([context.clean for context in contexts])
        held_out = [context.validation for context in contexts if context.validation]
        validation = None
        if held_out:
            validation = np.mean([probs for probs, _ in held_out], axis=0), held_out[0][1]
        stacked = np.stack([case.probs for case in each], axis=1)
        context = replace(one.context, clean=clean, members=stacked, validation=validation)
        yield replace(one, trial=trial, probs=stacked.mean(axis=1), context=context)


def frozen(array: Any) -> Any:
    """Return a read-only copy of an array, anything else as it is."""
    if type(array) is not np.ndarray:
        return array
    copied = np.array(array)
    copied.flags.writeable = False
    return copied


def mean(arrays: Sequence[Array | None]) -> Array | None:
    """Return the mean of arrays, None where one of them is."""
    there = [each for each in arrays if each is not None]
    return np.mean(there, axis=0) if len(there) == len(arrays) else None


def joined(arrays: Sequence[Any]) -> Any:
    """Return arrays as one, None where one of them is."""
    return None if any(each is None for each in arrays) else np.concatenate(arrays)


def fitted(
    out: RunDirectory,
    trial: Trial,
    calibrators: Sequence[Chosen[Calibrator]],
    cells: Sequence[Cell],
    failures: Failures,
) -> dict[str, Fitted]:
    """Return the plain softmax and every calibrator, fitted on the validation split: in its clean
    cell, or for ``domains`` in these cells.
    """
    found = {UNCALIBRATED: Fitted(softmax)}
    for calibrator in calibrators:
        try:
            known = out.validation(trial, cells if calibrator.entry.domains else [CLEAN])
            found[str(calibrator)] = fit(calibrator, known)
        except BaseException as error:  # a calibrator may raise anything; the others continue
            failures.add(f"{trial}, calibrator {calibrator}", error)
    return found


def labels_of(table: pl.DataFrame, cells: Collection[Cell]) -> Labels:
    """Return the labels of each cell; raises `DataError` for one without."""
    parts = table.partition_by(["corruption", "severity"], as_dict=True)
    for cell in cells:
        if (cell.corruption, cell.severity) not in parts:
            raise DataError(f"there are no labels in {cell}")
    return {cell: labels_in(parts[cell.corruption, cell.severity]) for cell in cells}


def labels_in(part: pl.DataFrame) -> CellLabels:
    """Return the labels of one cell."""

    def known(name: str) -> bool:
        return name in part.columns and not part[name].null_count()

    return CellLabels(
        tuple(part["sample"].to_list()),
        part["label"].to_numpy(),
        matrix(part["target"]),
        part["visibility"].to_numpy() if known("visibility") else None,
        matrix(part["distribution"]) if known("distribution") else None,
    )
