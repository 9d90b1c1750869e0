"""An index of the annotations below a data root, kept in the user's cache.

A large release has hundreds of thousands of annotation files, or one of hundreds of megabytes.
Their rows are stored as parquet and reused until the size or time of an annotation file changes
or an image is added or removed. Nothing is written into the data root.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.files import read_table, user_cache, write_parquet
from ferc_core.base.seeds import key
from ferc_core.datasets.tree import below
from ferc_core.errors import DataError, StoreError

STAMP, COLUMNS = "ferc.stamp", "ferc.columns"

Names = Mapping[Path, list[str]]


@dataclass(frozen=True)
class Source:
    """A file or folder that an index is made from.

    The size and time of every annotation file count. Of ``images`` only the names count, since an
    index does not hold their content. Names that end in ``without`` are ignored.
    """

    path: Path
    images: bool = False
    without: str = "/"  # no name ends with it

    def files(self) -> Iterator[tuple[str, int, int]]:
        """Yield path, size and time of every file in and below the folder; zeros for images.

        Hidden files, which operating systems and archives leave behind, are skipped, and so are
        links to a folder above.
        """
        for path, entry in below(self.path):
            if entry is None or entry.name.startswith(".") or entry.name.endswith(self.without):
                continue
            if self.images:
                yield path, 0, 0
            else:
                state = entry.stat()
                yield path, state.st_size, state.st_mtime_ns


def indexed(
    dataset: str, root: Path, sources: list[Source], read: Callable[[Names], pl.DataFrame]
) -> pl.DataFrame:
    """Return the rows of a data root from its index, or by ``read``, which fills the index.

    ``read`` receives the files below each source folder, as sorted paths relative to it with
    forward slashes. ``dataset`` names the loader and the version of its rows ("x/1"). If the
    cache is not writable, the rows are read every time.
    """
    names, stamp = survey(sources)
    place = key(dataset, root.resolve(), size=8).hex()
    path = user_cache() / "index" / f"{dataset.partition('/')[0]}-{place}.parquet"
    with suppress(DataError):  # there is none, or it is damaged
        known, record = read_table(path)
        if (record.get(STAMP), record.get(COLUMNS)) == (stamp, str(known.schema)):
            return known
    rows = read(names)
    with suppress(StoreError):  # a full or read-only cache must not stop the work
        write_parquet(path, rows, {STAMP: stamp, COLUMNS: str(rows.schema)})
    return rows


def survey(sources: list[Source]) -> tuple[dict[Path, list[str]], str]:
    """Return the files below every source folder, and a hash of the state of all sources."""
    digest, names = blake2b(digest_size=16), {}
    for source in sources:
        digest.update(json.dumps([str(source.path.resolve()), source.images]).encode())
        try:
            if source.path.is_dir():
                entries = sorted(source.files())
                names[source.path] = [name for name, *_ in entries]
            else:
                state = source.path.stat()
                entries = [("", state.st_size, state.st_mtime_ns)]
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error
        digest.update("\n".join(name for name, *_ in entries).encode(errors="surrogateescape"))
        digest.update(np.array([state for _, *state in entries], np.int64).tobytes())
    return names, digest.hexdigest()
