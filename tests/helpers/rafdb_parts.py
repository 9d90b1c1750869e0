"""A small RAF-DB, and what tests look at in its faces."""

from __future__ import annotations

from pathlib import Path

from ferc_core.faces import FaceSet
from ferc_core.testing.standins.rafdb import write_rafdb

SURPRISE, FEAR, DISGUST, HAPPY, SAD, ANGER, NEUTRAL = range(7)
LIST = "basic/EmoLabel/list_patition_label.txt"


def standin(root: Path, *quirks: str, **options) -> Path:
    """A small RAF-DB with few different images."""
    return write_rafdb(root, **{"side": 32, "distinct": 1, **options}, quirks=quirks)


def distribution(faces: FaceSet, sample: str) -> list[float]:
    """The label distribution of a sample."""
    for split in faces.splits.values():
        if sample in split.ids:
            return split.distributions[split.ids.index(sample)].tolist()
    raise AssertionError(f"there is no sample {sample}")
