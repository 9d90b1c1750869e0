"""What a model says of the images of a cell, and the table that a run directory keeps of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.files import digest, read_table
from ferc_core.base.tables import ROWS, array, checked, column, matrix, width
from ferc_core.errors import DataError
from ferc_core.faces import FaceSplit
from ferc_core.suite.cells import Cell

LOGITS: dict[str, Any] = {  # columns of the files in predictions/
    "sample": pl.String,
    "corruption": pl.String,
    "severity": pl.Int64,
    "logits": ROWS,
}
LABEL: dict[str, Any] = {"label": pl.Int64}  # of validation, too
LEFT_OUT = "ferc.left_out"  # in the metadata: the names of these outputs
TARGET = "target"  # a column of validation: the dataset's label distributions
FEATURES = "features"  # a column: float16, as bytes
LOST = "left_out"  # a column: the probability of outputs that the dataset lacks

Logits = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Answers:
    """What a model says of N images: logits [N, K] of the dataset's classes.

    lost:     the probability [N] of its other outputs, named by ``left_out``, or None where it has
              none
    features: its penultimate features [N, D], or None where they are not kept
    """

    logits: Logits
    lost: npt.NDArray[np.float64] | None = None
    left_out: tuple[str, ...] = ()
    features: npt.NDArray[np.float16] | None = None

    @classmethod
    def together(cls, parts: Sequence[Answers]) -> Answers:
        """Return the answers of one model for several batches as one."""
        lost, features = (
            np.concatenate(each) if each[0] is not None else None
            for each in zip(*((part.lost, part.features) for part in parts), strict=True)
        )
        logits = np.concatenate([part.logits for part in parts])
        return cls(logits, lost, parts[0].left_out, features)


def as_table(
    cell: Cell, ids: Sequence[str], answers: Answers, faces: FaceSplit | None
) -> pl.DataFrame:
    """Return answers for the images of a cell as a table; validation keeps the labels of its
    ``faces``, too.
    """
    known: dict[str, Any] = {} if faces is None else {"label": faces.labels}
    if faces is not None and faces.distributions is not None:
        known[TARGET] = column(faces.distributions)
    if answers.lost is not None:
        known[LOST] = answers.lost
    if answers.features is not None:
        known[FEATURES] = [row.tobytes() for row in answers.features]
    return pl.DataFrame(
        {"sample": ids, "logits": array(answers.logits.astype(np.float32)), **known}
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


def features_in(frame: pl.DataFrame, path: Path) -> npt.NDArray[np.float16] | None:
    """Return the features [N, D] in a table, None where it has none."""
    if FEATURES not in frame.columns:
        return None
    rows = frame[FEATURES]
    if rows.dtype != pl.Binary or rows.null_count() or rows.bin.size().n_unique() != 1:
        raise DataError(f"{path}: column {FEATURES!r} must hold as many bytes in every row")
    return np.frombuffer(b"".join(rows.to_list()), np.float16).reshape(len(rows), -1)


def lost_in(path: Path) -> tuple[tuple[str, ...], float]:
    """Return the outputs that a table says were left out, and their mean probability."""
    frame, record = read_table(path)
    if LOST not in frame.columns:
        return (), 0.0
    lost = checked(frame, {LOST: pl.Float64}, path)[LOST].to_numpy()
    return tuple(json.loads(record.get(LEFT_OUT, "[]"))), float(lost.mean())


def checked_logits(frame: pl.DataFrame, path: Path, classes: int) -> pl.DataFrame:
    """Return a table of logits that was read; raises `DataError` for one of something else."""
    validation = path.name.startswith("validation")
    table = checked(frame, LOGITS | (LABEL if validation else {}), path, undefined=("logits",))
    if width(table["logits"]) != classes:
        raise DataError(f"{path}: column 'logits' must hold lists of {classes} numbers")
    if validation and not table["label"].is_between(0, classes - 1).all():
        raise DataError(f"{path}: column 'label' has a number that is none of its classes")
    if validation and TARGET in table.columns:
        table = checked(table, {TARGET: ROWS}, path)
        if width(table[TARGET]) != classes:
            raise DataError(f"{path}: column {TARGET!r} must hold lists of {classes} numbers")
    return table


def unlike(frame: pl.DataFrame, cell: Cell | None, ids: Sequence[str] | None) -> str:
    """Say why a table is not one of logits in this cell, of these samples; "" where it is."""
    if cell and any((frame[name] != value).any() for name, value in vars(cell).items()):
        return f"it is not of {cell}"
    if ids is not None and frame["sample"].to_list() != list(ids):
        return "it has other samples, or in another order"
    return ""


def content_of(frame: pl.DataFrame) -> str:
    """Return a hash of samples, logits and labels, which tells damage that parquet does not."""
    samples = "\0".join(frame["sample"]).encode(errors="surrogateescape")
    logits = matrix(frame["logits"]).astype(np.float32)
    labels = frame["label"].to_numpy() if "label" in frame.columns else np.empty(0)
    lost = frame[LOST].to_numpy() if LOST in frame.columns else np.empty(0)
    soft = matrix(frame[TARGET]) if TARGET in frame.columns else np.empty(0)
    numbers = logits, labels.astype(np.int64), lost, soft
    features = frame[FEATURES].to_list() if FEATURES in frame.columns else []
    return digest(b"".join([samples, *(each.tobytes() for each in numbers), *features]))
