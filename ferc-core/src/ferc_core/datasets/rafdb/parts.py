"""Where the parts of RAF-DB are in a data root: basic, compound and RAF-ML.

The file names of basic and compound are their owners'. Those of RAF-ML are taken from published
code that uses it; options of the loader override them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path, PurePath

from ferc_core.datasets.releases import Release, first, recognise
from ferc_core.datasets.texts import read_lines
from ferc_core.errors import DataError, RequestError

DATASET = "rafdb"
TITLES = {"basic": "RAF-DB basic", "compound": "RAF-DB compound", "ml": "RAF-ML"}
PLACES = {
    "basic": ("basic/", "basic/basic/"),  # twice: an archive unpacked into a folder of its name
    "compound": ("compound/", "compound/compound/"),
    "ml": tuple(
        f"{name}/{again}"
        for name in ("RAF-ML", "RAF_ML", "raf-ml", "RAFML", "ml")
        for again in ("", f"{name}/")
    ),
}
LABELS = ("list_patition_label.txt", "list_partition_label.txt")  # the owners' spelling first
LISTS = {"basic": LABELS, "compound": LABELS, "ml": ("distribution.txt",)}
BESIDE = {
    "basic": "distribution_basic.txt",
    "compound": "distribution_compound.txt",
    "ml": "partition_label.txt",
}
LIST_FOLDERS = ("EmoLabel/", "", "Image/")
IMAGES = ("Image/aligned", "aligned")
CODES_OF_COMPOUND = {"8", "9", "10", "11"}  # labels that basic does not have


@dataclass(frozen=True)
class Part:
    """A part of RAF-DB: its list of labels, or of RAF-ML's distributions, and its images."""

    name: str
    labels: Path
    images: Path

    @property
    def beside(self) -> Path | None:
        """The optional list: of distributions, or of RAF-ML's splits."""
        name = BESIDE[self.name]
        return first(self.labels.parent, (name,)) or first(self.folder, (name,))

    @property
    def folder(self) -> Path:
        """The folder of the part."""
        above = self.images.parent
        return above.parent if above.name == "Image" else above

    @property
    def attributes(self) -> Path | None:
        """The folder of manual attributes, if there is one."""
        return first(self.folder, ("Annotation/manual",))


def find_parts(
    root: Path | str | None, wanted: Sequence[str], ml_labels: str = "", ml_images: str = ""
) -> dict[str, Part]:
    """Return the wanted parts, or all that exist if none is named.

    ``ml_labels`` and ``ml_images`` say where RAF-ML's files are, relative to the root. Raises
    `RequestError` or `DataError` as `recognise` does, also for an incomplete part.
    """
    if root is None or not Path(root).is_dir():
        recognise(root, DATASET, [release(name, PLACES[name]) for name in TITLES])
    folder = Path(str(root))
    releases = {name: release_in(folder, name) for name in TITLES}
    chosen = {k: (v,) for k, v in {"labels": ml_labels, "images": ml_images}.items() if v}
    if chosen:
        parts = release("ml", (*PLACES["ml"], "")).parts
        releases["ml"] = Release(TITLES["ml"], {**parts, **chosen})
    names = wanted or [
        name for name, each in releases.items() if each.find(folder) or (name == "ml" and chosen)
    ]
    if not names:  # so this says what to use instead
        one = [release(name, ("",)) for name in ("basic", "ml")]
        recognise(folder, DATASET, [*releases.values(), *one])
    found = {name: recognise(folder, DATASET, [releases[name]])[1] for name in names}
    if not wanted and "basic" in found and found["basic"] == found.get("compound"):
        del found["basic" if is_compound(folder, found["basic"]["labels"]) else "compound"]
    for paths in found.values():
        if not paths["images"].is_dir():
            raise DataError(f"{paths['images']} is not a folder; it must be the one of the images")
    return {name: Part(name, **paths) for name, paths in found.items()}


def release_in(folder: Path, name: str) -> Release:
    """Return the form in which a part is or would be in a folder: below it, or the folder itself.

    If some of its places exist, only those count, so that what is missing is looked for there.
    """
    there = [place for place in PLACES[name] if (folder / place).is_dir()]
    below, itself = release(name, there or PLACES[name]), release(name, ("",))
    return itself if not there and "labels" in itself.find(folder) else below


def release(name: str, places: Iterable[str]) -> Release:
    """Return what a part looks like in one of these places."""
    places = tuple(places)
    return Release(
        TITLES[name],
        {
            "labels": tuple(map("".join, product(places, LIST_FOLDERS, LISTS[name]))),
            "images": tuple(map("".join, product(places, IMAGES))),
        },
    )


def is_compound(folder: Path, labels: Path) -> bool:
    """Say whether a part that is the data root itself is compound and not basic."""
    codes = {line.split()[-1] for line in read_lines(labels) if line}
    return "compound" in folder.resolve().name.lower() or codes >= CODES_OF_COMPOUND


def check_path(option: str, path: object) -> None:
    """Raise `RequestError` unless an option is a path relative to the data root, or empty."""
    if not isinstance(path, str) or PurePath(path).anchor or "*" in path:
        raise RequestError(f"{option} must be a path relative to the data root, not {path!r}")
    if ".." in PurePath(path).parts:
        raise RequestError(f"{option} leads out of the data root: {path!r}; use a path in it")
