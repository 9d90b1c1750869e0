"""Your own images: a folder for each class, with or without splits, or a table of them.

    root/<class>/*.png                 one folder for each class
    root/{train,valid,test}/<class>/   the same in splits
    root/labels.csv, labels.parquet    a table: see `ferc_core.datasets.folder.table`

Nothing that a data folder holds is ever executed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ferc_core.datasets.folder.table import TABLE_SUFFIXES, open_table
from ferc_core.datasets.samples import (
    SPLIT_NAMES,
    ImageReader,
    class_index,
    face_set,
    infer_classes,
    normal,
    read_classes,
    sample_id,
)
from ferc_core.errors import DataError, RequestError, suggest
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.images.io import IMAGE_SUFFIXES


def open_folder(
    root: Path | str | None, *, classes: str | int | Sequence[str] | None = None
) -> FaceSet:
    """Open the images at ``root``: class folders, or a table (the file or its folder).

    ``classes`` fixes the classes and their order: ``"anger;joy"`` or a list. Without it they are
    the names found, in natural order. Sample ids are paths relative to the root, so a folder that
    moves keeps its results. Images are read when they are looked at.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong data.
    """
    if root is None:
        raise RequestError("the dataset 'folder' needs a data root: a folder of images or a table")
    path = Path(root)
    named = read_classes(classes)
    try:
        table = _find_table(path)
        return open_tree(path, named) if table is None else open_table(table, named)
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}") from error


def _find_table(root: Path) -> Path | None:
    """Return the table that ``root`` is or holds, None for a folder without one."""
    if not root.exists():
        raise RequestError(f"the data root {root} does not exist")
    if root.is_file():
        if root.suffix.lower() not in TABLE_SUFFIXES:
            raise RequestError(
                f"the data root {root} is a file; it must be a folder, or a .csv or .parquet table"
            )
        return root
    found = [path for suffix in TABLE_SUFFIXES if (path := root / f"labels{suffix}").is_file()]
    if len(found) > 1:
        raise RequestError(
            f"{root} holds both {found[0].name} and {found[1].name}; "
            "give the one to use as data root"
        )
    return found[0] if found else None


def open_tree(root: Path, named: tuple[str, ...] | None) -> FaceSet:
    """Open ``root/<class>/...`` or ``root/<split>/<class>/...``; images may lie deeper, too."""
    skipped: Counter[str] = Counter()
    rows: list[tuple[str, str, str, Path]] = []  # id, class, split, file
    empty: set[str] = set()
    for split, part in _parts(root, skipped):
        before = len(rows)
        for folder in _folders(part, skipped):
            name, found = normal(folder.name), len(rows)
            for path in _images(folder, (root.resolve(), part.resolve()), skipped):
                rows.append((sample_id(str(path.relative_to(root)), str(root)), name, split, path))
            if len(rows) == found:
                empty.add(name)
        if len(rows) == before:
            raise DataError(
                f"{part} holds no images in class folders; put them into {part / '<class>'}, "
                f"as {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
    rows.sort()
    ids, names, splits, paths = zip(*rows, strict=True)
    classes = named or infer_classes(names)
    index = {name: class_index(name, classes) for name in sorted(set(names))}
    for name, label in index.items():
        if label is None:
            raise DataError(
                f"{root}: folder {name!r} is none of the {len(classes)} classes: "
                f"{suggest(name, classes)}"
            )
    labels = np.array([index[name] for name in names], dtype=np.int64)
    faces = FaceSplit(ids=ids, labels=labels, read=ImageReader(paths))
    notes = []
    if skipped:
        notes.append("left out: " + ", ".join(f"{n} {what}" for what, n in sorted(skipped.items())))
    if empty - set(names):
        notes.append(f"folders without images: {', '.join(sorted(empty - set(names)))}")
    return face_set(faces, classes, splits if splits[0] else None, notes)


def _parts(root: Path, skipped: Counter[str]) -> list[tuple[str, Path]]:
    """Return the split folders as (split, folder), or the root alone as the split ``""``."""
    beside: Counter[str] = Counter()
    folders = _folders(root, beside)
    known = {f: SPLIT_NAMES[f.name.lower()] for f in folders if f.name.lower() in SPLIT_NAMES}
    if not known:
        return [("", root)]
    skipped.update(beside)
    for folder in folders:
        twin = next((f for f in known if f != folder and known[f] == known.get(folder)), None)
        if twin is not None:
            raise DataError(
                f"{root} holds {twin.name!r} and {folder.name!r}, which both mean "
                f"{known[folder]}; keep one of them"
            )
        if folder not in known and any(_images(folder, (root.resolve(),), Counter())):
            raise DataError(
                f"{root} holds the split folder {next(iter(known)).name!r} beside {folder.name!r}; "
                "put all images under <split>/<class>/ or all under <class>/"
            )
    return [(split, folder) for folder, split in known.items()]


def _folders(folder: Path, skipped: Counter[str]) -> list[Path]:
    """Return the folders in a folder by name, and count the files beside them."""
    folders = []
    for path in sorted(folder.iterdir()):
        if _is_hidden(path):
            skipped["hidden files and folders"] += 1
        elif path.is_dir():
            folders.append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            skipped["images outside class folders"] += 1
        else:
            skipped["files that are no images"] += 1
    return folders


def _images(folder: Path, above: tuple[Path, ...], skipped: Counter[str]) -> Iterator[Path]:
    """Yield the images in and below a folder; links are followed unless they lead back up."""
    here = folder.resolve()
    if here in above:
        skipped["links that lead back to a folder above"] += 1
        return
    with os.scandir(folder) as listing:
        entries = list(listing)
    for entry in entries:
        path = folder / entry.name
        if _is_hidden(path):
            skipped["hidden files and folders"] += 1
        elif entry.is_dir():
            yield from _images(path, (*above, here), skipped)
        elif entry.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
            yield path
        else:
            skipped["files that are no images"] += 1


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".") or path.name == "__MACOSX"
