"""Lists, images and archives of RAF-DB that are wrong, and the stand-in for it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from helpers.loaders import content, ids, refusal, sizes
from helpers.rafdb_parts import LIST, standin

from ferc_core.data.opening import check_missing
from ferc_core.datasets.rafdb.loader import CLASSES, open_rafdb
from ferc_core.errors import DataError, RequestError
from ferc_core.testing.standins.rafdb import FEWEST, QUIRKS, write_rafdb


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """All three parts without quirks: 28 faces for training and 14 for the test each."""
    return standin(tmp_path_factory.mktemp("raf"))


refused = partial(refusal, open_rafdb)


# --- lines, images and files that are wrong


def test_bad_lines_of_the_label_list_are_counted_and_named(tmp_path):
    faces = open_rafdb(standin(tmp_path, "bad labels", parts=("basic",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    first = "dropped 1 line of basic's list_patition_label.txt: "
    assert faces.notes[1:] == (
        f"{first}it is not a name and one label (the first is line 43: train_88881.jpg)",
        f"{first}the label is not a number from 1 to 7 (the first is line 44: train_88882.jpg 99)",
        f"{first}the name begins with neither train_ nor test_ "
        "(the first is line 45: face_88883.jpg 1)",
    )


def test_a_name_that_is_not_an_image_is_counted(tmp_path):
    root = standin(tmp_path, parts=("basic",))
    with (root / LIST).open("a") as file:
        for name in ("../train_1.jpg", "train_1/2.jpg", "train_\x07.jpg", "..", ".jpg"):
            file.write(f"{name} 1\n\n")
    faces = open_rafdb(root)
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.notes[1] == (
        "dropped 5 lines of basic's list_patition_label.txt: it does not begin with the name of "
        "an image (the first is line 43: ../train_1.jpg 1)"
    )


def test_repeated_names_count_once(tmp_path):
    faces = open_rafdb(standin(tmp_path, "double names", parts=("basic",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.notes[1].endswith(
        "the name is also on an earlier line (the first is line 43: train_00001.jpg 1)"
    )
    assert "distribution_basic.txt: the name is also on an earlier line" in faces.notes[2]


def test_missing_images_are_named(tmp_path):
    root = standin(tmp_path, "missing images", parts=("basic",))
    faces = open_rafdb(root)
    assert dict(faces.about.missing) == {str(root / "basic/Image/aligned/test_0014_aligned.jpg"): 1}
    assert sizes(faces) == {"train": 28, "test": 13}
    assert "basic/test_0014" not in ids(faces)
    with pytest.raises(DataError, match="1 of 42 faces are lost"):
        check_missing(faces, "fail")


def test_a_missing_image_that_is_not_used_is_not_lost(tmp_path):
    """The last face of the basic part is neutral, so the mixture does not need it."""
    faces = open_rafdb(standin(tmp_path, "missing images"), part="mixture")
    assert [Path(path).name for path in faces.about.missing] == ["0042_aligned.jpg"]


def test_archives_to_unpack_are_named(tmp_path):
    root = standin(tmp_path, "packed")
    message = refused(root)
    assert "looks like RAF-DB basic, but basic/Image/aligned is missing" in message
    assert message.endswith("unpack basic/Image/aligned.zip")
    assert refused(root, part="mixture") == message
    assert "unpack Image/aligned.zip" in refused(root / "RAF-ML")
    (root / "basic/Image/aligned").mkdir()
    assert "all 42 images are missing" in refused(root, part="basic")


def test_a_part_without_its_list_is_named(tmp_path):
    root = standin(tmp_path, parts=("basic", "ml"))
    (root / LIST).unlink()
    assert "list_patition_label.txt is missing" in refused(root)
    assert "list_patition_label.txt is missing" in refused(root, part="basic")
    assert open_rafdb(root, part="ml").classes == CLASSES["ml"]


def test_a_wrong_root_is_answered_by_the_right_one(whole, tmp_path):
    message = refused(whole / "basic/Image", RequestError)
    assert f"one level too low; use {whole / 'basic'}" in message
    message = refused(whole / "basic", RequestError, part="mixture")
    assert f"one level too low; use {whole}" in message
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/raf").symlink_to(whole)
    assert f"one level too high; use {tmp_path / 'downloads/raf'}" in refused(
        tmp_path / "downloads", RequestError
    )
    assert "needs a data root" in refused(None, RequestError)
    (tmp_path / "empty").mkdir()
    message = refused(tmp_path / "empty", RequestError)
    assert "looked for RAF-DB basic (basic/EmoLabel/list_patition_label.txt" in message
    assert "it holds nothing" in message


def test_a_missing_part_is_refused(tmp_path):
    root = standin(tmp_path, parts=("basic",))
    for part in ("compound", "ml", "mixture"):
        assert "it holds basic" in refused(root, RequestError, part=part)


def test_wrong_options_are_refused(whole):
    assert "unknown part 'basics': did you mean 'basic'?" in refused(
        whole, RequestError, part="basics"
    )
    assert "true or false" in refused(whole, RequestError, distributions="no")
    message = refused(whole, RequestError, part="ml", distributions=False)
    assert "has only label distributions" in message
    for path in (1, "/etc/passwd", "*.txt"):
        assert "relative to the data root" in refused(whole, RequestError, ml_labels=path)


def test_a_list_that_cannot_be_used_is_refused(tmp_path):
    root = standin(tmp_path / "a", "utf-16")
    assert "list_patition_label.txt is not UTF-8 text" in refused(root)
    root = standin(tmp_path / "b", parts=("basic",))
    for text in ("", "\n\n", "train_00001.jpg\n", "name label\n"):
        (root / LIST).write_text(text)
        assert f"{root / LIST} has no usable line" in refused(root)


# --- the stand-in itself


def test_the_stand_in_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(RequestError, match="unknown quirk of basic 'no such quirk'"):
        write_rafdb(tmp_path, quirks=("no such quirk",))
    with pytest.raises(RequestError, match="8 training faces"):
        write_rafdb(tmp_path, train=FEWEST - 1)


def test_every_quirk_changes_what_is_written(tmp_path):
    few = {"train": FEWEST, "test": 1}
    usual = content(standin(tmp_path / "usual", **few))
    for quirk in QUIRKS:
        assert content(standin(tmp_path / quirk, quirk, **few)) != usual, quirk
