"""Copies of AffectNet that change, are incomplete or broken; and the stand-in for it."""

from __future__ import annotations

import os
import shutil
from functools import partial

import numpy as np
import pytest
from helpers.loaders import content, noted, refusal

from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.errors import BadImageError, RequestError, UnknownNameError
from ferc_core.testing.standins.affectnet import RELEASES, npy, write_affectnet

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}
HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
IMAGES = {"manual": "Manually_Annotated_Images", "8-class": "train_set/images"}

sentence = partial(refusal, open_affectnet)


@pytest.mark.parametrize("release", RELEASES)
def test_annotations_and_image_names_are_read_again_when_they_change(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, labels=[0] * 8, side=32, distinct=1)
    before = open_affectnet(root)
    if release == "manual":
        path = root / "training.csv"
        changed = path.read_bytes().replace(b",0,", b",1,")
    else:
        path, changed = root / "train_set/annotations/0_exp.npy", npy(np.array("1"))
    state = path.stat()
    path.write_bytes(changed)
    assert path.stat().st_size == state.st_size
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert open_affectnet(root).fingerprint == before.fingerprint  # from the index
    os.utime(path, ns=(1, 1))
    assert open_affectnet(root).splits["train"].labels[0] == 1

    image = next(p for p in sorted((root / IMAGES[release]).rglob("*")) if p.is_file())
    whole = image.read_bytes()
    image.unlink()
    assert list(open_affectnet(root).about.missing) == [image.relative_to(root).as_posix()]
    image.write_bytes(whole)
    assert open_affectnet(root).about.missing == {}


def test_notes_are_the_same_from_the_index(tmp_path):
    quirks = set(RELEASES["manual"]) - {"utf-16"}
    root = write_affectnet(tmp_path, quirks=quirks, **SMALL)
    first, second = open_affectnet(root), open_affectnet(root)
    assert first.notes == second.notes
    assert first.about == second.about
    assert first.fingerprint == second.fingerprint


def test_wrong_options_are_refused(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    for classes in (6, True, "8", 7.5):
        message = sentence(root, RequestError, classes=classes)
        assert "classes must be 7 (no contempt) or 8" in message
    assert "did you mean 'corners'?" in sentence(root, UnknownNameError, crop="corner")
    assert "unknown crop 'True'" in sentence(root, UnknownNameError, crop=True)
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    assert "already cropped" in sentence(later, RequestError, crop="sizes")
    assert open_affectnet(later, crop="none").fingerprint == open_affectnet(later).fingerprint


def test_a_wrong_root_is_answered_by_the_right_one(tmp_path):
    manual = write_affectnet(tmp_path / "a" / "AffectNet", **SMALL)
    later = write_affectnet(tmp_path / "b" / "AffectNet", release="8-class", **SMALL)
    for root, below in ((manual, "Manually_Annotated_Images"), (later, "val_set")):
        assert f"one level too high; use {root}" in sentence(root.parent, RequestError)
        assert f"one level too low; use {root}" in sentence(root / below, RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    (tmp_path / "c").mkdir()
    message = sentence(tmp_path / "c", RequestError)
    assert "manual CSV release" in message
    assert "8-class release" in message


def test_missing_parts_of_a_release_are_named(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    (root / "validation.csv").unlink()
    (root / "lists.zip").touch()
    message = sentence(root)
    assert "looks like AffectNet, manual CSV release" in message
    assert "validation.csv is missing; unpack lists.zip" in message
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    shutil.rmtree(later / "val_set")
    assert "val_set/images and val_set/annotations are missing" in sentence(later)


@pytest.mark.parametrize("release", RELEASES)
def test_the_counts_say_why_no_face_is_left(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    shutil.rmtree(root / IMAGES[release])
    (root / IMAGES[release]).mkdir()
    message = sentence(root)
    assert "no face of 'train' is left" in message
    lost = {"manual": 24, "8-class": 16}[release]
    assert f"{lost} files missing: {IMAGES[release]}/" in message


def test_a_table_that_cannot_be_used_is_refused_with_its_path(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    whole = table.read_text()
    lines = whole.splitlines()
    headless = "\n".join(line.rpartition(",")[0] for line in lines[1:])
    odd = [lines[0], lines[1], f"café{lines[2]}"]
    for text, message in (
        (whole.encode("utf-16"), "is not UTF-8 text"),
        (("\n".join(odd) + "\n").encode("latin-1"), "is not UTF-8 text (line 3)"),
        (f"{HEADER}\n".encode(), "has a header and no rows"),
        (b"", "cannot be read as CSV"),
        (whole.replace("valence", "joy", 1).encode(), "has no column 'valence'"),
        (headless.encode(), "has 8 columns and no header; expected are 9"),
        (np.random.default_rng(0).bytes(5000), ""),
    ):
        table.write_bytes(text)
        assert f"{table} {message}" in sentence(root)
    for path in ("../secret.jpg", "0/../../b.jpg", "", "0/a\x07.jpg"):
        row = path + "," + lines[2].partition(",")[2]
        table.write_text("\n".join([*lines[:2], row, *lines[3:]]))
        assert f"{table}, row 2: {path!r} is not a valid sample id" in sentence(root)


def test_a_table_that_is_cut_short_loses_its_last_row_with_a_note(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    table.write_text(table.read_text().rstrip()[:-40])  # within the landmarks
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 15
    assert "training.csv, row 16: ''" in noted(faces, "not a code from 0 to 10")


def test_a_damaged_image_is_named_when_it_is_read(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    train = open_affectnet(root).splits["train"]
    path = root / "Manually_Annotated_Images" / train.ids[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadImageError, match=path.name):
        train.read(0)


def test_the_stand_in_refuses_unknown_releases_and_quirks(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'manual'"):
        write_affectnet(tmp_path, release="manuell")
    with pytest.raises(UnknownNameError, match="unknown quirk of 8-class 'headless'"):
        write_affectnet(tmp_path, release="8-class", quirks={"headless"})
    assert not list(tmp_path.iterdir())


def test_a_stand_in_copies_images_where_links_are_impossible(tmp_path, monkeypatch):
    def refuse(*paths):
        raise OSError("no links here")

    linked = content(write_affectnet(tmp_path / "a", **SMALL))
    monkeypatch.setattr(os, "link", refuse)
    assert content(write_affectnet(tmp_path / "b", **SMALL)) == linked


def test_thousands_of_rows_take_a_few_images(tmp_path):
    root = write_affectnet(tmp_path, train=2000, valid=80, distinct=2, side=32)
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 2000
    files = [p.stat().st_ino for p in (root / "Manually_Annotated_Images").rglob("*.*")]
    assert len(files) == 2080
    assert len(set(files)) <= 32  # 2 of each class, in two formats
    assert len(np.unique(faces.splits["train"].valence_arousal, axis=0)) > 1900
