"""The dataset ``folder`` with class folders; one clear sentence for each bad input."""

from __future__ import annotations

import pickle
from functools import partial

import cv2
import numpy as np
import pytest
from helpers.loaders import refusal, samples, small_image
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core.datasets.folder.loader import open_folder
from ferc_core.datasets.samples import ImageReader, automatic_splits
from ferc_core.errors import BadImageError, RequestError
from ferc_core.faces import FaceSplit

sentence = partial(refusal, open_folder)


def test_split_folders_and_their_synonyms(tmp_path):
    for split, name in [("Training", "train"), ("val", "valid"), ("testing", "test")]:
        small_image(tmp_path / split / "joy" / f"{name}.png")
    small_image(tmp_path / "Training" / "anger" / "x.JPG")
    faces = ferc_core.registry().datasets["folder"].open(str(tmp_path))
    assert faces.name == "folder"
    assert faces.classes == ("anger", "joy")
    assert samples(faces) == [
        ("train", "Training/anger/x.JPG", "anger"),
        ("train", "Training/joy/train.png", "joy"),
        ("valid", "val/joy/valid.png", "joy"),
        ("test", "testing/joy/test.png", "joy"),
    ]


def test_images_are_read_on_access(tmp_path):
    path = small_image(tmp_path / "test" / "joy" / "deep" / "a.png", 3)
    test = open_folder(tmp_path).splits["test"]
    small_image(path, 77)
    assert (test[0].image == np.full((32, 32, 3), 77)).all()
    assert (pickle.loads(pickle.dumps(ImageReader([path])))(0) == 77).all()
    rgba = np.full((32, 32, 4), 77, np.uint8)  # transparency is dropped
    path.write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    assert (test[0].image == 77).all()
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(BadImageError, match=r"deep.a\.png is cut short"):
        _ = test[0].image


def test_classes_are_in_natural_order_or_as_given(tmp_path):
    for name in ("10", "2", "1"):
        small_image(tmp_path / "a" / "test" / name / "a.png")
    assert open_folder(tmp_path / "a").classes == ("1", "2", "10")
    small_image(tmp_path / "b" / "test" / "joy" / "a.png")
    small_image(tmp_path / "b" / "test" / "0" / "b.png")
    for classes in ("sadness; joy;fear", ["sadness", "joy", "fear"]):
        faces = open_folder(tmp_path / "b", classes=classes)
        assert faces.classes == ("sadness", "joy", "fear")
        assert faces.splits["test"].labels.tolist() == [0, 1]
        assert "no image of class fear" in faces.notes


def test_without_splits_each_class_is_divided_alike_wherever_the_folder_is(tmp_path):
    found = []
    for root in (tmp_path / "here", tmp_path / "there" / "deep"):
        for i in range(20):
            small_image(root / "joy" / f"{i}.png")
        for i in range(10):
            small_image(root / "fear" / f"{i}.png")
        faces = open_folder(root)
        counts = {name: np.bincount(split.labels).tolist() for name, split in faces.splits.items()}
        assert counts == {"train": [7, 14], "valid": [1, 2], "test": [2, 4]}
        assert any("21 train, 3 valid, 6 test" in note for note in faces.notes)
        found.append(faces.fingerprint)
    assert found[0] == found[1]


def test_what_is_left_out_is_counted(tmp_path):
    small_image(tmp_path / "test" / "joy" / "a.png")
    small_image(tmp_path / "test" / "joy" / "._a.png")
    small_image(tmp_path / "test" / "loose.png")
    small_image(tmp_path / "__MACOSX" / "joy" / "a.png")
    (tmp_path / "test" / "joy" / "Thumbs.db").touch()
    (tmp_path / "README.txt").touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "test" / "contempt").mkdir()
    faces = open_folder(tmp_path)
    assert samples(faces) == [("test", "test/joy/a.png", "joy")]
    assert faces.notes == (
        "left out: 2 files that are not images, 2 hidden files or folders, "
        "1 image outside class folders",
        "folders without images: contempt",
    )


def test_links_are_followed_unless_they_lead_back_up(tmp_path):
    small_image(tmp_path / "elsewhere" / "a.png")
    root = tmp_path / "root"
    (root / "test").mkdir(parents=True)
    (root / "test" / "joy").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "top").symlink_to(root, target_is_directory=True)
    faces = open_folder(root)
    assert samples(faces) == [("test", "test/joy/a.png", "joy")]
    assert faces.notes == ("left out: 2 links to a folder above",)


def test_unicode_forms_of_a_name_are_one_class(tmp_path):
    small_image(tmp_path / "train" / "U\u0308berraschung" / "a.png")
    small_image(tmp_path / "test" / "\u00dcberraschung" / "a.png")
    faces = open_folder(tmp_path)
    assert faces.classes == ("\u00dcberraschung",)
    assert faces.splits["train"].ids == ("train/\u00dcberraschung/a.png",)
    assert faces.splits["train"][0].image.shape == (32, 32, 3)


def test_a_wrong_root_or_option_is_refused(tmp_path):
    gone, file = tmp_path / "gone", tmp_path / "photo.png"
    file.touch()
    assert f"{gone} does not exist" in sentence(gone, RequestError)
    assert "is a file" in sentence(file, RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    for classes in ("joy", "joy;joy", "joy;;fear", "", [], 7):
        assert "classes must be" in sentence(tmp_path, RequestError, classes=classes)


def test_a_folder_that_cannot_be_used_is_refused_with_advice(tmp_path):
    for number, (files, message) in enumerate(
        (
            ((), "no images in class folders"),
            (("a.png",), "no images in class folders"),
            (("train/joy/a.png", "val/"), "val contains no images"),
            (("train/joy/a.png", "anger/a.png"), "'train' beside 'anger'"),
            (("val/joy/a.png", "validation/joy/a.png"), "both mean valid"),
            (("train/Joy/a.png", "test/joy/a.png"), "'Joy' and 'joy' differ only by case"),
        )
    ):
        root = tmp_path / str(number)
        root.mkdir()
        for name in files:
            (root / name).mkdir() if name.endswith("/") else small_image(root / name)
        assert message in sentence(root)
    small_image(tmp_path / "test" / "hapiness" / "a.png")
    message = sentence(tmp_path / "test", classes="anger;happiness")
    assert "'hapiness' is not one of the 2 classes" in message
    assert "did you mean 'happiness'?" in message


@given(st.lists(st.text("abc", min_size=1), unique=True, min_size=1, max_size=60), st.randoms())
def test_the_automatic_split_does_not_depend_on_the_order(ids, random):
    def chosen(names: list[str], by_subject: bool) -> dict[str, str]:
        faces = FaceSplit(
            ids=tuple(names),
            labels=np.array([len(name) % 3 for name in names], dtype=np.int64),
            read=lambda _: np.zeros((32, 32, 3), np.uint8),
            identities=tuple(name[0] for name in names) if by_subject else None,
        )
        return dict(zip(names, automatic_splits(faces), strict=True))

    shuffled = random.sample(ids, len(ids))
    for by_subject in (False, True):
        splits = chosen(ids, by_subject)
        assert splits == chosen(shuffled, by_subject)
    subjects = {(name[0], split) for name, split in splits.items()}
    assert len(subjects) == len({name[0] for name in ids})
