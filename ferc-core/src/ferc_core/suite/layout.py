"""A finished build on disk, to be read: its manifest, the names of its files, its images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ferc_core.base.files import read_json, read_parquet
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.images.io import decode_image, read_image
from ferc_core.images.store import Images
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk

LABELS, VISIBILITY, MANIFEST = "labels.parquet", "visibility.parquet", "manifest.json"
GMM = "gmm.json"  # a copy of the external mixture, if one was used
BUILDING = ".building"  # the folder of what is not finished
SHARD = 64  # rows of a parquet shard


def image_name(cell: Cell, sample: str) -> str:
    """Return the file name of the image of a sample in a build."""
    return f"images/{cell.corruption}/{cell.severity}/{sample}.png"


def shard_name(cell: Cell, start: int) -> str:
    """Return the file name of the shard that begins with row ``start``."""
    return f"data/{cell.corruption}/{cell.severity}/{start:08d}.parquet"


@dataclass(frozen=True)
class Build:
    """A finished build: its folder and its manifest."""

    root: Path
    manifest: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of a configuration that the build was made with."""
        making = {**self.manifest["making"], "split": self.manifest["split"]}
        del making["format"]
        if "gmm" in making:  # the key of the mixture, of which the build has a copy
            making["gmm"] = str(self.root / GMM)
        return making

    @property
    def samples(self) -> list[str]:
        """The sample ids, in the order of the rows."""
        labels = read_parquet(self.root / LABELS)
        return labels["sample"].unique(maintain_order=True).to_list()

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

    def images(self, cell: Cell, samples: Sequence[str]) -> list[Images]:
        """Read the images of some samples; raises `BadImageError` naming a file."""
        if self.manifest["making"]["format"] == "png":
            return [read_image(self.root / image_name(cell, sample)) for sample in samples]
        unknown = [sample for sample in samples if sample not in self._row]
        if unknown:
            raise BadImageError(f"the build {self.root} has no sample {unknown[0]!r}")
        starts = sorted({self._row[sample] // SHARD * SHARD for sample in samples})
        paths = [self.root / shard_name(cell, start) for start in starts]
        rows = pl.concat(read_parquet(path).select("sample", "image") for path in paths)
        content = dict(rows.iter_rows())
        return [decode_image(content[s]["bytes"], paths[0].parent / f"{s}.png") for s in samples]


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
    manifest = read_json(root / MANIFEST)
    if not isinstance(manifest, dict) or not {"making", "files", "counts"} <= manifest.keys():
        raise DataError(f"{root / MANIFEST} is not the manifest of a build")
    if manifest["benchmark"] != BENCHMARK_VERSION:
        raise DataError(
            f"{root} is of benchmark version {manifest['benchmark']}, and this is version "
            f"{BENCHMARK_VERSION}; use the ferc-core that made it"
        )
    return Build(root, manifest)
