"""Text files of datasets: annotations, lists, tables.

They come from several systems: with or without a byte-order mark, with Windows or Unix line
endings, with spaces at the ends of lines.
"""

from __future__ import annotations

import csv
import errno
import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import polars as pl

from ferc_core.base.files import read_bytes, reading
from ferc_core.base.text import number, shortened
from ferc_core.errors import DataError

BYTE_ORDER_MARK = "\ufeff"
LARGEST = 4 << 30  # bytes of a text
BEGINNING = 1 << 16  # bytes that tell the encoding and the header


def read_text(path: Path) -> str:
    """Return a UTF-8 text with Unix line endings; raises `DataError` naming the file."""
    try:
        return decoded(read_bytes(path, LARGEST), path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def decoded(content: bytes, path: Path) -> str:
    """Return the content of the text file ``path`` with Unix line endings."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(not_utf8(path, f" (line {line})")) from error
    if "\0" in text:  # UTF-16 of ASCII characters is valid UTF-8 with zeros between
        raise DataError(not_utf8(path))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def not_utf8(path: Path, where: str = "") -> str:
    """Return the message about a file in another encoding."""
    return f"{path} is not UTF-8 text{where}; save it as UTF-8 ('CSV UTF-8' for a table)"


def unpacked(raw: BinaryIO) -> bytes:
    """Return the beginning of a .gz file; raises `OSError` for one that is damaged or too large."""
    with gzip.open(raw) as file:
        beginning = file.read(BEGINNING)
        size = len(beginning)
        while part := file.read(BEGINNING):
            size += len(part)
            if size > LARGEST:
                raise OSError(errno.EFBIG, f"unpacked it has more than {LARGEST:,} bytes")
        return beginning


def read_lines(path: Path) -> list[str]:
    """Return the stripped lines of a text file, without empty lines at its end."""
    text = read_text(path).rstrip()
    return [line.strip() for line in text.split("\n")] if text else []


def read_csv(
    path: Path, columns: Sequence[str], if_headless: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return columns of a CSV file (or a .gz of one) as stripped text, "" for an empty cell.

    Spaces around column names are ignored. If the first line has none of ``columns``, the file
    has no header and ``if_headless`` names all its columns, unless that is None.

    Raises `DataError` if the file is unreadable or not UTF-8, lacks a column or has no rows.
    """
    try:
        with reading(path, LARGEST) as raw:
            beginning = unpacked(raw) if path.suffix == ".gz" else raw.read(BEGINNING)
    except (OSError, EOFError, zlib.error) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise DataError(f"{path} cannot be read as CSV: {why}") from error
    whole_lines = beginning[: beginning.rfind(b"\n") + 1] or beginning
    first = decoded(whole_lines, path).lstrip("\n").partition("\n")[0]
    cells = [cell.strip() for cell in next(csv.reader([first]), [])]
    headless = if_headless is not None and not set(cells) & set(columns)
    try:
        table = pl.scan_csv(path, has_header=not headless, infer_schema=False, glob=False)
        names = table.collect_schema().names()
        known = list(if_headless or ()) if headless else names
        if headless and len(names) != len(known):
            raise DataError(
                f"{path} has {number(len(names), 'column')} and no header; expected are "
                f"{len(known)} columns separated by commas: {', '.join(known)}"
            )
        place = {
            known.strip().lstrip(BYTE_ORDER_MARK): n for known, n in zip(known, names, strict=True)
        }
        missing = [name for name in columns if name not in place]
        if missing:
            there = shortened(", ".join(map(repr, place)))
            raise DataError(f"{path} has no column {missing[0]!r}, only {there}")
        rows = table.select(pl.col(place[name]).alias(name) for name in columns).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        cause = shortened(str(error).splitlines()[0])
        if "utf-8" in cause.lower() or "utf8" in cause.lower():
            raise DataError(not_utf8(path)) from error
        raise DataError(f"{path} cannot be read as CSV: {cause}") from error
    if rows.is_empty():
        raise DataError(f"{path} has a header and no rows")
    return rows.fill_null("").with_columns(pl.all().str.strip_chars())
