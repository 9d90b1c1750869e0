"""Everything below a folder: links are followed, but in no circle and not for ever."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ferc_core.errors import DataError

MOST_FOLDERS = 100_000  # AffectNet has 1,300; links that branch can pretend any number

Identity = tuple[int, int]


def below(
    folder: Path,
    *,
    above: tuple[Path, ...] = (),
    hidden: Callable[[str], bool] = lambda name: name.startswith("."),
) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Yield the path, relative to ``folder``, and the entry of all files below it.

    Hidden names are yielded and not entered; so are links to a folder above, whose entry is None.
    ``above`` are folders that count as above, too. Raises `OSError` for a folder that is not
    readable, and `DataError` for one that has no end.
    """
    way: list[Identity] = [*map(identity, above), identity(folder)]
    if way[-1] in way[:-1]:
        yield "", None
        return
    listings, seen = [("", entries(folder))], 1
    while listings:
        prefix, listing = listings[-1]
        entry = next(listing, None)
        if entry is None:
            listings.pop()
            way.pop()
        elif hidden(entry.name) or not is_folder(entry):
            yield prefix + entry.name, entry
        elif (here := identity(entry.path)) in way:
            yield prefix + entry.name, None
        else:
            seen += 1
            if seen > MOST_FOLDERS:
                raise DataError(
                    f"{folder} has more than {MOST_FOLDERS:,} folders in it; remove links between "
                    "its folders, or use another data root"
                )
            way.append(here)
            listings.append((f"{prefix}{entry.name}/", entries(entry.path)))


def entries(folder: Path | str) -> Iterator[os.DirEntry[str]]:
    """Return what is in a folder, and keep no folder open."""
    with os.scandir(folder) as listing:
        return iter(list(listing))


def identity(folder: Path | str) -> Identity:
    """Return what a folder is, by whatever path."""
    state = os.stat(folder)
    return state.st_dev, state.st_ino


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a regular file or a link to one."""
    try:
        return entry.is_file()
    except OSError:
        return False
