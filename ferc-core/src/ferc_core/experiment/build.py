"""FER-C on disk: every scored image in every cell, with labels, visibilities and a manifest.

    images/CORRUPTION/SEVERITY/SAMPLE.png     or other files: see `ferc_core.suite.formats`
    labels.parquet        hard label, visibility and soft label of every sample in every cell
    visibility.parquet    degradation and visibility of the measured samples in every cell
    gmm.json              the mixture of another dataset that labels were made with, if any
    skipped.txt           the images left out by ``--on-bad-image skip``, if any
    README.md, croissant.json    what it is, for people and for other tools
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
from typing import Any

import polars as pl

from ferc_core.base.claims import claimed, locked, others, sharing, until_done, waiting_for
from ferc_core.base.failures import Failures
from ferc_core.base.files import (
    OURS,
    UNFINISHED,
    digest,
    digest_of,
    names_in,
    read_json,
    read_parquet,
    read_table,
    sweep,
    sync_all,
    write_bytes,
    write_json,
    write_parquet,
    write_text,
)
from ferc_core.base.parallel import threads
from ferc_core.base.paths import with_absolute_paths
from ferc_core.base.progress import say, track
from ferc_core.base.schemas import validated
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.base.shares import share
from ferc_core.base.text import number
from ferc_core.errors import DataError, LostError, RequestError
from ferc_core.experiment import labelling, records
from ferc_core.experiment.bad_images import without_bad_images
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import Config
from ferc_core.experiment.probing import probe
from ferc_core.experiment.sites import Site, check_workers
from ferc_core.images.png import encode
from ferc_core.images.store import Images
from ferc_core.suite.card import CARD, card
from ferc_core.suite.corrupt import Chunk
from ferc_core.suite.formats import Format, Kind, Layout, format_of
from ferc_core.suite.layout import (
    BUILDING,
    GMM,
    LABELS,
    MANIFEST,
    SHARD,
    VISIBILITY,
)
from ferc_core.suite.manifest import MAKING, Manifest

CHECKED = "checked.json"
SKIPPED = "skipped.txt"  # names the images that --on-bad-image skip left out
WORKERS = 4  # threads that read and hash files


@dataclass(frozen=True)
class Writer:
    """Writes the shard that begins with a row, in all cells, and notes the hashes of its files;
    picklable, so that other processes can do it.
    """

    site: Site
    root: Path
    format: Format
    record: Mapping[str, str]

    def __getstate__(self) -> dict[str, Any]:
        return with_absolute_paths(self.__dict__)

    def __call__(self, start: int) -> int:
        """Write a shard and return the number of its images; 0 where another process does it."""
        bench, images = self.site.open()
        n = min(SHARD, len(images["scored"]) - start)
        with claimed(self.root, f"{start}.shard") as mine:
            if mine and not is_done(self.root, start, self.record):
                self.write(bench, start, images["scored"](range(start, start + n)))
            return n * len(bench.cells) if mine else 0

    def write(self, bench: Benchmark, start: int, clean: Images) -> None:
        """Write the files of a shard; a mark says that all of them are there."""
        ids, hashes = bench.splits.scored.ids[start : start + len(clean)], {}
        labels = read_parquet(self.root / LABELS).filter(pl.col("sample").is_in(ids))
        tables = labels.partition_by("corruption", "severity", as_dict=True)
        for cell in bench.cells:
            images = [encode(image) for image in bench.corruptor(Chunk(cell, ids, clean))]
            table = tables[cell.corruption, cell.severity]
            for name, content in self.format.pack(cell, start, images, table):
                write_bytes(self.root / name, content, durable=False)
                hashes[name] = digest(content)
        sync_all(self.root)
        write_json(note_of(self.root, start), {**self.record, "files": hashes})


def note_of(root: Path, start: int) -> Path:
    """Return the file that says that a job is done, with the hashes of its files."""
    return root / BUILDING / f"{start}.json"


def build(config: Config, format: Kind = "png", layout: Layout = "cells") -> Path:
    """Build a configuration into ``config.out`` and return that folder; resumes what was begun.

    ``format`` and ``layout`` say how images are stored: see `ferc_core.suite.formats`. With
    ``config.part`` a part of the images is written, and the build is not finished. Raises
    `RequestError` when the folder holds a build of something else.
    """
    if layout != "cells" and format != "png":
        raise RequestError(f"layout {layout!r} goes with format 'png', not {format!r}")
    bench = Benchmark.open(config, training=False)
    with bench.entries.executor.entry.in_use():
        return carried_out(bench, {"format": format, "layout": layout})


def carried_out(bench: Benchmark, how: dict[str, str]) -> Path:
    """Do what `build` does."""
    config = bench.config
    root = Path(config.out or f"ferc-builds/{bench.faces.name}")
    scored, name = len(bench.splits.scored), bench.splits.scored_name
    say(f"{bench.faces.name}: {scored} faces of '{name}' in {len(bench.cells)} cells each")
    for note in bench.notes:
        say(f"  {note}")
    probe(bench)
    check_place(root)
    with sharing(root) as held:
        with locked(root):
            if not others(root, mine=1):
                sweep(root)
            begun = begun_in(root)
            identity = build_identity(bench, how, begun)
            if begun is not None:
                records.refuse_other(root, spelt_out(begun), spelt_out(identity))
            if begun is None or "files" not in begun:
                write_json(root / BUILDING / MANIFEST, identity)
                (root / MANIFEST).unlink(missing_ok=True)  # one that cannot be read
        record, format = records.of_tables(identity), format_for(bench, identity)
        with waiting_for(root, "files", "it checks the files"):
            if is_sound(root, bench, format, identity, record):
                say(f"{root} is complete already")
                return root
        skipped, checked = root / SKIPPED, root / BUILDING / CHECKED
        bench = without_bad_images(bench, skipped, checked)
        site = Site(bench, bench.images(), held, skipped, checked)
        check_workers(site, bench)
        with waiting_for(root, "labels", "it measures visibilities"):
            if bench.external is not None:
                write_text(root / GMM, bench.external.to_json())
            labels = write_labels(bench, root, record)
        write_images(bench, Writer(site, root, format, record))
        if bench.config.part:
            return root
        with waiting_for(root, "files", "it finishes the build"):
            if not (root / MANIFEST).exists():
                for name, content in card({**identity, "counts": counts(labels)}, root).items():
                    write_bytes(root / name, content)
                write_json(root / MANIFEST, {**identity, **contents(root, labels)})
                shutil.rmtree(root / BUILDING)
    return root


def is_sound(
    root: Path,
    bench: Benchmark,
    format: Format,
    identity: Mapping[str, Any],
    record: Mapping[str, str],
) -> bool:
    """Whether a build is complete; one with damaged files becomes an unfinished one."""
    begun = begun_in(root)
    if begun is None or "files" not in begun:
        return False
    wrong = damaged(root, begun["files"])
    if not wrong:
        shutil.rmtree(root / BUILDING, ignore_errors=True)
        return True
    say(f"{number(len(wrong), 'file is', 'files are')} missing or damaged and made again")
    write_json(root / BUILDING / MANIFEST, identity)
    bench = without_bad_images(bench, root / SKIPPED, root / BUILDING / CHECKED)
    reopen(root, bench, format, record, begun["files"], wrong)
    return False


def check_place(root: Path) -> None:
    """Raise `RequestError` for a folder that holds something else than a build, or part of one."""
    if (root / MANIFEST).exists() or (root / BUILDING / MANIFEST).exists():
        return
    begun = all(map(UNFINISHED.fullmatch, names_in(root / BUILDING)))  # killed at its first file
    for name in names_in(root):
        if name not in OURS and not UNFINISHED.fullmatch(name) and not (begun and name == BUILDING):
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
        rows = ids[start : start + SHARD]
        names = [name for cell in bench.cells for name in format.files(cell, start, rows)]
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


def write_images(bench: Benchmark, writer: Writer) -> None:
    """Write the images of every shard of this part that is not done, or wait for who does it."""
    n, executor, failures = len(bench.splits.scored), bench.entries.executor, Failures()
    shards = share(bench.config.part).of(range(0, n, SHARD))
    todo = [start for start in shards if not is_done(writer.root, start, writer.record)]

    def attempt(starts: list[int]) -> list[int]:
        total = sum(min(SHARD, n - start) for start in starts) * len(bench.cells)
        with track("write images", total) as step:
            made = executor.entry.attempts(
                writer, starts, bench.config.workers, **executor.call.options
            )
            busy = []
            for start, written in zip(starts, made, strict=True):
                if isinstance(written, LostError):
                    failures.add(f"images {start} to {min(start + SHARD, n) - 1}", written)
                elif not written:
                    busy.append(start)
                else:
                    step(written)
        return busy

    until_done(todo, attempt, writer.root, "shards")
    failures.raise_all()


def is_done(root: Path, start: int, record: Mapping[str, str]) -> bool:
    """Whether the shard that begins with a row is written; all of a finished build are."""
    return bool(hashes_in(root, start, record)) or (root / MANIFEST).exists()


def hashes_in(root: Path, start: int, record: Mapping[str, str]) -> dict[str, str]:
    """Return the hashes of the files of a job that is done, none where it is not."""
    with suppress(DataError):
        found = read_json(note_of(root, start))
        if not records.difference(found, record) and isinstance(found.get("files"), dict):
            hashes: dict[str, str] = found["files"]
            return hashes
    return {}


def build_identity(
    bench: Benchmark, how: Mapping[str, str], begun: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what a build is made from; but not where the data is stored.

    ``how`` are format and layout. A build that was ``begun`` before there were layouts has none.
    """
    config = bench.config
    making = {name: getattr(config, name) for name in MAKING} | dict(how)
    if begun is not None and "layout" not in begun["making"] and how["layout"] == "cells":
        del making["layout"]
    if bench.external is not None:
        making["gmm"] = bench.external.key  # what the file says; not where it is stored
    return {
        **records.identity(bench),
        "making": json.loads(json.dumps(making)),
        "split": bench.splits.scored_name,
    }


def spelt_out(identity: dict[str, Any]) -> dict[str, Any]:
    """Return an identity that names layout and mixture even where they are the usual ones."""
    making = identity.get("making")
    usual = {"gmm": "own", "layout": "cells"}
    return {**identity, "making": {**usual, **(making if isinstance(making, dict) else {})}}


def format_for(bench: Benchmark, identity: Mapping[str, Any]) -> Format:
    """Return how the images of a build are stored."""
    scored = bench.splits.scored
    labels = dict(zip(scored.ids, scored.labels.tolist(), strict=True))
    return format_of(identity["making"], bench.classes, identity["split"], labels)


def contents(root: Path, labels: pl.DataFrame) -> dict[str, Any]:
    """Return counts by cell and class, and the hash of every file."""
    hashes = {name: digest_of(root / name) for name in (LABELS, VISIBILITY, GMM, SKIPPED, *CARD)}
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
