"""What the annotations of a data root say, read once and kept in the user's cache.

A large release has hundreds of thousands of annotation files, or one of hundreds of megabytes.
Their rows are kept as parquet, and are read again as long as no annotation file has another size
or time and no image has come or gone. Nothing is written into the data root.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.files import parquet_bytes, user_cache, write_bytes
from ferc_core.base.seeds import key
from ferc_core.errors import DataError, StoreError

STAMP = "ferc.stamp"


@dataclass(frozen=True)
class Source:
    """A file or a folder that an index is made from.

    Of annotations, size and time of every file count. Of ``images``, only their names do: an
    index does not hold what they show. Files whose names end in ``without`` do not count at all.
    """

    path: Path
    pictures: bool = False
    without: str = "/"  # no name ends so


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
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pass
    return None


def survey(sources: list[Source]) -> tuple[dict[Path, list[str]], str]:
    """Return the files of every folder among the sources, and a hash of the state of all."""
    digest, names = blake2b(digest_size=16), {}
    for source in sources:
        digest.update(json.dumps([str(source.path.resolve()), source.pictures]).encode())
        entries: list[tuple[str, int, int]] = []
        try:
            if source.path.is_dir():
                collect(source, str(source.path), "", entries)
                entries.sort()
                names[source.path] = [name for name, *_ in entries]
            else:
                state = source.path.stat()
                entries.append(("", state.st_size, state.st_mtime_ns))
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
        digest.update("\n".join(name for name, *_ in entries).encode(errors="surrogateescape"))
        if not source.pictures:
            digest.update(np.array([state for _, *state in entries], np.int64).tobytes())
    return names, digest.hexdigest()


def collect(source: Source, folder: str, prefix: str, entries: list[tuple[str, int, int]]) -> None:
    """Add path, size and time of every file in and below a folder; zeros for images.

    Hidden files are left out: they are what systems and archives leave behind.
    """
    with os.scandir(folder) as listing:
        for entry in listing:
            name = entry.name
            if name.startswith(".") or name.endswith(source.without):
                continue
            if entry.is_dir():
                collect(source, entry.path, f"{prefix}{name}/", entries)
            elif source.pictures:
                entries.append((prefix + name, 0, 0))
            else:
                state = entry.stat()
                entries.append((prefix + name, state.st_size, state.st_mtime_ns))
