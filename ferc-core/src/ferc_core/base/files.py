"""Files that are complete or absent: a write goes to a temporary name, which is then renamed."""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from ferc_core.errors import DataError, RequestError, StoreError


def user_cache() -> Path:
    """Return the cache directory: FERC_CACHE, or the usual one of the system."""
    chosen = os.environ.get("FERC_CACHE")
    return Path(chosen) if chosen else user_cache_path("ferc", appauthor=False)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block succeeds."""
    temporary = path.with_name(f".{path.name}.part")  # after a kill the next writer replaces it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(write_failure(path, error)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Make a folder and lock it against other processes; the lock ends with the process.

    Raises `RequestError` when another process has locked it or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RequestError(f"another process is working in {folder}") from error
    except OSError as error:
        raise RequestError(f"cannot write to {folder}: {error.strerror}") from error
    with lock:
        yield


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
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_parquet(path: Path, frame: pl.DataFrame, record: Mapping[str, str]) -> None:
    """Write a table atomically; ``record`` goes into its metadata and says what it is made from."""
    # Encoded in memory first: then a full disk raises an OSError and not an error of polars.
    write_bytes(path, parquet_bytes(frame, record))


def parquet_bytes(frame: pl.DataFrame, record: Mapping[str, str]) -> bytes:
    """Return a table as the content of a parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata=dict(record))
    return buffer.getvalue()


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a table."""
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error
