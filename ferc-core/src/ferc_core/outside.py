"""Predictions made elsewhere, by whatever model, read from a table and scored like our own.

A row for each picture: ``sample``, ``corruption``, ``severity`` (the clean set is ``clean``, 0),
and what the model said about the K classes, in their order. Its name says what it is, for a guess
would be wrong sooner or later: ``logits`` or ``probs`` as a list, or a column for each class,
``logit_0`` ... or ``prob_0`` ...
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.scoring import SCHEMA, matrix, scores_of, softmax
from ferc_core.spec import UNCALIBRATED
from ferc_core.store import read_parquet
from ferc_core.suite import Cell

KEYS = ["sample", "corruption", "severity"]


def read_predictions(path: Path) -> pl.DataFrame:
    """Return a table with ``KEYS`` and ``probs``, a list of K probabilities.

    Raises `RequestError` or `DataError` with one sentence when the file is not as described above.
    """
    if not path.is_file():
        raise RequestError(f"{path} does not exist")
    if path.suffix not in (".parquet", ".csv"):
        raise RequestError(f"{path} must be a .parquet or a .csv file")
    try:
        frame = read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path} cannot be read as a table: {error}") from error
    for name in KEYS:
        if name not in frame.columns:
            raise UnknownNameError(f"what {path} lacks: a column", name, frame.columns)
    frame = frame.with_columns(pl.col("severity").cast(pl.Int64), pl.col("sample").cast(pl.String))
    if frame.select(KEYS).null_count().sum_horizontal().item():
        raise DataError(f"{path} has empty fields in {', '.join(KEYS)}")
    twice = frame.filter(frame.select(KEYS).is_duplicated())
    if len(twice):
        raise DataError(f"{path} has {describe(twice.row(0, named=True))} twice")
    values, are_logits = class_values(frame, path)
    probs = softmax(values) if are_logits else values
    return frame.select(*KEYS, probs=pl.Series(probs.tolist(), dtype=pl.List(pl.Float64)))


def class_values(frame: pl.DataFrame, path: Path) -> tuple[np.ndarray, bool]:
    """Return the values [N, K] of the classes, and whether they are logits."""
    found = []
    for name, are_logits in (("logits", True), ("probs", False)):
        columns = sorted(
            (
                c
                for c in frame.columns
                if c.startswith(f"{name[:-1]}_") and c[len(name) :].isdigit()
            ),
            key=lambda c: int(c[len(name) :]),
        )
        if name in frame.columns:
            if frame[name].dtype.base_type() not in (pl.List, pl.Array):
                raise DataError(f"{path}: column {name!r} must hold lists of numbers")
            lengths = frame[name].cast(pl.List(pl.Float64)).list.len()
            if lengths.n_unique() > 1:
                raise DataError(f"{path}: the lists in {name!r} differ in length")
            found.append((matrix(frame[name].cast(pl.List(pl.Float64))), are_logits))
        if columns:
            found.append((frame.select(columns).to_numpy().astype(np.float64), are_logits))
    if len(found) != 1:
        raise DataError(
            f"{path} must have one of: a list column 'logits' or 'probs', or a column for each "
            f"class named logit_0, ... or prob_0, ...; it has {len(found)} of them"
        )
    if not np.isfinite(found[0][0]).all():
        raise DataError(f"{path} has values that are no finite numbers")
    return found[0]


def score_predictions(
    predictions: pl.DataFrame, labels: pl.DataFrame, dataset: str, name: str
) -> pl.DataFrame:
    """Return tidy scores of the cells that the predictions have, against their labels.

    ``labels`` is the ``labels.parquet`` of a build or run directory. Every sample of a cell must
    be there, once; raises `DataError` otherwise.
    """
    unknown = predictions.join(labels, on=KEYS, how="anti")
    if len(unknown):
        example = describe(unknown.row(0, named=True))
        raise DataError(f"{len(unknown)} predictions have no label, such as {example}")
    cells = predictions.select(KEYS[1:]).unique(maintain_order=True)
    wanted = labels.join(cells, on=KEYS[1:], how="semi")
    missing = wanted.join(predictions, on=KEYS, how="anti")
    if len(missing):
        example = describe(missing.row(0, named=True))
        raise DataError(f"{len(missing)} predictions are missing, such as {example}")
    head = {
        "dataset": dataset,
        "method": name,
        "loss": "-",
        "calibrator": UNCALIBRATED,
        "noise": 0.0,
        "seed": 0,
    }
    joined = wanted.join(predictions, on=KEYS, how="left", maintain_order="left")
    rows = []
    for (corruption, severity), part in joined.group_by(KEYS[1:], maintain_order=True):
        probs, target = matrix(part["probs"]), matrix(part["target"])
        if probs.shape != target.shape:
            raise DataError(
                f"the predictions have {probs.shape[1]} classes, the labels {target.shape[1]}"
            )
        cell = Cell(str(corruption), int(severity))
        rows += scores_of(head, cell, probs, part["label"].to_numpy(), target)
    return pl.DataFrame(rows, SCHEMA)


def describe(row: dict[str, object]) -> str:
    """Return the key of a row in words."""
    return f"sample {row['sample']!r} in {row['corruption']}/{row['severity']}"
