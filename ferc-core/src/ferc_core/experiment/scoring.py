"""From stored predictions to tidy scores; no model is needed.

Every metric that is registered is worked out for each run, calibrator and cell. Hard metrics see
the annotated class, soft ones the soft label of the cell. The calibrator ``none`` is the plain
softmax ("pre"); the others are fitted on the clean validation split alone ("post").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.calls import parse_call
from ferc_core.base.files import read_parquet
from ferc_core.errors import as_failure
from ferc_core.experiment.benchmark import Run, forms_of
from ferc_core.experiment.config import Config
from ferc_core.experiment.directory import RunDirectory
from ferc_core.plugins.host import registry
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.corrupt import CLEAN, Cell

Array = npt.NDArray[np.float64]

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
POOLED = Cell("pooled", 0)


def softmax(logits: npt.NDArray[np.floating[Any]]) -> Array:
    """Return probabilities [N, K] of logits [N, K], in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    probs: Array = weights / weights.sum(axis=1, keepdims=True)
    return probs


def score(
    directory: RunDirectory,
    config: Config,
    runs: Sequence[Run],
    advance: Callable[[int], None] = lambda _: None,
    complain: Callable[[str], None] = lambda _: None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the scores of every cell, and those of all corrupted images pooled.

    Both have the columns of ``SCHEMA``; ``advance`` is called with the number of cells done, and
    ``complain`` with a sentence for each calibrator that could not be fitted.
    """
    forms = forms_of(config)
    labels = cell_labels(directory, forms)
    rows: list[dict[str, Any]] = []
    pooled: list[dict[str, Any]] = []
    for run in runs:
        logits = {cell: stored_logits(directory.predictions(run, cell)) for cell in forms}
        for name, transform in fitted(directory, run, config.calibrators, complain).items():
            head = {
                "dataset": config.dataset,
                "method": run.method,
                "loss": run.loss,
                "calibrator": name,
                "noise": run.noise,
                "seed": run.seed,
            }
            probs = {cell: transform(logits[cell]) for cell in forms}
            for cell in forms:
                rows += scores_of(head, cell, probs[cell], *labels[cell])
                advance(1)
            corrupted = [cell for cell in forms if cell != CLEAN]
            if corrupted:
                hard, soft = (
                    np.concatenate([labels[cell][part] for cell in corrupted]) for part in (0, 1)
                )
                together = np.concatenate([probs[cell] for cell in corrupted])
                pooled += scores_of(head, POOLED, together, hard, soft)
    return pl.DataFrame(rows, SCHEMA), pl.DataFrame(pooled, SCHEMA)


def scores_of(
    head: dict[str, Any],
    cell: Cell,
    probs: Array,
    hard: npt.NDArray[np.int64],
    soft: Array,
) -> list[dict[str, Any]]:
    """Return a tidy row for every metric of one cell."""
    return [
        {
            **head,
            "corruption": cell.corruption,
            "severity": cell.severity,
            "metric": name,
            "value": metric(probs, soft if metric.target == "soft" else hard),
            "n": len(probs),
        }
        for name, metric in registry().metrics.items()
    ]


def fitted(
    directory: RunDirectory,
    run: Run,
    calibrators: Sequence[str],
    complain: Callable[[str], None] = lambda _: None,
) -> dict[str, Callable[[Array], Array]]:
    """Return the plain softmax and every calibrator, fitted on the validation split."""
    transforms: dict[str, Callable[[Array], Array]] = {UNCALIBRATED: softmax}
    for text in calibrators:
        call = parse_call(text)
        calibrator = registry().calibrators[call.name]
        files = [directory.validation(run)]
        if calibrator.domains:
            files += sorted(files[0].parent.glob("validation-*.parquet"))
        tables = [read_parquet(path) for path in files]
        logits = np.concatenate([matrix(table["logits"]) for table in tables])
        labels = np.concatenate([table["label"].to_numpy() for table in tables])
        options: dict[str, Any] = dict(call.options)
        if calibrator.domains:
            options["domains"] = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
        try:
            transforms[text] = calibrator(logits, labels, **options)
        except Exception as error:  # whatever a calibrator of anybody's raises, the others go on
            complain(f"{run}, calibrator {text}: {as_failure(error)}")
    return transforms


def cell_labels(
    directory: RunDirectory, forms: Sequence[Cell]
) -> dict[Cell, tuple[npt.NDArray[np.int64], Array]]:
    """Return the hard labels [N] and soft labels [N, K] of every cell."""
    table = read_parquet(directory.labels).partition_by(["corruption", "severity"], as_dict=True)
    return {
        cell: (
            table[cell.corruption, cell.severity]["label"].to_numpy(),
            matrix(table[cell.corruption, cell.severity]["target"]),
        )
        for cell in forms
    }


def stored_logits(path: Any) -> Array:
    """Return the logits [N, K] of a file of predictions."""
    return matrix(read_parquet(path)["logits"])


def matrix(column: pl.Series) -> Array:
    """Return a column of equally long lists as an array [N, K]."""
    rows: Array = column.explode().to_numpy().astype(np.float64).reshape(len(column), -1)
    return rows
