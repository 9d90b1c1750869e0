"""Which release of a dataset lies in a folder.

Everybody has the licensed sets in the form that the owners sent, unpacked at some level. A release
is recognised by what lies where; a folder that is no release is answered by the one to give
instead, or by what was looked for and what is there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferc_core.base.text import listed
from ferc_core.errors import DataError, RequestError

ARCHIVES = (".zip", ".rar", ".tar", ".gz", ".tgz", ".7z", ".bz2", ".xz")
LEVELS_BELOW, LEVELS_ABOVE = 2, 3  # where a release is looked for when the root is none
MOST_FOLDERS = 200  # that are looked into
SHOWN = 8  # names of what a folder holds instead


@dataclass(frozen=True)
class Release:
    """A form in which a set was sent out.

    ``parts`` gives each part that must be there the paths, relative to the root, where it may
    lie; a path may have ``*`` in it.
    """

    name: str
    parts: Mapping[str, tuple[str, ...]]

    def find(self, root: Path) -> dict[str, Path]:
        """Return where the parts lie that are there."""
        found = {part: first(root, paths) for part, paths in self.parts.items()}
        return {part: path for part, path in found.items() if path is not None}


def recognise(
    root: Path | str | None, dataset: str, releases: Sequence[Release]
) -> tuple[Release, dict[str, Path]]:
    """Return the first release whose parts are all in the folder ``root``, and where they lie.

    Raises `RequestError` when there is none, naming the folder above or below that is one, and
    `DataError` when parts of one are there and others are not.
    """
    looked_for = "; ".join(f"{release.name} ({described(release)})" for release in releases)
    if root is None:
        raise RequestError(f"{dataset!r} needs a data root, the folder of {looked_for}")
    folder = Path(root)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise RequestError(f"the data root {folder} {what}; give the folder of {looked_for}")
    here = whole(folder, releases)
    if here is not None:
        return here
    for near, level in neighbours(folder):
        if whole(near, releases) is not None:
            raise RequestError(f"the data root {folder} lies too {level}: give {near}")
    release, found = max(
        ((release, release.find(folder)) for release in releases), key=lambda pair: len(pair[1])
    )
    missing = [paths[0] for part, paths in release.parts.items() if part not in found]
    packed = archives_in(folder, missing, found.values())
    unpack = f"; unpack {listed(packed, SHOWN)}" if packed else ""
    if found:
        raise DataError(
            f"{folder} looks like {release.name}, but {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not there{unpack}"
        )
    there = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    holds = listed(there, SHOWN) or "nothing"
    raise RequestError(
        f"{folder} is no release of {dataset!r}: looked for {looked_for}; it holds {holds}{unpack}"
    )


def whole(folder: Path, releases: Sequence[Release]) -> tuple[Release, dict[str, Path]] | None:
    """Return the first release that is there with all its parts."""
    for release in releases:
        if all(first(folder, paths) for paths in release.parts.values()):  # until one is missing
            return release, release.find(folder)
    return None


def first(root: Path, paths: Sequence[str]) -> Path | None:
    """Return the first of some paths or patterns that is there."""
    for path in paths:
        found = sorted(root.glob(path)) if "*" in path else [root / path]
        if found and found[0].exists():
            return found[0]
    return None


def archives_in(folder: Path, missing: Sequence[str], used: Collection[Path]) -> list[str]:
    """Return the archives in a folder, and beside where the missing parts would lie."""
    places = {folder, *((folder / path).parent for path in missing)}
    return sorted(
        path.relative_to(folder).as_posix()
        for place in places
        if place.is_dir()
        for path in place.iterdir()
        if path.suffix.lower() in ARCHIVES and path not in used
    )


def described(release: Release) -> str:
    """Return the parts of a release in words."""
    return ", ".join(paths[0] for paths in release.parts.values())


def neighbours(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folders around one, nearest first, each with "high" or "low" for the one given."""
    for above in folder.resolve().parents[:LEVELS_ABOVE]:
        yield above, "low"
    level, seen = [folder], 0
    for _ in range(LEVELS_BELOW):
        level = [path for parent in level for path in folders_in(parent)]
        for path in level:
            seen += 1
            if seen > MOST_FOLDERS:
                return
            yield path, "high"


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name; none where it may not be read."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []
