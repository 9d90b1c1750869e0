"""Which release of a dataset a folder holds.

Licensed datasets lie on disk as their owners sent them, unpacked at some level. A release is
recognised by its files and folders. A folder that is not a release is answered by the one to use
instead, or by what was looked for and what is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferc_core.base.text import listed
from ferc_core.errors import DataError, RequestError

ARCHIVES = (".zip", ".rar", ".tar", ".gz", ".tgz", ".7z", ".bz2", ".xz")
LEVELS_BELOW, LEVELS_ABOVE = 2, 3  # where a release is looked for if the root is not one
LEVELS = ("", "one level", "two levels", "three levels")
MOST_FOLDERS = 200  # that are searched
SHOWN = 8  # names of what a folder holds instead


@dataclass(frozen=True)
class Release:
    """A form in which a dataset was distributed.

    ``parts`` maps each required part to the paths, relative to the root, where it may be; a path
    may contain ``*``.
    """

    name: str
    parts: Mapping[str, tuple[str, ...]]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(paths[0] for paths in self.parts.values())})"

    def find(self, root: Path) -> dict[str, Path]:
        """Return the paths of the parts that are present."""
        found = {part: first(root, paths) for part, paths in self.parts.items()}
        return {part: path for part, path in found.items() if path is not None}


def recognise(
    root: Path | str | None, dataset: str, releases: Sequence[Release]
) -> tuple[Release, dict[str, Path]]:
    """Return the first release that is complete in the folder ``root``, and where its parts are.

    Raises `RequestError` if there is none, naming the folder above or below that is one, and
    `DataError` if a release is incomplete.
    """
    looked_for = "; ".join(map(str, releases))
    if root is None:
        raise RequestError(f"{dataset!r} needs a data root, the folder of {looked_for}")
    folder = Path(root)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise RequestError(f"the data root {folder} {what}; use the folder of {looked_for}")
    here = complete(folder, releases)
    if here is not None:
        return here
    for near, offset in neighbours(folder):
        if complete(near, releases) is not None:
            raise RequestError(f"the data root {folder} is {offset}; use {near}")
    release, found = max(
        ((release, release.find(folder)) for release in releases), key=lambda pair: len(pair[1])
    )
    missing = [paths[0] for part, paths in release.parts.items() if part not in found]
    packed = archives_in(folder, missing, found.values())
    unpack = f"; unpack {listed(packed, SHOWN)}" if packed else ""
    if found:
        raise DataError(
            f"{folder} looks like {release.name}, but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing{unpack}"
        )
    there = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    raise RequestError(
        f"{folder} is not a release of {dataset!r}: looked for {looked_for}; "
        f"it holds {listed(there, SHOWN) or 'nothing'}{unpack}"
    )


def complete(folder: Path, releases: Sequence[Release]) -> tuple[Release, dict[str, Path]] | None:
    """Return the first release of which all parts are present."""
    for release in releases:
        if all(first(folder, paths) for paths in release.parts.values()):  # until one is missing
            return release, release.find(folder)
    return None


def first(root: Path, paths: Sequence[str]) -> Path | None:
    """Return the first of some paths or patterns that exists."""
    for path in paths:
        found = sorted(root.glob(path)) if "*" in path else [root / path]
        if found and found[0].exists():
            return found[0]
    return None


def archives_in(folder: Path, missing: Sequence[str], used: Collection[Path]) -> list[str]:
    """Return the archives in a folder and in the folders where the missing parts belong."""
    places = {folder, *((folder / path).parent for path in missing)}
    return sorted(
        path.relative_to(folder).as_posix()
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in ARCHIVES and path not in used
    )


def neighbours(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders around one, nearest first, each with how far off the given one is."""
    for n, above in enumerate(folder.resolve().parents[:LEVELS_ABOVE], 1):
        yield above, f"{LEVELS[n]} too low"
    level, seen = [folder], 0
    for n in range(1, LEVELS_BELOW + 1):
        level = [path for parent in level for path in folders_in(parent)]
        for path in level:
            seen += 1
            if seen > MOST_FOLDERS:
                return
            yield path, f"{LEVELS[n]} too high"


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name; none if it is not readable."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
