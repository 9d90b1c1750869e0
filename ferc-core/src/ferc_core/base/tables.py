"""Tables that are read back, held against a schema; arrays [N, K] as columns of equal lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.errors import DataError

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

ROWS = pl.List(pl.Float64)  # arrays [N, K], stored as lists or as arrays of one width
HOLDS = {pl.String: "text", pl.Int64: "whole numbers", pl.Float64: "numbers"}


def checked(
    frame: pl.DataFrame, schema: Schema, path: Path, undefined: Collection[str] = ()
) -> pl.DataFrame:
    """Return a table whose columns have the types of a schema: String, Int64, Float64, ``ROWS``.

    Numbers of other widths are converted; further columns stay as they are. Raises `DataError`,
    which names file and column, where one is missing, holds something else or has empty fields or
    values that are not finite; only those in ``undefined`` may have these two.
    """
    for name in schema:
        if name not in frame.columns:
            raise DataError(f"{path} lacks the column {name!r}")
    columns = {name: converted(frame[name], kind, path) for name, kind in schema.items()}
    for name, values in columns.items():
        if name in undefined:
            continue
        if values.null_count():
            raise DataError(f"{path}: column {name!r} has an empty field")
        flat = values.explode() if schema[name] == ROWS else values
        if flat.dtype == pl.Float64 and not np.isfinite(flat.to_numpy()).all():
            raise DataError(f"{path}: column {name!r} has a value that is not finite")
    changed = {n: values for n, values in columns.items() if values.dtype != frame[n].dtype}
    return frame.with_columns(**changed) if changed else frame


def converted(values: pl.Series, kind: Any, path: Path) -> pl.Series:
    """Return a column as a type of the schema; raises `DataError` where it is of another kind."""
    found, rows = values.dtype, kind == ROWS
    inner = getattr(found, "inner", None) if rows else found
    if rows and is_array(values) and inner is not None and inner.is_numeric():
        return values
    fits = {
        pl.String: inner in (pl.String, pl.Categorical, pl.Enum),
        pl.Int64: inner is not None and inner.is_integer(),
        pl.Float64: inner is not None and inner.is_numeric(),
    }[pl.Float64 if rows else kind]
    if not fits:
        wanted = "lists of numbers" if rows else HOLDS[kind]
        raise DataError(f"{path}: column {values.name!r} must hold {wanted}, not {found}")
    try:
        plain = values if found == kind else values.cast(kind)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: column {values.name!r} has numbers that are too large") from error
    if rows and len(lengths := plain.list.len()) and lengths.min() != lengths.max():
        raise DataError(f"{path}: column {values.name!r} has lists of different lengths")
    return plain


def is_array(values: pl.Series) -> bool:
    """Whether a column holds arrays of one width, not lists."""
    return isinstance(values.dtype, pl.Array) and len(values.dtype.shape) == 1


def width(values: pl.Series) -> int | None:
    """Return the length of the lists of a column, None where they differ or there are none."""
    if isinstance(values.dtype, pl.Array):
        return values.dtype.size
    lengths = values.list.len()
    (least, most) = (lengths.min(), lengths.max())
    return least if least == most and isinstance(least, int) else None


def column(rows: npt.NDArray[Any]) -> pl.Series:
    """Return an array [N, K] as a column of lists."""
    return array(rows).arr.to_list()


def array(rows: npt.NDArray[Any]) -> pl.Series:
    """Return an array [N, K] as a column of arrays, which is read ten times as fast."""
    return pl.Series(np.ascontiguousarray(rows))


def matrix(lists: pl.Series) -> npt.NDArray[np.float64]:
    """Return a column of equally long lists, or of arrays, as an array [N, K]."""
    if is_array(lists):
        return lists.to_numpy().astype(np.float64)
    values = lists.explode().to_numpy().astype(np.float64)
    rows: npt.NDArray[np.float64] = values.reshape(len(lists), -1)
    return rows
