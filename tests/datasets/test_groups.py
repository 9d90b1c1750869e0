"""Groups of the faces: age, gender and the like, from the data to the table of labels."""

from __future__ import annotations

import json

import cv2
import numpy as np
import polars as pl
import pytest
from helpers.rafdb_parts import standin
from helpers.runs import METHOD

from ferc_core.datasets.folder.table import open_table
from ferc_core.datasets.rafdb.loader import open_rafdb
from ferc_core.errors import DataError
from ferc_core.faces import FaceSet, FaceSplit


def split(groups, n=3) -> FaceSplit:
    ids = tuple(map(str, range(n)))
    return FaceSplit(ids, np.arange(n) % 2, lambda _: None, groups=groups)


def fingerprint(groups) -> str:
    return FaceSet("ours", ("a", "b"), {"test": split(groups)}).fingerprint


def test_groups_go_with_their_faces():
    faces = split({"age": ("old", None, "young")})
    taken = faces.take([2, 0])
    assert taken.groups == {"age": ("young", "old")}
    assert taken[1].groups == {"age": "old"}
    assert fingerprint({}) != fingerprint({"age": ("old", None, "young")})
    assert fingerprint({"age": ("old",) * 3}) != fingerprint({"sex": ("old",) * 3})


@pytest.mark.parametrize("groups", [{"age": ("old",)}, {"Age": ("a",) * 3}, {"a b": ("a",) * 3}])
def test_broken_groups_are_refused(groups):
    with pytest.raises(DataError, match="a value for each of the 3 faces"):
        FaceSet("ours", ("a", "b"), {"test": split(groups)})


@pytest.fixture
def table(tmp_path):
    """A table of twelve images with ages and scars."""
    rng = np.random.default_rng(0)
    rows = ["path,label,Age,group.scar,mood,split"]
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 255, (40, 40, 3), np.uint8))
        part = ("train", "valid", "test")[i % 3]
        rows.append(f"{i}.png,{'ab'[i // 3 % 2]},{'old' if i > 5 else ''},{i % 2},x,{part}")
    file = tmp_path / "faces.csv"
    file.write_text("\n".join(rows) + "\n")
    return file


def test_columns_of_a_table_are_groups(table):
    faces = open_table(table, None)
    assert faces.splits["test"].groups == {
        "age": (None, None, "old", "old"),
        "scar": ("0", "1", "0", "1"),
    }
    assert faces.notes == ("columns not used: mood",)


def test_a_run_is_scored_by_group(ferc, table):
    words = ("--dataset", "folder", "--data-root", table, "--corruption", "contrast", "--severity",
             3, "--out", table.parent / "run")  # fmt: skip
    done = ferc("run", *METHOD, *words)
    assert done.returncode == 0, done.stderr
    labels = pl.read_parquet(table.parent / "run" / "labels.parquet")
    assert labels.filter(corruption="clean")["group.age"].to_list() == [None, None, "old", "old"]
    shown = ferc("results", table.parent / "run", "--by", "age", "--format", "json")
    rows = json.loads(shown.stdout)
    assert {row["age"] for row in rows} == {"old", "unknown"}
    assert all(row["n"] == 2 for row in rows)
    assert any(row["worst"] for row in rows)


def test_rafdb_has_the_attributes_of_its_owners(tmp_path, monkeypatch):
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "cache"))
    root = standin(tmp_path / "raf", parts=("basic",))
    assert open_rafdb(root).splits["test"].groups == {}
    manual = root / "basic" / "Annotation" / "manual"
    manual.mkdir(parents=True)
    points = "1.0\t2.0\n" * 5
    for name, ending in {"test_0001": "1\n2\n3\n", "test_0002": "7\n0\nx\n"}.items():
        (manual / f"{name}_manu_attri.txt").write_text(points + ending)
    groups = open_rafdb(root).splits["test"].groups
    assert groups["gender"][:3] == ("female", None, None)
    assert groups["race"][:3] == ("Asian", "Caucasian", None)
    assert groups["age"][:3] == ("40-69", None, None)
