"""From predictions to tidy scores, in one loop; no model is needed.

Every metric that is registered is computed for each trial, calibrator and cell. Hard metrics see
the annotated class, soft ones the soft label of the cell. The calibrator ``none`` is the plain
softmax ("pre"); the others are fitted on the validation split ("post").
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.progress import Advance, ignore, track
from ferc_core.base.tables import matrix
from ferc_core.errors import DataError
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.calibration import SCHEMA as PARAMETERS
from ferc_core.experiment.calibration import Fitted, fit, softmax
from ferc_core.experiment.directory import RunDirectory
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import UNCALIBRATED, Calibrator, Metric
from ferc_core.suite.cells import CLEAN, POOLED, Cell

Array = npt.NDArray[np.float64]


class CellLabels(NamedTuple):
    """The samples of a cell, their hard labels [N] and their soft labels [N, K]."""

    samples: tuple[str, ...]
    hard: npt.NDArray[np.int64]
    soft: Array


Labels = Mapping[Cell, CellLabels]
SCHEMA = {
    "dataset": pl.String,
    "method": pl.String,
    "loss": pl.String,
    "calibrator": pl.String,
    "noise": pl.Float64,
    "seed": pl.Int64,
    "corruption": pl.String,
    "severity": pl.Int64,
    "metric": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
}


@dataclass(frozen=True)
class Case:
    """The probabilities [N, K] of a trial and a calibrator in a cell, and their labels."""

    trial: Trial
    calibrator: str
    cell: Cell
    probs: Array
    hard: npt.NDArray[np.int64]
    soft: Array

    def head(self, dataset: str) -> dict[str, Any]:
        """Return the columns of ``SCHEMA`` that say what a score is of."""
        return {
            "dataset": dataset,
            **vars(self.trial),
            "calibrator": self.calibrator,
            "corruption": self.cell.corruption,
            "severity": self.cell.severity,
            "n": len(self.probs),
        }

    def rows(self, chosen: npt.NDArray[np.bool_]) -> Case:
        """Return some of the samples."""
        parts = {name: getattr(self, name)[chosen] for name in ("probs", "hard", "soft")}
        return replace(self, **parts)


def score_run(
    bench: Benchmark, out: RunDirectory, trials: Sequence[Trial], labels: Labels, failures: Failures
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the scores of a run, of every cell and pooled over all corrupted images, and what
    was fitted.
    """
    calibrators, rows = bench.entries.calibrators, []

    def note(trial: Trial, name: str, found: Fitted) -> None:
        rows.extend(parameters_of(bench.config.dataset, trial, name, found))

    each = cases(out, trials, calibrators, labels, failures, note)
    steps = len(trials) * (1 + len(calibrators)) * (len(labels) + (len(labels) > 1))
    with track("score", steps) as step:
        scores = score(each, bench.entries.metrics, bench.config.dataset, failures, step)
    pooled = scores["corruption"] == POOLED.corruption
    parameters = pl.DataFrame(rows, PARAMETERS)
    return scores.filter(~pooled), scores.filter(pooled), parameters


def score(
    cases: Iterable[Case],
    metrics: Sequence[Metric],
    dataset: str,
    failures: Failures,
    step: Advance = ignore,
) -> pl.DataFrame:
    """Return a tidy row, with the columns of ``SCHEMA``, for every case and metric.

    A metric that raises costs its own numbers and goes into ``failures``; ``step`` is called
    after each case.
    """
    rows = []
    for case in cases:
        head = case.head(dataset)
        for metric in metrics:
            if (part := f"metric {metric.name}") in failures:
                continue
            try:
                value = metric(case.probs, case.soft if metric.target == "soft" else case.hard)
                rows.append({**head, "metric": metric.name, "value": float(value)})
            except BaseException as error:  # a metric may raise anything; the others continue
                failures.add(part, error)
        step(1, f"{case.trial}, {case.calibrator}")
    good = [row for row in rows if f"metric {row['metric']}" not in failures]
    return pl.DataFrame(good, SCHEMA)


def cases(
    out: RunDirectory,
    trials: Iterable[Trial],
    calibrators: Sequence[Chosen[Calibrator]],
    labels: Labels,
    failures: Failures,
    note: Callable[[Trial, str, Fitted], None] = lambda *_: None,
) -> Iterator[Case]:
    """Yield the cells of each trial and calibrator, and then all its corrupted images pooled.

    A calibrator that cannot be fitted or applied goes into ``failures``; the others are given to
    ``note``.
    """
    with_features = any(calibrator.entry.features for calibrator in calibrators)
    corrupted = [cell for cell in labels if cell != CLEAN]
    if corrupted:
        hard, soft = (np.concatenate([labels[c][part] for c in corrupted]) for part in (1, 2))
    for trial in trials:
        answers = {
            cell: out.answers(trial, cell, labels[cell].samples, with_features) for cell in labels
        }
        for name, found in fitted(out, trial, calibrators, list(labels), failures).items():
            try:
                probs = {cell: found(each) for cell, each in answers.items()}
            except BaseException as error:
                failures.add(f"{trial}, calibrator {name}", error)
                continue
            note(trial, name, found)
            for cell in labels:
                yield Case(trial, name, cell, probs[cell], labels[cell].hard, labels[cell].soft)
            if corrupted:
                together = np.concatenate([probs[cell] for cell in corrupted])
                yield Case(trial, name, POOLED, together, hard, soft)


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


def parameters_of(dataset: str, trial: Trial, name: str, found: Fitted) -> list[dict[str, Any]]:
    """Return what was fitted, as rows with the columns of ``calibration.SCHEMA``."""
    head = {"dataset": dataset, **vars(trial), "calibrator": name}
    try:
        return [{**head, "parameter": p, "value": v} for p, v in found.parameters().items()]
    except Exception:  # a plugin's; its scores are what matters
        return []


def labels_of(table: pl.DataFrame, cells: Collection[Cell]) -> Labels:
    """Return the labels of each cell; raises `DataError` for one without."""
    parts = table.partition_by(["corruption", "severity"], as_dict=True)
    for cell in cells:
        if (cell.corruption, cell.severity) not in parts:
            raise DataError(f"there are no labels in {cell}")
    found = {cell: parts[cell.corruption, cell.severity] for cell in cells}
    return {
        cell: CellLabels(
            tuple(part["sample"].to_list()), part["label"].to_numpy(), matrix(part["target"])
        )
        for cell, part in found.items()
    }
