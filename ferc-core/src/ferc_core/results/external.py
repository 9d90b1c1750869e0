"""Predictions made elsewhere, by whatever model, read from a table and scored like our own.

A row for each image: ``sample``, ``corruption``, ``severity`` (the clean set is ``clean``, 0),
and what the model said about the K classes, in their order. Its name says what it is, for a guess
would be wrong sooner or later: ``logits`` or ``probs`` as a list, or a column for each class,
``logit_0`` ... or ``prob_0`` ...
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import UNREADABLE, read_bytes, read_parquet
from ferc_core.base.paths import no_file
from ferc_core.base.progress import say
from ferc_core.base.tables import column, matrix
from ferc_core.base.text import number
from ferc_core.errors import DataError, RequestError, suggest
from ferc_core.experiment import labelling
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import JUDGING, SETTINGS, Config
from ferc_core.experiment.entries import names_build
from ferc_core.experiment.scoring import Array, Case, score, softmax
from ferc_core.faces import SUM_TOLERANCE
from ferc_core.spec import UNCALIBRATED, Metric
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import LABELS, open_build

KEYS = ["sample", "corruption", "severity"]
CLASS_COLUMN = re.compile(r"(logit|prob)_\d+")
EXACT = 1e-6  # sums this close to 1 are of exact probabilities, others of rounded ones


def read_predictions(path: Path) -> pl.DataFrame:
    """Return a table with ``KEYS`` and ``probs``, a list of K probabilities.

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
        raise DataError(f"{path} has {describe(twice.row(0, named=True))} twice")
    probs = probabilities(frame, path)
    return frame.select(*KEYS, probs=column(probs))


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


def probabilities(frame: pl.DataFrame, path: Path) -> Array:
    """Return the probabilities [N, K] of a table that has them or logits."""
    values, are_logits = class_values(frame, path)
    if values.shape[1] < 2:
        raise DataError(f"{path} has one value for an image; give one for each class")

    def name(row: np.signedinteger) -> str:
        return f"{path}: {describe(frame.row(int(row), named=True))}"

    for row in np.flatnonzero(~np.isfinite(values).all(axis=1)):
        raise DataError(f"{name(row)} has values that are not finite")
    if are_logits:
        return softmax(values)
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


def class_values(frame: pl.DataFrame, path: Path) -> tuple[Array, bool]:
    """Return the values [N, K] of the classes, and whether they are logits."""
    found = []
    for stem, are_logits in (("logit", True), ("prob", False)):
        if f"{stem}s" in frame.columns:
            found.append((from_lists(frame[f"{stem}s"], path), are_logits))
        columns = [n for n in frame.columns if CLASS_COLUMN.fullmatch(n) and n.startswith(stem)]
        if columns:
            found.append((from_columns(frame, stem, columns, path), are_logits))
    if len(found) != 1:
        raise DataError(
            f"{path} must have one of: a list column 'logits' or 'probs', or a column for each "
            f"class named logit_0, ... or prob_0, ...; it has {len(found)} of them"
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


def from_columns(frame: pl.DataFrame, stem: str, columns: list[str], path: Path) -> Array:
    """Return the columns ``stem_0``, ``stem_1``, ... as an array [N, K], whatever their order."""
    wanted = [f"{stem}_{k}" for k in range(len(columns))]
    for name in wanted:
        if name not in columns:
            raise DataError(
                f"{path} has {len(columns)} columns {stem}_..., but no {name!r} among them; "
                "the classes are numbered from 0"
            )
        if not frame.schema[name].is_numeric():
            raise DataError(f"{path}: column {name!r} must hold numbers, not {frame.schema[name]}")
    values: Array = frame.select(pl.col(wanted).cast(pl.Float64)).to_numpy()
    return values


def score_predictions(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    metrics: Sequence[Metric],
    dataset: str,
    name: str,
    failures: Failures,
) -> pl.DataFrame:
    """Return tidy scores of the cells that the predictions have, against their labels.

    ``labels`` is the ``labels.parquet`` of a build or run directory. Every sample of a cell must
    be there, once; raises `DataError` otherwise.
    """
    unknown = predictions.join(labels, on=KEYS, how="anti")
    if len(unknown):
        example = describe(unknown.row(0, named=True))
        count = number(len(unknown), "prediction has", "predictions have")
        raise DataError(f"{count} no label, such as {example}")
    cells = predictions.select(KEYS[1:]).unique(maintain_order=True)
    wanted = labels.join(cells, on=KEYS[1:], how="semi")
    missing = wanted.join(predictions, on=KEYS, how="anti")
    if len(missing):
        example = describe(missing.row(0, named=True))
        count = number(len(missing), "prediction is", "predictions are")
        raise DataError(f"{count} missing, such as {example}")
    joined = wanted.join(predictions, on=KEYS, how="left", maintain_order="left")
    known, said = len(labels["target"][0]), len(joined["probs"][0])
    if known != said:
        raise DataError(f"the predictions have {said} classes, the labels {known}")
    parts = joined.group_by(KEYS[1:], maintain_order=True)
    cases = (
        Case(
            Trial(name),
            UNCALIBRATED,
            Cell(str(corruption), int(severity)),
            matrix(part["probs"]),
            part["label"].to_numpy(),
            matrix(part["target"]),
        )
        for (corruption, severity), part in parts
    )
    return score(cases, metrics, dataset, failures)


def labels_for(config: Config, predictions: pl.DataFrame) -> pl.DataFrame:
    """Return the labels of the cells that a table of predictions has.

    They are those of the build that ``config.dataset`` names, unless the configuration asks for
    other ones; or they are made from the dataset.
    """
    judging = {name for name, setting in SETTINGS.items() if setting.role == JUDGING}
    if names_build(config) and not config.model_fields_set & judging:
        build = open_build(Path(config.dataset))
        _ = build.content(LABELS)  # raises unless it is the one that was built
        return build.labels
    corruptions = sorted(set(predictions["corruption"]) - {CLEAN.corruption})
    bench = Benchmark.open(
        config.model_copy(update={"corruptions": tuple(corruptions)}), training=False
    )
    for note in bench.notes:
        say(f"  {note}")
    visible = None
    if bench.entries.label_scheme.entry.uses_visibility:
        visible = labelling.measured(bench, bench.images()["scored"])
    return labelling.label_table(bench, visible)


def describe(row: dict[str, object]) -> str:
    """Return the key of a row in words."""
    return f"sample {row['sample']!r} in {row['corruption']}/{row['severity']}"
