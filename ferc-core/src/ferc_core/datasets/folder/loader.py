"""Your own images: a folder for each class, with or without splits, or a table of them.

    root/<class>/*.png                 one folder for each class
    root/{train,valid,test}/<class>/   the same in splits
    root/labels.csv, labels.parquet    a table: see `ferc_core.datasets.folder.table`

Nothing in a data folder is ever executed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ferc_core.base.text import number, shortened
from ferc_core.datasets import samples
from ferc_core.datasets.folder.table import TABLE_SUFFIXES, open_table
from ferc_core.datasets.tree import below, is_file
from ferc_core.errors import DataError, RequestError
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.images.io import IMAGE_SUFFIXES

# What is skipped, one and several of it.
Skipped = tuple[str, str]
HIDDEN: Skipped = ("hidden file or folder", "hidden files or folders")
LOOSE: Skipped = ("image outside class folders", "images outside class folders")
OTHER: Skipped = ("file that is not an image", "files that are not images")
LOOP: Skipped = ("link to a folder above", "links to a folder above")


def open_folder(
    root: Path | str | None, *, classes: str | int | Sequence[str] | None = None
) -> FaceSet:
    """Open the images at ``root``: class folders, or a table (the file or its folder).

    ``classes`` fixes the classes and their order: ``"anger;joy"`` or a list. By default they are
    the names found, in natural order. Sample ids are paths relative to the root, so a folder that
    moves keeps its results.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong data.
    """
    if root is None:
        raise RequestError("the dataset 'folder' needs a data root: a folder of images or a table")
    path = Path(root)
    named = samples.read_classes(classes)
    try:
        table = _find_table(path)
        return open_tree(path, named) if table is None else open_table(table, named)
    except OSError as error:
        where = shortened(str(error.filename or path))
        raise DataError(f"{where} cannot be read: {error.strerror}") from error


def _find_table(root: Path) -> Path | None:
    """Return the table that ``root`` is or contains, None for a folder without one."""
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
        names = " and ".join(path.name for path in found)
        raise RequestError(f"{root} contains both {names}; use one of them as the data root")
    return found[0] if found else None


def open_tree(root: Path, named: tuple[str, ...] | None) -> FaceSet:
    """Open ``root/<class>/...`` or ``root/<split>/<class>/...``; subfolders are searched, too."""
    skipped: Counter[Skipped] = Counter()
    rows: list[tuple[str, str, str, Path]] = []  # id, class, split, file
    empty: set[str] = set()
    for split, part in _parts(root, skipped):
        before = len(rows)
        for folder in _folders(part, skipped):
            name, found = samples.normal(folder.name), len(rows)
            for path in _images(folder, (root, part), skipped):
                sample = samples.sample_id(str(path.relative_to(root)), str(root))
                rows.append((sample, name, split, path))
            if len(rows) == found:
                empty.add(name)
        if len(rows) == before:
            raise DataError(
                f"{part} contains no images in class folders; put them into {part / '<class>'}, "
                f"as {', '.join(sorted(IMAGE_SUFFIXES))}"
            )
    rows.sort()
    ids, names, splits, paths = zip(*rows, strict=True)
    classes = named or samples.infer_classes(names)
    labels = samples.labels_of(names, classes, lambda _: f"{root}: folder")
    faces = FaceSplit(ids=ids, labels=labels, read=samples.ImageReader(paths))
    notes = []
    if skipped:
        notes.append(
            "left out: " + ", ".join(number(n, *what) for what, n in sorted(skipped.items()))
        )
    if empty - set(names):
        notes.append(f"folders without images: {', '.join(sorted(empty - set(names)))}")
    return samples.face_set(faces, classes, splits if splits[0] else None, notes)


def _parts(root: Path, skipped: Counter[Skipped]) -> list[tuple[str, Path]]:
    """Return the split folders as (split, folder), or the root alone as the split ``""``."""
    beside: Counter[Skipped] = Counter()
    folders = _folders(root, beside)
    usual = samples.SPLIT_NAMES
    known = {f: usual[f.name.lower()] for f in folders if f.name.lower() in usual}
    if not known:
        return [("", root)]
    skipped.update(beside)
    for folder in folders:
        twin = next((f for f in known if f != folder and known[f] == known.get(folder)), None)
        if twin is not None:
            raise DataError(
                f"{root} contains {twin.name!r} and {folder.name!r}, which both mean "
                f"{known[folder]}; keep one of them"
            )
        if folder not in known and any(_images(folder, (root,), Counter())):
            raise DataError(
                f"{root} contains the split folder {next(iter(known)).name!r} beside "
                f"{folder.name!r}; put all images under <split>/<class>/ or all under <class>/"
            )
    return [(split, folder) for folder, split in known.items()]


def _folders(folder: Path, skipped: Counter[Skipped]) -> list[Path]:
    """Return the folders in a folder by name, and count the files beside them."""
    folders = []
    for path in sorted(folder.iterdir()):
        if _is_hidden(path.name):
            skipped[HIDDEN] += 1
        elif path.is_dir():
            folders.append(path)
        elif path.suffix.lower() in IMAGE_SUFFIXES:
            skipped[LOOSE] += 1
        else:
            skipped[OTHER] += 1
    return folders


def _images(folder: Path, above: tuple[Path, ...], skipped: Counter[Skipped]) -> Iterator[Path]:
    """Yield the images in and below a folder; links are followed unless they lead back up."""
    for name, entry in below(folder, above=above, hidden=_is_hidden):
        path = folder / name
        if entry is None:
            skipped[LOOP] += 1
        elif _is_hidden(entry.name):
            skipped[HIDDEN] += 1
        elif is_file(entry) and path.suffix.lower() in IMAGE_SUFFIXES:
            yield path
        else:
            skipped[OTHER] += 1


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"
