"""Text files as the owners of datasets write them: annotations, lists, tables.

They come from several systems: with a byte-order mark or without, with the line ends of Windows
or of Unix, with blanks at the ends of lines.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ferc_core.base.text import number, shortened
from ferc_core.errors import DataError

BYTE_ORDER_MARK = "\ufeff"
BEGINNING = 1 << 16  # bytes that tell the encoding and the header


def read_text(path: Path) -> str:
    """Return a UTF-8 text with Unix line ends; raises `DataError` that names the file."""
    try:
        return checked(path.read_bytes(), path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def checked(content: bytes, path: Path) -> str:
    """Return the content of a text file decoded, with Unix line ends; ``path`` is to name it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(not_utf8(path, f" (line {line})")) from error
    if "\0" in text:  # UTF-16 of plain letters is valid UTF-8 with zeros between
        raise DataError(not_utf8(path))
    return text.replace("\r\n", "\n").replace("\r", "\n")


def not_utf8(path: Path, where: str = "") -> str:
    """Return the sentence about a file in another encoding."""
    return f"{path} is not UTF-8 text{where}; save it as UTF-8 ('CSV UTF-8' for a table)"


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text file, without blanks at their ends and empty lines at its end."""
    lines = [line.strip() for line in read_text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def read_csv(
    path: Path, columns: Sequence[str], if_headless: Sequence[str] | None = None
) -> pl.DataFrame:
    """Return columns of a CSV file (or a .gz of one) as stripped texts, "" for an empty cell.

    Blanks around column names do not count. A file whose first line holds none of ``columns`` has
    no header; then ``if_headless`` names all its columns, unless that is None.

    Raises `DataError` for a file that cannot be read, is no UTF-8, has no such column or no rows.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            beginning = file.read(BEGINNING)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read as CSV: {error}") from error
    whole_lines = beginning[: beginning.rfind(b"\n") + 1] or beginning
    first = checked(whole_lines, path).lstrip("\n").partition("\n")[0]
    cells = [cell.strip() for cell in next(csv.reader([first]), [])]
    headless = if_headless is not None and not set(cells) & set(columns)
    try:
        table = pl.scan_csv(path, has_header=not headless, infer_schema=False, glob=False)
        names = table.collect_schema().names()
        known = list(if_headless or ()) if headless else names
        if headless and len(names) != len(known):
            raise DataError(
                f"{path} has {number(len(names), 'column')} and no header; expected are "
                f"{len(known)} with commas between them: {', '.join(known)}"
            )
        place = {
            known.strip().lstrip(BYTE_ORDER_MARK): n for known, n in zip(known, names, strict=True)
        }
        missing = [name for name in columns if name not in place]
        if missing:
            raise DataError(
                f"{path} has no column {missing[0]!r}, only {', '.join(map(repr, place))}"
            )
        rows = table.select(pl.col(place[name]).alias(name) for name in columns).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        cause = shortened(str(error).splitlines()[0])
        if "utf-8" in cause.lower() or "utf8" in cause.lower():
            raise DataError(not_utf8(path)) from error
        raise DataError(f"{path} cannot be read as CSV: {cause}") from error
    if rows.is_empty():
        raise DataError(f"{path} has a header and no rows")
    return rows.fill_null("").with_columns(pl.all().str.strip_chars())
