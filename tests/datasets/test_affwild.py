"""Aff-Wild2: frames with both annotations become faces, and the others are counted."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.affwild_copies import (
    EXPR,
    FRAMES,
    OF_CODE,
    VA,
    annotation,
    everything,
    faces_of,
    frames_of,
    subjects,
    write,
)
from helpers.loaders import ids, noted

import ferc_core
from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.datasets.samples import ImageReader
from ferc_core.errors import BadImageError
from ferc_core.images.io import read_image


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A stand-in without quirks; no test writes into it."""
    return write(tmp_path_factory.mktemp("affwild"))


# --- what a face is


def test_it_is_recognised_and_has_seven_classes(plain):
    faces = ferc_core.registry().datasets["affwild"].open(plain, frames=4)
    assert faces.classes == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
    assert faces.about.release == "Aff-Wild2"
    assert faces.about.size == (112, 112)
    assert faces.about.missing == {}
    assert {name: len(split) for name, split in faces.splits.items()} == {"train": 20, "test": 4}
    again = open_affwild(plain, frames=4)
    assert (again.fingerprint, again.notes) == (faces.fingerprint, faces.notes)


def test_line_i_belongs_to_image_i(tmp_path):
    root = write(tmp_path)
    codes = annotation(root, EXPR, "video02")
    header = codes.read_text().splitlines()[0]
    codes.write_text("\n".join([header, *map(str, range(7)), *"01234"]))
    faces = everything(root)
    for subject in ("video02", "video05"):
        points = annotation(root, VA, subject).read_text().splitlines()
        labels = annotation(root, EXPR, subject).read_text().splitlines()
        assert points[0] == "valence,arousal"
        found = faces_of(faces, subject)
        assert len(found) == FRAMES
        for frame, face in enumerate(found, 1):
            assert face.id == f"{subject}/{frame:05d}"
            assert f"{face.valence},{face.arousal}" == points[frame]
            assert faces.classes[face.label] == OF_CODE[int(labels[frame])]
            path = root / "cropped_aligned" / subject / f"{frame:05d}.jpg"
            np.testing.assert_array_equal(face.image, read_image(path))


def test_a_damaged_image_is_named_when_it_is_read(tmp_path):
    root = write(tmp_path)
    path = root / "cropped_aligned" / "video01" / "00003.jpg"
    content = path.read_bytes()
    path.unlink()  # it may be a link
    path.write_bytes(content[:200])
    face = faces_of(everything(root), "video01")[2]
    with pytest.raises(BadImageError, match=r"video01/00003\.jpg"):
        _ = face.image


def test_the_reader_can_be_pickled(plain):
    read = ImageReader(["cropped_aligned/video01/00003.jpg"], plain)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read))(0), read(0))


# --- layouts


def test_every_layout_gives_the_same_faces(tmp_path, plain):
    expected = open_affwild(plain, frames=5)
    for quirks in (
        ("older-names",),
        ("recognition", "annotations"),
        ("deep-annotations", "nested", "more-images"),
        ("windows", "more-images"),
    ):
        faces = open_affwild(write(tmp_path / quirks[0], *quirks), frames=5)
        assert faces.fingerprint == expected.fingerprint, quirks
        assert faces.notes == expected.notes, quirks
        assert faces.splits["train"][0].image.shape == (32, 32, 3)


def test_two_people_in_a_video_are_two_subjects(tmp_path):
    faces = everything(write(tmp_path, "sides"))
    found = subjects(faces, "train") | subjects(faces, "test")
    assert {"pair_left", "pair_right"} < found
    assert len(found) == 8


# --- which frames are left out

DROPS = {  # quirk -> frames of video01 that are left out, and words of the notes
    "no-face": ({2, 5}, ["2 frames left out: no face was found", "in 1 video: video01"]),
    "invalid": (
        {3, 4},
        ["1 frame left out: valence or arousal is -5", "1 frame left out: the expression is -1"],
    ),
    "other": ({6}, ["1 frame left out: the expression is 7, Other"]),
    "bad-lines": (
        {7, 8},
        [
            f"a line is not a number, first in {VA}/Train_Set/video01.txt, line 8",
            f"not a code from -1 to 7, first in {EXPR}/Train_Set/video01.txt, line 9",
        ],
    ),
    "outside": ({9}, [f"outside [-1, 1], first in {VA}/Train_Set/video01.txt, line 10"]),
}


def test_unusable_frames_are_left_out_and_counted_by_cause(tmp_path, plain):
    before = everything(plain)
    for quirk, (frames, words) in DROPS.items():
        faces = everything(write(tmp_path / quirk, quirk))
        assert {*ids(before)} - {*ids(faces)} == {f"video01/{frame:05d}" for frame in frames}
        assert all(noted(faces, text) for text in words)
        assert before.notes == faces.notes[-2:]  # the test subjects, and the mixture
    faces = everything(write(tmp_path / "all", *DROPS))
    assert len(faces_of(faces, "video01")) == FRAMES - 8
    assert all(noted(faces, text) for _, words in DROPS.values() for text in words)


def test_only_two_numbers_in_range_are_a_point(tmp_path):
    root = write(tmp_path)
    path = annotation(root, VA, "video01")
    lines = path.read_text().splitlines()
    for line, words in (
        *((line, "a line is not a number") for line in ("", "0.5", "0.1,0.2,0.3", "nan,0.5")),
        *((line, "a line is not a number") for line in ("0,5;0,1", "a,b")),
        *((line, "is -5") for line in ("-5,0.5", "0.5,-5", "-5,-5", "-5.0,-5.0")),
    ):
        path.write_text("\n".join([*lines[:4], line, *lines[5:]]) + "\n")
        faces = everything(root)
        assert frames_of(faces, "video01") == [1, 2, 3, *range(5, FRAMES + 1)], line
        assert noted(faces, words)
    path.write_text("valence,arousal\n-1,1\n1.0,-1.0\n1.01,0\n")
    found = faces_of(everything(root), "video01")
    assert [(face.valence, face.arousal) for face in found] == [(-1, 1), (1, -1)]


def test_the_common_frames_of_files_of_different_length_count(tmp_path):
    faces = everything(write(tmp_path, "lengths"))
    assert frames_of(faces, "video02") == list(range(1, FRAMES - 3 + 1))
    assert noted(faces, "shorter") == (
        "3 frames left out: beyond the end of the shorter annotation file, in 1 video: video02"
    )


def test_subjects_without_usable_annotations_are_counted_and_named(tmp_path, plain):
    faces = everything(write(tmp_path / "a", "one-kind", "twice"))
    assert ids(faces) == ids(everything(plain))
    assert "1 subject left out: no valence and arousal: only-expr" in faces.notes
    assert "1 subject left out: no expression: only-va" in faces.notes
    assert f"{EXPR}/Validation_Set/video01.txt" in noted(faces, "1 annotation file left out")
    root = write(tmp_path / "b", subjects=9)
    path = annotation(root, EXPR, "video03")
    header = path.read_text().splitlines()[0]
    path.write_text(header + "\n" + "-1\n" * FRAMES)
    assert "1 subject left out: no usable frame: video03" in everything(root).notes
    path.write_text(header + "\n")
    faces = everything(root)
    assert "1 subject left out: no usable frame: video03" in faces.notes
    assert f"{FRAMES} frames left out: beyond the end" in noted(faces, "shorter")
    for path in (root / EXPR).glob("*/video0[1-7].txt"):
        path.unlink()
    note = noted(everything(root), "no expression")
    assert note.endswith("video01, video02, video03, video04, video05 and 2 more")


def test_a_missing_video_is_named_with_the_number_of_lost_faces(tmp_path):
    root = write(tmp_path, "gone")
    faces = everything(root)
    assert faces.about.missing == {"cropped_aligned/gone": FRAMES}
    assert "cropped_aligned/gone" in noted(faces, "1 video left out")
    assert open_affwild(root, frames=4).about.missing == {"cropped_aligned/gone": 4}
    shutil.rmtree(root / "cropped_aligned" / "video04")
    (root / "cropped_aligned" / "video04").mkdir()  # an empty folder
    assert everything(root).about.missing["cropped_aligned/video04"] == FRAMES


def test_changes_on_disk_are_noticed(tmp_path):
    root = write(tmp_path)
    before = everything(root)
    (root / "cropped_aligned" / "video01" / "00001.jpg").unlink()
    assert {*ids(before)} - {*ids(everything(root))} == {"video01/00001"}
    path = annotation(root, VA, "video02")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "0.125,-0.25", *lines[2:]]) + "\n")
    face = faces_of(everything(root), "video02")[0]
    assert (face.valence, face.arousal) == (0.125, -0.25)
