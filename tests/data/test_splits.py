"""Splits, limits and label noise."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core import FercError
from ferc_core.data.splits import divide, first, flip_labels, validation_rows
from ferc_core.faces import FaceSet, FaceSplit


def split(labels, prefix="s", identities=None) -> FaceSplit:
    return FaceSplit(
        ids=tuple(f"{prefix}{i}" for i in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        read=lambda i: np.full((40, 40, 3), i % 256, np.uint8),
        identities=identities,
    )


def face_set(**splits) -> FaceSet:
    return FaceSet("made-up", ("a", "b", "c"), splits)


def test_test_is_scored_and_valid_validates():
    parts = divide(
        face_set(train=split([0, 1] * 5), valid=split([0, 1], "v"), test=split([2], "t"))
    )
    assert parts.scored_name == "test"
    assert parts.validation.ids == ("v0", "v1")
    assert len(parts.train) == 10


def test_where_valid_is_scored_validation_comes_out_of_training():
    parts = divide(face_set(train=split([0] * 30 + [1] * 4), valid=split([0, 1], "v")))
    assert parts.scored_name == "valid"
    assert np.bincount(parts.validation.labels).tolist() == [3, 1]  # 10 % of a class, at least one
    assert not set(parts.validation.ids) & set(parts.train.ids)
    assert len(parts.train) + len(parts.validation) == 34
    assert "taken out of 'train'" in parts.notes[0]


def test_large_classes_give_250_each():
    rows = validation_rows(split([0] * 3000 + [1] * 500))
    assert rows[:3000].sum() == 250
    assert rows[3000:].sum() == 50


def test_no_identity_is_on_both_sides():
    people = tuple(f"p{i // 5}" for i in range(100))
    train = split([0, 1] * 50, identities=people)
    rows = validation_rows(train)
    inside = {p for p, chosen in zip(people, rows, strict=True) if chosen}
    outside = {p for p, chosen in zip(people, rows, strict=True) if not chosen}
    assert inside
    assert not inside & outside
    assert 10 <= rows.sum() <= 15


def test_rows_do_not_depend_on_their_order():
    one = split([0] * 40)
    order = np.random.default_rng(0).permutation(40)
    other = one.take(order)
    chosen = {i for i, c in zip(one.ids, validation_rows(one), strict=True) if c}
    assert chosen == {i for i, c in zip(other.ids, validation_rows(other), strict=True) if c}


def test_limit_is_nested_and_keeps_the_order():
    many = split([0] * 50)
    ten, twenty = first(many, 10), first(many, 20)
    assert set(ten.ids) < set(twenty.ids)
    assert list(twenty.ids) == sorted(twenty.ids, key=lambda i: int(i[1:]))
    assert first(many, 0) is many


@pytest.mark.parametrize(
    ("splits", "wanted", "message"),
    [
        ({"test": split([0])}, "", "no split 'train'"),
        ({"train": split([0])}, "", "other than 'train'"),
        ({"train": split([0]), "test": split([])}, "", "split 'test' is empty"),
        ({"train": split([0]), "test": split([0], "t")}, "tset", "did you mean 'test'"),
        ({"train": split([0]), "test": split([0], "t")}, "train", "other than 'train'"),
        ({"train": split([0]), "test": split([1], "t")}, "", "1 faces of 'train' are too few"),
    ],
)
def test_impossible_divisions_are_refused(splits, wanted, message):
    with pytest.raises(FercError, match=message):
        divide(face_set(**splits), wanted)


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
def test_a_set_that_breaks_its_promises_is_refused(change, message):
    from dataclasses import replace

    with pytest.raises(FercError, match=message):
        face_set(train=replace(split([0, 1]), **change))


def test_a_sample_knows_what_its_split_knows():
    face = split([1, 2], identities=("ann", "bob"))[-1]
    assert (face.id, face.label, face.identity, face.valence) == ("s1", 2, "bob", None)
    assert face.image.shape == (40, 40, 3)
    with pytest.raises(IndexError):
        split([1, 2])[2]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 1.0])
def test_noise_flips_exactly_its_share_to_other_classes(rate):
    labels = np.arange(200) % 7
    noisy = flip_labels(labels, rate, 7, seed=3)
    assert (noisy != labels).sum() == int(rate * 200)
    assert set(noisy) <= set(range(7))
    np.testing.assert_array_equal(noisy, flip_labels(labels, rate, 7, seed=3))
    if 0 < rate < 1:
        assert (noisy != flip_labels(labels, rate, 7, seed=4)).any()
