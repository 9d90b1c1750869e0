"""The labels of a benchmark, hard and soft, for every sample in every cell, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.progress import say, track
from ferc_core.base.tables import checked, column
from ferc_core.errors import DataError
from ferc_core.experiment import records
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.directory import RunDirectory
from ferc_core.faces import FaceSplit
from ferc_core.images.store import ImageStore
from ferc_core.labels import visibility
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import GROUP_PREFIX, VISIBILITY, VISIBILITY_COLUMNS

CELL = ["corruption", "severity"]


def visibilities(bench: Benchmark, images: ImageStore, out: RunDirectory) -> pl.DataFrame | None:
    """Return the stored visibilities, measured first if needed; None where nothing uses them."""
    if not bench.entries.label_scheme.entry.uses_visibility:
        return None
    return out.table(
        out.visibility(bench),
        make=lambda: measured(bench, images),
        serves=lambda table: covers(table, bench),
        made_from=records.visibility_record(bench, out.record),
    )


def measured(bench: Benchmark, images: ImageStore) -> pl.DataFrame:
    """Return degradation and visibility of the measured samples in every cell, as a table."""
    cells, scope, chosen = bench.measured_cells, bench.config.visibility_scope, bench.entries
    suite = bench.suite(images)
    sample = suite.take(visibility.sample_rows(suite.ids, scope))
    ids, function = sample.ids, chosen.visibility
    with track(f"visibility {function}", len(ids) * len(cells)) as step:
        degradation = visibility.measure(sample, cells, function, chosen.executor, step)
    visible = visibility.normalise(degradation, in_benchmark(bench, cells), scope)
    visible = np.broadcast_to(visible, degradation.shape)
    return pl.concat(
        pl.DataFrame(
            {
                "sample": ids,
                "corruption": [cell.corruption] * len(ids),
                "severity": [cell.severity] * len(ids),
                "degradation": degradation[:, j],
                "visibility": visible[:, j],
            }
        )
        for j, cell in enumerate(cells)
    )


def in_benchmark(bench: Benchmark, cells: Sequence[Cell]) -> np.ndarray:
    """Mark the cells of the benchmark, or all where there is none; the worst one has v = 0."""
    corruptions = bench.entries.corruptions
    official = np.array([corruptions[c.corruption].entry.in_benchmark for c in cells])
    return official if official.any() else np.ones(len(cells), bool)


def covers(table: pl.DataFrame, bench: Benchmark) -> bool:
    """Say whether a table is one of visibilities that has all cells, and in each the samples to
    measure, in their order.
    """
    try:
        table = checked(table, VISIBILITY_COLUMNS, Path(VISIBILITY))
    except DataError:
        return False
    ids, scope = bench.splits.scored.ids, bench.config.visibility_scope
    samples = [ids[row] for row in visibility.sample_rows(ids, scope)]
    parts = table.partition_by(CELL, as_dict=True)
    return all(
        (c.corruption, c.severity) in parts
        and parts[c.corruption, c.severity]["sample"].to_list() == samples
        for c in bench.cells[1:]
    )


def identities(table: pl.DataFrame, cells: Sequence[Cell]) -> list[str]:
    """Return the cells that leave every measured image as it is, as saturation does grey ones."""
    largest = table.group_by(CELL).agg(pl.col("degradation").max())
    same = set(largest.filter(degradation=0).select(CELL).iter_rows())
    return [str(cell) for cell in cells if (cell.corruption, cell.severity) in same]


def label_table(bench: Benchmark, visible: pl.DataFrame | None) -> pl.DataFrame:
    """Return hard label, visibility and soft label of every sample in every cell.

    ``visible`` is what `measured` returned, or None where the label scheme uses no visibility.
    """
    describe(bench, visible)
    faces, scheme, base = bench.splits.scored, bench.entries.label_scheme, bench.base.targets
    known = {} if visible is None else visible.partition_by(CELL, as_dict=True)
    tables = []
    for cell in bench.cells:
        v = np.ones(1)
        if known and cell != CLEAN:
            v = known[cell.corruption, cell.severity]["visibility"].to_numpy()
            v = v[:1] if bench.config.visibility_scope == "average" else v
        v = np.array(np.broadcast_to(v, len(faces)))
        shown = pl.Series(v) if known or cell == CLEAN else pl.Series([None] * len(faces))
        columns = {
            "sample": faces.ids,
            "corruption": [cell.corruption] * len(faces),
            "severity": [cell.severity] * len(faces),
            "label": faces.labels,
            "visibility": shown.cast(pl.Float64),
            "target": column(scheme(base, v)),
        }
        if faces.valence_arousal is not None:
            columns["valence"], columns["arousal"] = faces.valence_arousal.T
        if faces.distributions is not None:
            given = faces.distributions  # which may be rounded
            columns["distribution"] = column(given / given.sum(axis=1, keepdims=True))
        for name, values in groups_of(faces).items():
            columns[f"{GROUP_PREFIX}{name}"] = pl.Series(values, dtype=pl.String)
        tables.append(pl.DataFrame(columns))
    return pl.concat(tables)


def groups_of(faces: FaceSplit) -> dict[str, Sequence[str | None]]:
    """Return the groups of faces; the subject is one."""
    subjects = {"subject": faces.identities} if faces.identities is not None else {}
    return {**subjects, **faces.groups}


def describe(bench: Benchmark, visible: pl.DataFrame | None) -> None:
    """Say what the soft labels are made from, and which cells change nothing."""
    whose = f"{bench.base.origin} {bench.mixture_note}".rstrip()
    say(f"soft labels by scheme {bench.entries.label_scheme}, from: {whose}")
    unchanged = identities(visible, bench.cells) if visible is not None else []
    if unchanged:
        say(f"  these cells leave every measured image unchanged: {', '.join(unchanged)}")
