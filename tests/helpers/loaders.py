"""What tests of several loaders share: refusals, notes, edited files, small images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferc_core.errors import DataError
from ferc_core.faces import FaceSet


def refusal(
    open_dataset: Callable[..., FaceSet],
    root: object,
    error: type[Exception] = DataError,
    **options,
) -> str:
    """The one-line message with which a loader refuses ``root``."""
    with pytest.raises(error) as caught:
        open_dataset(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def noted(faces: FaceSet, words: str) -> str:
    """The one note that contains these words."""
    (found,) = [note for note in faces.notes if words in note]
    return found


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first ``old`` in a text file."""
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def sizes(faces: FaceSet) -> dict[str, int]:
    """The number of faces of each split."""
    return {name: len(split) for name, split in faces.splits.items()}


def ids(faces: FaceSet) -> list[str]:
    """The sample ids of all splits."""
    return [name for split in faces.splits.values() for name in split.ids]


def samples(faces: FaceSet) -> list[tuple[str, str, str]]:
    """(split, id, class) of every sample."""
    return [
        (name, face.id, faces.classes[face.label])
        for name, split in faces.splits.items()
        for face in split
    ]


def small_image(path: Path, value: int = 0) -> Path:
    """Write a small grey image and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((32, 32), value, np.uint8))[1].tobytes())
    return path


def content(root: Path) -> dict[str, bytes]:
    """The files below a folder."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
