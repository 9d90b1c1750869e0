"""Claims: processes of one machine or of many share the work in a folder.

A claim is a lock on a small file, and ends with the process that holds it, however that ends. It is
``flock``: on a local disk the kernel holds it; Linux passes it on to the server of an NFS file
system, which drops it when the process ends, and some 90 seconds after its machine was lost. Where
a file system has no locks, `filelock` leaves a marker that names machine and process instead.

Claims save work and protect tables that several processes add to. No result depends on them:
whoever does a part of the work writes the same bytes, and each file in one step.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

from filelock import FileLock, Timeout

from ferc_core.base.files import (
    CLAIMS,
    LOCK,
    Held,
    check_target,
    hold,
    names_in,
    release,
)
from ferc_core.base.progress import say
from ferc_core.errors import RequestError, StoreError

T = TypeVar("T")

LONGEST = 60.0  # seconds that the lock of a folder is waited for; it is held for moments
PAUSE = 0.5  # seconds between two looks at what others do
HERE = ".process"  # suffix of the files that say which processes are there


@contextmanager
def sharing(folder: Path) -> Iterator[Held]:
    """Make a folder and work in it, perhaps beside other processes.

    Raises `RequestError` when it cannot be written to.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise RequestError(f"{folder} is not a directory; choose another one")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = Held.of(folder)
    except OSError as error:
        raise RequestError(f"cannot write to {folder}: {error.strerror}") from error
    hold(held)
    mine = f"{token_hex(8)}{HERE}"
    try:
        with locked(folder):
            presence = lock(folder, mine)
            presence.acquire(timeout=0)
        try:
            yield held
        finally:
            with suppress(RequestError, StoreError), locked(folder):
                (folder / CLAIMS / mine).unlink(missing_ok=True)
                presence.release()
                if not others(folder):
                    shutil.rmtree(folder / CLAIMS, ignore_errors=True)
            presence.release()
    finally:
        release(held)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, for moments; others wait."""
    with named(folder / LOCK, LONGEST) as mine:
        if not mine:
            raise RequestError(
                f"another process keeps {folder / LOCK} locked; rerun when it has ended"
            )
        yield


def others(folder: Path, mine: int = 0) -> bool:
    """Say whether more than ``mine`` processes work in a locked folder; forget those that ended."""
    there = 0
    for name in names_in(folder / CLAIMS):
        if name.endswith(HERE):
            presence = lock(folder, name)
            try:
                presence.acquire(timeout=0)
            except Timeout:
                there += 1
                continue
            (folder / CLAIMS / name).unlink(missing_ok=True)
            presence.release()
    return there > mine


@contextmanager
def claimed(folder: Path, name: str) -> Iterator[bool]:
    """Claim a part of the work in a folder; yields False where another process has it."""
    path = folder / CLAIMS / name
    with named(path, 0) as mine:
        try:
            yield mine
        finally:
            if mine:  # whoever waits for this file finds the part done
                with suppress(OSError):
                    path.unlink(missing_ok=True)


@contextmanager
def waiting_for(folder: Path, name: str, what: str) -> Iterator[None]:
    """Claim a part of the work; where another process has it, wait for that and say so."""
    for attempt in forever():
        with claimed(folder, name) as mine:
            if mine:
                yield
                return
        if attempt == 0:
            say(f"waiting for another process that works in {folder}: {what}")


def until_done(
    items: Iterable[T], work: Callable[[list[T]], Iterable[T]], folder: Path, what: str
) -> None:
    """Give items to ``work``, which returns those that other processes have claimed, until there
    are none; a process that ends drops its claims.
    """
    left = list(items)
    for attempt in forever():
        left = list(work(left)) if left else []
        if not left:
            return
        if attempt == 0:
            say(f"waiting for other processes that work in {folder}: {len(left)} {what}")


def forever() -> Iterator[int]:
    """Count attempts, with a pause between them."""
    number = 0
    while True:
        yield number
        number += 1
        time.sleep(PAUSE)


@contextmanager
def named(path: Path, patience: float) -> Iterator[bool]:
    """Hold the lock of a file; yields False where another process has it for longer."""
    found = FileLock(path, thread_local=False)
    try:
        check_target(path)  # before anything is made where the folder is no longer
        path.parent.mkdir(exist_ok=True)
        found.acquire(timeout=patience)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise RequestError(f"cannot write to {path}: {error.strerror}") from error
    try:
        yield True
    finally:
        found.release()


def lock(folder: Path, name: str) -> FileLock:
    """Return the lock of a name in a folder, not acquired."""
    check_target(folder / CLAIMS / name)
    (folder / CLAIMS).mkdir(exist_ok=True)
    return FileLock(folder / CLAIMS / name, thread_local=False)
