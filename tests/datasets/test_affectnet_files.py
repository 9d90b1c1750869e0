"""The 8-class release of AffectNet: a file for each annotation, stored in many ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.loaders import noted

from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.datasets.scalars import NoScalarError, read_scalars, scalar
from ferc_core.testing.standins.affectnet import npy, write_affectnet

SMALL = {"release": "8-class", "train": 16, "valid": 8, "distinct": 1, "side": 32}


def test_annotations_as_numbers_give_the_same_faces_as_texts(tmp_path):
    texts = write_affectnet(tmp_path / "a", **SMALL)
    numbers = write_affectnet(tmp_path / "b", quirks={"numbers"}, **SMALL)
    assert np.load(texts / "train_set/annotations/3_exp.npy").dtype.kind == "U"
    assert np.load(numbers / "train_set/annotations/3_exp.npy").dtype == np.int64
    assert np.load(numbers / "train_set/annotations/3_aro.npy").dtype == np.float32
    assert open_affectnet(numbers).fingerprint == open_affectnet(texts).fingerprint


def later_version(array: np.ndarray) -> bytes:
    """A file of version 2, whose header has a longer length."""
    first = npy(array)
    return b"\x93NUMPY\x02\x00" + first[8:10] + b"\0\0" + first[10:]


def test_a_value_may_be_stored_in_any_way():
    for array in (
        np.array("5"),
        np.array([b"5"]),
        np.array([["5"]]),
        np.uint8(5),
        np.array(5, dtype=">i4"),
    ):
        assert scalar(npy(np.asarray(array))) == "5"
    assert scalar(npy(np.float16(5))) == "5.0"
    assert scalar(later_version(np.array("5"))) == "5"


def test_a_file_without_a_single_value_is_refused_with_the_cause():
    five = npy(np.array("5"))
    for content, fault in (
        (b"", "is empty"),
        (b"neutral", "is not a NumPy file"),
        (five[:40], "is cut short"),
        (five[:-1], "is cut short"),
        (npy(np.arange(2)), "does not hold a single value"),
        (npy(np.array([])), "does not hold a single value"),
        (five[:-4] + b"\x00\xd8\0\0", "holds damaged text"),
        (npy(np.array([{}], dtype=object)), "holds pickled Python objects"),
        (b"\x93NUMPY\x01\x00\x05\x00(1,2)", "has a damaged header"),
        (b"\x93NUMPY\x01\x00\x05\x00{(1,2", "has a damaged header"),
        (b"\x93NUMPY\x09\x00\x05\x00\x00\x00(1,2)", "has a damaged header"),
    ):
        with pytest.raises(NoScalarError, match=fault):
            scalar(content)


def test_a_file_that_cannot_be_read_is_a_fault(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(np.array("5")))
    paths = [str(tmp_path / name) for name in ("a.npy", "gone.npy", "a.npy")]
    counts = []
    values, faults = read_scalars(paths, counts.append)
    assert values == ["5", "", "5"]
    assert faults == {1: "cannot be read (No such file or directory)"}
    assert sum(counts) == 3


def test_faces_with_a_missing_or_faulty_file_are_dropped_and_named(tmp_path):
    quirks = {"missing", "unannotated", "no-valence", "cut", "pickled"}
    root = write_affectnet(tmp_path, quirks=quirks, **SMALL)
    faces = open_affectnet(root)
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


def test_pickled_code_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    root = write_affectnet(tmp_path / "root", **SMALL)
    path = root / "train_set/annotations/0_exp.npy"
    path.write_bytes(npy(np.array([Trap()], dtype=object)))
    assert noted(open_affectnet(root), "pickled")
    assert not (tmp_path / "sprung").exists()
