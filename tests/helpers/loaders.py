"""What tests of several loaders need: a refusal's sentence, one of many notes, an edited file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ferc_core.errors import DataError
from ferc_core.faces import FaceSet


def refusal(
    open_set: Callable[..., FaceSet], root: object, error: type[Exception] = DataError, **options
) -> str:
    """The one-line message with which a loader refuses ``root``."""
    with pytest.raises(error) as caught:
        open_set(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def noted(faces: FaceSet, words: str) -> str:
    """The one note that has these words."""
    (found,) = [note for note in faces.notes if words in note]
    return found


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first ``old`` in a text file."""
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
