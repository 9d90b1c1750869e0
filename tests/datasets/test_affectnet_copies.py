"""Copies of AffectNet that change, are half there or broken; and the stand-in for it."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.loaders import noted, refusal

from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.errors import BadImageError, RequestError, UnknownNameError
from ferc_core.testing.standins.affectnet import RELEASES, npy, write_affectnet

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}
HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


sentence = partial(refusal, open_affectnet)


# --- the index


def swap(path: Path, content: bytes) -> None:
    """Write a file of the same size and time."""
    state = path.stat()
    assert len(content) == state.st_size
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize(
    ("release", "name"),
    [("manual", "training.csv"), ("8-class", "train_set/annotations/0_exp.npy")],
)
def test_annotations_are_read_once_and_again_when_they_change(tmp_path, release, name):
    root = write_affectnet(tmp_path, release=release, labels=[0] * 8, side=32, distinct=1)
    path = root / name
    before = open_affectnet(root)
    if release == "manual":
        changed = path.read_bytes().replace(b",0,", b",1,")
    else:
        changed = npy(np.array("1"))
    swap(path, changed)
    assert open_affectnet(root).fingerprint == before.fingerprint  # from the index
    os.utime(path, ns=(1, 1))
    assert open_affectnet(root).splits["train"].labels[0] == 1


@pytest.mark.parametrize("release", RELEASES)
def test_an_image_that_comes_or_goes_is_noticed(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    folder = {"manual": "Manually_Annotated_Images/0", "8-class": "train_set/images"}[release]
    picture = sorted((root / folder).iterdir())[0]
    for _ in range(2):
        assert open_affectnet(root).about.missing == {}
        content = picture.read_bytes()
        picture.unlink()
        assert list(open_affectnet(root).about.missing) == [f"{folder}/{picture.name}"]
        picture.write_bytes(content)


def test_notes_are_the_same_from_the_index(tmp_path):
    quirks = set(RELEASES["manual"]) - {"utf-16"}
    root = write_affectnet(tmp_path, quirks=quirks, **SMALL)
    first, second = open_affectnet(root), open_affectnet(root)
    assert first.notes == second.notes
    assert first.about == second.about
    assert first.fingerprint == second.fingerprint


# --- bad input


def test_wrong_options_are_refused(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    for classes in (6, 9, True, "8", 7.5):
        assert "classes must be 7 (no contempt) or 8" in sentence(
            root, RequestError, classes=classes
        )
    assert "did you mean 'corners'?" in sentence(root, UnknownNameError, crop="corner")
    assert "unknown crop 'True'" in sentence(root, UnknownNameError, crop=True)
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    assert "cropped already" in sentence(later, RequestError, crop="sizes")
    assert open_affectnet(later, crop="none").fingerprint == open_affectnet(later).fingerprint


def test_a_root_one_level_off_is_answered_by_the_right_one(tmp_path):
    manual = write_affectnet(tmp_path / "a" / "AffectNet", **SMALL)
    later = write_affectnet(tmp_path / "b" / "AffectNet", release="8-class", **SMALL)
    for root, below in ((manual, "Manually_Annotated_Images"), (later, "val_set")):
        assert f"too high: give {root}" in sentence(root.parent, RequestError)
        assert f"too low: give {root}" in sentence(root / below, RequestError)
    assert "does not exist" in sentence(tmp_path / "gone", RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    (tmp_path / "c").mkdir()
    message = sentence(tmp_path / "c", RequestError)
    assert "manual CSV release" in message
    assert "8-class release" in message


def test_a_half_unpacked_archive_is_recognised(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    (root / "validation.csv").unlink()
    (root / "lists.zip").touch()
    message = sentence(root)
    assert "looks like AffectNet, manual CSV release" in message
    assert "validation.csv is not there; unpack lists.zip" in message
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    shutil.rmtree(later / "val_set")
    assert "val_set/images and val_set/annotations are not there" in sentence(later)


@pytest.mark.parametrize("release", RELEASES)
def test_when_no_face_is_left_the_counts_say_why(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    folder = {"manual": "Manually_Annotated_Images", "8-class": "train_set/images"}[release]
    shutil.rmtree(root / folder)
    (root / folder).mkdir()
    message = sentence(root)
    assert "no face of 'train' is left" in message
    lost = {"manual": 24, "8-class": 16}[release]
    assert f"{lost} files missing: {folder}/" in message


def test_tables_in_another_encoding_are_named(tmp_path):
    root = write_affectnet(tmp_path / "a", quirks={"utf-16"}, **SMALL)
    assert f"{root / 'validation.csv'} is not UTF-8 text" in sentence(root)
    root = write_affectnet(tmp_path / "b", **SMALL)
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    lines[3] = f"café{lines[3]}"
    table.write_bytes("\n".join(lines).encode("latin-1"))
    assert f"{table} is not UTF-8 text (line 4)" in sentence(root)


def test_a_table_that_is_none_is_refused(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    whole = table.read_text()
    table.write_text(HEADER + "\n")
    assert "has a header and no rows" in sentence(root)
    table.write_text("")
    assert str(table) in sentence(root)
    table.write_text(whole.replace("valence", "joy", 1))
    assert "has no column 'valence'" in sentence(root)
    table.write_text("\n".join(line.rpartition(",")[0] for line in whole.splitlines()[1:]))
    assert "has 8 columns and no header; expected are 9" in sentence(root)
    table.write_bytes(np.random.default_rng(0).bytes(5000))
    assert str(table) in sentence(root)


def test_a_table_that_is_cut_short_loses_its_last_row_with_a_count(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    table.write_text(table.read_text().rstrip()[:-40])  # within the landmarks
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 15
    assert "training.csv, row 16: ''" in noted(faces, "no code from 0 to 10")


@pytest.mark.parametrize("path", ["../secret.jpg", "0/../../b.jpg", "", "0/a\x07.jpg"])
def test_a_path_that_leaves_the_folder_is_refused_with_its_row(tmp_path, path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    lines[2] = path + "," + lines[2].partition(",")[2]
    table.write_text("\n".join(lines))
    assert "training.csv, row 2" in sentence(root)


def test_a_damaged_image_is_named_when_it_is_read(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    train = open_affectnet(root).splits["train"]
    path = root / "Manually_Annotated_Images" / train.ids[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadImageError, match=path.name):
        train.read(0)


def test_the_stand_in_knows_its_releases_and_quirks(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'manual'"):
        write_affectnet(tmp_path, release="manuell")
    with pytest.raises(UnknownNameError, match="unknown quirk of 8-class 'headless'"):
        write_affectnet(tmp_path, release="8-class", quirks={"headless"})
    assert not list(tmp_path.iterdir())


def test_thousands_of_rows_take_a_few_images(tmp_path):
    root = write_affectnet(tmp_path, train=2000, valid=80, distinct=2, side=32)
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 2000
    files = [p.stat().st_ino for p in (root / "Manually_Annotated_Images").rglob("*.*")]
    assert len(files) == 2080
    assert len(set(files)) <= 32  # 2 of each class, in two formats
    assert len(np.unique(faces.splits["train"].valence_arousal, axis=0)) > 1900
