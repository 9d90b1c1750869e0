"""Copies of Aff-Wild2 that are refused, each in one sentence."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from helpers.affwild_copies import EXPR, FRAMES, VA, annotation, write
from helpers.loaders import refusal

from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.testing.standins.affwild import write_affwild

sentence = partial(refusal, open_affwild)


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A stand-in without quirks; no test writes into it."""
    return write(tmp_path_factory.mktemp("affwild"))


def test_a_wrong_root_is_answered_by_the_right_one(tmp_path, plain):
    assert "cropped_aligned" in sentence(None, RequestError)
    assert f"one level too low; use {plain}" in sentence(plain / "cropped_aligned", RequestError)
    assert f"two levels too low; use {plain}" in sentence(plain / VA / "Train_Set", RequestError)
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "data").symlink_to(plain)
    message = sentence(tmp_path / "all", RequestError)
    assert f"one level too high; use {tmp_path / 'all' / 'data'}" in message
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "readme.md").touch()
    message = sentence(tmp_path / "other", RequestError)
    assert "Aff-Wild2 (cropped_aligned" in message
    assert "it holds readme.md" in message


def test_missing_parts_are_named(tmp_path):
    root = write(tmp_path)
    shutil.rmtree(root / VA / "Validation_Set")
    assert f"{VA}/Validation_Set is missing" in sentence(root)
    shutil.rmtree(root / EXPR)
    assert f"{EXPR}/Train_Set and {EXPR}/Validation_Set are missing" in sentence(root)
    shutil.rmtree(root / "cropped_aligned")
    (root / "cropped_aligned.zip").touch()
    message = sentence(root)
    assert "cropped_aligned" in message
    assert "unpack cropped_aligned.zip" in message


def test_invalid_options_are_refused(plain):
    message = sentence(plain, UnknownNameError, few="dorp")
    assert "value of few 'dorp'" in message
    assert "'drop'" in message
    assert "authors_228_20" in sentence(plain, UnknownNameError, split="authors")
    assert "identity" in sentence(plain, UnknownNameError, validation="half")
    for frames in (-1, 2.5, "240", True):
        assert "frames must be a whole number" in sentence(plain, RequestError, frames=frames)


def test_an_annotation_file_that_cannot_be_used_is_named(tmp_path):
    root = write(tmp_path)
    for task, subject, change, words in (
        (EXPR, "video02", lambda text: text.encode("utf-16"), "is not UTF-8"),
        (VA, "video02", lambda text: b"", "is empty"),
    ):
        path = annotation(root, task, subject)
        content = path.read_bytes()
        path.write_bytes(change(content.decode()))
        assert f"{path} {words}" in sentence(root)
        path.write_bytes(content)
    for task, header in (
        (VA, "0.1,0.2"),
        (VA, "arousal,valence"),
        (EXPR, "0"),
        (EXPR, "Neutral,Happiness,Sadness,Surprise,Fear,Disgust,Anger"),
    ):
        path = annotation(root, task, "video01")
        content = path.read_text()
        path.write_text("\n".join([header, *content.splitlines()[1:]]) + "\n")
        message = sentence(root)
        assert f"{path} must begin with the line" in message
        assert repr(header) in message
        path.write_text(content)


def test_a_dataset_without_usable_frames_is_refused_with_the_cause(tmp_path, plain):
    message = sentence(plain)  # asks for 240
    assert "no subject has 240 usable frames" in message
    assert "video01 (12)" in message
    assert "few=keep" in message
    assert "frames=N" in message
    root = write(tmp_path / "a")
    for path in (root / EXPR).glob("*/*.txt"):
        path.write_text(path.read_text().splitlines()[0] + "\n" + "-1\n" * FRAMES)
    message = sentence(root)
    assert "no frame is usable" in message
    assert "72 frames left out: the expression is -1" in message
    message = sentence(write(tmp_path / "b", subjects=1), frames=0)
    assert "only the subject 'video01' is left" in message


def test_the_stand_in_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(UnknownNameError, match="'gone'"):
        write(tmp_path, "gon")
    with pytest.raises(UnknownNameError, match="aff-wild2, v1"):
        write_affwild(tmp_path, release="3")
    with pytest.raises(RequestError, match="9 frames or more, not 8"):
        write(tmp_path, "outside", frames=8)
