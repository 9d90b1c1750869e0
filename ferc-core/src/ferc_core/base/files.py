"""Files that are whole or absent, that outlast a power cut, and that are ours.

A write goes to a new file of an unguessable name, which is synced to the disk and then renamed.
Links are neither followed nor replaced, and paths are names, never patterns.
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b, file_digest
from io import BufferedReader
from pathlib import Path
from secrets import token_hex
from typing import Any

import polars as pl
from platformdirs import user_cache_path

from ferc_core.errors import DataError, RequestError, StoreError

LOCK = ".lock"  # in a folder that several processes may work in, and the folder of their claims
CLAIMS = ".claims"
OURS = (LOCK, CLAIMS)
UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.part")  # a write that did not end
# What polars raises for a file that is not what it should be; a panic is no `Exception`.
UNREADABLE = (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException)


def user_cache() -> Path:
    """Return the cache directory: FERC_CACHE, or the usual one of the system."""
    chosen = os.environ.get("FERC_CACHE")
    return Path(chosen) if chosen else user_cache_path("ferc", appauthor=False)


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a new name beside ``path``; the file of this name takes its place when the block
    succeeds.

    Afterwards it is on the disk, whatever happens; or only after `sync_all` where it need not be
    ``durable``. Raises `StoreError` when it cannot be written, or must not be: see `check_target`.
    """
    temporary = path.with_name(f".{token_hex(8)}.part")
    try:
        check_target(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if durable:
            sync(temporary)
        os.replace(temporary, path)
        if durable:
            sync(path.parent)
    except OSError as error:
        raise StoreError(write_failure(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Raise `StoreError` where a write would follow or replace a link or what is not a file, or
    would go to a folder in use that was moved.
    """
    for folder in _held:
        folder.check(path)
    with suppress(FileNotFoundError, NotADirectoryError):
        kind = os.lstat(path).st_mode
        if not stat.S_ISREG(kind):
            what = "a link, which FER-C does not follow" if stat.S_ISLNK(kind) else "not a file"
            raise StoreError(f"{path} is {what}; remove it or choose another name")


def check_output(path: Path) -> None:
    """Raise `RequestError` for the name of a file to be made that cannot be written to."""
    try:
        check_target(path)
    except StoreError as error:
        raise RequestError(str(error)) from error
    there = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not there.is_dir() or not os.access(there, os.W_OK):
        what = "is not a directory" if not there.is_dir() else "may not be written to"
        raise RequestError(f"{path} cannot be written: {there} {what}")


def sync(path: Path) -> None:
    """Wait until a file or the names in a folder are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not of every file system
            raise
    finally:
        os.close(number)


def sync_all(folder: Path) -> None:
    """Wait until all that was written to the file system of a folder is on the disk.

    For thousands of small files this is many times faster than to wait for each.
    """
    with suppress(AttributeError):  # Linux has it
        syncfs = ctypes.CDLL(None).syncfs
        number = os.open(folder, os.O_RDONLY)
        try:
            if syncfs(number) == 0:
                return
        finally:
            os.close(number)
    if hasattr(os, "sync"):
        os.sync()


@dataclass(frozen=True)
class Held:
    """A folder that is written to: its path and its identity, by which a moved one is noticed."""

    path: str
    identity: tuple[int, int]

    @classmethod
    def of(cls, folder: Path) -> Held:
        """Return a folder as it is now."""
        return cls(os.path.abspath(folder), identity_of(folder))

    def check(self, path: Path) -> None:
        """Raise `StoreError` where ``path`` is in this folder and the folder is no longer there,
        or a link leads out of it.
        """
        place = os.path.dirname(os.path.abspath(path))
        if place != self.path and not place.startswith(self.path + os.sep):
            return
        try:
            moved = identity_of(self.path) != self.identity
        except OSError:
            moved = True
        if moved:
            raise StoreError(
                f"{self.path} was moved while it was in use; move it back, or rerun the command "
                "with its new path"
            )
        if leads_out(place, self.path):
            raise StoreError(
                f"{place} is reached by a link in {self.path}, which FER-C does not follow; "
                "replace the link by a folder"
            )


@lru_cache(maxsize=4096)
def leads_out(place: str, folder: str) -> bool:
    """Say whether links lead from a folder to a place that is named below it."""
    inside = os.path.relpath(place, folder)
    straight = os.path.normpath(os.path.join(os.path.realpath(folder), inside))
    return os.path.realpath(place) != straight


_held: list[Held] = []  # the folders that this process writes to


def identity_of(folder: Path | str) -> tuple[int, int]:
    """Return the device and the number of a folder."""
    state = os.stat(folder)
    return state.st_dev, state.st_ino


def hold(folder: Held) -> None:
    """Let all later writes of this process notice when a folder was moved."""
    if folder not in _held:
        _held.append(folder)


def release(folder: Held) -> None:
    """Let later writes of this process no longer look after a folder."""
    with suppress(ValueError):
        _held.remove(folder)


def sweep(folder: Path) -> None:
    """Remove what interrupted writes left in a folder that no other process works in."""
    for place, _, names in os.walk(folder):
        for name in filter(UNFINISHED.fullmatch, names):
            with suppress(OSError):
                os.unlink(os.path.join(place, name))


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, sorted; none where it is not there."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def write_failure(path: Path, error: OSError) -> str:
    """Return one sentence about a write that failed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full, so {path} could not be written; no file is incomplete: free some "
            "space and rerun the command to resume"
        )
    return f"{path} could not be written: {error.strerror or error}"


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_bytes(path: Path, content: bytes, durable: bool = True) -> None:
    """Write a file atomically; see `replacing`."""
    with replacing(path, durable) as temporary, open(temporary, "xb") as file:
        file.write(content)


def write_parquet(path: Path, frame: pl.DataFrame, record: Mapping[str, str]) -> None:
    """Write a table atomically; ``record`` goes into its metadata and says what it is made from."""
    # Encoded in memory first: then a full disk raises an OSError and not an error of polars.
    write_bytes(path, parquet_bytes(frame, record))


def parquet_bytes(frame: pl.DataFrame, record: Mapping[str, str]) -> bytes:
    """Return a table as the content of a parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata=dict(record))
    return buffer.getvalue()


@contextmanager
def reading(path: Path | str, largest: int | None = None) -> Iterator[BufferedReader]:
    """Open a file; raises `OSError`, at once for a device, a pipe or more than ``largest`` bytes.

    Its ``strerror`` completes a sentence that says what cannot be read.
    """
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:  # a NUL, or half a surrogate pair
        raise OSError(errno.EINVAL, "no file can have this name", str(path)) from error
    try:
        file = open(number, "rb")  # noqa: SIM115
    except OSError:  # a folder
        os.close(number)
        raise
    with file:
        state = os.fstat(number)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(errno.EINVAL, "it is not a file", str(path))
        if largest is not None and state.st_size > largest:
            what = f"it has {state.st_size:,} bytes, and at most {largest:,} are read"
            raise OSError(errno.EFBIG, what, str(path))
        yield file


def read_bytes(path: Path | str, largest: int | None = None) -> bytes:
    """Return the content of a file of at most ``largest`` bytes; raises `OSError`."""
    with reading(path, largest) as file:
        return file.read()


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(read_bytes(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a table."""
    return read_table(path)[0]


def read_table(path: Path) -> tuple[pl.DataFrame, dict[str, str]]:
    """Read a table and what its metadata say that it is made from."""
    try:
        return table_in(read_bytes(path), path)  # polars would take a path for a pattern
    except OSError as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error


def table_in(content: bytes, path: Path) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the table in the content of a file, and its metadata; ``path`` is for the message."""
    try:
        return pl.read_parquet(io.BytesIO(content)), pl.read_parquet_metadata(io.BytesIO(content))
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error


def digest(content: bytes) -> str:
    """Return the hash of the content of a file, as manifests have it."""
    return blake2b(content, digest_size=16).hexdigest()


def digest_of(path: Path) -> str:
    """Return a hash of a file, "" where there is none."""
    try:
        with reading(path) as file:
            return file_digest(file, partial(blake2b, digest_size=16)).hexdigest()
    except OSError:
        return ""
