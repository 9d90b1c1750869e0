"""Aff-Wild2: frames with both annotations, some of each identity, and no identity in two splits."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core.datasets.affwild import open_affwild
from ferc_core.datasets.affwild_choice import divided, evenly
from ferc_core.datasets.samples import PictureReader
from ferc_core.errors import BadImageError, DataError, RequestError, UnknownNameError
from ferc_core.faces import Face, FaceSet
from ferc_core.images import read_image
from ferc_core.testing.standins.affwild import AFF_WILD2_QUIRKS, write_affwild

VA, EXPR = "VA_Estimation_Challenge", "EXPR_Classification_Challenge"
FRAMES = 12  # of each of six identities


def write(root: Path, *quirks: str, identities: int = 6, frames: int = FRAMES) -> Path:
    """Write a stand-in in which pictures of a class are links to two files, which saves time."""
    return write_affwild(
        root, identities=identities, frames=frames, side=32, distinct=2, quirks=quirks
    )


def annotation(root: Path, task: str, identity: str) -> Path:
    """Return the annotation file of an identity in either set."""
    return next((root / task).glob(f"*/{identity}.txt"))


def everything(root: Path) -> FaceSet:
    return open_affwild(root, frames=0)


def faces_of(faces: FaceSet, identity: str) -> list[Face]:
    """Return the faces of an identity, whichever split it is in."""
    return [face for split in faces.splits.values() for face in split if face.identity == identity]


def frames_of(faces: FaceSet, identity: str) -> list[int]:
    return [int(face.id.rpartition("/")[2]) for face in faces_of(faces, identity)]


def ids(faces: FaceSet) -> set[str]:
    return {name for split in faces.splits.values() for name in split.ids}


def identities(faces: FaceSet, split: str) -> set[str]:
    return set(faces.splits[split].identities)


def note(faces: FaceSet, words: str) -> str:
    """Return the one note that has these words."""
    (found,) = [text for text in faces.notes if words in text]
    return found


def sentence(root, error: type[Exception] = DataError, **options) -> str:
    with pytest.raises(error) as caught:
        open_affwild(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


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


def test_line_i_belongs_to_picture_i(plain):
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


def test_a_picture_that_is_damaged_is_named_when_it_is_read(tmp_path):
    root = write(tmp_path)
    path = root / "cropped_aligned" / "video01" / "00003.jpg"
    content = path.read_bytes()
    path.unlink()  # it may be a link
    path.write_bytes(content[:200])
    face = faces_of(everything(root), "video01")[2]
    with pytest.raises(BadImageError, match=r"video01/00003\.jpg"):
        _ = face.image


def test_the_reader_can_be_sent_to_another_process(plain):
    read = PictureReader(["cropped_aligned/video01/00003.jpg"], plain)
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
        "more-pictures",
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
        assert note(faces, text)
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
        assert note(faces, words)


@pytest.mark.parametrize("line", ["", "0.5", "0.1,0.2,0.3", "nan,0.5", "0,5;0,1", "a,b"])
def test_a_line_that_is_not_two_numbers_is_left_out(tmp_path, line):
    root = write(tmp_path)
    path = annotation(root, VA, "video01")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:4], line, *lines[5:]]) + "\n")
    faces = everything(root)
    assert frames_of(faces, "video01") == [1, 2, 3, *range(5, FRAMES + 1)]
    assert "video01.txt, line 5" in note(faces, "a line is no number")


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
    assert note(faces, "shorter") == (
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
    assert f"{EXPR}/Validation_Set/video01.txt" in note(faces, "1 annotation file left out")


def test_an_identity_without_any_usable_frame_is_named(tmp_path):
    root = write(tmp_path)
    path = annotation(root, EXPR, "video03")
    path.write_text(path.read_text().splitlines()[0] + "\n" + "-1\n" * FRAMES)
    assert "1 identity left out: no frame can be used: video03" in everything(root).notes
    path.write_text(path.read_text().splitlines()[0] + "\n")
    faces = everything(root)
    assert "1 identity left out: no frame can be used: video03" in faces.notes
    assert f"{FRAMES} frames left out: beyond the shorter" in note(faces, "shorter")


def test_a_video_that_is_not_there_is_missing_with_the_faces_lost(tmp_path):
    root = write(tmp_path, "gone")
    faces = everything(root)
    assert faces.about.missing == {"cropped_aligned/gone": FRAMES}
    assert "cropped_aligned/gone" in note(faces, "1 video left out")
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
    assert note(everything(root), "no expression").endswith(
        "video01, video02, video03, video04, video05 and 2 more"
    )


# --- some frames of each identity


def test_frames_are_spaced_evenly_over_those_that_can_be_used(tmp_path):
    # Of the frames 1, 3, 4, 6, 7, ..., 12, the rows round(0, 3, 6, 9): none is halfway.
    faces = open_affwild(write(tmp_path, "no-face"), frames=4)
    assert frames_of(faces, "video01") == [1, 6, 9, 12]
    # Of the frames 1 to 12, the rows round(0, 3.67, 7.33, 11).
    assert frames_of(faces, "video02") == [1, 5, 8, 12]


def test_frames_are_spaced_as_numpy_rounds():
    assert evenly(11, 5).tolist() == [0, 2, 5, 8, 10]  # 2.5 and 7.5 go to the even neighbour
    assert evenly(4, 4).tolist() == [0, 1, 2, 3]
    assert evenly(7, 1).tolist() == [0]
    assert evenly(480, 240)[[0, 1, 2, 119, 120, 239]].tolist() == [0, 2, 4, 238, 241, 479]


@given(st.integers(1, 3000), st.data())
def test_no_frame_is_taken_twice(count, data):
    frames = data.draw(st.integers(1, count))
    rows = evenly(count, frames)
    assert len(rows) == frames
    assert rows[0] == 0
    assert (np.diff(rows) > 0).all()
    assert rows[-1] == (count - 1 if frames > 1 else 0)


def test_an_identity_with_too_few_frames_is_dropped_or_kept(tmp_path):
    root = write(tmp_path, "few")
    dropped, kept = open_affwild(root, frames=4), open_affwild(root, frames=4, few="keep")
    assert frames_of(dropped, "short") == []
    assert frames_of(kept, "short") == [1, 2, 3]
    words = "fewer than 4 frames can be used"
    assert note(dropped, words).startswith("1 identity of 7 left out")
    assert note(kept, words).startswith("1 identity of 7 kept")
    assert note(dropped, words).endswith("short (3)")
    assert frames_of(open_affwild(root, frames=3), "short") == [1, 2, 3]
    assert len(ids(open_affwild(root, frames=0))) == 6 * FRAMES + 3


# --- splits


@pytest.mark.parametrize(("people", "tests"), [(2, 1), (6, 1), (8, 2), (13, 3)])
def test_a_fifth_of_the_identities_is_for_the_test(tmp_path, people, tests):
    faces = open_affwild(write(tmp_path, identities=people, frames=2), frames=2)
    assert len(identities(faces, "test")) == tests
    assert len(identities(faces, "train")) == people - tests
    assert not identities(faces, "test") & identities(faces, "train")
    number = "1 identity" if tests == 1 else f"{tests} identities"
    assert note(faces, "for the test").startswith(f"{number} of {people} for the test")


def test_the_authors_split_has_twenty_identities_for_the_test(tmp_path):
    root = write(tmp_path / "enough", identities=21, frames=2)
    faces = open_affwild(root, frames=2, split="authors_228_20")
    assert len(identities(faces, "test")) == 20
    assert len(identities(faces, "train")) == 1
    assert not identities(faces, "test") & identities(faces, "train")
    message = sentence(
        write(tmp_path / "few", identities=20, frames=2),
        RequestError,
        frames=2,
        split="authors_228_20",
    )
    assert "takes 20 identities" in message
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


def test_the_splits_depend_on_nothing_but_the_names(tmp_path, plain):
    moved = tmp_path / "elsewhere"
    for path in sorted(plain.rglob("*.*"), reverse=True):  # so that folders list the other way
        place = moved / path.relative_to(plain)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for options in ({}, {"validation": "frames"}):
        here, there = (
            open_affwild(plain, frames=5, **options),
            open_affwild(moved, frames=5, **options),
        )
        assert here.fingerprint == there.fingerprint
        assert here.splits["train"].ids == there.splits["train"].ids


def test_the_choice_of_frames_leaves_the_split_alone(plain):
    one, other = open_affwild(plain, frames=3), open_affwild(plain, frames=0)
    assert identities(one, "test") == identities(other, "test")


def test_validation_by_frames_shares_identities_and_says_so(plain):
    faces = open_affwild(plain, frames=10, validation="frames")
    assert {name: len(split) for name, split in faces.splits.items()} == {
        "train": 45,
        "valid": 5,
        "test": 10,
    }
    assert sum(map(len, faces.splits.values())) == len(ids(faces))
    assert identities(faces, "valid") <= identities(faces, "train")
    assert not identities(faces, "valid") & identities(faces, "test")
    assert "shares identities with training" in note(faces, "5 frames of training identities")
    by_identity = open_affwild(plain, frames=10)
    assert by_identity.splits["test"].ids == faces.splits["test"].ids
    assert "valid" not in by_identity.splits


@pytest.mark.parametrize(("each", "wanted"), [(199, 1990), (200, 2000), (240, 2000)])
def test_validation_by_frames_takes_two_thousand_of_many(each, wanted):
    # 100 identities train, of 125.
    rows = [(f"v{person}", f"f/{frame}.jpg") for person in range(125) for frame in range(each)]
    table = pl.DataFrame(rows, schema=["identity", "file"], orient="row")
    part, _ = divided(table, Path("root"), "by_identity_80_20", "frames")
    assert (part == "valid").sum() == wanted
    assert (part == "test").sum() == 25 * each


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


# --- bad input


def test_wrong_roots_are_answered_by_the_right_one(tmp_path, plain):
    assert "cropped_aligned" in sentence(None, RequestError)
    assert "does not exist" in sentence(tmp_path / "gone", RequestError)
    assert f"lies too low: give {plain}" in sentence(plain / "cropped_aligned", RequestError)
    assert f"lies too low: give {plain}" in sentence(plain / VA / "Train_Set", RequestError)
    inner = write(tmp_path / "all" / "data")
    assert f"lies too high: give {inner}" in sentence(tmp_path / "all", RequestError)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "readme.md").touch()
    message = sentence(tmp_path / "other", RequestError)
    assert "Aff-Wild2 (cropped_aligned" in message
    assert "it holds readme.md" in message


def test_a_half_unpacked_root_says_what_is_missing(tmp_path):
    root = write(tmp_path)
    shutil.rmtree(root / "cropped_aligned")
    (root / "cropped_aligned.zip").touch()
    message = sentence(root)
    assert "cropped_aligned" in message
    assert "unpack cropped_aligned.zip" in message


@pytest.mark.parametrize("part", [EXPR, f"{VA}/Validation_Set"])
def test_missing_annotations_are_named(tmp_path, part):
    root = write(tmp_path)
    shutil.rmtree(root / part)
    assert f"{part}" in sentence(root)


def test_unknown_options_are_named(plain):
    message = sentence(plain, UnknownNameError, few="dorp")
    assert "value of few 'dorp'" in message
    assert "'drop'" in message
    assert "authors_228_20" in sentence(plain, UnknownNameError, split="authors")
    assert "identity" in sentence(plain, UnknownNameError, validation="half")
    for frames in (-1, 2.5, "240", True):
        assert "frames must be a whole number" in sentence(plain, RequestError, frames=frames)


def test_a_text_in_another_encoding_is_named(tmp_path):
    root = write(tmp_path)
    path = annotation(root, EXPR, "video02")
    path.write_bytes(path.read_text().encode("utf-16"))
    assert f"{path} is not UTF-8" in sentence(root)


def test_an_empty_annotation_file_is_named(tmp_path):
    root = write(tmp_path)
    path = annotation(root, VA, "video02")
    path.write_bytes(b"")
    assert f"{path} is empty" in sentence(root)


@pytest.mark.parametrize(
    ("task", "header"),
    [
        (VA, "0.1,0.2"),
        (VA, "arousal,valence"),
        (EXPR, "0"),
        (EXPR, "Neutral,Happiness,Sadness,Surprise,Fear,Disgust,Anger"),
    ],
)
def test_columns_in_another_order_are_refused(tmp_path, task, header):
    root = write(tmp_path)
    path = annotation(root, task, "video01")
    path.write_text("\n".join([header, *path.read_text().splitlines()[1:]]) + "\n")
    message = sentence(root)
    assert f"{path} must begin with the line" in message
    assert repr(header) in message


def test_a_set_of_which_nothing_is_left_says_what_to_do(tmp_path, plain):
    message = sentence(plain)  # asks for 240
    assert "no identity has 240 frames" in message
    assert "video01 (12)" in message
    assert "few=keep" in message
    assert "frames=N" in message
    root = write(tmp_path)
    for path in (root / EXPR).glob("*/*.txt"):
        path.write_text(path.read_text().splitlines()[0] + "\n" + "-1\n" * FRAMES)
    message = sentence(root)
    assert "no frame can be used" in message
    assert "72 frames left out: the expression is -1" in message


def test_one_identity_cannot_be_split(tmp_path):
    message = sentence(write(tmp_path, identities=1), frames=0)
    assert "only the identity 'video01' is left" in message


def test_the_maker_of_stand_ins_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(UnknownNameError, match="'gone'"):
        write(tmp_path, "gon")
    with pytest.raises(UnknownNameError, match="aff-wild2, v1"):
        write_affwild(tmp_path, release="3")
    assert "sides" in AFF_WILD2_QUIRKS
