"""The 8-class release of AffectNet: a file for each annotation, stored in many ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.loaders import noted

from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.testing.standins.affectnet import npy, write_affectnet

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}


def test_annotations_as_numbers_give_the_same_faces_as_texts(tmp_path):
    texts = write_affectnet(tmp_path / "a", release="8-class", **SMALL)
    numbers = write_affectnet(tmp_path / "b", release="8-class", quirks={"numbers"}, **SMALL)
    assert np.load(texts / "train_set/annotations/3_exp.npy").dtype.kind == "U"
    assert np.load(numbers / "train_set/annotations/3_exp.npy").dtype == np.int64
    assert np.load(numbers / "train_set/annotations/3_aro.npy").dtype == np.float32
    assert open_affectnet(numbers).fingerprint == open_affectnet(texts).fingerprint


@pytest.mark.parametrize(
    "array",
    [
        np.array("5.0"),
        np.array([b"5"]),
        np.array([["5"]]),
        np.uint8(5),
        np.array(5, dtype=">i4"),
        np.float16(5),
    ],
    ids=repr,
)
def test_a_code_may_be_stored_in_any_way(tmp_path, array):
    root = write_affectnet(tmp_path, release="8-class", **SMALL)
    (root / "train_set/annotations/0_exp.npy").write_bytes(npy(np.asarray(array)))
    assert open_affectnet(root).splits["train"].labels[0] == 5


def later_version(array: np.ndarray) -> bytes:
    """A file of version 2, whose header has a longer length."""
    first = npy(array)
    return b"\x93NUMPY\x02\x00" + first[8:10] + b"\0\0" + first[10:]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"neutral", "is no NumPy file"),
        (npy(np.array("5"))[:40], "is cut short"),
        (npy(np.array("5"))[:-1], "is cut short"),
        (npy(np.arange(2)), "holds no single value"),
        (npy(np.array([])), "holds no single value"),
        (npy(np.array("5"))[:-4] + b"\x00\xd8\0\0", "holds a damaged text"),
        (npy(np.array([{}], dtype=object)), "holds pickled Python objects"),
        (b"\x93NUMPY\x01\x00\x05\x00(1,2)", "has a damaged header"),
        (b"\x93NUMPY\x01\x00\x05\x00{(1,2", "has a damaged header"),
        (b"\x93NUMPY\x09\x00\x05\x00\x00\x00(1,2)", "has a damaged header"),
        (later_version(np.array("5")), ""),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(tmp_path, content, fault):
    root = write_affectnet(tmp_path, release="8-class", **SMALL)
    (root / "train_set/annotations/0_exp.npy").write_bytes(content)
    faces = open_affectnet(root)
    if not fault:
        assert faces.splits["train"].labels[0] == 5
        return
    assert faces.about.missing == {"train_set/annotations/0_exp.npy": 1}
    note = noted(faces, fault)
    assert note.startswith("1 row dropped")
    assert note.endswith("train_set/annotations/0_exp.npy")
    assert len(faces.splits["train"]) == 15


def test_images_without_annotations_and_the_reverse_are_counted_and_named(tmp_path):
    quirks = {"missing", "unannotated", "no-valence", "cut", "pickled"}
    faces = open_affectnet(write_affectnet(tmp_path, release="8-class", quirks=quirks, **SMALL))
    assert faces.splits["train"].ids == tuple(f"train_set/{i}" for i in range(5, 16))
    assert faces.about.missing == dict.fromkeys(
        [
            "train_set/images/0.jpg",
            "train_set/images/1.jpg",
            "train_set/annotations/2_val.npy",
            "train_set/annotations/3_exp.npy",
            "train_set/annotations/4_aro.npy",
        ],
        1,
    )
    assert set(faces.notes) == {
        "1 row dropped: a file is cut short: train_set/annotations/3_exp.npy",
        "1 row dropped: a file holds pickled Python objects, which are never loaded: "
        "train_set/annotations/4_aro.npy",
        "1 row dropped: an image has no annotation: train_set/images/16.jpg",
    }


def test_a_pickled_annotation_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    root = write_affectnet(tmp_path / "root", release="8-class", **SMALL)
    path = root / "train_set/annotations/0_exp.npy"
    path.write_bytes(npy(np.array([Trap()], dtype=object)))
    assert noted(open_affectnet(root), "pickled")
    assert not (tmp_path / "sprung").exists()
