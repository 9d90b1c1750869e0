"""Toy faces: a dataset that the package draws itself, so that everything can be tried at once.

Eight expressions in AffectNet's order, each face with an intensity, valence and arousal, a person,
a head pose and a light. What a face shows follows its intensity, valence and arousal, so that weak
expressions are truly ambiguous; the persons of the three splits are different ones. Nothing is
stored: every image is drawn when it is read, from the address (split, number) alone.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key
from ferc_core.datasets.toyfaces.drawing.expressions import (
    CLASSES,
    Feeling,
    express,
    random_feeling,
)
from ferc_core.datasets.toyfaces.drawing.face import draw_face
from ferc_core.datasets.toyfaces.drawing.people import Person, random_person
from ferc_core.datasets.toyfaces.drawing.views import random_view
from ferc_core.errors import RequestError
from ferc_core.faces import FaceSet, FaceSplit

VERSION = "toyfaces/1"  # a new number for every change that moves a pixel or a label
PERSONS = {"train": 64, "valid": 24, "test": 24}
FEWEST, MOST = len(CLASSES), 100_000  # faces of a split
SMALLEST, LARGEST = 32, 512  # side of an image in pixels


def open_toyfaces(
    root: Path | str | None = None,
    *,
    train: int = 2400,
    valid: int = 400,
    test: int = 400,
    size: int = 96,
) -> FaceSet:
    """Return toy faces with ``train``, ``valid`` and ``test`` images of ``size`` x ``size``.

    The classes are balanced. Image number i of a split is the same however many are asked for.
    Raises `RequestError` when a number is out of range or a ``root`` is given: there is nothing
    on disk.

    >>> faces = open_toyfaces(train=16, valid=8, test=8, size=64)
    >>> faces.splits["train"][1].image.shape, faces.classes[faces.splits["train"][1].label]
    ((64, 64, 3), 'happy')
    """
    if root is not None:
        raise RequestError(f"toyfaces are drawn, not read: leave out the data root {str(root)!r}")
    counts = {"train": train, "valid": valid, "test": test}
    for name, count in counts.items():
        check_number(name, count, FEWEST, MOST)
    check_number("size", size, SMALLEST, LARGEST)
    return FaceSet(
        name="toyfaces",
        classes=CLASSES,
        splits={name: toy_split(name, count, size) for name, count in counts.items()},
    )


def check_number(option: str, value: object, low: int, high: int) -> None:
    """Raise `RequestError` unless ``value`` is a whole number from ``low`` to ``high``."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(
            f"toyfaces: {option} must be a whole number from {low} to {high}, not {value!r}"
        )


def toy_split(split: str, count: int, size: int) -> FaceSplit:
    """Return the first ``count`` faces of a split."""
    feelings = [feeling_of(split, i) for i in range(count)]
    return FaceSplit(
        ids=tuple(f"{split}-{i:05d}" for i in range(count)),
        labels=np.array([feeling.label for feeling in feelings], dtype=np.int64),
        read=partial(draw_toy_face, split, size),
        valence_arousal=np.array([(f.valence, f.arousal) for f in feelings], dtype=np.float64),
        identities=tuple(f"{split}-person-{person_number(split, i):02d}" for i in range(count)),
    )


def draw_toy_face(split: str, size: int, index: int) -> npt.NDArray[np.uint8]:
    """Draw face number ``index`` of a split, uint8 RGB [size, size, 3]."""
    person = person_of(split, person_number(split, index))
    expression = express(feeling_of(split, index), stream(split, index, "expression"))
    return draw_face(person, expression, random_view(stream(split, index, "view")), size)


def person_number(split: str, index: int) -> int:
    """Return who is in image ``index``: everybody shows all expressions before the next one."""
    return index // len(CLASSES) % PERSONS[split]


@cache
def person_of(split: str, number: int) -> Person:
    """Return person ``number`` of a split."""
    return random_person(stream(split, number, "person"))


def feeling_of(split: str, index: int) -> Feeling:
    """Return what face ``index`` of a split feels; the classes take turns."""
    return random_feeling(index % len(CLASSES), stream(split, index, "feeling"))


def stream(split: str, number: int, purpose: str) -> np.random.Generator:
    """Return the random numbers of an address: the same ones in every process and order."""
    address = key(VERSION, split, number, purpose)
    return np.random.Generator(np.random.Philox(key=int.from_bytes(address, "little")))
