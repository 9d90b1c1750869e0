"""Resized images in a file, from which a few are read at a time.

A training reads every image in every epoch. Decoding and resizing a photograph takes longer than
a small network needs to learn from it, and the images of a large dataset do not fit into memory.
From a file, which the system caches as it is used, they are read at the speed of the disk.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from filelock import FileLock

from ferc_core.base.files import check_target, read_bytes, sync, write_failure, write_text
from ferc_core.base.seeds import key
from ferc_core.errors import StoreError

if TYPE_CHECKING:
    from ferc_core.images.store import ImageStore

Images = npt.NDArray[np.uint8]

SYNCED = 1024  # images after which a filling that is interrupted is resumed


class Kept:
    """The images uint8 [N, S, S, 3] in a file, read when they are asked for."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, shape
        self.file: int | None = os.open(path, os.O_RDONLY)

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> Images:
        """Return the images of some rows, [B, S, S, 3]."""
        assert self.file is not None
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        size = math.prod(self.shape[1:])
        for image, row in zip(found, rows.tolist(), strict=True):
            if not 0 <= row < self.shape[0] or read_at(self.file, image, row * size) != size:
                raise StoreError(f"{self.path} has no image {row}; delete it and rerun the command")
        return found

    def __del__(self) -> None:
        if self.file is not None:
            os.close(self.file)


def read_at(file: int, image: Images, place: int) -> int:
    """Fill an array with the bytes from a place in a file on, and return how many there were."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [image.reshape(-1).data], place)
    os.lseek(file, place, os.SEEK_SET)  # Windows
    content = os.read(file, image.size)
    image.reshape(-1)[: len(content)] = np.frombuffer(content, np.uint8)
    return len(content)


def kept_in(folder: Path, store: ImageStore, advance: Callable[[int], None]) -> Kept:
    """Return the images of a file in ``folder``, filled first if needed.

    Of several processes one fills the file and the others wait; an interrupted filling is resumed.
    Raises `BadImageError` for an image that cannot be read, and `StoreError` when the file does
    not fit on the disk.
    """
    shape = (len(store), store.side, store.side, 3)
    path = folder / f"{key(*store.address, size=8).hex()}-{store.side}.u8"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in (path, path.with_suffix(".lock"), part_of(path), count_of(path)):
            check_target(each)
        with FileLock(path.with_suffix(".lock")):
            if path.exists() and path.stat().st_size == math.prod(shape):
                advance(len(store))
            else:
                fill(path, store, advance)
        return Kept(path, shape)
    except OSError as error:
        raise StoreError(write_failure(path, error)) from error


def fill(path: Path, store: ImageStore, advance: Callable[[int], None]) -> None:
    """Write the images one after the other, from where an earlier call stopped."""
    size = store.side**2 * 3
    done = images_in(path, size)
    missing, free = (len(store) - done) * size, shutil.disk_usage(path.parent).free
    if missing > free:
        raise StoreError(
            f"the cache in {path.parent} needs {missing >> 20} MiB more, and {free >> 20} MiB "
            "are free; leave out --cache, or use --out with a directory on a larger disk"
        )
    with part_of(path).open("ab") as file:
        file.truncate(done * size)  # what follows may not have reached the disk
        advance(done)

        def synced() -> None:
            file.flush()
            os.fsync(file.fileno())
            write_text(count_of(path), str(done))

        try:
            for image in store.read_all(done):
                file.write(image.tobytes())
                advance(1)
                done += 1
                if done % SYNCED == 0:
                    synced()
        finally:
            synced()
    os.replace(part_of(path), path)
    sync(path.parent)
    count_of(path).unlink()


def images_in(path: Path, size: int) -> int:
    """Return how many images of an interrupted filling are on the disk."""
    try:
        return min(int(read_bytes(count_of(path))), part_of(path).stat().st_size // size)
    except (OSError, ValueError):
        return 0


def part_of(path: Path) -> Path:
    """The file that is being filled."""
    return path.with_suffix(".part")


def count_of(path: Path) -> Path:
    """The file that says how many of its images are on the disk."""
    return path.with_suffix(".count")
