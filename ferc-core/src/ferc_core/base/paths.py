"""Paths that a user gave: what is wrong with one is said before anything is read from it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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


def with_absolute_paths(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of an object as another process can use them, in whatever folder."""
    return {
        name: Path(os.path.abspath(value)) if isinstance(value, Path) else value
        for name, value in state.items()
    }
