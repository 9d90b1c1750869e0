"""FER-C on disk: every scored image in every cell, with labels, visibilities and a manifest.

    images/CORRUPTION/SEVERITY/SAMPLE.png     or, with ``--format parquet``,
    data/CORRUPTION/SEVERITY/FIRST-ROW.parquet
    labels.parquet        hard label, visibility and soft label of every sample in every cell
    visibility.parquet    degradation and visibility of the measured samples in every cell
    gmm.json              the mixture of another dataset that labels were made with, if any
    skipped.txt           the images left out by ``--on-bad-image skip``, if any
    manifest.json         what it was made from, counts, and a hash of every file

The manifest is written last: a folder with one is complete. Until then ``.building`` says what is
done, job by job, so that a build that was stopped is resumed and ends with the same manifest.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ferc_core.base.files import (
    claim,
    parquet_bytes,
    read_json,
    read_parquet,
    write_bytes,
    write_json,
    write_parquet,
    write_text,
)
from ferc_core.base.progress import say, track
from ferc_core.errors import RequestError
from ferc_core.experiment import labelling, records
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import Config
from ferc_core.experiment.probing import probe
from ferc_core.images.png import encode
from ferc_core.images.store import Images
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Chunk, Corruptor
from ferc_core.suite.layout import (
    BUILDING,
    GMM,
    LABELS,
    MANIFEST,
    SHARD,
    VISIBILITY,
    image_name,
    shard_name,
)

CHECKED = "checked.json"
SKIPPED = "skipped.txt"  # names the images that --on-bad-image skip left out

Format = Literal["png", "parquet"]


@dataclass(frozen=True)
class Job:
    """Clean images from row ``start`` on, to be corrupted and written."""

    start: int
    ids: tuple[str, ...]
    images: Images


@dataclass(frozen=True)
class Writer:
    """Writes all cells of a job and notes their hashes; picklable, so that processes can do it."""

    root: Path
    corruptor: Corruptor
    cells: tuple[Cell, ...]
    format: Format

    def __call__(self, job: Job) -> int:
        """Carry out a job and return the number of images written."""
        write = self.files if self.format == "png" else self.shard
        hashes = {}
        for cell in self.cells:
            encoded = [encode(i) for i in self.corruptor(Chunk(cell, job.ids, job.images))]
            for name, content in write(job, cell, encoded):
                write_bytes(self.root / name, content)
                hashes[name] = digest(content)
        write_json(self.root / BUILDING / f"{job.start}.json", hashes)
        return len(job.ids) * len(self.cells)

    def files(self, job: Job, cell: Cell, encoded: list[bytes]) -> Iterator[tuple[str, bytes]]:
        """Yield a file for each image."""
        for sample, content in zip(job.ids, encoded, strict=True):
            yield image_name(cell, sample), content

    def shard(self, job: Job, cell: Cell, encoded: list[bytes]) -> Iterator[tuple[str, bytes]]:
        """Yield one parquet file with images and labels, which Hugging Face `datasets` reads."""
        labels = pl.scan_parquet(self.root / LABELS).filter(
            pl.col("corruption") == cell.corruption,
            pl.col("severity") == cell.severity,
            pl.col("sample").is_in(job.ids),
        )
        images = [
            {"bytes": content, "path": f"{s}.png"}
            for s, content in zip(job.ids, encoded, strict=True)
        ]
        frame = labels.collect().with_columns(image=pl.Series(images))
        yield shard_name(cell, job.start), parquet_bytes(frame, {})


def build(config: Config, format: Format) -> Path:
    """Build a configuration into ``config.out`` and return that folder; resumes what was begun.

    Raises `RequestError` when the folder holds a build of something else.
    """
    bench = Benchmark.open(config, training=False)
    root = Path(config.out or f"ferc-builds/{bench.faces.name}")
    identity = build_identity(bench, format)
    scored, name = len(bench.splits.scored), bench.splits.scored_name
    say(f"{bench.faces.name}: {scored} faces of '{name}' in {len(bench.cells)} cells each")
    for note in bench.notes:
        say(f"  {note}")
    probe(bench)
    with claim(root):
        begun = next((p for p in (root / MANIFEST, root / BUILDING / MANIFEST) if p.exists()), None)
        if begun is not None:
            records.refuse_other(root, with_mixture(read_json(begun)), with_mixture(identity))
        if begun == root / MANIFEST:
            say(f"{root} is complete already")
            return root
        if begun is None and any(p.name != ".lock" for p in root.iterdir()):
            raise RequestError(f"{root} is neither empty nor a build; choose another --out")
        write_json(root / BUILDING / MANIFEST, identity)
        bench = without_bad_images(bench, root / SKIPPED, root / BUILDING / CHECKED)
        if bench.external is not None:
            write_text(root / GMM, bench.external.to_json())
        labels = write_labels(bench, root, records.of_tables(identity))
        write_images(bench, root, format)
        write_json(root / MANIFEST, {**identity, **contents(root, labels)})
        shutil.rmtree(root / BUILDING)
    return root


def write_labels(bench: Benchmark, root: Path, record: dict[str, str]) -> pl.DataFrame:
    """Measure visibility, which every build holds, and write it and the labels."""
    path = root / VISIBILITY
    if not path.exists():
        visible = labelling.measured(bench, bench.images()["scored"])
        write_parquet(path, visible, record)
    visible = read_parquet(path)
    labels = labelling.label_table(bench, visible)
    write_parquet(root / LABELS, labels, record | records.mixture(bench))
    return labels


def write_images(bench: Benchmark, root: Path, format: Format) -> None:
    """Write the images of every job that is not done."""
    images = bench.images()["scored"]
    suite, n = bench.suite(images), len(images)
    writer = Writer(root, bench.corruptor, bench.cells, format)
    starts = [
        start for start in range(0, n, SHARD) if not (root / BUILDING / f"{start}.json").exists()
    ]
    jobs = (
        Job(start, suite.ids[start : start + SHARD], images(range(n)[start : start + SHARD]))
        for start in starts
    )
    total = sum(len(suite.ids[start : start + SHARD]) for start in starts) * len(bench.cells)
    with track("write images", total) as step:
        for written in suite.executor(writer, jobs, suite.workers):
            step(written)


def build_identity(bench: Benchmark, format: Format) -> dict[str, Any]:
    """Return what a build is made from; but not where the data is stored."""
    config = bench.config
    fields = (
        "dataset", "split", "limit", "on_bad_image", "image_size", "corruptions", "severities",
        "severity_table", "suite_seed", "visibility", "visibility_scope", "label_scheme", "fusion",
    )  # fmt: skip
    making = {name: getattr(config, name) for name in fields} | {"format": format}
    if bench.external is not None:
        making["gmm"] = bench.external.key  # what the file says; not where it is stored
    return {
        **records.identity(bench),
        "making": json.loads(json.dumps(making)),
        "split": bench.splits.scored_name,
    }


def with_mixture(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity that names the mixture even where it is the dataset's own."""
    return {**identity, "making": {"gmm": "own", **identity.get("making", {})}}


def contents(root: Path, labels: pl.DataFrame) -> dict[str, Any]:
    """Return counts by cell and class, and the hash of every file."""
    tables = (root / name for name in (LABELS, VISIBILITY, GMM, SKIPPED))
    hashes = {path.name: digest(path.read_bytes()) for path in tables if path.exists()}
    for part in sorted((root / BUILDING).glob("[0-9]*.json")):
        hashes |= read_json(part)
    return {"counts": counts(labels), "files": dict(sorted(hashes.items()))}


def counts(labels: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each cell."""
    table: dict[str, dict[str, int]] = {}
    grouped = labels.group_by("corruption", "severity", "label").len().sort(pl.all())
    for corruption, severity, label, n in grouped.iter_rows():
        table.setdefault(f"{corruption}/{severity}", {})[str(label)] = n
    return table


def digest(content: bytes) -> str:
    """Return the hash that a manifest has of a file."""
    return blake2b(content, digest_size=16).hexdigest()
