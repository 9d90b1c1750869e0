"""Predictions made elsewhere, by whatever model, read from a table.

A row for each image: ``sample``, ``corruption``, ``severity`` (the clean set is ``clean``, 0),
and what the model said about the classes. Its name says what it is, for a guess would be wrong
sooner or later: ``logits`` or ``probs`` as a list, or a column for each class, ``logit_anger`` ...
or ``prob_anger`` ... by name, ``logit_0`` ... or ``prob_0`` ... in the order of the dataset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.files import UNREADABLE, read_bytes, read_parquet
from ferc_core.base.paths import no_file
from ferc_core.base.progress import say
from ferc_core.base.tables import matrix
from ferc_core.base.text import number
from ferc_core.data.classes import outputs_of
from ferc_core.errors import DataError, RequestError, suggest
from ferc_core.experiment.calibration import Array, softmax
from ferc_core.faces import SUM_TOLERANCE

KEYS = ["sample", "corruption", "severity"]
CLASS_COLUMN = re.compile(r"(logit|prob)_(.+)")
EXACT = 1e-6  # sums this close to 1 are of exact probabilities, others of rounded ones


@dataclass(frozen=True)
class Predictions:
    """What a model says of N images.

    keys:   a frame [N] with the columns ``KEYS``, each row once
    values: logits or probabilities [N, K]
    names:  the names of the K classes, or () where they are in the order of the dataset
    """

    keys: pl.DataFrame
    values: Array
    are_logits: bool
    names: tuple[str, ...] = ()

    @property
    def probs(self) -> Array:
        """The probabilities [N, K]."""
        return softmax(self.values) if self.are_logits else self.values

    @property
    def logits(self) -> Array:
        """The logits [N, K], for probabilities their logarithms; 0 is the smallest double."""
        smallest = np.finfo(np.float64).tiny
        return self.values if self.are_logits else np.log(np.maximum(self.values, smallest))

    def of_classes(
        self, classes: Sequence[str], merged: Mapping[str, Sequence[str]], whose: str
    ) -> tuple[Predictions, str]:
        """Return what is said of the classes of a dataset, and a sentence about what is left out.

        Raises `RequestError` for a class that no column is of.
        """
        outputs = outputs_of(self.names or classes, classes, merged, whose)
        if not self.names or outputs.unchanged:
            return self, ""
        logits = outputs.logits(self.logits).astype(np.float64)
        values = logits if self.are_logits else softmax(logits)
        note = ""
        if outputs.left_out:
            clean = (self.keys["severity"] == 0).to_numpy()
            lost = outputs.lost(self.logits)[clean if clean.any() else slice(None)].mean()
            note = (
                f"{', '.join(outputs.left_out)} left out, which the dataset lacks: "
                f"{100 * lost:.1f} % of the probability on {'clean' if clean.any() else 'these'} "
                "faces"
            )
        return Predictions(self.keys, values, self.are_logits), note


def read_predictions(path: Path) -> Predictions:
    """Return the predictions in a .parquet or .csv file.

    Raises `RequestError` or `DataError` with one sentence when the file is not as described above.
    """
    frame = read_table(path)
    for name in KEYS:
        if name not in frame.columns:
            raise RequestError(f"{path} has no column {name!r}; {suggest(name, frame.columns)}")
    if frame.is_empty():
        raise DataError(f"{path} has no rows")
    check_types(frame, path)
    severity = frame["severity"].cast(pl.Int64, strict=False)
    if severity.null_count() > frame["severity"].null_count():
        raise DataError(f"{path}: column 'severity' holds {frame['severity'].max()!r}")
    frame = frame.with_columns(pl.col("sample", "corruption").cast(pl.String), severity)
    if frame.select(KEYS).null_count().sum_horizontal().item():
        raise DataError(f"{path} has empty fields in {', '.join(KEYS)}")
    twice = frame.filter(frame.select(KEYS).is_duplicated())
    if len(twice):
        raise DataError(f"{path} has {described(twice.row(0, named=True))} twice")
    values, are_logits, names = class_values(frame, path)
    values = checked_values(values, are_logits, frame, path)
    return Predictions(frame.select(KEYS), values, are_logits, names)


def read_table(path: Path) -> pl.DataFrame:
    """Return the table in a .parquet or .csv file; the numbers of a .csv file become numbers."""
    if reason := no_file(path):
        raise RequestError(f"cannot read {path}: {reason}")
    if path.suffix == ".parquet":
        return read_parquet(path)
    if path.suffix != ".csv":
        raise RequestError(f"{path} must be a .parquet or a .csv file")
    try:
        # As text, because a sample named 007 is not a number.
        frame = pl.read_csv(read_bytes(path), infer_schema=False)
    except UNREADABLE as error:
        cause = str(error).partition("\n")[0]  # polars adds advice about its own arguments
        raise DataError(f"{path} cannot be read as a table: {cause}") from error
    types = {name: pl.Float64() for name in frame.columns if CLASS_COLUMN.fullmatch(name)}
    for name, wanted in {"severity": pl.Int64(), **types}.items():
        if name in frame.columns:
            numbers = frame[name].cast(wanted, strict=False)
            strange = frame[name].filter(numbers.is_null() & frame[name].is_not_null())
            if len(strange):
                kind = "whole number" if name == "severity" else "number"
                raise DataError(
                    f"{path}: column {name!r} holds {strange[0]!r}, which is not a {kind}"
                )
            frame = frame.with_columns(numbers)
    return frame


def check_types(frame: pl.DataFrame, path: Path) -> None:
    """Raise `DataError` unless the keys hold names and whole numbers."""
    schema = frame.schema
    for name, kind in (("sample", "text"), ("corruption", "text"), ("severity", "whole numbers")):
        is_text = schema[name] in (pl.String, pl.Categorical, pl.Enum)
        is_whole = schema[name].is_integer()
        if not (is_whole if name == "severity" else is_text or (is_whole and name == "sample")):
            raise DataError(f"{path}: column {name!r} must hold {kind}, not {schema[name]}")


def checked_values(values: Array, are_logits: bool, frame: pl.DataFrame, path: Path) -> Array:
    """Return logits as they are, or probabilities [N, K] whose rows sum to 1.

    Raises `DataError` for others.
    """
    if values.shape[1] < 2:
        raise DataError(f"{path} has one value for an image; give one for each class")

    def name(row: np.signedinteger) -> str:
        return f"{path}: {described(frame.row(int(row), named=True))}"

    for row in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        raise DataError(f"{name(row)} has values that are not finite")
    if are_logits:
        return values
    for row in np.flatnonzero(values.min(axis=1) < 0):
        raise DataError(
            f"{name(row)} has a negative probability; if these are logits, call them so"
        )
    sums = values.sum(axis=1)
    for row in np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE):
        raise DataError(
            f"{name(row)} has probabilities that sum to {sums[row]:g}, not 1; "
            "if these are logits, call them so"
        )
    rounded = np.abs(sums - 1) > EXACT
    if rounded.any():
        count = number(int(rounded.sum()), "row")
        say(f"{path}: probabilities of {count} renormalised to sum to 1")
        values = np.where(rounded[:, None], values / sums[:, None], values)
    return values


def class_values(frame: pl.DataFrame, path: Path) -> tuple[Array, bool, tuple[str, ...]]:
    """Return the values [N, K] of the classes, whether they are logits, and the classes' names."""
    found: list[tuple[Array, bool, tuple[str, ...]]] = []
    for stem, are_logits in (("logit", True), ("prob", False)):
        if f"{stem}s" in frame.columns:
            found.append((from_lists(frame[f"{stem}s"], path), are_logits, ()))
        classes = [n.removeprefix(f"{stem}_") for n in frame.columns if n.startswith(f"{stem}_")]
        if classes:
            numbered = any(name.isdecimal() for name in classes)
            order = numbers(stem, classes, path) if numbered else classes
            values = from_columns(frame, [f"{stem}_{name}" for name in order], path)
            found.append((values, are_logits, () if numbered else tuple(classes)))
    if len(found) != 1:
        raise DataError(
            f"{path} must have one of: a list column 'logits' or 'probs', or a column for each "
            f"class named logit_anger, ... or prob_0, ...; it has {len(found)} of them"
        )
    return found[0]


def from_lists(column: pl.Series, path: Path) -> Array:
    """Return a column of lists as an array [N, K]."""
    inner = getattr(column.dtype, "inner", None)
    if inner is None or not inner.is_numeric():
        raise DataError(
            f"{path}: column {column.name!r} must hold lists of numbers, not {column.dtype}; "
            f"without lists, write a column for each class: {column.name[:-1]}_0, ..."
        )
    lists = column.cast(pl.List(pl.Float64))
    if lists.list.len().n_unique() > 1:
        raise DataError(f"{path}: the lists in {column.name!r} differ in length")
    return matrix(lists)


def numbers(stem: str, classes: Sequence[str], path: Path) -> list[str]:
    """Return the numbers of the classes in their order; raises `DataError` where one is missing."""
    wanted = [str(k) for k in range(len(classes))]
    for k in wanted:
        if k not in classes:
            raise DataError(
                f"{path} has {len(classes)} columns {stem}_..., but no '{stem}_{k}' among them; "
                "the classes are numbered from 0, or have their names"
            )
    return wanted


def from_columns(frame: pl.DataFrame, columns: Sequence[str], path: Path) -> Array:
    """Return columns of numbers as an array [N, K]."""
    for name in columns:
        if not frame.schema[name].is_numeric():
            raise DataError(f"{path}: column {name!r} must hold numbers, not {frame.schema[name]}")
    values: Array = frame.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    return values


def described(row: dict[str, object]) -> str:
    """Return the key of a row in words."""
    return f"sample {row['sample']!r} in {row['corruption']}/{row['severity']}"
