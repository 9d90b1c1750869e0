"""FER-C on disk: every scored image in every cell, with labels, visibilities and a manifest.

    images/CORRUPTION/SEVERITY/SAMPLE.png     or, with ``--format parquet``,
    data/CORRUPTION/SEVERITY/FIRST-ROW.parquet
    labels.parquet        hard label, visibility and soft label of every sample in every cell
    visibility.parquet    degradation and visibility of the measured samples in every cell
    gmm.json              the mixture of another dataset that labels were made with, if any
    skipped.txt           the images left out by ``--on-bad-image skip``, if any
    manifest.json         what it was made from, counts, and a hash of every file

The manifest is written last: a folder with one is complete. Until then ``.building`` says what is
done, job by job, so that a build that was stopped is resumed and ends with the same manifest. A
complete build some files of which are damaged becomes such a one again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from ferc_core.base.files import (
    LOCK,
    UNFINISHED,
    Held,
    claim,
    digest,
    digest_of,
    hold,
    names_in,
    parquet_bytes,
    read_json,
    read_table,
    sweep,
    sync_all,
    write_bytes,
    write_json,
    write_parquet,
    write_text,
)
from ferc_core.base.parallel import threads
from ferc_core.base.progress import say, track
from ferc_core.base.schemas import validated
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.base.text import number
from ferc_core.errors import DataError, RequestError
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
from ferc_core.suite.manifest import MAKING, Manifest

CHECKED = "checked.json"
SKIPPED = "skipped.txt"  # names the images that --on-bad-image skip left out
WORKERS = 4  # threads that read and hash files

Format = Literal["png", "parquet"]


@dataclass(frozen=True)
class Job:
    """Clean images from row ``start`` on, to be corrupted and written; shards hold ``labels``."""

    start: int
    ids: tuple[str, ...]
    images: Images
    labels: pl.DataFrame | None


@dataclass(frozen=True)
class Writer:
    """Writes all cells of a job and notes their hashes; picklable, so that processes can do it."""

    held: Held
    root: Path
    corruptor: Corruptor
    cells: tuple[Cell, ...]
    record: Mapping[str, str]

    def __call__(self, job: Job) -> int:
        """Carry out a job and return the number of images written."""
        hold(self.held)
        hashes = {}
        for cell in self.cells:
            encoded = [encode(i) for i in self.corruptor(Chunk(cell, job.ids, job.images))]
            for name, content in content_of(job, cell, encoded):
                write_bytes(self.root / name, content, durable=False)
                hashes[name] = digest(content)
        sync_all(self.root)
        write_json(note_of(self.root, job.start), {**self.record, "files": hashes})
        return len(job.ids) * len(self.cells)


def content_of(job: Job, cell: Cell, encoded: list[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the files of a cell: of each image, or of a parquet file with
    images and labels, which Hugging Face `datasets` reads.
    """
    names = names_of(job.start, job.ids, (cell,), "png" if job.labels is None else "parquet")
    if job.labels is None:
        yield from zip(names, encoded, strict=True)
        return
    labels = job.labels.filter(corruption=cell.corruption, severity=cell.severity)
    images = [
        {"bytes": content, "path": f"{s}.png"} for s, content in zip(job.ids, encoded, strict=True)
    ]
    frame = labels.with_columns(image=pl.Series(images))
    yield names[0], parquet_bytes(frame, {})


def names_of(start: int, ids: Sequence[str], cells: Sequence[Cell], format: Format) -> list[str]:
    """Return the names of the files of a job."""
    if format == "parquet":
        return [shard_name(cell, start) for cell in cells]
    return [image_name(cell, sample) for cell in cells for sample in ids]


def note_of(root: Path, start: int) -> Path:
    """Return the file that says that a job is done, with the hashes of its files."""
    return root / BUILDING / f"{start}.json"


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
    check_place(root)
    with claim(root) as held:
        sweep(root)
        record = records.of_tables(identity)
        begun = begun_in(root)
        if begun is not None:
            records.refuse_other(root, with_mixture(begun), with_mixture(identity))
        if begun is not None and "files" in begun:
            wrong = damaged(root, begun["files"])
            if not wrong:
                shutil.rmtree(root / BUILDING, ignore_errors=True)
                say(f"{root} is complete already")
                return root
            say(f"{number(len(wrong), 'file is', 'files are')} missing or damaged and made again")
        write_json(root / BUILDING / MANIFEST, identity)
        bench = without_bad_images(bench, root / SKIPPED, root / BUILDING / CHECKED)
        if begun is not None and "files" in begun:
            reopen(root, bench, format, record, begun["files"], wrong)
        if bench.external is not None:
            write_text(root / GMM, bench.external.to_json())
        labels = write_labels(bench, root, record)
        write_images(bench, root, held, format, labels, record)
        write_json(root / MANIFEST, {**identity, **contents(root, labels)})
        shutil.rmtree(root / BUILDING)
    return root


def check_place(root: Path) -> None:
    """Raise `RequestError` for a folder that holds something else than a build, or part of one."""
    if (root / MANIFEST).exists() or (root / BUILDING / MANIFEST).exists():
        return
    begun = all(map(UNFINISHED.fullmatch, names_in(root / BUILDING)))  # killed at its first file
    for name in names_in(root):
        if name != LOCK and not UNFINISHED.fullmatch(name) and not (begun and name == BUILDING):
            raise RequestError(f"{root} is neither empty nor a build; choose another --out")


def begun_in(root: Path) -> dict[str, Any] | None:
    """Return the manifest of what a folder holds, complete or not; None where there is none."""
    for path in (root / MANIFEST, root / BUILDING / MANIFEST):
        if path.exists():
            try:
                return manifest_of(path)
            except DataError as error:
                say(f"{error}; it is made again")
                break
    return None


def manifest_of(path: Path) -> dict[str, Any]:
    """Return the manifest of a build, complete or not.

    Raises `DataError` for a damaged one, `RequestError` for one that says something else.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path} is not the manifest of a build")
    try:
        if found.get("benchmark") == BENCHMARK_VERSION:  # others are refused as such
            validated({"counts": {}, "files": {}, **found}, Manifest)
    except ValueError as error:
        raise RequestError(
            f"{path} is not the manifest of a build ({error}); choose another directory with "
            "--out, or delete this one"
        ) from error
    return found


def damaged(root: Path, files: Mapping[str, str]) -> set[str]:
    """Return the names of the files that are missing or have another content."""
    names = sorted(files)
    with track("check files", len(names)) as step:
        found = {}
        for name, hashed in zip(names, hashes_of(root, names), strict=True):
            found[name] = hashed
            step(1)
    return {name for name in names if found[name] != files[name]}


def hashes_of(root: Path, names: Sequence[str]) -> Iterator[str]:
    """Yield the hashes of files, "" for one that is missing or is no file."""
    return threads(lambda name: digest_of(root / name), names, WORKERS)


def reopen(
    root: Path,
    bench: Benchmark,
    format: Format,
    record: Mapping[str, str],
    files: Mapping[str, str],
    wrong: Set[str],
) -> None:
    """Turn a complete build into an unfinished one, whose jobs with a damaged file are to do."""
    ids = bench.splits.scored.ids
    for start in range(0, len(ids), SHARD):
        names = names_of(start, ids[start : start + SHARD], bench.cells, format)
        if wrong.isdisjoint(names) and files.keys() >= set(names):
            hashes = {name: files[name] for name in names}
            write_json(note_of(root, start), {**record, "files": hashes})
    (root / MANIFEST).unlink()


def write_labels(bench: Benchmark, root: Path, record: Mapping[str, str]) -> pl.DataFrame:
    """Measure visibility, which every build holds, and write it and the labels."""
    path, made_from = root / VISIBILITY, records.visibility_record(bench, record)
    try:
        visible, found = read_table(path)
        known = not records.difference(found, made_from) and labelling.covers(visible, bench)
    except DataError:
        known = False
    if not known:
        visible = labelling.measured(bench, bench.images()["scored"])
        write_parquet(path, visible, made_from)
    labels = labelling.label_table(bench, visible)
    write_parquet(root / LABELS, labels, {**record, **records.mixture(bench)})
    return labels


def write_images(
    bench: Benchmark,
    root: Path,
    held: Held,
    format: Format,
    labels: pl.DataFrame,
    record: Mapping[str, str],
) -> None:
    """Write the images of every job that is not done."""
    images = bench.images()["scored"]
    suite, n = bench.suite(images), len(images)
    starts = [start for start in range(0, n, SHARD) if not hashes_in(root, start, record)]

    def job(start: int) -> Job:
        ids = suite.ids[start : start + SHARD]
        rows = labels.filter(pl.col("sample").is_in(ids)) if format == "parquet" else None
        return Job(start, ids, images(range(n)[start : start + SHARD]), rows)

    writer = Writer(held, root, bench.corruptor, bench.cells, record)
    total = sum(len(suite.ids[start : start + SHARD]) for start in starts) * len(bench.cells)
    with track("write images", total) as step:
        for written in suite.executor(writer, map(job, starts), suite.workers):
            step(written)


def hashes_in(root: Path, start: int, record: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes of the files of a job that is done, none where it is not."""
    with suppress(DataError):
        found = read_json(note_of(root, start))
        if not records.difference(found, record) and isinstance(found.get("files"), dict):
            hashes: dict[str, str] = found["files"]
            return hashes
    return {}


def build_identity(bench: Benchmark, format: Format) -> dict[str, Any]:
    """Return what a build is made from; but not where the data is stored."""
    config = bench.config
    making = {name: getattr(config, name) for name in MAKING} | {"format": format}
    if bench.external is not None:
        making["gmm"] = bench.external.key  # what the file says; not where it is stored
    return {
        **records.identity(bench),
        "making": json.loads(json.dumps(making)),
        "split": bench.splits.scored_name,
    }


def with_mixture(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity that names the mixture even where it is the dataset's own."""
    making = identity.get("making")
    return {**identity, "making": {"gmm": "own", **(making if isinstance(making, dict) else {})}}


def contents(root: Path, labels: pl.DataFrame) -> dict[str, Any]:
    """Return counts by cell and class, and the hash of every file."""
    hashes = {name: digest_of(root / name) for name in (LABELS, VISIBILITY, GMM, SKIPPED)}
    for part in names_in(root / BUILDING):
        if part not in (MANIFEST, CHECKED):
            hashes |= read_json(root / BUILDING / part)["files"]
    there = {name: hashed for name, hashed in hashes.items() if hashed}
    return {"counts": counts(labels), "files": dict(sorted(there.items()))}


def counts(labels: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each cell."""
    table: dict[str, dict[str, int]] = {}
    grouped = labels.group_by("corruption", "severity", "label").len().sort(pl.all())
    for corruption, severity, label, n in grouped.iter_rows():
        table.setdefault(f"{corruption}/{severity}", {})[str(label)] = n
    return table
