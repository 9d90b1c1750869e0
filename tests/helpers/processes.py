"""Processes that others have started, to be killed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def workers_of(parent: int) -> list[int]:
    """Return the worker processes that a process has started; not Python's tracker of resources."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes()
            if int(ppid) == parent and state != "Z" and b"spawn_main" in command:
                found.append(int(folder.name))
    return found
