"""Files that others made, read whole: regular ones of a bounded size.

A FIFO would be waited for without end, and a device may never end. Both are refused as `OSError`,
whose ``strerror`` completes a sentence that says which file cannot be read.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 1 << 30  # bytes that are read at once

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a directory",
}


def check_regular(path: Path | str, largest: int = LARGEST) -> os.stat_result:
    """Return the state of a regular file of at most ``largest`` bytes; raises `OSError`."""
    try:
        state = os.stat(path)
    except ValueError as error:  # a NUL or half a surrogate pair
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
    kind = stat.S_IFMT(state.st_mode)
    if kind != stat.S_IFREG:
        what = f"it is {KINDS.get(kind, 'something else')}, not a file"
        raise OSError(errno.EINVAL, what, str(path))
    if state.st_size > largest:
        what = f"it has {state.st_size:,} bytes, and at most {largest:,} are read"
        raise OSError(errno.EFBIG, what, str(path))
    return state


def regular_bytes(path: Path | str, largest: int = LARGEST) -> bytes:
    """Return the content of a regular file of at most ``largest`` bytes; raises `OSError`."""
    check_regular(path, largest)
    with open(path, "rb", buffering=0) as file:
        return file.read()
