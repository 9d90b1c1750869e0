"""A table of your own images, as CSV or parquet: one row for each image.

    path          the image file, relative to the table
    label         its class by name, or as a number from 0
    valence, arousal    optional, both or neither, numbers in [-1, 1]
    distribution  optional, K probabilities that sum to 1: "0.7;0.2;0.1", or a list
    identity      optional, the subject
    split         optional: train, valid or test
    id            optional, the sample's name; by default the path
    age, gender, sex, race, ethnicity, skin_tone, group.NAME   optional, groups of the faces

Rows are counted from 1 below the header.
"""

from __future__ import annotations

import difflib
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.files import read_bytes
from ferc_core.base.text import shortened
from ferc_core.datasets import samples
from ferc_core.datasets.texts import LARGEST, read_text
from ferc_core.errors import DataError
from ferc_core.faces import GROUP, SUM_TOLERANCE, FaceSet, FaceSplit

TABLE_SUFFIXES = (".csv", ".parquet")
REQUIRED = ("path", "label")
OPTIONAL = ("valence", "arousal", "distribution", "identity", "split", "id")
GROUPS = ("age", "gender", "sex", "race", "ethnicity", "skin_tone")
MOST_ROWS = 100_000_000
MOST_CLASSES = 1000  # a label above it is not a class number


@dataclass(frozen=True)
class Table:
    """Columns by lower-case name; ``rows`` are the numbers of the rows below the header."""

    path: Path
    columns: dict[str, pl.Series]
    rows: list[int]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def row(self, i: int) -> str:
        """Return where row i is, for the start of a message."""
        return f"{self.path}, row {self.rows[i]}"

    def texts(self, name: str) -> list[str]:
        """Return a column as stripped text; no cell may be empty."""
        column = self.columns[name]
        if column.dtype.is_nested() or column.dtype == pl.Binary:
            raise DataError(f"{self.path}: column {name!r} holds {column.dtype}, not text")
        column = column.cast(pl.String).str.strip_chars().fill_null("")
        texts: list[str] = column.to_list()
        if "" in texts:
            raise DataError(f"{self.row(texts.index(''))}: {name} is missing")
        return texts


def open_table(path: Path, named: tuple[str, ...] | None) -> FaceSet:
    """Open the images of a table; ``named`` are the classes if the user fixed them."""
    table = read_table(path)
    classes, labels = _labels(table, named)
    ids, paths = _ids_and_paths(table)
    notes = []
    distributions = None
    if "distribution" in table:
        distributions = _distributions(table, classes)
        agree = int((distributions[np.arange(len(labels)), labels] == distributions.max(1)).sum())
        notes.append(
            f"label distributions are read in the order {shortened(', '.join(classes))}; in "
            f"{agree} of {len(labels)} rows the label is the most probable class"
        )
    groups = {name: _group(table, column) for column, name in _group_columns(table).items()}
    unused = sorted(set(table.columns) - {*REQUIRED, *OPTIONAL, *_group_columns(table)})
    if unused:
        notes.append(f"columns not used: {shortened(', '.join(unused))}")
    subjects = map(samples.normal, table.texts("identity")) if "identity" in table else None
    faces = FaceSplit(
        ids=ids,
        labels=labels,
        read=samples.ImageReader(paths),
        valence_arousal=_valence_arousal(table),
        distributions=distributions,
        identities=None if subjects is None else tuple(subjects),
        groups=groups,
    )
    return samples.face_set(faces, classes, _splits(table) if "split" in table else None, notes)


def _group_columns(table: Table) -> dict[str, str]:
    """Return the columns that are groups of the faces, with the groups' names."""
    named = {name: name.removeprefix("group.") for name in table.columns}
    return {c: n for c, n in named.items() if (c in GROUPS or c != n) and GROUP.fullmatch(n)}


def _group(table: Table, column: str) -> tuple[str | None, ...]:
    """Return the values of a group, None for an empty cell."""
    values = table.columns[column]
    if values.dtype.is_nested() or values.dtype == pl.Binary:
        raise DataError(f"{table.path}: column {column!r} holds {values.dtype}, not text")
    texts = values.cast(pl.String).str.strip_chars()
    return tuple(text or None for text in texts)


def read_table(path: Path) -> Table:
    """Read a .csv or .parquet file; blank rows are skipped, column names are lower-cased."""
    names, cells = _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    header = [name.strip().lower() for name in names]
    for name in REQUIRED:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            hint = f"; rename {near[0]!r} if that is it" if near else ""
            raise DataError(
                f"{path} has no column {name!r}, only "
                f"{shortened(', '.join(map(repr, header)))}{hint}"
            )
    for name in (*REQUIRED, *OPTIONAL):
        if header.count(name) > 1:
            raise DataError(f"{path} has two columns {name!r}; keep one of them")
    if ("valence" in header) != ("arousal" in header):
        one, other = ("valence", "arousal") if "valence" in header else ("arousal", "valence")
        raise DataError(f"{path} has a column {one!r} but no {other!r}; add it or remove {one!r}")
    blank = cells.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    filled = np.flatnonzero(~blank)
    if len(filled) == 0:
        raise DataError(f"{path} has a header and no rows")
    columns = dict(zip(header, cells[filled].get_columns(), strict=True))
    return Table(path, columns, (filled + 1).tolist())


def _read_csv(path: Path) -> tuple[list[str], pl.DataFrame]:
    """Return the header of a CSV file and the rows below it, all as text."""
    text = read_text(path).lstrip("\n")
    if not text.strip():
        raise DataError(f"{path} is empty; it needs the columns {' and '.join(REQUIRED)}")
    try:
        # The header is read as a row: polars would rename a repeated column.
        cells = pl.read_csv(io.BytesIO(text.encode()), has_header=False, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} is not well-formed CSV: a row has more cells than the header, or a quote is "
            "not closed; put a cell that contains a comma between double quotes"
        ) from error
    return [name or "" for name in cells.row(0)], cells[1:]


def _read_parquet(path: Path) -> tuple[list[str], pl.DataFrame]:
    """Return the column names of a parquet file and its rows."""
    content = io.BytesIO(read_bytes(path, LARGEST))
    try:
        rows = int(pl.scan_parquet(content).select(pl.len()).collect().item())  # by its metadata
        if rows > MOST_ROWS:
            raise DataError(f"{path} has {rows:,} rows, and at most {MOST_ROWS:,} are read")
        cells = pl.read_parquet(content)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise DataError(f"{path} is damaged or not a parquet file") from error
    return cells.columns, cells


def _labels(
    table: Table, named: tuple[str, ...] | None
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return the classes and the class [N] of each row."""
    texts = [samples.normal(text) for text in table.texts("label")]
    distinct = set(texts)
    if named is not None:
        classes = named
    elif all(re.fullmatch(r"[0-9]{1,6}", text) for text in distinct):
        largest = max(map(int, distinct))
        if largest >= MOST_CLASSES:
            i = [int(text) for text in texts].index(largest)
            raise DataError(f"{table.row(i)}: label {largest} is too large; use class names")
        classes = tuple(str(i) for i in range(largest + 1))
    else:
        classes = samples.infer_classes(distinct)
    return classes, samples.labels_of(texts, classes, lambda i: f"{table.row(i)}: label")


def _ids_and_paths(table: Table) -> tuple[tuple[str, ...], list[Path]]:
    """Return the sample ids and the files, all of which must exist."""
    texts = table.texts("path")
    ids = [samples.sample_id(text, table.row(i)) for i, text in enumerate(texts)]
    if "id" in table:
        ids = [samples.sample_id(text, table.row(i)) for i, text in enumerate(table.texts("id"))]
    first: dict[str, int] = {}
    for i, name in enumerate(ids):
        if first.setdefault(name, i) != i:
            raise DataError(
                f"{table.row(i)}: sample id {name!r} is also in row {table.rows[first[name]]}; "
                "ids must differ"
            )
    paths = [table.path.parent / text.replace("\\", "/") for text in texts]
    missing = [i for i, file in enumerate(paths) if not file.is_file()]
    if missing:
        raise DataError(
            f"{table.path}: {len(missing)} of {len(paths)} images are missing, the first in row "
            f"{table.rows[missing[0]]}: {paths[missing[0]]}"
        )
    return tuple(ids), paths


def _valence_arousal(table: Table) -> npt.NDArray[np.float64] | None:
    """Return valence and arousal [N, 2], or None."""
    if "valence" not in table:
        return None
    both = []
    for name in ("valence", "arousal"):
        try:
            numbers = table.columns[name].cast(pl.Float64, strict=False).to_numpy()
        except pl.exceptions.PolarsError:  # lists and the like
            numbers = np.full(len(table.rows), math.nan)
        bad = np.flatnonzero(~(np.abs(numbers) <= 1))  # a cell without a number is NaN here
        if len(bad):
            (cell,) = table.columns[name].slice(bad[0], 1).to_list()
            raise DataError(
                f"{table.row(bad[0])}: {name} is {shortened(repr(cell))}; it must be a number in "
                "[-1, 1]"
            )
        both.append(numbers)
    return np.stack(both, axis=1)


def _distributions(table: Table, classes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    """Return label distributions [N, K], normalised to remove rounding."""
    column = table.columns["distribution"]
    cells = column.to_list() if column.dtype.is_nested() else table.texts("distribution")
    result = np.empty((len(cells), len(classes)))
    for i, cell in enumerate(cells):
        probabilities = _probabilities(cell)
        if len(probabilities) != len(classes):
            raise DataError(
                f"{table.row(i)}: the label distribution has {len(probabilities)} probabilities "
                f"for {len(classes)} classes ({shortened(', '.join(classes))}); the option "
                "classes fixes them"
            )
        total = sum(probabilities)  # NaN and infinity fail the comparison
        if abs(total - 1) <= SUM_TOLERANCE:
            total = math.fsum(probabilities)
        if not (abs(total - 1) <= SUM_TOLERANCE and min(probabilities) >= 0):
            raise DataError(
                f"{table.row(i)}: the label distribution sums to {total:g} or has negative values; "
                "it must be probabilities that sum to 1"
            )
        result[i] = np.array(probabilities) / total
    return result


def _probabilities(cell: object) -> list[float]:
    """Return the numbers of a list, or of a text like ``0.7;0.3``, ``0.7 0.3``, ``[0.7, 0.3]``."""
    if isinstance(cell, str):
        cell = re.split(r"[;,\s]+", cell.strip("[] "))
    if not isinstance(cell, list):
        return []
    try:
        return [float(part) for part in cell]
    except (TypeError, ValueError):
        return [math.nan] * len(cell)


def _splits(table: Table) -> list[str]:
    """Return the split of each row by its standard name."""
    splits = []
    for i, text in enumerate(table.texts("split")):
        if text.lower() not in samples.SPLIT_NAMES:
            raise DataError(
                f"{table.row(i)}: split {shortened(repr(text))} must be train, valid or test"
            )
        splits.append(samples.SPLIT_NAMES[text.lower()])
    return splits
