"""From a configured name to faces: opened, checked for missing files, divided into splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ferc_core.base.text import listed, number
from ferc_core.data.classes import with_classes
from ferc_core.data.splits import Splits, divide
from ferc_core.errors import DataError, RequestError
from ferc_core.faces import FaceSet
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import DatasetSource

TOLERATED = 0.01  # fraction of faces that may be missing: AffectNet lacks 6 of 291,650


def open_dataset(dataset: Chosen[DatasetSource], root: str) -> FaceSet:
    """Open a dataset; ``root`` is "" where none was given."""
    source = dataset.entry
    if source.needs_root and not root:
        raise RequestError(f"dataset {source.name!r} needs its root directory (--data-root PATH)")
    if root and not source.needs_root:
        raise RequestError(f"dataset {source.name!r} has no root directory: leave out --data-root")
    return source.open(root or None, **dataset.call.options)


def open_divided(
    dataset: Chosen[DatasetSource],
    root: str,
    *,
    classes: Sequence[str] = (),
    split: str = "",
    calibrate_on: str = "",
    limit: int = 0,
    on_bad_image: str = "fail",
    training: bool = True,
) -> tuple[FaceSet, Splits]:
    """Open a dataset and divide it; the notes of the splits tell what is missing."""
    faces = open_dataset(dataset, root)
    check_missing(faces, on_bad_image)
    faces = with_classes(faces, classes)
    return faces, divided(faces, split, calibrate_on, limit, training=training)


def divided(faces: FaceSet, split: str, calibrate_on: str, limit: int, *, training: bool) -> Splits:
    """Divide a dataset; the notes of the splits tell what is missing."""
    splits = divide(faces, split, limit, calibrate_on=calibrate_on, training=training)
    missing = faces.about.missing
    if missing:
        lost = f"{number(sum(missing.values()), 'face')} lost with missing files"
        splits = replace(splits, notes=(f"{lost}: {listed(list(missing))}", *splits.notes))
    return splits


def check_missing(faces: FaceSet, on_bad_image: str) -> None:
    """Raise `DataError` when so many faces are missing that the set is not what was published."""
    missing = faces.about.missing
    lost, there = sum(missing.values()), sum(map(len, faces.splits.values()))
    if on_bad_image == "fail" and lost > TOLERATED * (lost + there):
        raise DataError(
            f"{faces.name}: {lost:,} of {lost + there:,} faces are lost with "
            f"{number(len(missing), 'missing file')}, the first is {next(iter(missing))}; unpack "
            "the archives again, or continue without them by --on-bad-image skip ('ferc data "
            "check' names all)"
        )
