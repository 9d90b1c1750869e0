"""Copies of Aff-Wild2 that are refused, each in one sentence."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from helpers.affwild_videos import (
    EXPR,
    FRAMES,
    VA,
    annotation,
    write,
)
from helpers.loaders import refusal

from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.testing.standins.affwild import AFF_WILD2_QUIRKS, write_affwild


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A stand-in without quirks; no test writes into it."""
    return write(tmp_path_factory.mktemp("affwild"))


sentence = partial(refusal, open_affwild)


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
