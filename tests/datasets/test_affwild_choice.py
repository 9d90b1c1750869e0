"""Which frames of Aff-Wild are used, and in which split: no subject is in two."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.affwild_copies import FRAMES, frames_of, subjects, write
from helpers.loaders import ids, noted, refusal, sizes
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.datasets.affwild.choice import divided, evenly
from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.errors import RequestError
from ferc_core.testing.standins.affwild import write_affwild

sentence = partial(refusal, open_affwild)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A stand-in without quirks; no test writes into it."""
    return write(tmp_path_factory.mktemp("affwild"))


# --- some frames of each subject


def test_frames_are_evenly_spaced_over_the_usable_ones(tmp_path):
    # Of the frames 1, 3, 4, 6, 7, ..., 12, the rows round(0, 3, 6, 9): none is halfway.
    faces = open_affwild(write(tmp_path, "no-face"), frames=4)
    assert frames_of(faces, "video01") == [1, 6, 9, 12]
    # Of the frames 1 to 12, the rows round(0, 3.67, 7.33, 11).
    assert frames_of(faces, "video02") == [1, 5, 8, 12]


def test_frames_are_spaced_as_numpy_rounds():
    assert evenly(11, 5).tolist() == [0, 2, 5, 8, 10]  # 2.5 and 7.5 go to the even neighbour
    assert evenly(480, 240)[[0, 1, 2, 119, 120, 239]].tolist() == [0, 2, 4, 238, 241, 479]


@given(st.integers(1, 3000), st.data())
def test_no_frame_is_taken_twice(count, data):
    frames = data.draw(st.integers(1, count))
    rows = evenly(count, frames)
    assert len(rows) == frames
    assert rows[0] == 0
    assert (np.diff(rows) > 0).all()
    assert rows[-1] == (count - 1 if frames > 1 else 0)


def test_a_subject_with_too_few_frames_is_dropped_or_kept(tmp_path):
    root = write(tmp_path, "few")
    dropped, kept = open_affwild(root, frames=4), open_affwild(root, frames=4, few="keep")
    assert frames_of(dropped, "short") == []
    assert frames_of(kept, "short") == [1, 2, 3]
    words = "fewer than 4 usable frames"
    assert noted(dropped, words).startswith("1 subject of 7 left out")
    assert noted(kept, words).startswith("1 subject of 7 kept")
    assert noted(dropped, words).endswith("short (3)")
    assert frames_of(open_affwild(root, frames=3), "short") == [1, 2, 3]
    assert len(ids(open_affwild(root, frames=0))) == 6 * FRAMES + 3


# --- splits


@pytest.mark.parametrize(("people", "tests"), [(2, 1), (8, 2), (13, 3)])
def test_a_fifth_of_the_subjects_is_for_the_test(tmp_path, people, tests):
    faces = open_affwild(write(tmp_path, subjects=people, frames=2), frames=2)
    assert len(subjects(faces, "test")) == tests
    assert len(subjects(faces, "train")) == people - tests
    assert not subjects(faces, "test") & subjects(faces, "train")
    number = "1 subject" if tests == 1 else f"{tests} subjects"
    assert noted(faces, "for the test").startswith(f"{number} of {people} for the test")


def test_the_authors_split_has_twenty_subjects_for_the_test(tmp_path):
    authors = {"frames": 2, "split": "authors_228_20"}
    faces = open_affwild(write(tmp_path / "enough", subjects=21, frames=2), **authors)
    assert len(subjects(faces, "test")) == 20
    assert len(subjects(faces, "train")) == 1
    assert not subjects(faces, "test") & subjects(faces, "train")
    few = write(tmp_path / "few", subjects=20, frames=2)
    message = sentence(few, RequestError, **authors)
    assert "takes 20 subjects" in message
    assert "only 20" in message


def test_published_counts_are_those_of_the_authors_choices(tmp_path):
    root = write_affwild(tmp_path, identities=22, frames=240, side=32, distinct=1)
    authors = {"split": "authors_228_20"}
    assert open_affwild(root).about.published == {}
    assert open_affwild(root, frames=100, **authors).about.published == {}
    faces = open_affwild(root, **authors)
    assert faces.about.published == {"train": 54_720, "test": 4_800}
    assert len(faces.splits["test"]) == 4_800
    faces = open_affwild(root, **authors, validation="frames")
    assert faces.about.published == {"train": 52_720, "valid": 2_000, "test": 4_800}


def test_the_splits_depend_only_on_the_names(tmp_path, plain):
    moved = tmp_path / "elsewhere"
    for path in sorted(plain.rglob("*.*"), reverse=True):  # so that folders list the other way
        place = moved / path.relative_to(plain)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for options in ({}, {"validation": "frames"}):
        here, there = (open_affwild(root, frames=5, **options) for root in (plain, moved))
        assert here.fingerprint == there.fingerprint
        assert here.splits["train"].ids == there.splits["train"].ids
    assert subjects(here, "test") == subjects(open_affwild(plain, frames=0), "test")


def test_validation_by_frames_shares_subjects_and_says_so(plain):
    faces = open_affwild(plain, frames=10, validation="frames")
    assert sizes(faces) == {"train": 45, "valid": 5, "test": 10}
    assert len({*ids(faces)}) == 60
    assert subjects(faces, "valid") <= subjects(faces, "train")
    assert not subjects(faces, "valid") & subjects(faces, "test")
    assert "shares subjects with training" in noted(faces, "5 frames of training subjects")
    by_subject = open_affwild(plain, frames=10)
    assert by_subject.splits["test"].ids == faces.splits["test"].ids
    assert "valid" not in by_subject.splits


def test_validation_by_frames_takes_two_thousand_of_many():
    # 100 of 125 subjects train.
    for each, wanted in ((199, 1990), (200, 2000), (240, 2000)):
        rows = [
            (f"v{subject}", f"f/{frame}.jpg") for subject in range(125) for frame in range(each)
        ]
        table = pl.DataFrame(rows, schema=["identity", "file"], orient="row")
        part, _ = divided(table, Path("root"), "by_identity_80_20", "frames")
        assert (part == "valid").sum() == wanted
        assert (part == "test").sum() == 25 * each
