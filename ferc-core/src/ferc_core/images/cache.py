"""Resized images in a file that is mapped into memory.

A training reads every image in every epoch. Decoding and resizing a photograph takes longer
than a small network needs to learn from it, and the images of a large set do not fit into
memory; from a file, on which the system keeps what is used, they come as fast as the disk allows.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from filelock import FileLock

from ferc_core.base.files import write_failure
from ferc_core.base.seeds import key
from ferc_core.errors import StoreError
from ferc_core.suite.corrupt import Images, Pictures


def mapped(folder: Path, pictures: Pictures, advance: Callable[[int], None]) -> Images:
    """Return images uint8 [N, S, S, 3] of a file in ``folder``, which is filled where it is not.

    Of several processes one fills the file and the others wait. One that was stopped is gone on
    with where it was. Raises `BadImageError` for an image that cannot be read, and `StoreError`
    when the file does not fit onto the disk.
    """
    shape = (len(pictures), pictures.side, pictures.side, 3)
    path = folder / f"{key(*pictures.address, size=8).hex()}-{pictures.side}.u8"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if path.exists():
                advance(len(pictures))
            else:
                fill(path, pictures, advance)
        return np.memmap(path, np.uint8, "r", shape=shape)
    except OSError as error:
        raise StoreError(write_failure(path, error)) from error


def fill(path: Path, pictures: Pictures, advance: Callable[[int], None]) -> None:
    """Write the images one behind the other; what an earlier call wrote is kept."""
    size = pictures.side**2 * 3
    begun = path.with_name(f".{path.name}.part")
    with begun.open("ab") as file:
        done = file.tell() // size
        missing, free = (len(pictures) - done) * size, shutil.disk_usage(path.parent).free
        if missing > free:
            raise StoreError(
                f"the cache in {path.parent} needs {missing >> 20} MiB more, and {free >> 20} MiB "
                "are free; leave out --cache, or give a directory with more space by --out"
            )
        file.truncate(done * size)  # the last image may be there in part
        file.seek(0, os.SEEK_END)
        advance(done)
        for image in pictures.read_all(done):
            file.write(image.tobytes())
            advance(1)
    os.replace(begun, path)
