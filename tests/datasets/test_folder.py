"""The dataset ``folder`` with class folders; one clear sentence for each bad input."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.loaders import refusal
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core.datasets.folder.loader import open_folder
from ferc_core.datasets.samples import ImageReader, automatic_splits
from ferc_core.errors import BadImageError, RequestError
from ferc_core.faces import FaceSplit


def picture(path: Path, value: int = 0) -> Path:
    """Write a small grey image and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.full((32, 32), value, np.uint8))[1].tobytes())
    return path


def samples(faces) -> list[tuple[str, str, str]]:
    """(split, id, class) of every sample."""
    return [
        (name, face.id, faces.classes[face.label])
        for name, split in faces.splits.items()
        for face in split
    ]


sentence = partial(refusal, open_folder)


def test_split_folders_and_their_synonyms(tmp_path):
    for split, name in [("Training", "train"), ("val", "valid"), ("testing", "test")]:
        picture(tmp_path / split / "joy" / f"{name}.png")
    picture(tmp_path / "Training" / "anger" / "x.JPG")
    faces = open_folder(tmp_path)
    assert faces.name == "folder"
    assert faces.classes == ("anger", "joy")
    assert samples(faces) == [
        ("train", "Training/anger/x.JPG", "anger"),
        ("train", "Training/joy/train.png", "joy"),
        ("valid", "val/joy/valid.png", "joy"),
        ("test", "testing/joy/test.png", "joy"),
    ]


def test_the_registry_opens_it(tmp_path):
    picture(tmp_path / "test" / "joy" / "a.png")
    source = ferc_core.registry().datasets["folder"]
    assert source.open(str(tmp_path)).splits["test"].ids == ("test/joy/a.png",)


def test_images_are_read_when_looked_at(tmp_path):
    path = picture(tmp_path / "test" / "joy" / "deep" / "a.png", 3)
    test = open_folder(tmp_path).splits["test"]
    picture(path, 77)
    assert (test[0].image == np.full((32, 32, 3), 77)).all()


def test_a_reader_can_be_sent_to_another_process(tmp_path):
    reader = ImageReader([picture(tmp_path / "a.png", 77)])
    assert (pickle.loads(pickle.dumps(reader))(0) == 77).all()


def test_classes_are_in_natural_order(tmp_path):
    for name in ("10", "2", "1"):
        picture(tmp_path / "test" / name / "a.png")
    assert open_folder(tmp_path).classes == ("1", "2", "10")


def test_the_option_fixes_the_classes_and_their_order(tmp_path):
    picture(tmp_path / "test" / "joy" / "a.png")
    picture(tmp_path / "test" / "0" / "b.png")
    for classes in ("sadness; joy;fear", ["sadness", "joy", "fear"]):
        faces = open_folder(tmp_path, classes=classes)
        assert faces.classes == ("sadness", "joy", "fear")
        assert faces.splits["test"].labels.tolist() == [0, 1]
        assert "no image shows fear" in faces.notes


def test_a_moved_folder_is_the_same_dataset(tmp_path):
    for root in (tmp_path / "here", tmp_path / "there" / "deep"):
        for i in range(10):
            picture(root / "joy" / f"{i}.png")
            picture(root / "fear" / f"{i}.png")
    here, there = open_folder(tmp_path / "here"), open_folder(tmp_path / "there" / "deep")
    assert here.fingerprint == there.fingerprint


def test_without_splits_each_class_is_divided_alike(tmp_path):
    for i in range(20):
        picture(tmp_path / "joy" / f"{i}.png")
    for i in range(10):
        picture(tmp_path / "fear" / f"{i}.png")
    faces = open_folder(tmp_path)
    counts = {name: np.bincount(split.labels).tolist() for name, split in faces.splits.items()}
    assert counts == {"train": [7, 14], "valid": [1, 2], "test": [2, 4]}
    assert any("21 train, 3 valid, 6 test" in note for note in faces.notes)


def test_what_is_left_out_is_counted(tmp_path):
    picture(tmp_path / "test" / "joy" / "a.png")
    picture(tmp_path / "test" / "joy" / "._a.png")
    picture(tmp_path / "test" / "loose.png")
    picture(tmp_path / "__MACOSX" / "joy" / "a.png")
    (tmp_path / "test" / "joy" / "Thumbs.db").touch()
    (tmp_path / "README.txt").touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "test" / "contempt").mkdir()
    faces = open_folder(tmp_path)
    assert samples(faces) == [("test", "test/joy/a.png", "joy")]
    assert faces.notes == (
        "left out: 2 files that are no images, 2 hidden files and folders, "
        "1 images outside class folders",
        "folders without images: contempt",
    )


def test_loops_of_links_end(tmp_path):
    picture(tmp_path / "test" / "joy" / "a.png")
    picture(tmp_path / "test" / "fear" / "b.png")
    for link in (tmp_path / "test" / "joy" / "again", tmp_path / "test" / "joy" / "top"):
        link.symlink_to(tmp_path if link.name == "top" else link.parent, target_is_directory=True)
    assert [face[1] for face in samples(open_folder(tmp_path))] == [
        "test/fear/b.png",
        "test/joy/a.png",
    ]


def test_linked_folders_are_followed(tmp_path):
    picture(tmp_path / "elsewhere" / "a.png")
    (tmp_path / "root" / "test").mkdir(parents=True)
    (tmp_path / "root" / "test" / "joy").symlink_to(tmp_path / "elsewhere")
    assert samples(open_folder(tmp_path / "root")) == [("test", "test/joy/a.png", "joy")]


def test_names_are_the_same_however_unicode_writes_them(tmp_path):
    picture(tmp_path / "train" / "U\u0308berraschung" / "a.png")
    picture(tmp_path / "test" / "\u00dcberraschung" / "a.png")
    faces = open_folder(tmp_path)
    assert faces.classes == ("\u00dcberraschung",)
    assert faces.splits["train"].ids == ("train/\u00dcberraschung/a.png",)
    assert faces.splits["train"][0].image.shape == (32, 32, 3)


def test_a_bad_image_is_named_when_it_is_read(tmp_path):
    path = picture(tmp_path / "test" / "joy" / "a.png")
    path.write_bytes(path.read_bytes()[:-6])
    face = open_folder(tmp_path).splits["test"][0]
    with pytest.raises(BadImageError, match=r"joy.a\.png is cut short"):
        _ = face.image


def test_grey_and_transparent_images_are_fine(tmp_path):
    folder = tmp_path / "test" / "joy"
    picture(folder / "a.png", 9)
    rgba = np.full((32, 32, 4), 9, np.uint8)
    (folder / "b.png").write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    assert all((face.image == 9).all() for face in open_folder(tmp_path).splits["test"])


def test_wrong_roots(tmp_path):
    gone, file = tmp_path / "gone", tmp_path / "photo.png"
    file.touch()
    assert str(gone) in sentence(gone, RequestError)
    assert "does not exist" in sentence(gone, RequestError)
    assert "is a file" in sentence(file, RequestError)
    assert "needs a data root" in sentence(None, RequestError)


def test_an_empty_folder_and_one_without_class_folders(tmp_path):
    assert "no images in class folders" in sentence(tmp_path)
    picture(tmp_path / "a.png")
    assert "no images in class folders" in sentence(tmp_path)


def test_an_empty_split_is_named(tmp_path):
    picture(tmp_path / "train" / "joy" / "a.png")
    (tmp_path / "val").mkdir()
    assert str(tmp_path / "val") in sentence(tmp_path)


def test_classes_beside_splits_are_refused(tmp_path):
    picture(tmp_path / "train" / "joy" / "a.png")
    picture(tmp_path / "anger" / "a.png")
    assert "'train' beside 'anger'" in sentence(tmp_path)


def test_two_folders_for_one_split_are_refused(tmp_path):
    picture(tmp_path / "val" / "joy" / "a.png")
    picture(tmp_path / "validation" / "joy" / "a.png")
    assert "both mean valid" in sentence(tmp_path)


def test_classes_that_differ_by_case_are_refused(tmp_path):
    picture(tmp_path / "train" / "Joy" / "a.png")
    picture(tmp_path / "test" / "joy" / "a.png")
    assert "'Joy' and 'joy'" in sentence(tmp_path)


def test_a_folder_outside_the_classes_is_named_with_the_nearest(tmp_path):
    picture(tmp_path / "test" / "hapiness" / "a.png")
    message = sentence(tmp_path, classes="anger;happiness")
    assert "'hapiness'" in message
    assert "did you mean 'happiness'?" in message


@pytest.mark.parametrize("classes", ["joy", "joy;joy", "joy;;fear", "", [], 7])
def test_wrong_classes_are_refused(tmp_path, classes):
    assert "classes must be" in sentence(tmp_path, RequestError, classes=classes)


# --- the automatic split


def anonymous(ids: list[str], identities: list[str] | None = None) -> FaceSplit:
    return FaceSplit(
        ids=tuple(ids),
        labels=np.array([len(name) % 3 for name in ids], dtype=np.int64),
        read=lambda _: np.zeros((32, 32, 3), np.uint8),
        identities=None if identities is None else tuple(identities),
    )


@given(st.lists(st.text("abc", min_size=1), unique=True, min_size=1, max_size=60), st.randoms())
def test_the_automatic_split_does_not_depend_on_the_order(ids, random):
    shuffled = random.sample(ids, len(ids))
    for people in (None, lambda name: name[0]):
        one, other = (
            dict(
                zip(
                    names,
                    automatic_splits(
                        anonymous(names, None if people is None else [people(n) for n in names])
                    ),
                    strict=True,
                )
            )
            for names in (ids, shuffled)
        )
        assert one == other
        if people is not None:
            assert len({(people(name), split) for name, split in one.items()}) == len(
                {people(name) for name in ids}
            )
