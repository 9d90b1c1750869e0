"""What a check finds in a dataset, kind by kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core.data.checks import as_json, check
from ferc_core.errors import BadImageError, DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

CLASSES = ("anger", "joy")


def flat(value: int, width: int = 40, height: int = 40) -> np.ndarray:
    """An image of one colour, different for every value."""
    return np.full((height, width, 3), (value % 256, value // 256, 9), np.uint8)


def faces_of(about: About = About(), classes=CLASSES, **splits: list[tuple]) -> FaceSet:  # noqa: B008
    """A dataset in memory; a face is (id, label, image or error, subject)."""

    def split(rows: list[tuple]) -> FaceSplit:
        images = [row[2] for row in rows]

        def read(i: int) -> np.ndarray:
            if isinstance(images[i], Exception):
                raise images[i]
            return images[i]

        subjects = tuple(row[3] for row in rows) if len(rows[0]) > 3 else None
        labels = np.array([row[1] for row in rows], dtype=np.int64)
        return FaceSplit(tuple(row[0] for row in rows), labels, read, identities=subjects)

    return FaceSet(
        "made up", classes, {name: split(rows) for name, rows in splits.items()}, about=about
    )


def plain(split: str, count: int, start: int) -> list[tuple]:
    """Faces of both classes in turn, all different."""
    return [(f"{split}{i}.png", i % 2, flat(start + i)) for i in range(count)]


def with_subjects(rows: list[tuple], *subjects: str) -> list[tuple]:
    return [(*row, subjects[i % len(subjects)]) for i, row in enumerate(rows)]


def found(report, kind: str) -> list:
    return [finding for finding in report.findings if finding.kind == kind]


def only(report, kind: str):
    """The only finding of a kind."""
    (finding,) = found(report, kind)
    return finding


TRAIN, VALID, TEST = plain("train", 20, 0), plain("valid", 8, 100), plain("test", 8, 200)


# --- kind by kind


def test_nothing_is_found_in_a_sound_dataset():
    report = check(faces_of(train=TRAIN, valid=VALID, test=TEST))
    assert report.findings == ()
    assert as_json(report)["sound"]


def test_counts_are_compared_with_the_published_ones_in_all_or_by_class():
    about = About(published={"train": (9, 12), "valid": 10, "test": 8, "extra": 5})
    splits = as_json(check(faces_of(about, train=TRAIN, valid=VALID, test=TEST)))["splits"]
    anger, joy = (splits["train"]["classes"][name] for name in CLASSES)
    assert anger == {"faces": 10, "published": 9, "difference": 1}
    assert joy == {"faces": 10, "published": 12, "difference": -2}
    numbers = {
        name: [split[key] for key in ("faces", "published", "difference")]
        for name, split in splits.items()
    }
    assert numbers == {
        "train": [20, 21, -1],
        "valid": [8, 10, -2],
        "test": [8, 8, 0],
        "extra": [0, 5, -5],
    }
    assert splits["valid"]["classes"]["joy"] == {"faces": 4, "published": None, "difference": None}


def test_a_split_far_from_what_was_published_is_a_warning():
    near = About(published={"train": (10, 11), "test": 8})
    assert not found(check(faces_of(near, train=TRAIN, valid=VALID, test=TEST)), "counts")
    far = About(published={"train": (11, 11), "test": 7, "extra": 5})
    report = check(faces_of(far, train=TRAIN, valid=VALID, test=TEST))
    assert [finding.text for finding in found(report, "counts")] == [
        "'train' has 20 faces; 22 were published",
        "'test' has 8 faces; 7 were published",
        "'extra' has 0 faces; 5 were published",
    ]
    assert not report.problems


def test_published_counts_of_other_classes_are_refused():
    with pytest.raises(DataError, match="made up/train: 3 published counts for 2 classes"):
        faces_of(About(published={"train": (1, 2, 3)}), train=TRAIN)


def test_images_that_cannot_be_used_are_a_problem_and_named():
    rows = [
        *TRAIN,
        ("cut.png", 0, BadImageError("image /data/cut.png is cut short or damaged")),
        ("page 7", 1, BadImageError("there is no page")),
        ("flat.png", 1, flat(999, 31, 50)),
        ("grey.png", 1, np.zeros((40, 40), np.uint8)),
        ("lost.png", 1, KeyError("lost")),
    ]
    report = check(faces_of(train=rows, test=TEST))
    unreadable = only(report, "unreadable")
    assert unreadable.problem
    assert unreadable.names == (
        "image /data/cut.png is cut short or damaged",
        "page 7: there is no page",
        "grey.png: the image must be a uint8 RGB array [H, W, 3]",
    )
    assert "--on-bad-image skip" in unreadable.advice
    small = only(report, "small")
    assert small.problem
    assert small.names == ("flat.png (31x50)",)
    failed = only(report, "failed")
    assert failed.problem
    assert failed.names == ("lost.png: KeyError: 'lost'",)
    assert as_json(report)["reasons"] == [
        "3 images cannot be read",
        "the loader fails at 1 image",
        "1 image too small for corruptions, which need 32x32 pixels",
    ]


def test_images_of_another_size_are_a_warning():
    rows = [*TRAIN, ("wide.png", 0, flat(999, 41, 40)), ("high.png", 0, flat(998, 40, 41))]
    finding = only(check(faces_of(About(size=(40, 40)), train=rows, test=TEST)), "size")
    assert not finding.problem
    assert finding.names == ("wide.png (41x40)", "high.png (40x41)")
    assert not found(check(faces_of(train=rows, test=TEST)), "size")


def test_missing_faces_are_a_problem_above_one_percent():
    rows = plain("train", 92, 0)
    for lost, problem in ((1, False), (2, True)):
        about = About(missing={"videos/7.mp4": lost})
        finding = only(check(faces_of(about, train=rows, test=TEST)), "missing")
        assert finding.problem == problem
        assert finding.text == f"{lost} of {100 + lost} faces lost with 1 missing file"
        assert finding.names == ("videos/7.mp4" if lost == 1 else "videos/7.mp4 (2 faces)",)


def test_equal_images_within_a_split_are_a_warning():
    rows = [*TRAIN, ("a.png", 0, flat(0)), ("b.png", 0, flat(0)), ("c.png", 1, flat(3))]
    report = check(faces_of(train=rows, test=TEST))
    finding = only(report, "repeated")
    assert not finding.problem
    assert finding.names == (("train0.png", "a.png", "b.png"), ("train3.png", "c.png"))
    assert finding.text == "2 groups of equal images within 'train', 5 images in all"
    assert report.findings == (finding,)


def test_equal_images_with_different_labels_are_counted():
    rows = [*TRAIN, ("a.png", 1, flat(0))]
    finding = only(check(faces_of(train=rows, test=TEST)), "contradictions")
    assert not finding.problem
    assert finding.names == (("train0.png (train, anger)", "a.png (train, joy)"),)


def test_the_same_bytes_in_another_shape_are_another_image():
    wide, high = np.full((40, 80, 3), 7, np.uint8), np.full((80, 40, 3), 7, np.uint8)
    rows = [*TRAIN, ("wide.png", 0, wide), ("high.png", 0, high)]
    assert check(faces_of(train=rows, test=TEST)).findings == ()


def test_scored_images_seen_in_training_are_a_problem_above_one_percent():
    for shared, problem in ((1, False), (2, True)):
        again = ((f"t{i}.png", i, flat(i)) for i in range(shared))
        test = [*plain("test", 100 - shared, 200), *again]
        finding = only(check(faces_of(train=TRAIN, test=test)), "shared images")
        assert finding.problem == problem
        assert finding.text == f"{shared} of 100 images of 'test' ({shared}.0%) also in 'train'"
        assert finding.names[0] == ("train0.png (train)", "t0.png (test)")


def test_images_shared_with_a_split_that_is_not_scored_are_a_warning():
    valid = [("v.png", 0, flat(0)), *VALID]
    faces = faces_of(train=TRAIN, valid=valid, test=TEST)
    assert not only(check(faces), "shared images").problem
    assert only(check(faces, split="valid"), "shared images").problem


def test_subjects_in_training_and_scored_faces_are_a_problem():
    faces = faces_of(
        valid=with_subjects(VALID, "eve", "dora"),
        train=with_subjects(TRAIN, "anna", "bert", "eve"),
        test=with_subjects(TEST, "anna", "cora", "dora"),
    )
    to_test, to_valid, of_valid = sorted(
        found(check(faces), "shared persons"), key=lambda finding: not finding.problem
    )
    assert to_test.text == "1 subject both in 'train' and in 'test'"
    assert to_test.names == ("anna (7 and 3 images)",)
    assert to_valid.text == "1 subject both in 'train' and in 'valid'"
    assert of_valid.text == "1 subject both in 'valid' and in 'test'"
    assert [f.problem for f in (to_test, to_valid, of_valid)] == [True, False, False]


def test_a_class_without_faces_is_a_problem_in_training_and_else_a_warning():
    classes = ("anger", "joy", "awe")
    test = [("awe.png", 2, flat(300))]
    train, scored = found(
        check(faces_of(classes=classes, train=TRAIN, valid=VALID, test=test)), "absent classes"
    )
    assert (train.problem, train.names) == (True, ("awe",))
    assert train.text == "1 class without a face to train on"
    assert (scored.problem, scored.names) == (False, ("anger", "joy"))
    assert scored.text == "2 classes without a face in 'test'"


def test_a_dataset_that_no_run_can_divide_is_not_sound():
    report = check(faces_of(test=TEST))
    assert report.division is None
    assert "nothing to learn from" in only(report, "division").text
    one = check(faces_of(classes=("joy",), train=[("a", 0, flat(1)), ("b", 0, flat(2))]))
    assert [finding.problem for finding in found(one, "division")] == [True, True]


def test_a_split_that_cannot_be_scored_is_a_wrong_request():
    faces = faces_of(train=TRAIN, test=TEST)
    with pytest.raises(UnknownNameError, match="did you mean 'test'"):
        check(faces, split="tset")
    with pytest.raises(RequestError, match="other than 'train'"):
        check(faces, split="train")


# --- laws


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(0, 5), st.integers(0, 1)))
)
def test_equal_images_match_plain_counting(rows):
    splits = {"train": [*TRAIN], "test": [*TEST]}
    for i, (split, value, label) in enumerate(rows):
        splits[split].append((f"x{i}.png", label, flat(1000 + value)))
    report = check(faces_of(**splits))

    def values(split: str) -> list[int]:
        return [value for name, value, _ in rows if name == split]

    train, test = values("train"), values("test")
    repeated = {value for part in (train, test) for value in part if part.count(value) > 1}
    shared = [value for value in test if value in train]
    labels = {value: {label for _, v, label in rows if v == value} for _, value, _ in rows}

    groups = [group for finding in found(report, "repeated") for group in finding.names]
    assert len(groups) == sum(
        v in part and part.count(v) > 1 for part in (train, test) for v in repeated
    )
    texts = [finding.text.split(" of ")[0] for finding in found(report, "shared images")]
    assert texts == ([str(len(shared))] if shared else [])
    mixed = [group for finding in found(report, "contradictions") for group in finding.names]
    assert len(mixed) == sum(len(seen) > 1 for seen in labels.values())


def test_the_number_of_workers_does_not_matter():
    rows = [
        *plain("train", 300, 0),
        *((f"bad{i}.png", 0, BadImageError("bad")) for i in range(70)),
        *((f"copy{i}.png", 1, flat(i)) for i in range(80)),
    ]
    faces = faces_of(train=rows, test=TEST)
    reports = [as_json(check(faces, workers=workers)) for workers in (0, 1, 5)]
    assert reports[0] == reports[1] == reports[2]
    kinds = {finding["kind"] for finding in reports[0]["findings"]}
    assert {"unreadable", "repeated", "contradictions"} < kinds


def test_a_limit_reads_that_many_images_of_each_split():

    class Image(Exception):
        """Tells which image was read."""

    rows = [(f"{i}.png", i % 2, Image()) for i in range(50)]
    faces = faces_of(train=rows, test=TEST)
    report = check(faces, limit=7)
    read = only(report, "failed").names
    assert len(read) == 7
    assert check(faces, limit=7).images.equals(report.images)
    assert set(read) < set(only(check(faces, limit=20), "failed").names)
    splits = as_json(report)["splits"]
    assert [(split["faces"], split["read"]) for split in splits.values()] == [(50, 7), (8, 7)]
