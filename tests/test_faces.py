"""Sets of faces: what they refuse, and what a sample knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferc_core import FercError
from ferc_core.faces import About, FaceSet, FaceSplit

SPLIT = FaceSplit(
    ids=("s0", "s1"),
    labels=np.array([0, 1]),
    read=lambda i: np.full((40, 40, 3), i, np.uint8),
    valence_arousal=np.array([[0.5, -0.5], [0.0, 1.0]]),
    distributions=np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]),
    identities=("ann", "bob"),
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.array([0, 3])}, "sample 's1' has label 3, outside the 3 classes"),
        ({"ids": ("s0", "s0")}, "'s0' occurs twice"),
        ({"valence_arousal": np.array([[0, 0], [np.nan, 0]])}, "sample 's1' has valence, arousal"),
        ({"valence_arousal": np.array([[0, -2.0], [0, 0]])}, "sample 's0' has valence, arousal"),
        ({"distributions": np.array([[1, 0, 0], [0.5, 0.2, 0.2]])}, "'s1' sums to 0.9"),
        ({"distributions": np.array([[1.5, -0.5, 0], [1, 0, 0]])}, "negative"),
    ],
)
def test_a_split_that_breaks_its_promises_is_refused(change, message):
    with pytest.raises(FercError, match=message):
        FaceSet("made-up", ("a", "b", "c"), {"train": replace(SPLIT, **change)})


def test_published_counts_are_one_for_each_class():
    with pytest.raises(FercError, match="2 published counts for 3 classes"):
        FaceSet("made-up", ("a", "b", "c"), {}, about=About(published={"train": (1, 2)}))


def test_a_sample_knows_what_its_split_knows():
    face = SPLIT[-1]
    known = (face.id, face.label, face.identity, face.valence, face.arousal)
    assert known == ("s1", 1, "bob", 0.0, 1.0)
    assert face.distribution.tolist() == [0.2, 0.8, 0.0]
    assert face.image.shape == (40, 40, 3)
    plain = replace(SPLIT, valence_arousal=None, distributions=None, identities=None)[0]
    assert (plain.identity, plain.valence, plain.distribution) == (None, None, None)
    with pytest.raises(IndexError):
        SPLIT[2]


def test_a_slice_is_a_split():
    last = SPLIT[1:]
    assert (last.ids, last.identities, last.labels.tolist()) == (("s1",), ("bob",), [1])
    assert (last.read(0) == SPLIT.read(1)).all()
