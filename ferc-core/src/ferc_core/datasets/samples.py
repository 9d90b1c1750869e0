"""What the loaders of one's own images share: names of splits and classes, ids, splitting."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key, rank
from ferc_core.errors import DataError, RequestError
from ferc_core.faces import SPLITS, FaceSet, FaceSplit
from ferc_core.images.io import read_image

# How folders and tables call the splits, in lower case.
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
    "testing": "test",
}
# Percent of each class, where the data do not say which split an image belongs to.
TEST_PERCENT = 20
VALID_PERCENT = 10

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, undecodable bytes


class ImageReader:
    """Image files, in a folder if one is given; can be sent to another process."""

    def __init__(self, names: Iterable[Path | str], folder: Path | str = "") -> None:
        self.names = tuple(map(str, names))  # a fraction of the size of as many paths
        self.folder = str(folder)

    def path(self, i: int) -> Path:
        """Return where file i lies."""
        return Path(self.folder, self.names[i])

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Read file i as uint8 RGB [H, W, 3]."""
        return read_image(self.path(i))


def natural(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key that puts 2 before 10 and does not care about case.

    >>> sorted(["10", "2", "sad", "Happy"], key=natural)
    ['2', '10', 'Happy', 'sad']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def normal(text: str) -> str:
    """Return a name without outer blanks and in composed Unicode, the same on every system."""
    return unicodedata.normalize("NFC", text.strip())


def read_classes(classes: str | int | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the option ``classes`` (``"anger;joy"`` or a list of names) as a tuple, or None."""
    if classes is None:
        return None
    parts = str(classes).split(";") if isinstance(classes, str | int) else classes
    names = tuple(normal(str(part)) for part in parts)
    if not all(names) or len(set(names)) < len(names) or len(names) < 2:
        raise RequestError(
            "classes must be two or more different names with ';' between them, "
            f"not {';'.join(names)!r}"
        )
    return names


def infer_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the different names in natural order; two that differ by case alone are refused."""
    classes = tuple(sorted(set(names), key=natural))
    for one, other in pairwise(classes):
        if one.casefold() == other.casefold():
            raise DataError(
                f"classes {one!r} and {other!r} differ by upper and lower case alone; "
                "write each class in one way"
            )
    return classes


def class_index(text: str, classes: tuple[str, ...]) -> int | None:
    """Return the class that a text names, or counts from 0; None when there is none.

    >>> [class_index(text, ("anger", "joy")) for text in ("joy", "0", "2")]
    [1, 0, None]
    """
    if text in classes:
        return classes.index(text)
    if re.fullmatch(r"[0-9]{1,6}", text) and int(text) < len(classes):
        return int(text)
    return None


def sample_id(path: str, where: str) -> str:
    """Return a path as a sample id: relative, forward slashes, composed Unicode.

    An id names an image in every result, and the files that are made from it. So an absolute
    path loses its root, and a path that climbs out with ``..`` is refused (``where`` says where
    it stands).
    """
    whole = Path(path.replace("\\", "/"))
    inside = PurePosixPath(*(whole.parts[1:] if whole.anchor else whole.parts))
    name = unicodedata.normalize("NFC", str(inside))
    if name == "." or ".." in inside.parts or _UNSAFE.search(name):
        raise DataError(
            f"{where}: {path!r} cannot name a sample; it must be a path without '..' and "
            "control characters"
        )
    return name


def face_set(
    faces: FaceSplit, classes: tuple[str, ...], splits: Sequence[str] | None, notes: list[str]
) -> FaceSet:
    """Return N faces as a `FaceSet`, in the given split of each or in automatic ones."""
    notes = list(notes)
    if splits is None:
        splits = automatic_splits(faces)
        counts = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS)
        how = "of each class" if faces.identities is None else "in whole identities"
        notes.append(f"no splits are given; a hash of the ids chose them {how}: {counts}")
    elif faces.identities is not None:
        seen_in = Counter(person for person, _ in set(zip(faces.identities, splits, strict=True)))
        shared = sum(count > 1 for count in seen_in.values())
        if shared:
            notes.append(f"{shared} identities stand in more than one split")
    present = set(faces.labels.tolist())
    absent = [name for i, name in enumerate(classes) if i not in present]
    if absent:
        notes.append(f"no image shows {', '.join(absent)}")
    of_row = np.array(splits)
    parts = {name: faces.take(np.flatnonzero(of_row == name)) for name in SPLITS if name in splits}
    return FaceSet("folder", classes, parts, tuple(notes))


def automatic_splits(faces: FaceSplit) -> list[str]:
    """Choose a split for each face: 70 % train, 10 % valid, 20 % test, by a hash of its id.

    Each class is divided for itself. Where identities are known, whole identities go to a split,
    and the shares are met as nearly as that allows.
    """
    splits = np.full(len(faces), "train")
    if faces.identities is None:
        order = rank(faces.ids, "split")
        for label in np.unique(faces.labels):
            rows = order[faces.labels[order] == label]
            test = (len(rows) * TEST_PERCENT + 50) // 100
            valid = (len(rows) * VALID_PERCENT + 50) // 100
            splits[rows[:test]] = "test"
            splits[rows[test : test + valid]] = "valid"
        return [str(split) for split in splits]
    counts, before = Counter(faces.identities), 0
    of_person = {}
    for person in sorted(counts, key=lambda name: key("split", name)):
        middle = 100 * (before + counts[person] / 2) / len(faces)
        before += counts[person]
        of_person[person] = (
            "test"
            if middle < TEST_PERCENT
            else "valid"
            if middle < TEST_PERCENT + VALID_PERCENT
            else "train"
        )
    return [of_person[person] for person in faces.identities]
