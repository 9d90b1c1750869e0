"""How well a visibility tracks what models can still see, and how sure they are of it.

For each trial the rank correlations (Spearman) over the corrupted cells of the mean visibility v of
a cell with the accuracy in it and with the mean confidence: 1 where a cell with less visibility
never has a higher one. They are undefined where either is the same in all cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ferc_core.base.files import read_parquet
from ferc_core.base.tables import checked
from ferc_core.errors import DataError
from ferc_core.results.reading import CELL_COLUMNS, Source
from ferc_core.results.tables import group_columns
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN
from ferc_core.suite.layout import VISIBILITY_COLUMNS

VISIBILITY, CORRELATION, CELLS = "visibility", "rank_correlation", "cells"
CONFIDENCE = "confidence_correlation"
MEASURES = {"accuracy": CORRELATION, "mean_confidence": CONFIDENCE}


def tracking(sources: Sequence[Source]) -> pl.DataFrame:
    """Return the rank correlations of visibility with accuracy and confidence for every trial and
    each visibility that its run has measured. Raises `DataError` where there is none.
    """
    found = [table_of(source, path) for source in sources for path in tables_of(source)]
    if not found:
        raise DataError(
            "no visibility was measured in these runs; rerun them with label scheme ferc"
        )
    return pl.concat(found, how="vertical_relaxed")


def tables_of(source: Source) -> list[Path]:
    """Return the stored tables of visibilities of a run."""
    return sorted((source.directory.path / VISIBILITY).glob("*.parquet"))


def table_of(source: Source, path: Path) -> pl.DataFrame:
    """Return the rank correlations of one visibility."""
    frame = checked(read_parquet(path), VISIBILITY_COLUMNS, path)
    seen = frame.group_by(CELL_COLUMNS).agg(pl.col("visibility").mean().alias("v"))
    scores = source.scores.drop(VISIBILITY, strict=False)
    known = scores.filter(
        pl.col("metric").is_in(list(MEASURES)),
        pl.col("calibrator") == UNCALIBRATED,
        pl.col("corruption") != CLEAN.corruption,
    ).join(seen, on=CELL_COLUMNS, how="inner")
    columns = [*group_columns(scores), "seed"]

    def correlation(metric: str, name: str) -> pl.Expr:
        v, value = (pl.col(each).filter(metric=metric) for each in ("v", "value"))
        return pl.corr(v, value, method="spearman").fill_nan(None).alias(name)

    return (
        known.group_by(columns, maintain_order=True)
        .agg(
            *(correlation(metric, name) for metric, name in MEASURES.items()),
            pl.col("v").filter(metric="accuracy").len().cast(pl.Int64).alias(CELLS),
        )
        .drop("calibrator")
        .with_columns(pl.lit(path.stem).alias(VISIBILITY))
        .select(pl.exclude(*MEASURES.values(), CELLS), *MEASURES.values(), CELLS)
    )
