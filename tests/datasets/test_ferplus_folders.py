"""FER+ as the folders of images that the script of its authors makes."""

from __future__ import annotations

import shutil
from functools import partial

import numpy as np
import pytest
from helpers.loaders import refusal

from ferc_core.data.opening import check_missing
from ferc_core.datasets.ferplus.loader import open_ferplus
from ferc_core.datasets.ferplus.rows import CLASSES
from ferc_core.errors import BadImageError, DataError
from ferc_core.testing.standins.ferplus import write_ferplus

sentence = partial(refusal, open_ferplus)


def test_folders_of_images_give_the_faces_of_the_tables(tmp_path):
    tables = open_ferplus(write_ferplus(tmp_path / "tables", quirks=("duplicates", "tie")))
    quirks = ("duplicates", "tie", "nested", "windows line ends")
    folders = open_ferplus(write_ferplus(tmp_path / "folders", release="folders", quirks=quirks))
    assert folders.fingerprint == tables.fingerprint
    assert folders.notes == tables.notes
    assert folders.about.release == "FER+ as folders of images"
    for name, split in tables.splits.items():
        for one, other in zip(split, folders.splits[name], strict=True):
            np.testing.assert_array_equal(one.image, other.image)


def test_the_later_of_two_rows_with_one_image_counts(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("unusable names",))
    faces = open_ferplus(root)
    assert "dropped 1 row: a later one has an image of the same name" in faces.notes
    train = faces.splits["train"]
    assert len(train) == 24 - 2  # the row without a name is in no folder
    assert CLASSES[train[train.ids.index("fer0000005")].label] == "fear"  # row 7, not 6
    shown = open_ferplus(write_ferplus(tmp_path / "tables")).splits["train"][6].image
    np.testing.assert_array_equal(train[train.ids.index("fer0000005")].image, shown)


def test_missing_images_of_a_folder_are_named(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("missing image",))
    faces = open_ferplus(root)
    assert faces.about.missing == {"FER2013Test/fer0000039.png": 1}
    assert len(faces.splits["test"]) == 7
    with pytest.raises(DataError, match="1 of 40 faces are lost"):
        check_missing(faces, "fail")


def test_votes_without_images_are_refused_with_advice(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("no images",))
    message = sentence(root)
    assert "has the votes of FER+ and none of its images" in message
    assert "FER2013Train/fer0000000.png" in message


def test_a_damaged_image_is_not_a_duplicate_and_is_named_when_it_is_read(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    for name in ("fer0000001.png", "fer0000002.png"):
        (root / "FER2013Train" / name).write_bytes(b"no image")
    faces = open_ferplus(root)
    assert "0 groups of identical images in the file" in faces.notes[-1]
    with pytest.raises(BadImageError, match=r"fer0000001\.png"):
        faces.splits["train"].read(1)


def test_a_missing_split_folder_is_named(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    shutil.rmtree(root / "FER2013Valid")
    assert sentence(root).endswith("but FER2013Valid/label.csv is missing")


def test_a_changed_image_of_a_folder_is_noticed(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    assert "0 groups" in open_ferplus(root).notes[-1]
    first, second = (root / "FER2013Train" / f"fer000000{i}.png" for i in (0, 1))
    second.write_bytes(first.read_bytes())
    assert "1 group " in open_ferplus(root).notes[-1]
