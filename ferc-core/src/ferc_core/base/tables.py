"""Arrays [N, K] in tables: a column of equally long lists, written and read fast."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl


def column(rows: npt.NDArray[Any]) -> pl.Series:
    """Return an array [N, K] as a column of lists."""
    return pl.Series(np.ascontiguousarray(rows)).arr.to_list()


def matrix(lists: pl.Series) -> npt.NDArray[np.float64]:
    """Return a column of equally long lists as an array [N, K]."""
    values = lists.explode().to_numpy().astype(np.float64)
    rows: npt.NDArray[np.float64] = values.reshape(len(lists), -1)
    return rows
