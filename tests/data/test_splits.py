"""Which faces train, which validate and which are scored."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core import FercError
from ferc_core.data.splits import divide, first, validation_rows
from ferc_core.faces import FaceSet, FaceSplit


def split(labels, prefix="s", subjects=None) -> FaceSplit:
    return FaceSplit(
        ids=tuple(f"{prefix}{i}" for i in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        read=lambda i: np.full((40, 40, 3), i % 256, np.uint8),
        identities=subjects,
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
    assert parts.notes == ()


def test_where_valid_is_scored_validation_faces_come_out_of_train():
    parts = divide(face_set(train=split([0] * 30 + [1] * 4), valid=split([0, 1], "v")))
    assert parts.scored_name == "valid"
    assert np.bincount(parts.validation.labels).tolist() == [3, 1]  # 10 % of a class, at least one
    assert not set(parts.validation.ids) & set(parts.train.ids)
    assert len(parts.train) + len(parts.validation) == 34
    assert "taken out of 'train', by class" in parts.notes[0]


def test_large_classes_give_250_each():
    rows = validation_rows(split([0] * 3000 + [1] * 500))
    assert rows[:3000].sum() == 250
    assert rows[3000:].sum() == 50


def test_no_subject_trains_and_validates():
    subjects = tuple(f"p{i // 5}" for i in range(100))
    train = split([0, 1] * 50, subjects=subjects)
    rows = validation_rows(train)
    inside = {p for p, chosen in zip(subjects, rows, strict=True) if chosen}
    outside = {p for p, chosen in zip(subjects, rows, strict=True) if not chosen}
    assert inside
    assert not inside & outside
    assert 10 <= rows.sum() <= 15
    assert "by subject" in divide(face_set(train=train, test=split([0], "t"))).notes[0]


def test_validation_faces_do_not_depend_on_the_order_of_rows():
    one = split([0] * 40)
    other = one.take(np.random.default_rng(0).permutation(40))
    chosen = {i for i, c in zip(one.ids, validation_rows(one), strict=True) if c}
    assert chosen == {i for i, c in zip(other.ids, validation_rows(other), strict=True) if c}


def test_a_smaller_limit_is_part_of_a_larger_one_and_keeps_the_order():
    many = split([0] * 50)
    ten, twenty = first(many, 10), first(many, 20)
    assert set(ten.ids) < set(twenty.ids)
    assert list(twenty.ids) == sorted(twenty.ids, key=lambda i: int(i[1:]))
    assert first(many, 0) is many
    parts = divide(face_set(train=many, test=split([0] * 30, "t")), limit=4)
    assert {len(part) for part in (parts.train, parts.validation, parts.scored)} == {4}


def test_without_training_any_split_is_scored_and_the_others_may_be_empty():
    parts = divide(face_set(train=split([0, 1])), training=False)
    assert (parts.scored_name, parts.scored.ids) == ("train", ("s0", "s1"))
    assert len(parts.validation) == 0
    alone = divide(face_set(test=split([0, 1])), training=False)
    assert (len(alone.train), len(alone.validation), len(alone.scored)) == (0, 0, 2)
    with pytest.raises(FercError, match="has no split 'test', 'valid' or 'train'"):
        divide(face_set(dev=split([0])), training=False)


@pytest.mark.parametrize(
    ("splits", "wanted", "message"),
    [
        ({"test": split([0])}, "", "no split 'train'"),
        ({"train": split([0])}, "", "other than 'train'"),
        ({"train": split([0]), "test": split([])}, "", "split 'test' is empty"),
        ({"train": split([0]), "test": split([0], "t")}, "tset", "did you mean 'test'"),
        ({"train": split([0]), "test": split([0], "t")}, "train", "other than 'train'"),
        ({"train": split([0]), "test": split([1], "t")}, "", "'train' has 1 face, too few"),
    ],
)
def test_impossible_divisions_are_refused(splits, wanted, message):
    with pytest.raises(FercError, match=message):
        divide(face_set(**splits), wanted)


def test_a_fraction_of_the_scored_split_is_held_out_by_class():
    test = split([0] * 40 + [1] * 20, "t")
    parts = divide(face_set(test=test), calibrate_on="0.25", training=False)
    assert np.bincount(parts.validation.labels).tolist() == [10, 5]
    assert not set(parts.validation.ids) & set(parts.scored.ids)
    assert len(parts.scored) == 45
    assert parts.notes == ("validation: 15 faces of 'test' held out of scoring, by class",)


def test_subjects_are_held_out_whole():
    subjects = tuple(f"p{i // 5}" for i in range(100))
    test = split([0, 1] * 50, "t", subjects)
    parts = divide(face_set(test=test), calibrate_on="0.2", training=False)
    assert not set(parts.validation.identities) & set(parts.scored.identities)
    assert "by subject" in parts.notes[0]


def test_a_split_to_calibrate_on_is_chosen():
    splits = {"train": split([0, 1] * 9), "valid": split([0, 1], "v"), "test": split([0, 1], "t")}
    chosen = divide(face_set(**splits), "valid", calibrate_on="test")
    assert chosen.validation.ids == ("t0", "t1")
    alone = divide(face_set(**splits), calibrate_on="train", training=False)
    assert alone.validation.ids == splits["train"].ids


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("tset", "unknown split 'tset': did you mean 'test'"),
        ("test", "would fit calibrators on the faces they are judged on; hold a part of them out"),
        ("train", "would validate on the faces that are learned from"),
        ("1", "a fraction of the scored one between 0 and 1, not 1"),
        ("-0.2", "a fraction of the scored one between 0 and 1, not -0.2"),
        ("nan", "a fraction of the scored one between 0 and 1, not nan"),
        ("0.999", "leaves nothing to score"),
    ],
)
def test_what_cannot_be_calibrated_on_is_refused(asked, message):
    faces = face_set(train=split([0, 1] * 9), test=split([0, 1] * 5, "t"))
    with pytest.raises(FercError, match=message):
        divide(faces, calibrate_on=asked)
