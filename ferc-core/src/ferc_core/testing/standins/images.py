"""Toy faces as image files, for stand-ins of any size."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES
from ferc_core.datasets.toyfaces.loader import SUBJECTS, draw_toy_face, emotion_of

SPLIT = "train"  # of the toy faces that are used here
GREY = 128  # of the frame around a face


def toy_number(label: int, turn: int, subject: int | None = None) -> int:
    """Return the number of a toy face of class ``label`` (AffectNet's order).

    Each turn is another face; with a ``subject`` (0 to 63), another face of that subject.
    """
    place = turn if subject is None else subject + turn * SUBJECTS[SPLIT]
    return place * len(CLASSES) + label


def toy_class(name: str) -> int:
    """Return the toy class of another dataset's class; of two words, the first counts.

    >>> CLASSES[toy_class("happiness")], CLASSES[toy_class("angrily surprised")]
    ('happy', 'anger')
    """
    return next(i for i, toy in enumerate(CLASSES) if toy[:3] == name[:3])


def toy_valence_arousal(number: int) -> tuple[float, float]:
    """Return valence and arousal of a toy face, rounded as in annotation files."""
    emotion = emotion_of(SPLIT, number)
    return round(float(emotion.valence), 6), round(float(emotion.arousal), 6)


def toy_image(number: int, side: int) -> npt.NDArray[np.uint8]:
    """Draw a toy face, uint8 RGB [side, side, 3]."""
    return draw_toy_face(SPLIT, side, number)


class ImageWriter:
    """Writes toy faces of one size as files, in the format of the file's name.

    Each face is drawn and encoded once; its further files are hard links if the file system
    supports them. Only the first ``distinct`` turns of each class are different faces (0: all), so
    a stand-in with hundreds of thousands of images takes seconds and no space. A grey frame,
    ``margin`` pixels wide, surrounds each face of ``side`` x ``side`` pixels.
    """

    def __init__(self, side: int, distinct: int = 0, margin: int = 0) -> None:
        self.side = side
        self.distinct = distinct
        self.margin = margin
        self._first: dict[tuple[int, str], Path] = {}

    def write(self, path: Path, number: int) -> None:
        """Write toy face ``number``."""
        if self.distinct:
            number %= self.distinct * len(CLASSES)
        path.parent.mkdir(parents=True, exist_ok=True)
        first = self._first.setdefault((number, path.suffix), path)
        if first != path:
            try:
                os.link(first, path)
            except OSError:
                path.write_bytes(first.read_bytes())
            return
        frame = ((self.margin, self.margin), (self.margin, self.margin), (0, 0))
        image = np.pad(toy_image(number, self.side), frame, constant_values=GREY)
        write_image(path, image)


def write_image(path: Path, image: npt.NDArray[np.uint8]) -> None:
    """Write uint8 RGB [H, W, 3] in the format of the file's name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
