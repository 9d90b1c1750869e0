"""The lists of RAF-DB: labels, label distributions, and the splits of RAF-ML.

Each line is the name of an image and numbers, separated by spaces. A line that is not usable
becomes a row with a ``fault``, so that it can be counted and named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from ferc_core.datasets.index import Names
from ferc_core.datasets.texts import read_lines
from ferc_core.errors import DataError
from ferc_core.faces import SUM_TOLERANCE
from ferc_core.images.io import IMAGE_SUFFIXES

SPLITS = ("train", "test")
# In the partition list of RAF-ML, as published code that uses it reads it; the test split then has
# 982 faces, the published number.
SPLIT_OF_CODE = {"0": "train", "1": "test"}
ROUNDING = 1e-9  # so that 0.5 + 0.49 counts as 0.01 away from 1
MOST = 1e6  # of a probability, so that their sum is a number
LONGEST = 60  # characters of a line that a message shows

SCHEMA: dict[str, Any] = {
    "name": pl.String,
    "split": pl.String,  # "" if no list says
    "label": pl.Int64,  # by the label list, counted from 0; null without one
    "distribution": pl.List(pl.Float64),  # K probabilities; null without a distribution
    "image": pl.String,  # below the image folder; "" if it is missing
    "fault": pl.String,  # why this line is not used; "" for a face
    "file": pl.String,  # of a line that is not used
    "line": pl.Int64,
    "text": pl.String,
}


class UnusableError(ValueError):
    """Why a line is not usable, and what to show of it instead of its beginning."""

    def __init__(self, why: str, shown: str = "") -> None:
        super().__init__(why)
        self.shown = shown


@dataclass
class Line:
    """A line of a list and its value, or the fault because of which it is not used."""

    file: str
    line: int
    text: str
    name: str
    value: Any = None
    fault: str = ""


def read_labelled(
    labels_at: Path, beside: Path | None, images_at: Path, num_classes: int, names: Names
) -> pl.DataFrame:
    """Return the faces of a label list and the faults of the lists, in the columns of SCHEMA.

    ``beside`` is the list of label distributions, if any. A face is dropped if its distribution is
    not usable, and kept if it has none. A file without any usable line belongs to something else
    and costs no face. Raises `DataError` if no face is left.
    """
    labels = read_list(labels_at, lambda name, cells: parse_label(name, cells, num_classes))
    listed = {line.name for line in labels}
    soft: list[Line] = []
    if beside is not None:
        soft = read_list(beside, lambda _, cells: parse_distribution(cells, num_classes))
        if usable(soft):
            spoilt = {line.name for line in soft} - usable(soft).keys()
            reject(labels, listed - spoilt, f"its line in {beside.name} is not usable")
        reject(soft, listed, f"{labels_at.name} does not have this name")
    distributions = usable(soft)
    faces = [
        {"name": name, "split": prefix(name), "label": n, "distribution": distributions.get(name)}
        for name, n in usable(labels).items()
    ]
    return table(faces, labels + soft, images_at, names, labels_at)


def read_blended(
    soft_at: Path, beside: Path | None, images_at: Path, num_classes: int, names: Names
) -> pl.DataFrame:
    """Return the faces of a list of distributions and the faults, in the columns of SCHEMA.

    Names tell the splits if all begin with train_ or test_, else the partition list ``beside``
    does; without it the splits are empty. Raises `DataError` if no face is left.
    """
    soft = read_list(soft_at, lambda _, cells: parse_distribution(cells, num_classes))
    splits = {name: prefix(name) for name in usable(soft)}
    partition: list[Line] = []
    if not all(splits.values()):
        splits = dict.fromkeys(splits, "")
        if beside is not None:
            partition = read_list(beside, lambda _, cells: parse_split(cells))
            splits = usable(partition)
            reject(soft, splits.keys(), f"{beside.name} does not say its split")
            reject(
                partition, {line.name for line in soft}, f"{soft_at.name} does not have this name"
            )
    faces = [
        {"name": name, "split": splits[name], "distribution": value}
        for name, value in usable(soft).items()
    ]
    return table(faces, soft + partition, images_at, names, soft_at)


def usable(lines: list[Line]) -> dict[str, Any]:
    """Return the values of the lines that are used, by name."""
    return {line.name: line.value for line in lines if not line.fault}


def reject(lines: list[Line], names: Container[str], why: str) -> None:
    """Stop using the lines of all other names."""
    for line in lines:
        if not line.fault and line.name not in names:
            line.fault = why


def table(
    faces: list[dict[str, Any]], lines: list[Line], images_at: Path, names: Names, path: Path
) -> pl.DataFrame:
    """Return faces, with their images, and the faults of lines as one table."""
    faults = [{**vars(line), "value": None} for line in lines if line.fault]
    if not faces:
        first = "; the first: {file}, line {line}: {fault}".format(**faults[0]) if faults else ""
        raise DataError(f"{path} has no usable line{first}")
    images = {
        face_name(PurePosixPath(name).name): name
        for name in reversed(names[images_at])  # the first of several with one name
        if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
    }
    for face in faces:
        face |= {"image": images.get(face["name"], ""), "fault": ""}
    return pl.DataFrame([*faces, *faults], schema=SCHEMA)


def read_list(path: Path, parse: Callable[[str, list[str]], Any]) -> list[Line]:
    """Read a list; ``parse`` receives a name and the rest of its line, and returns its value."""
    lines: list[Line] = []
    seen: set[str] = set()
    for number, text in enumerate(read_lines(path), 1):
        if not text:
            continue
        first, *cells = text.split()
        line = Line(path.name, number, text[:LONGEST], face_name(first))
        lines.append(line)
        try:
            if not re.fullmatch(r"\w[\w.-]*", line.name):
                raise UnusableError("it does not begin with the name of an image")
            if line.name in seen:
                raise UnusableError("the name is also on an earlier line")
            line.value = parse(line.name, cells)
            seen.add(line.name)
        except UnusableError as error:
            line.fault = str(error)
            if error.shown:
                line.text = f"{first} {error.shown}"[:LONGEST]
    return lines


def face_name(text: str) -> str:
    """Return the name that lists and image files share.

    >>> face_name("train_00001_aligned.jpg"), face_name("train_00001.jpg")
    ('train_00001', 'train_00001')
    """
    path = PurePosixPath(text)
    stem = text.removesuffix(path.suffix) if path.suffix.lower() in IMAGE_SUFFIXES else text
    return stem.removesuffix("_aligned")


def prefix(name: str) -> str:
    """Return the split that a name begins with, or ""."""
    return next((split for split in SPLITS if name.startswith(f"{split}_")), "")


def parse_label(name: str, cells: list[str], num_classes: int) -> int:
    """Return a class counted from 0, from the owners' code counted from 1."""
    if len(cells) != 1:
        raise UnusableError("it is not a name and one label")
    if not prefix(name):
        raise UnusableError("the name begins with neither train_ nor test_")
    if not re.fullmatch("[0-9]{1,3}", cells[0]) or not 1 <= int(cells[0]) <= num_classes:
        raise UnusableError(f"the label is not a number from 1 to {num_classes}")
    return int(cells[0]) - 1


def parse_distribution(cells: list[str], num_classes: int) -> list[float]:
    """Return K probabilities, normalised if they nearly sum to 1."""
    try:
        values = [float(cell) for cell in cells]
    except ValueError:
        values = []
    if len(values) != num_classes or not all(map(math.isfinite, values)):
        raise UnusableError(f"it is not a name and {num_classes} probabilities")
    if min(values) < 0:
        raise UnusableError("a probability is negative")
    total = math.fsum(values) if max(values) < MOST else math.inf
    if total == 0:
        raise UnusableError("all probabilities are 0")
    if abs(total - 1) > SUM_TOLERANCE + ROUNDING:
        why = f"the probabilities do not sum to 1 within {SUM_TOLERANCE:g}"
        raise UnusableError(why, f"sums to {total:g}")
    return [value / total for value in values]


def parse_split(cells: list[str]) -> str:
    """Return the split that a code means."""
    if len(cells) != 1 or cells[0] not in SPLIT_OF_CODE:
        raise UnusableError("it is not a name and 0 (train) or 1 (test)")
    return SPLIT_OF_CODE[cells[0]]
