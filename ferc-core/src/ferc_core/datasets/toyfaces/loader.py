"""Toy faces: a dataset that FER-C draws itself, so that everything can be tried at once.

Eight expressions in AffectNet's order, each face with an intensity, valence and arousal, a subject,
a head pose and a light. A face shows its own intensity, valence and arousal, so weak expressions
are truly ambiguous; the three splits have different subjects. Nothing is stored: every image is
drawn when it is read, from its address (split, number) alone.
"""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key
from ferc_core.datasets.toyfaces.drawing import expressions
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES, Emotion
from ferc_core.datasets.toyfaces.drawing.face import draw_face
from ferc_core.datasets.toyfaces.drawing.subjects import Subject, random_subject
from ferc_core.datasets.toyfaces.drawing.views import random_view
from ferc_core.errors import RequestError
from ferc_core.faces import FaceSet, FaceSplit

VERSION = "toyfaces/1"  # a new number for every change that moves a pixel or a label
SUBJECTS = {"train": 64, "valid": 24, "test": 24}
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

    The classes are balanced. Image number i of a split does not depend on the number of images.
    Raises `RequestError` if a number is out of range or a ``root`` is given.

    >>> faces = open_toyfaces(train=16, valid=8, test=8, size=64)
    >>> faces.splits["train"][1].image.shape, faces.classes[faces.splits["train"][1].label]
    ((64, 64, 3), 'happy')
    """
    if root is not None:
        raise RequestError(f"toyfaces needs no data: leave out the data root {str(root)!r}")
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
    emotions = [emotion_of(split, i) for i in range(count)]
    return FaceSplit(
        ids=tuple(f"{split}-{i:05d}" for i in range(count)),
        labels=np.array([emotion.label for emotion in emotions], dtype=np.int64),
        read=partial(draw_toy_face, split, size),
        valence_arousal=np.array([(f.valence, f.arousal) for f in emotions], dtype=np.float64),
        identities=tuple(f"{split}-person-{subject_number(split, i):02d}" for i in range(count)),
    )


def draw_toy_face(split: str, size: int, index: int) -> npt.NDArray[np.uint8]:
    """Draw face number ``index`` of a split, uint8 RGB [size, size, 3]."""
    subject = subject_of(split, subject_number(split, index))
    expression = expressions.express(emotion_of(split, index), stream(split, index, "expression"))
    return draw_face(subject, expression, random_view(stream(split, index, "view")), size)


def subject_number(split: str, index: int) -> int:
    """Return the subject of image ``index``: each shows all expressions before the next one."""
    return index // len(CLASSES) % SUBJECTS[split]


@cache
def subject_of(split: str, number: int) -> Subject:
    """Return subject ``number`` of a split."""
    return random_subject(stream(split, number, "person"))


def emotion_of(split: str, index: int) -> Emotion:
    """Return the emotion of face ``index`` of a split; the classes take turns."""
    return expressions.random_emotion(index % len(CLASSES), stream(split, index, "feeling"))


def stream(split: str, number: int, purpose: str) -> np.random.Generator:
    """Return the random generator of an address: the same in every process and order."""
    address = key(VERSION, split, number, purpose)
    return np.random.Generator(np.random.Philox(key=int.from_bytes(address, "little")))
