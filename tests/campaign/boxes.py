"""The box of an input, a folder with all that a command may find: what changed in it."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from campaign.cases import Asked

HASHED = 64 << 20  # bytes of a file that are compared
FREE = ("tmp", "cache", "home/.cache", "home/.config")  # where anything may appear


def contents(box: Path) -> dict[str, str]:
    """Return what lies in a box: kind, and hash or target, of everything by its path."""
    found: dict[str, str] = {}
    for folder, folders, files in os.walk(os.fsencode(box)):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            short = os.fsdecode(os.path.relpath(path, os.fsencode(box)))
            with suppress(FileNotFoundError):
                found[short] = state(path, os.lstat(path))
    return found


def state(path: bytes, known: os.stat_result) -> str:
    """Return what is compared of a file."""
    if stat.S_ISLNK(known.st_mode):
        return f"link to {os.fsdecode(os.readlink(path))}"
    if not stat.S_ISREG(known.st_mode):
        return f"kind {stat.S_IFMT(known.st_mode):o}"
    if known.st_size > HASHED:
        return f"file of {known.st_size} bytes, {known.st_mtime_ns}"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def differences(before: dict[str, str], after: dict[str, str], asked: Asked) -> list[str]:
    """Return what changed that should not have."""

    def within(path: str, places: tuple[str, ...]) -> bool:
        return any(path == place or path.startswith(f"{place}/") for place in places)

    mine = tuple(f"work/{name}" for name in asked.may_change)
    found = []
    for path, was in before.items():
        now = after.get(path)
        if now != was and not within(path, mine) and not within(path, FREE):
            found.append(f"{path} was {'removed' if now is None else 'changed'}")
    for path in after.keys() - before.keys():
        if not within(path, ("work", "executed", *FREE)) and path not in FREE:
            found.append(f"{path} appeared")
    return sorted(found)
