"""What the annotations of a data root say, read once and kept in the user's cache.

A large release has hundreds of thousands of annotation files, or one of hundreds of megabytes.
Their rows are kept as parquet, and are read again as long as no annotation file has another size
or time and no picture has come or gone. Nothing is written into the data root.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import polars as pl

from ferc_core.address import key
from ferc_core.errors import DataError, StoreError
from ferc_core.store import parquet_bytes, user_cache, write_bytes

STAMP = "ferc.stamp"


@dataclass(frozen=True)
class Source:
    """A file or a folder that an index is made from.

    Of annotations, size and time of every file count. Of ``pictures``, only their names do: an
    index does not hold what they show.
    """

    path: Path
    pictures: bool = False


Names = Mapping[Path, list[str]]


def indexed(
    dataset: str, root: Path, sources: list[Source], read: Callable[[Names], pl.DataFrame]
) -> pl.DataFrame:
    """Return the rows of a data root: from its index, or by ``read``, which makes one.

    ``read`` is given the files below each folder among the sources, as sorted paths relative to
    it with forward slashes. ``dataset`` names the loader and the version of its rows ("x/1").
    Where the cache cannot be written, the rows are read every time.
    """
    names, stamp = survey(sources)
    place = key(dataset, root.resolve(), size=8).hex()
    path = user_cache() / "index" / f"{dataset.partition('/')[0]}-{place}.parquet"
    kept = read_index(path, stamp)
    if kept is not None:
        return kept
    rows = read(names)
    with suppress(StoreError):  # a full or foreign cache is no reason to stop
        write_bytes(path, parquet_bytes(rows, {STAMP: stamp}))
    return rows


def read_index(path: Path, stamp: str) -> pl.DataFrame | None:
    """Return the rows of an index file, or None when it is missing, damaged or outdated."""
    try:
        if pl.read_parquet_metadata(path).get(STAMP) == stamp:
            return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        pass
    return None


def survey(sources: list[Source]) -> tuple[dict[Path, list[str]], str]:
    """Return the files of every folder among the sources, and a hash of the state of all."""
    digest, names = blake2b(digest_size=16), {}
    for source in sources:
        digest.update(json.dumps([str(source.path), source.pictures]).encode())
        try:
            if source.path.is_dir():
                entries = sorted(below(source.path, "", stamped=not source.pictures))
                names[source.path] = [name for name, *_ in entries]
            else:
                state = source.path.stat()
                entries = [("", state.st_size, state.st_mtime_ns)]
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
        text = "\n".join(f"{name}\t{size}\t{time}" for name, size, time in entries)
        digest.update(text.encode(errors="surrogateescape"))
    return names, digest.hexdigest()


def below(folder: Path | str, prefix: str, *, stamped: bool) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of every file in and below a folder; zeros unless ``stamped``.

    Hidden files are left out: they are what systems and archives leave behind.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from below(entry.path, f"{prefix}{entry.name}/", stamped=stamped)
            elif stamped:
                state = entry.stat()
                yield prefix + entry.name, state.st_size, state.st_mtime_ns
            else:
                yield prefix + entry.name, 0, 0
