"""Paths that a user gave: what is wrong with one is said before anything is read from it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def expanded(path: Path | str) -> Path:
    """Return a path with ``~`` for the home directory; an unknown user's stays as it is."""
    return Path(os.path.expanduser(path))


def no_file(path: Path) -> str:
    """Return why there is nothing to read at a path, "" for a file.

    Devices and pipes are none: they may have no end.

    >>> no_file(Path("/dev/null"))
    'it is not a regular file'
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "it does not exist"
    except OSError as error:
        return str(error.strerror)
    if stat.S_ISDIR(mode):
        return "it is a folder"
    return "" if stat.S_ISREG(mode) else "it is not a regular file"
