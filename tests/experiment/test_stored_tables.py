"""Stored logits and visibilities are tables of one kind: another kind of table is not used."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from helpers.runs import tiny
from helpers.stored import make_run

from ferc_core.base.files import read_table, write_parquet
from ferc_core.errors import DataError
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.labelling import covers
from ferc_core.suite.cells import CLEAN, Cell

SNOW = Cell("snow", 5)
LISTS = pl.col("logits").arr.to_list()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return RunDirectory(make_run(tmp_path_factory.mktemp("run"), losses=("ce",)))


def refusal(run: RunDirectory, path: Path, frame: pl.DataFrame) -> str:
    """What is said of a run whose stored table is this one."""
    whole, record = read_table(path)
    kept = {name: value for name, value in record.items() if name.startswith("ferc.")}
    write_parquet(path, frame, kept)
    (trial,) = run.known_trials
    try:
        with pytest.raises(DataError) as raised:
            run.logits(trial, SNOW) if "snow" in path.name else run.validation(trial, [CLEAN])
    finally:
        write_parquet(path, whole, kept)
    assert str(raised.value).startswith(str(path))
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit(0), ""),
        (pl.lit("x").alias("logits"), "'logits' must hold lists of numbers, not String"),
        (pl.lit(date(2026, 1, 1)).alias("logits"), "'logits' must hold lists of numbers, not Date"),
        (pl.lit(None).alias("logits"), "'logits' must hold lists of numbers, not Null"),
        (pl.col("logits").cast(pl.List(pl.String)), "'logits' must hold lists of numbers, not L"),
        (LISTS.list.head(1), "'logits' must hold lists of 3 numbers"),
        (pl.col("logits").arr.head(2, as_array=True), "'logits' must hold lists of 3 numbers"),
        (pl.col("logits").cast(pl.Array(pl.String, 3)), "'logits' must hold lists of"),
        (
            pl.when(pl.int_range(pl.len()) == 0).then(LISTS.list.head(1)).otherwise(LISTS),
            "'logits' has lists of different lengths",
        ),
        (pl.lit(1).alias("sample"), "'sample' must hold text, not Int32"),
        (pl.lit("5").alias("severity"), "'severity' must hold whole numbers, not String"),
    ],
)  # fmt: skip
def test_logits_of_another_kind_are_refused(run, change, message):
    (trial,) = run.known_trials
    for path in (
        run.predictions(trial, "scored", SNOW),
        run.predictions(trial, "validation", CLEAN),
    ):
        frame = read_table(path)[0]
        spoilt = frame.with_columns(change) if message else frame.drop("logits")
        assert (message or "lacks the column 'logits'") in refusal(run, path, spoilt)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.lit("calm").alias("label"), "'label' must hold whole numbers, not String"),
        (pl.lit(-1).alias("label"), "'label' has a number that is none of its classes"),
        (pl.lit(3).alias("label"), "'label' has a number that is none of its classes"),
        (pl.lit(None, pl.Int64).alias("label"), "'label' has an empty field"),
    ],
)
def test_labels_of_validation_are_checked(run, change, message):
    (trial,) = run.known_trials
    path = run.predictions(trial, "validation", CLEAN)
    assert message in refusal(run, path, read_table(path)[0].with_columns(change))


def test_visibilities_of_another_kind_are_measured_again():
    bench = Benchmark.open(tiny(Path("unused"), corruptions=("contrast",)), training=False)
    cells, ids = bench.cells[1:], bench.splits.scored.ids
    table = pl.DataFrame(
        {
            "sample": [sample for _ in cells for sample in ids],
            "corruption": [cell.corruption for cell in cells for _ in ids],
            "severity": [cell.severity for cell in cells for _ in ids],
            "degradation": 0.5,
            "visibility": 0.5,
        }
    )
    assert covers(table, bench)
    for spoilt in (
        table.drop("visibility"),
        table.drop("corruption"),
        table.with_columns(visibility=pl.lit("full")),
        table.with_columns(visibility=pl.lit(None, pl.Float64)),
        table.with_columns(degradation=pl.lit(float("nan"))),
        table.with_columns(severity=pl.lit(date(2026, 1, 1))),
    ):
        assert not covers(spoilt, bench)


def test_logits_are_stored_as_arrays_and_lists_of_an_earlier_run_are_read(run):
    (trial,) = run.known_trials
    path = run.predictions(trial, "scored", SNOW)
    frame, record = read_table(path)
    assert frame["logits"].dtype == pl.Array(pl.Float32, 3)
    before = run.logits(trial, SNOW)
    kept = {name: value for name, value in record.items() if name.startswith("ferc.")}
    write_parquet(path, frame.with_columns(logits=LISTS), kept)
    assert (run.logits(trial, SNOW) == before).all()
    write_parquet(path, frame, kept)
