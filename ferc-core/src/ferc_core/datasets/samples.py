"""What loaders share: image readers, sample ids, class names, splits."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key, rank
from ferc_core.base.text import number, shortened
from ferc_core.errors import DataError, RequestError, suggest
from ferc_core.faces import SPLITS, FaceSet, FaceSplit
from ferc_core.images.io import read_image

# Names of splits in folders and tables, in lower case.
SPLIT_NAMES = {
    "train": "train", "training": "train",
    "valid": "valid", "val": "valid", "validation": "valid",
    "test": "test", "testing": "test",
}  # fmt: skip
# Percent of the faces, if the data do not say which split an image belongs to.
TEST_PERCENT = 20
VALID_PERCENT = 10

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")  # control characters, undecodable bytes


Box = tuple[int, int, int, int]  # left, top, right, bottom; right and bottom are exclusive


class ImageReader:
    """Reads image files, in a folder if one is given; picklable."""

    def __init__(self, names: Iterable[Path | str], folder: Path | str = "") -> None:
        self.names = tuple(map(str, names))  # much smaller than as many paths
        self.folder = str(folder)

    def path(self, i: int) -> Path:
        """Return the path of image i."""
        return Path(self.folder, self.names[i])

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Read image i as uint8 RGB [H, W, 3]."""
        return read_image(self.path(i))


def cropped(image: npt.NDArray[np.uint8], box: Box) -> npt.NDArray[np.uint8]:
    """Return the part of an image that is inside a box; it may be empty."""
    left, top, right, bottom = (max(edge, 0) for edge in box)
    return image[top:bottom, left:right]


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts 2 before 10 and ignores case.

    >>> sorted(["10", "2", "sad", "Happy"], key=natural)
    ['2', '10', 'Happy', 'sad']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    parts[1::2] = [number.lstrip("0") for number in parts[1::2]]  # a longer one is larger
    return [(len(part) if i % 2 else 0, part) for i, part in enumerate(parts)], name


def normal(text: str) -> str:
    """Return a name stripped and in composed Unicode, the same on every system."""
    return unicodedata.normalize("NFC", text.strip())


def read_classes(classes: str | int | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the option ``classes`` (``"anger;joy"`` or a list of names) as a tuple, or None."""
    if classes is None:
        return None
    parts = str(classes).split(";") if isinstance(classes, str | int) else classes
    names = tuple(normal(str(part)) for part in parts)
    if not all(names) or len(set(names)) < len(names) or len(names) < 2:
        raise RequestError(
            f"classes must be two or more different names separated by ';', not {';'.join(names)!r}"
        )
    return names


def infer_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names in natural order; raises `DataError` if two differ only by case."""
    classes = tuple(sorted(set(names), key=natural))
    for one, other in pairwise(classes):
        if one.casefold() == other.casefold():
            raise DataError(
                f"classes {shortened(repr(one))} and {shortened(repr(other))} differ only by "
                "case; spell each class one way"
            )
    return classes


def class_index(text: str, classes: tuple[str, ...]) -> int | None:
    """Return the class that a text names, or gives as a number from 0; None if there is none.

    >>> [class_index(text, ("anger", "joy")) for text in ("joy", "0", "2")]
    [1, 0, None]
    """
    if text in classes:
        return classes.index(text)
    if re.fullmatch(r"[0-9]{1,6}", text) and int(text) < len(classes):
        return int(text)
    return None


def labels_of(
    names: Sequence[str], classes: tuple[str, ...], where: Callable[[int], str]
) -> npt.NDArray[np.int64]:
    """Return the class [N] of each name; raises `DataError` that begins with ``where(i)``."""
    index = {name: class_index(name, classes) for name in set(names)}
    for i, name in enumerate(names):
        if index[name] is None:
            raise DataError(
                f"{where(i)} {shortened(repr(name))} is not one of the {len(classes)} classes: "
                f"{suggest(name, classes)}"
            )
    return np.array([index[name] for name in names], dtype=np.int64)


def sample_id(path: str, where: str) -> str:
    """Return a path as a sample id: relative, forward slashes, composed Unicode.

    An id names an image in every result and the files made from it. So an absolute path loses its
    root, and ``..`` is refused with a `DataError` that begins with ``where``.
    """
    whole = Path(path.replace("\\", "/"))
    inside = PurePosixPath(*(whole.parts[1:] if whole.anchor else whole.parts))
    name = unicodedata.normalize("NFC", str(inside))
    if name == "." or ".." in inside.parts or _UNSAFE.search(name):
        raise DataError(
            f"{where}: {shortened(repr(path))} is not a valid sample id; it must be a path without "
            "'..' or control characters"
        )
    return name


def by_split(faces: FaceSplit, splits: npt.NDArray[np.str_]) -> dict[str, FaceSplit]:
    """Return the splits of N faces, given the name of each face's split ("" for none)."""
    parts = {name: np.flatnonzero(splits == name) for name in SPLITS}
    return {name: faces.take(rows) for name, rows in parts.items() if len(rows)}


def percent_of(percent: int, count: int) -> int:
    """Return ``percent`` of ``count``, rounded half up."""
    return (count * percent + 50) // 100


def face_set(
    faces: FaceSplit, classes: tuple[str, ...], splits: Sequence[str] | None, notes: list[str]
) -> FaceSet:
    """Return N faces as a `FaceSet`, split as given or automatically."""
    notes = list(notes)
    if splits is None:
        splits = automatic_splits(faces)
        counts = ", ".join(f"{splits.count(name)} {name}" for name in SPLITS)
        how = "within each class" if faces.identities is None else "by subject"
        notes.append(f"no splits are given; chosen {how} by a hash of the ids: {counts}")
    elif faces.identities is not None:
        seen_in = Counter(subject for subject, _ in {*zip(faces.identities, splits, strict=True)})
        shared = sum(count > 1 for count in seen_in.values())
        if shared:
            notes.append(f"{number(shared, 'subject')} in more than one split")
    present = set(faces.labels.tolist())
    absent = [name for i, name in enumerate(classes) if i not in present]
    if absent:
        notes.append(f"no image of class {', '.join(absent)}")
    return FaceSet("folder", classes, by_split(faces, np.array(splits)), tuple(notes))


def automatic_splits(faces: FaceSplit) -> list[str]:
    """Choose a split for each face: 70 % train, 10 % valid, 20 % test, by a hash of its id.

    Each class is divided separately. If subjects are known, each subject is in one split, and the
    percentages are met as closely as that allows.
    """
    if faces.identities is None:
        splits = np.full(len(faces), "train")
        order = rank(faces.ids, "split")
        for label in np.unique(faces.labels):
            rows = order[faces.labels[order] == label]
            test, valid = (percent_of(p, len(rows)) for p in (TEST_PERCENT, VALID_PERCENT))
            splits[rows[:test]] = "test"
            splits[rows[test : test + valid]] = "valid"
        return [str(split) for split in splits]
    counts, before = Counter(faces.identities), 0
    of_subject = {}
    for subject in sorted(counts, key=lambda name: key("split", name)):
        middle = 100 * (before + counts[subject] / 2) / len(faces)
        before += counts[subject]
        reached = [p for p in (TEST_PERCENT, TEST_PERCENT + VALID_PERCENT) if middle >= p]
        of_subject[subject] = ("test", "valid", "train")[len(reached)]
    return [of_subject[subject] for subject in faces.identities]
