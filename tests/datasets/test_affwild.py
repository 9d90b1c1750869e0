"""Aff-Wild2: frames with both annotations become faces, and the others are counted."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.affwild_videos import (
    EXPR,
    FRAMES,
    VA,
    annotation,
    everything,
    faces_of,
    frames_of,
    identities,
    ids,
    write,
)
from helpers.loaders import noted

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


def test_it_is_registered_with_seven_classes_and_recognised(plain):
    faces = ferc_core.registry().datasets["affwild"].open(plain, frames=4)
    assert faces.classes == ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
    assert faces.about.release == "Aff-Wild2"
    assert faces.about.size == (112, 112)
    assert faces.about.missing == {}
    assert set(faces.splits) == {"train", "test"}
    assert [len(split) for split in faces.splits.values()] == [5 * 4, 4]


def test_expressions_become_classes_in_the_order_of_affectnet(tmp_path):
    root = write(tmp_path)
    header = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
    codes = "\n".join(map(str, range(7)))
    annotation(root, EXPR, "video01").write_text(f"{header}\n{codes}\n")
    faces = everything(root)
    assert [faces.classes[face.label] for face in faces_of(faces, "video01")] == [
        "neutral",
        "anger",
        "disgust",
        "fear",
        "happy",
        "sad",
        "surprise",
    ]


def test_line_i_belongs_to_image_i(plain):
    faces = everything(plain)
    for identity in ("video02", "video05"):
        lines = annotation(plain, VA, identity).read_text().splitlines()
        assert lines[0] == "valence,arousal"
        found = faces_of(faces, identity)
        assert len(found) == FRAMES
        for frame, face in enumerate(found, 1):
            assert face.id == f"{identity}/{frame:05d}"
            assert f"{face.valence},{face.arousal}" == lines[frame]
            path = plain / "cropped_aligned" / identity / f"{frame:05d}.jpg"
            np.testing.assert_array_equal(face.image, read_image(path))


def test_an_image_that_is_damaged_is_named_when_it_is_read(tmp_path):
    root = write(tmp_path)
    path = root / "cropped_aligned" / "video01" / "00003.jpg"
    content = path.read_bytes()
    path.unlink()  # it may be a link
    path.write_bytes(content[:200])
    face = faces_of(everything(root), "video01")[2]
    with pytest.raises(BadImageError, match=r"video01/00003\.jpg"):
        _ = face.image


def test_the_reader_can_be_sent_to_another_process(plain):
    read = ImageReader(["cropped_aligned/video01/00003.jpg"], plain)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(read))(0), read(0))


# --- layouts


@pytest.mark.parametrize(
    "quirk",
    [
        "older-names",
        "recognition",
        "annotations",
        "deep-annotations",
        "windows",
        "nested",
        "more-images",
    ],
)
def test_every_layout_gives_the_same_faces(tmp_path, plain, quirk):
    root = write(tmp_path, quirk)
    faces = open_affwild(root, frames=5)
    assert faces.fingerprint == open_affwild(plain, frames=5).fingerprint
    assert faces.notes == open_affwild(plain, frames=5).notes
    assert faces.splits["train"][0].image.shape == (32, 32, 3)


def test_persons_beside_each_other_are_two_identities(tmp_path):
    faces = everything(write(tmp_path, "sides"))
    people = identities(faces, "train") | identities(faces, "test")
    assert {"pair_left", "pair_right"} < people
    assert len(people) == 8


# --- which frames are left out

DROPS = {  # quirk -> frames of video01 that are left out, and what the notes say
    "no-face": ({2, 5}, ["2 frames left out: no face was found", "in 1 video: video01"]),
    "invalid": ({3, 4}, ["1 frame left out: valence or arousal is -5"]),
    "other": ({6}, ["1 frame left out: the expression is 7, Other"]),
    "bad-lines": (
        {7, 8},
        [f"a line is no number, the first is {VA}/Train_Set/video01.txt, line 8"],
    ),
    "outside": ({9}, [f"outside [-1, 1], first in {VA}/Train_Set/video01.txt, line 10"]),
}


@pytest.mark.parametrize("quirk", DROPS)
def test_frames_that_cannot_be_used_are_left_out_and_counted(tmp_path, plain, quirk):
    frames, words = DROPS[quirk]
    faces = everything(write(tmp_path, quirk))
    gone = {f"video01/{frame:05d}" for frame in frames}
    assert ids(everything(plain)) - ids(faces) == gone
    for text in words:
        assert noted(faces, text)
    assert (
        everything(plain).notes == faces.notes[-2:]
    )  # how many are for the test, and whose mixture


def test_each_kind_of_invalid_frame_has_a_count_of_its_own(tmp_path):
    faces = everything(write(tmp_path, *DROPS))
    assert len(faces_of(faces, "video01")) == FRAMES - 8
    for words in (
        "1 frame left out: valence or arousal is -5",
        "1 frame left out: the expression is -1",
        "1 frame left out: the expression is 7",
        "1 frame left out: a line is no number",
        "1 frame left out: valence or arousal lies outside",
        f"the expression is none of -1 to 7, first in {EXPR}/Train_Set/video01.txt, line 9",
        "2 frames left out: no face was found",
    ):
        assert noted(faces, words)


@pytest.mark.parametrize("line", ["", "0.5", "0.1,0.2,0.3", "nan,0.5", "0,5;0,1", "a,b"])
def test_a_line_that_is_not_two_numbers_is_left_out(tmp_path, line):
    root = write(tmp_path)
    path = annotation(root, VA, "video01")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], line, *lines[5:]]) + "\n")
    faces = everything(root)
    assert frames_of(faces, "video01") == [1, 2, 3, *range(5, FRAMES + 1)]
    assert "video01.txt, line 5" in noted(faces, "a line is no number")


@pytest.mark.parametrize("line", ["-5,0.5", "0.5,-5", "-5,-5", "-5.0,-5.0"])
def test_minus_five_is_not_annotated_in_either_column(tmp_path, line):
    root = write(tmp_path)
    path = annotation(root, VA, "video01")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], line, *lines[5:]]) + "\n")
    assert frames_of(everything(root), "video01") == [1, 2, 3, *range(5, FRAMES + 1)]


def test_the_ends_of_the_range_are_in_it(tmp_path):
    root = write(tmp_path)
    annotation(root, VA, "video01").write_text("valence,arousal\n-1,1\n1.0,-1.0\n1.01,0\n")
    found = faces_of(everything(root), "video01")
    assert [(face.valence, face.arousal) for face in found] == [(-1, 1), (1, -1)]


def test_of_files_of_different_length_the_common_frames_count(tmp_path):
    faces = everything(write(tmp_path, "lengths"))
    assert frames_of(faces, "video02") == list(range(1, FRAMES - 3 + 1))
    assert noted(faces, "shorter") == (
        "3 frames left out: beyond the shorter of the annotation files, in 1 video: video02"
    )


def test_identities_with_one_kind_of_annotation_are_counted_and_named(tmp_path, plain):
    faces = everything(write(tmp_path, "one-kind"))
    assert ids(faces) == ids(everything(plain))
    assert "1 identity left out: no valence and arousal: only-expr" in faces.notes
    assert "1 identity left out: no expression: only-va" in faces.notes


def test_an_annotation_file_in_both_sets_counts_once(tmp_path, plain):
    faces = everything(write(tmp_path, "twice"))
    assert faces.fingerprint == everything(plain).fingerprint
    assert f"{EXPR}/Validation_Set/video01.txt" in noted(faces, "1 annotation file left out")


def test_an_identity_without_any_usable_frame_is_named(tmp_path):
    root = write(tmp_path)
    path = annotation(root, EXPR, "video03")
    path.write_text(path.read_text().splitlines()[0] + "\n" + "-1\n" * FRAMES)
    assert "1 identity left out: no frame can be used: video03" in everything(root).notes
    path.write_text(path.read_text().splitlines()[0] + "\n")
    faces = everything(root)
    assert "1 identity left out: no frame can be used: video03" in faces.notes
    assert f"{FRAMES} frames left out: beyond the shorter" in noted(faces, "shorter")


def test_a_video_that_is_not_there_is_missing_with_the_faces_lost(tmp_path):
    root = write(tmp_path, "gone")
    faces = everything(root)
    assert faces.about.missing == {"cropped_aligned/gone": FRAMES}
    assert "cropped_aligned/gone" in noted(faces, "1 video left out")
    assert open_affwild(root, frames=4).about.missing == {"cropped_aligned/gone": 4}


def test_a_video_with_an_empty_folder_is_missing_too(tmp_path):
    root = write(tmp_path)
    shutil.rmtree(root / "cropped_aligned" / "video04")
    (root / "cropped_aligned" / "video04").mkdir()
    assert everything(root).about.missing == {"cropped_aligned/video04": FRAMES}


def test_names_are_cut_short_where_there_are_many(tmp_path):
    root = write(tmp_path, identities=9)
    for path in (root / EXPR).glob("*/video0[1-7].txt"):
        path.unlink()
    assert noted(everything(root), "no expression").endswith(
        "video01, video02, video03, video04, video05 and 2 more"
    )


# --- the index


def test_what_changes_on_disk_is_noticed(tmp_path):
    root = write(tmp_path)
    before = everything(root)
    (root / "cropped_aligned" / "video01" / "00001.jpg").unlink()
    assert ids(before) - ids(everything(root)) == {"video01/00001"}
    path = annotation(root, VA, "video02")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "0.125,-0.25", *lines[2:]]) + "\n")
    face = faces_of(everything(root), "video02")[0]
    assert (face.valence, face.arousal) == (0.125, -0.25)


def test_opening_again_gives_the_same(plain):
    one, other = open_affwild(plain, frames=5), open_affwild(plain, frames=5)
    assert one.fingerprint == other.fingerprint
    assert one.notes == other.notes
