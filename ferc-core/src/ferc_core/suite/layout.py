"""A finished build on disk, to be read: its manifest, its tables and images, and their names.

A build may come from anybody: see `ferc_core.suite.manifest`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ferc_core.base.files import digest, read_bytes, read_parquet
from ferc_core.base.schemas import shown
from ferc_core.base.tables import ROWS, Schema, checked
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.images.io import decode_image
from ferc_core.images.store import Images
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.formats import Format, format_of
from ferc_core.suite.manifest import INSIDE, MAKING, read_manifest

LABELS, VISIBILITY, MANIFEST = "labels.parquet", "visibility.parquet", "manifest.json"
GMM = "gmm.json"  # a copy of the external mixture, if one was used
BUILDING = ".building"  # the folder of what is not finished
SHARD = 64  # rows that are written at a time, and those of a shard

LABEL_COLUMNS: Schema = {
    "sample": pl.String,
    "corruption": pl.String,
    "severity": pl.Int64,
    "label": pl.Int64,
    "target": ROWS,
}
BESIDE: Schema = {  # what a table of labels may have, too
    "visibility": pl.Float64,  # null where the label scheme uses none
    "valence": pl.Float64,
    "arousal": pl.Float64,
    "distribution": ROWS,  # the dataset's label distribution, the same in all cells
}
GROUP_PREFIX = "group."  # of further columns: groups of the faces, null where unknown
VISIBILITY_COLUMNS: Schema = {
    "sample": pl.String,
    "corruption": pl.String,
    "severity": pl.Int64,
    "degradation": pl.Float64,
    "visibility": pl.Float64,
}
SUM_TOLERANCE = 1e-6  # how far a soft label may be from a sum of 1


@dataclass(frozen=True)
class Build:
    """A finished build: its folder and its manifest, which `Manifest` describes."""

    root: Path
    manifest: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a configuration that the build was made with."""
        making = self.manifest["making"]
        settings = {name: making.get(name, ()) for name in MAKING} | {
            "split": self.manifest["split"]
        }
        if making.get("gmm"):  # the key of the mixture, of which the build has a copy
            settings["gmm"] = str(self.root / GMM)
        return settings

    @property
    def labels(self) -> pl.DataFrame:
        """The table of labels: ``LABEL_COLUMNS``; raises `DataError` where it is something else."""
        path = self.root / LABELS
        table = checked_labels(read_parquet(path), path)
        classes = len(self.manifest["classes"])
        if not table["label"].is_between(0, classes - 1).all():
            raise DataError(f"{path}: column 'label' has a number that is none of its classes")
        if len(table) and table["target"].list.len()[0] != classes:
            raise DataError(f"{path}: column 'target' must hold lists of {classes} numbers")
        for sample in table["sample"].unique(maintain_order=True):
            if not INSIDE.fullmatch(sample):
                raise DataError(f"{path}: {shown(sample)} cannot be the id of a sample")
        return table

    @cached_property
    def samples(self) -> list[str]:
        """The sample ids, in the order of the rows."""
        return self.labels["sample"].unique(maintain_order=True).to_list()

    @property
    def visibility(self) -> pl.DataFrame:
        """The table of visibilities, of some or all of the samples: ``VISIBILITY_COLUMNS``."""
        path = self.root / VISIBILITY
        table = checked(read_parquet(path), VISIBILITY_COLUMNS, path)
        for sample in table.filter(~pl.col("sample").is_in(self.samples))["sample"].head(1):
            raise DataError(f"{path} has the sample {shown(sample)}, which {LABELS} lacks")
        return table

    @cached_property
    def _row(self) -> dict[str, int]:
        return {sample: row for row, sample in enumerate(self.samples)}

    @cached_property
    def format(self) -> Format:
        """How images are stored."""
        rows = self.labels.unique("sample", maintain_order=True)
        labels = dict(zip(rows["sample"], rows["label"], strict=True))
        making, classes = self.manifest["making"], self.manifest["classes"]
        return format_of(making, classes, self.manifest["split"], labels)

    def file(self, cell: Cell, sample: str) -> str:
        """Return the name of the file with a sample."""
        if sample not in self._row:
            raise BadImageError(f"the build {self.root} has no sample {shown(sample)}")
        return self.format.file(cell, self._row[sample] // SHARD * SHARD, sample)

    def __call__(self, chunk: Chunk) -> Images:
        """Read the images of a chunk, as `ferc_core.suite.corrupt.Corruptor` makes them."""
        return np.stack(self.images(chunk.cell, chunk.ids))

    def check_cells(self, cells: Iterable[Cell]) -> None:
        """Raise `RequestError` for a cell that was not built."""
        for cell in cells:
            if str(cell) not in self.manifest["counts"]:
                raise RequestError(f"the build {self.root} has no {cell}; choose others")

    def content(self, name: str) -> bytes:
        """Return the content of a file; raises `BadImageError` unless it is what was built."""
        try:
            content = read_bytes(self.root / name)
        except OSError as error:
            raise BadImageError(f"{self.root / name} cannot be read: {error.strerror}") from error
        if digest(content) != self.manifest["files"].get(name):
            raise BadImageError(
                f"{self.root / name} is not the file that was built; 'ferc verify' names all "
                "such files, and 'ferc build' makes them again"
            )
        return content

    def images(self, cell: Cell, samples: Sequence[str]) -> list[Images]:
        """Read the images of some samples; raises `BadImageError` naming a file."""
        side, files = self.manifest["making"]["image_size"], dict[str, list[str]]()
        for sample in samples:
            files.setdefault(self.file(cell, sample), []).append(sample)
        images = {}
        for name, those in files.items():
            path = self.root / name
            stored = self.format.unpack(path, self.content(name), those)
            for sample in those:
                if sample not in stored:
                    raise BadImageError(f"{path} has no image of sample {shown(sample)}")
                image = images[sample] = decode_image(stored[sample], path)
                if image.shape[:2] != (side, side):
                    raise BadImageError(
                        f"the image of {shown(sample)} in {path} has {image.shape[1]}x"
                        f"{image.shape[0]} pixels, and its manifest says {side}"
                    )
        return [images[sample] for sample in samples]


def checked_labels(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """Return a table of labels of a build or a run, read from ``path``: ``LABEL_COLUMNS``.

    Raises `DataError` for one with other columns or soft labels that do not sum to 1.
    """
    beside = {name: kind for name, kind in BESIDE.items() if name in frame.columns}
    groups = {name: pl.String for name in frame.columns if name.startswith(GROUP_PREFIX)}
    schema = {**LABEL_COLUMNS, **beside, **groups}
    table = checked(frame, schema, path, undefined=("visibility", *groups))
    twice = table.filter(table.select("sample", "corruption", "severity").is_duplicated())
    for sample in twice["sample"].head(1):
        raise DataError(f"{path} has {shown(sample)} twice in a cell")
    for name, what in (("target", "soft label"), ("distribution", "label distribution")):
        if name in table.columns:
            rows = table[name]
            off = (rows.list.sum() - 1).abs() > SUM_TOLERANCE
            for sample in table.filter(off | (rows.list.min() < 0))["sample"].head(1):
                raise DataError(f"{path}: the {what} of {shown(sample)} is no distribution")
    return table


def open_build(root: Path) -> Build:
    """Return the build in a folder; raises `RequestError` or `DataError` when there is none."""
    if not root.is_dir():
        raise RequestError(f"{root} is not a directory")
    if (root / BUILDING).exists() and not (root / MANIFEST).exists():
        raise DataError(f"{root} is an unfinished build; rerun its ferc build to resume")
    if not (root / MANIFEST).exists():
        raise RequestError(
            f"{root} is not a build: it has no {MANIFEST}; use --data-root for a folder of faces"
        )
    return Build(root, read_manifest(root / MANIFEST))
