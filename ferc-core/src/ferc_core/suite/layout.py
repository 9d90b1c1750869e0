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

from ferc_core.base.files import digest, read_bytes, read_parquet, table_in
from ferc_core.base.schemas import shown
from ferc_core.base.tables import ROWS, Schema, checked
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.images.io import decode_image
from ferc_core.images.store import Images
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.manifest import INSIDE, MAKING, inside, read_manifest

LABELS, VISIBILITY, MANIFEST = "labels.parquet", "visibility.parquet", "manifest.json"
GMM = "gmm.json"  # a copy of the external mixture, if one was used
BUILDING = ".building"  # the folder of what is not finished
SHARD = 64  # rows of a parquet shard

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
IMAGE = pl.Struct({"bytes": pl.Binary, "path": pl.String})  # as Hugging Face datasets has them
SUM_TOLERANCE = 1e-6  # how far a soft label may be from a sum of 1


def image_name(cell: Cell, sample: str) -> str:
    """Return the file name of the image of a sample in a build."""
    return inside(f"images/{cell.corruption}/{cell.severity}/{sample}.png")


def shard_name(cell: Cell, start: int) -> str:
    """Return the file name of the shard that begins with row ``start``."""
    return inside(f"data/{cell.corruption}/{cell.severity}/{start:08d}.parquet")


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
        making, found = self.manifest["making"], []
        read = self._read_files if making["format"] == "png" else self._read_shards
        for sample, image in zip(samples, read(cell, samples), strict=True):
            if image.shape[:2] != (making["image_size"],) * 2:
                name = image_name(cell, sample)
                raise BadImageError(
                    f"image {name} of {self.root} has {image.shape[1]}x{image.shape[0]} pixels, "
                    f"and its manifest says {making['image_size']}"
                )
            found.append(image)
        return found

    def _read_files(self, cell: Cell, samples: Sequence[str]) -> list[Images]:
        names = [image_name(cell, sample) for sample in samples]
        return [decode_image(self.content(name), self.root / name) for name in names]

    def _read_shards(self, cell: Cell, samples: Sequence[str]) -> list[Images]:
        unknown = [sample for sample in samples if sample not in self._row]
        if unknown:
            raise BadImageError(f"the build {self.root} has no sample {unknown[0]!r}")
        starts = sorted({self._row[sample] // SHARD * SHARD for sample in samples})
        names = [shard_name(cell, start) for start in starts]
        folder = (self.root / names[0]).parent
        content = {
            sample: data
            for name in names
            for sample, data in in_shard(self.content(name), self.root / name)
        }
        for sample in samples:
            if sample not in content:
                raise BadImageError(f"{folder} has no image of sample {sample!r}")
        return [decode_image(content[s], folder / f"{s}.png") for s in samples]


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


def in_shard(data: bytes, path: Path) -> Iterable[tuple[str, bytes]]:
    """Return the samples of a shard with the content of their images."""
    table, _ = table_in(data, path)
    if {"sample": pl.String(), "image": IMAGE}.items() <= table.schema.items():
        content = table["image"].struct.field("bytes")
        if not content.null_count():
            return zip(table["sample"], content, strict=True)
    raise DataError(f"{path} must have a column 'sample' of text and a column 'image' of files")


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
