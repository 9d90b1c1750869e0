"""A dataset that breaks the contract of `FaceSplit` is refused with the sample."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core.errors import DataError
from ferc_core.faces import FaceSet, FaceSplit


def two(ids=("a", "b"), labels=(0, 1), **annotations) -> FaceSet:
    """A dataset of two faces and two classes."""
    arrays = {name: np.array(rows, float) for name, rows in annotations.items()}
    split = FaceSplit(ids, np.array(labels), lambda i: np.zeros((40, 40, 3), np.uint8), **arrays)
    return FaceSet("made up", ("x", "y"), {"train": split})


def test_a_broken_split_is_refused_with_the_sample():
    for options, message in (
        ({"ids": ("a", "a")}, "made up/train: sample id 'a' occurs twice"),
        ({"labels": (0, 2)}, "sample 'b' has label 2, outside the 2 classes 0 to 1"),
        ({"labels": (-1, 0)}, "sample 'a' has label -1"),
        ({"valence_arousal": [[0, 0], [0.5, 1.5]]}, "'b' has valence, arousal = 0.5, 1.5"),
        ({"valence_arousal": [[0, np.nan], [0, 0]]}, "'a' has valence, arousal = 0, nan"),
        ({"distributions": [[1, 0], [0.7, 0.2]]}, "sample 'b' sums to 0.9"),
        ({"distributions": [[1.5, -0.5], [1, 0]]}, "sample 'a' sums to 1 or has negative values"),
    ):
        with pytest.raises(DataError, match=message):
            two(**options)
    assert len(two(distributions=[[1, 0], [0.5, 0.495]]).splits["train"]) == 2


def test_faces_are_indexed_and_sliced_like_a_list():
    split = two(valence_arousal=[[0, 1], [-1, 0.5]], distributions=[[1, 0], [0, 1]]).splits["train"]
    last = split[-1]
    assert (last.id, last.label, last.valence, last.arousal) == ("b", 1, -1, 0.5)
    assert last.distribution.tolist() == [0, 1]
    assert last.identity is None
    assert [face.id for face in split[::-1]] == ["b", "a"]
    assert last.image.shape == (40, 40, 3)
    with pytest.raises(IndexError):
        split[2]
