"""A table of one's own pictures, as CSV or parquet: one row for each picture.

    path          where the picture lies, relative to the table
    label         its class by name, or counted from 0
    valence, arousal    optional, both or neither, numbers in [-1, 1]
    distribution  optional, K shares that sum to 1: "0.7;0.2;0.1", or a list
    identity      optional, who is shown
    split         optional: train, valid or test
    id            optional, the sample's name; without it the path

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

from ferc_core.datasets.samples import (
    SPLIT_NAMES,
    PictureReader,
    class_index,
    face_set,
    infer_classes,
    normal,
    sample_id,
)
from ferc_core.errors import DataError, suggest
from ferc_core.faces import SUM_TOLERANCE, FaceSet, FaceSplit

TABLE_SUFFIXES = (".csv", ".parquet")
REQUIRED = ("path", "label")
OPTIONAL = ("valence", "arousal", "distribution", "identity", "split", "id")
MOST_CLASSES = 1000  # labels above it are some other number than a class


@dataclass(frozen=True)
class Table:
    """Columns by lower-case name; ``rows`` says where each row stands below the header."""

    path: Path
    columns: dict[str, pl.Series]
    rows: list[int]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def row(self, i: int) -> str:
        """Return where row i stands, for the start of a message."""
        return f"{self.path}, row {self.rows[i]}"

    def texts(self, name: str) -> list[str]:
        """Return a column as texts without outer blanks; every cell must hold one."""
        try:
            column = self.columns[name].cast(pl.String).str.strip_chars()
        except pl.exceptions.PolarsError as error:
            raise DataError(
                f"{self.path}: column {name!r} holds {self.columns[name].dtype}, not text"
            ) from error
        texts: list[str] = column.fill_null("").to_list()
        if "" in texts:
            raise DataError(f"{self.row(texts.index(''))}: {name} is missing")
        return texts


def open_table(path: Path, named: tuple[str, ...] | None) -> FaceSet:
    """Open the pictures of a table; ``named`` are the classes where the user fixed them."""
    table = read_table(path)
    classes, labels = _labels(table, named)
    ids, paths = _ids_and_paths(table)
    notes = []
    distributions = None
    if "distribution" in table:
        distributions = _distributions(table, classes)
        agree = int((distributions[np.arange(len(labels)), labels] == distributions.max(1)).sum())
        notes.append(
            f"the distribution's shares are read in the order {', '.join(classes)}; in {agree} of "
            f"{len(labels)} rows the label has the largest share"
        )
    unused = sorted(set(table.columns) - {*REQUIRED, *OPTIONAL})
    if unused:
        notes.append(f"columns not used: {', '.join(unused)}")
    faces = FaceSplit(
        ids=ids,
        labels=labels,
        read=PictureReader(paths),
        valence_arousal=_valence_arousal(table),
        distributions=distributions,
        identities=tuple(map(normal, table.texts("identity"))) if "identity" in table else None,
    )
    return face_set(faces, classes, _splits(table) if "split" in table else None, notes)


def read_table(path: Path) -> Table:
    """Read a .csv or .parquet file; blank rows are left out, header names are lower-cased."""
    frame = _read_csv(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    header = [name.strip().lower() for name in frame.columns]
    for name in REQUIRED:
        if name not in header:
            near = difflib.get_close_matches(name, header, n=1)
            hint = f"; rename {near[0]!r} if that is it" if near else ""
            raise DataError(
                f"{path} has no column {name!r}, it has {', '.join(map(repr, header))}{hint}"
            )
    for name in (*REQUIRED, *OPTIONAL):
        if header.count(name) > 1:
            raise DataError(f"{path} has two columns {name!r}; keep one of them")
    if ("valence" in header) != ("arousal" in header):
        one, other = ("valence", "arousal") if "valence" in header else ("arousal", "valence")
        raise DataError(f"{path} has a column {one!r} and none {other!r}; both or neither")
    filled = [i for i, row in enumerate(frame.iter_rows()) if any(c is not None for c in row)]
    if not filled:
        raise DataError(f"{path} has a header and no rows")
    columns = dict(zip(header, frame[filled].get_columns(), strict=True))
    return Table(path, columns, [i + 1 for i in filled])


def _read_csv(path: Path) -> pl.DataFrame:
    """Return a CSV file as texts, with the names that stand in its first line."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:  # UTF-16 of plain letters is valid UTF-8, full of zeros
        raise DataError(f"{path} is not UTF-8 text; save it as 'CSV UTF-8'")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if not text.strip():
        raise DataError(f"{path} is empty; it needs a header with {' and '.join(REQUIRED)}")
    try:
        # The header is read as a row, for polars would rename a name that stands twice.
        cells = pl.read_csv(io.BytesIO(text.encode()), has_header=False, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"{path} is no well-formed CSV: a row has more cells than the header, or a quote is "
            "not closed; put cells that hold a comma between double quotes"
        ) from error
    ...


def _read_parquet(path: Path) -> pl.DataFrame:
    ...
