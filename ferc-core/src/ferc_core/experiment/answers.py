"""What a model says of the images of a cell, and the table that a run directory keeps of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.files import digest
from ferc_core.base.tables import ROWS, checked, column
from ferc_core.errors import DataError
from ferc_core.suite.cells import Cell

CELL = ("corruption", "severity")
LOGITS: dict[str, Any] = {  # columns of the files in predictions/
    "sample": pl.String,
    "corruption": pl.String,
    "severity": pl.Int64,
    "logits": ROWS,
}
LABEL: dict[str, Any] = {"label": pl.Int64}  # of validation, too
LEFT_OUT = "ferc.left_out"  # in the metadata: the names of these outputs
LOST = "left_out"  # a column: the probability of outputs that the dataset lacks

Logits = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Answers:
    """What a model says of N images: logits [N, K] of the dataset's classes.

    lost: the probability [N] of its other outputs, named by ``left_out``, or None where it has none
    """

    logits: Logits
    lost: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()

    @classmethod
    def together(cls, parts: Sequence[Answers]) -> Answers:
        """Return the answers of one model for several batches as one."""
        lost = [part.lost for part in parts if part.lost is not None]
        logits = np.concatenate([part.logits for part in parts])
        return cls(logits, np.concatenate(lost) if lost else None, parts[0].left_out)


def as_table(
    cell: Cell, ids: Sequence[str], answers: Answers, labels: npt.NDArray[np.int64] | None
) -> pl.DataFrame:
    """Return answers for the images of a cell as a table; validation keeps its ``labels``, too."""
    known: dict[str, Any] = {} if labels is None else {"label": labels}
    if answers.lost is not None:
        known[LOST] = answers.lost
    return pl.DataFrame(
        {"sample": ids, "logits": column(answers.logits.astype(np.float32)), **known}
    ).select(
        "sample",
        pl.lit(cell.corruption).alias("corruption"),
        pl.lit(cell.severity, pl.Int64).alias("severity"),
        pl.exclude("sample"),
    )


def record_of(frame: pl.DataFrame, answers: Answers) -> dict[str, str]:
    """Return what the metadata of such a table say of its content."""
    left_out = {LEFT_OUT: json.dumps(answers.left_out)} if answers.left_out else {}
    return {"ferc.content": content_of(frame), **left_out}


def lost_in(
    frame: pl.DataFrame, record: Mapping[str, str], path: Path
) -> tuple[tuple[str, ...], float]:
    """Return the outputs that a table says were left out, and their mean probability."""
    if LOST not in frame.columns:
        return (), 0.0
    lost = checked(frame, {LOST: pl.Float64}, path)[LOST].to_numpy()
    return tuple(json.loads(record.get(LEFT_OUT, "[]"))), float(lost.mean())


def checked_logits(frame: pl.DataFrame, path: Path, classes: int) -> pl.DataFrame:
    """Return a table of logits that was read; raises `DataError` for one of something else."""
    validation = path.name.startswith("validation")
    table = checked(frame, LOGITS | (LABEL if validation else {}), path, undefined=("logits",))
    if table["logits"].list.len().unique().to_list() != [classes]:
        raise DataError(f"{path}: column 'logits' must hold lists of {classes} numbers")
    if validation and not table["label"].is_between(0, classes - 1).all():
        raise DataError(f"{path}: column 'label' has a number that is none of its classes")
    return table


def unlike(frame: pl.DataFrame, cell: Cell | None, ids: Sequence[str] | None) -> str:
    """Say why a table is not one of logits in this cell, of these samples; "" where it is."""
    if cell and any(Cell(*row) != cell for row in frame.select(CELL).unique().rows()):
        return f"it is not of {cell}"
    if ids is not None and frame["sample"].to_list() != list(ids):
        return "it has other samples, or in another order"
    return ""


def content_of(frame: pl.DataFrame) -> str:
    """Return a hash of samples, logits and labels, which tells damage that parquet does not."""
    samples = "\0".join(frame["sample"]).encode(errors="surrogateescape")
    logits = frame["logits"].explode().to_numpy().astype(np.float32)
    labels = frame["label"].to_numpy() if "label" in frame.columns else np.empty(0)
    lost = frame[LOST].to_numpy() if LOST in frame.columns else np.empty(0)
    numbers = logits, labels.astype(np.int64), lost
    return digest(samples + b"".join(each.tobytes() for each in numbers))
