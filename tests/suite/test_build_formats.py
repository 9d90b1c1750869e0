"""Builds in all formats, read back by FER-C and by the libraries that they are made for."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.runs import BUILD, TWO, contents, folder_of_faces

from ferc_core.base.files import digest_of
from ferc_core.errors import DataError
from ferc_core.suite.cells import Cell
from ferc_core.suite.formats import SPLITS, file_names, folders_of, format_of
from ferc_core.suite.layout import open_build

HOW = {
    "png": (), "imagefolder": ("--layout", "imagefolder"), "parquet": ("--format", "parquet"),
    "webdataset": ("--format", "webdataset"),
}  # fmt: skip
SNOW = Cell("snow", 5)


@pytest.fixture(scope="module")
def builds(tmp_path_factory) -> Path:
    """A folder with the same build in every format."""
    from helpers.commands import ferc_in

    folder = tmp_path_factory.mktemp("builds")
    for name, how in HOW.items():
        done = ferc_in(folder)(*BUILD, *how, "--executor", "serial", "--out", name, path=folder)
        assert done.returncode == 0, done.stderr
    return folder


def images_of(root: Path) -> np.ndarray:
    build = open_build(root)
    return np.stack(build.images(SNOW, build.samples))


@pytest.mark.parametrize("name", HOW)
def test_every_format_holds_the_same_images_and_labels(ferc, builds, name):
    np.testing.assert_array_equal(images_of(builds / name), images_of(builds / "png"))
    assert open_build(builds / name).labels.equals(open_build(builds / "png").labels)
    assert ferc("verify", builds / name, "--rebuild", 5).returncode == 0


def test_the_same_build_has_the_same_files_in_every_format(ferc, builds, tmp_path):
    for name in ("webdataset", "parquet"):
        assert ferc(*BUILD, *HOW[name], "--executor", "serial", "--out", name).returncode == 0
        assert contents(tmp_path / name) == contents(builds / name)


def test_hugging_face_shows_images_and_class_names(builds, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    build = open_build(builds / "parquet")
    for where in ({"path": "parquet", "data_dir": str(builds / "parquet" / "data")},
                  {"path": str(builds / "parquet")}):  # fmt: skip
        faces = datasets.load_dataset(**where, cache_dir=str(tmp_path / "cache"))
        assert list(faces) == ["test"]
        faces = faces["test"]
        assert faces.features["label"].names == build.manifest["classes"]
        assert len(faces) == sum(sum(c.values()) for c in build.manifest["counts"].values())
        rows = faces.filter(lambda row: (row["corruption"], row["severity"]) == ("snow", 5))
        assert rows["sample"][:] == build.samples
        np.testing.assert_array_equal(np.asarray(rows[3]["image"]), images_of(build.root)[3])
        assert sum(rows[3]["target"]) == pytest.approx(1)


def test_torchvision_reads_folders_of_classes(builds):
    folders = pytest.importorskip("torchvision.datasets")
    build = open_build(builds / "imagefolder")
    found = folders.ImageFolder(builds / "imagefolder" / "images" / "snow" / "5" / "test")
    assert found.classes == sorted(build.manifest["classes"])
    labels = build.labels.filter(corruption="snow", severity=5)
    expected = labels.with_columns(
        name=pl.col("label").replace_strict(dict(enumerate(build.manifest["classes"])))
    )
    named = dict(zip(expected["sample"], expected["name"], strict=True))
    images = dict(zip(build.samples, images_of(build.root), strict=True))
    assert len(found) == len(images)
    for (path, label), (image, _) in zip(found.samples, found, strict=True):
        sample = Path(path).stem
        assert found.classes[label] == named[sample]
        np.testing.assert_array_equal(np.asarray(image), images[sample])


@pytest.mark.filterwarnings(
    "ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_webdataset_reads_shards_in_their_order(builds):
    webdataset = pytest.importorskip("webdataset")
    build, labels = open_build(builds / "webdataset"), open_build(builds / "png").labels
    shards = sorted(map(str, (build.root / "data" / "snow" / "5").glob("*.tar")))
    faces = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
    rows = list(faces.to_tuple("png", "cls", "json"))
    expected = labels.filter(corruption="snow", severity=5)
    assert [more["sample"] for _, _, more in rows] == expected["sample"].to_list()
    assert [label for _, label, _ in rows] == expected["label"].to_list()
    assert [more["target"] for *_, more in rows] == expected["target"].to_list()
    np.testing.assert_array_equal([np.asarray(image) for image, *_ in rows], images_of(build.root))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", HOW)
def test_the_card_is_sound(builds, name):
    croissant = pytest.importorskip("mlcroissant")
    found = croissant.Dataset(jsonld=builds / name / "croissant.json")
    assert not found.metadata.ctx.issues.errors
    rows = list(found.records("labels"))
    labels = open_build(builds / name).labels
    assert len(rows) == len(labels)
    assert rows[0]["labels/sample"].decode() == labels["sample"][0]
    text = (builds / name / "README.md").read_text()
    assert text.startswith("---\npretty_name: ")
    assert str(builds) not in text


# Names


def test_files_have_one_suffix_and_never_the_same_name():
    samples = ["a/1.jpg", "a/2.JPEG", "a/3.png", "a/3.jpg", "a/3.jpg.png", "b/img.001", "c", "B/C"]
    names = file_names(samples, flat=False)
    assert names["a/1.jpg"] == "a/1"
    assert names["a/2.JPEG"] == "a/2"
    assert names["b/img.001"] == "b/img.001"
    for flat in (False, True):
        found = file_names(samples, flat)
        assert len({name.casefold() for name in found.values()}) == len(samples)
    assert file_names(["x/a.png", "y/a.png"], flat=True) == {"x/a.png": "x-a", "y/a.png": "y-a"}


def test_folders_of_classes_are_safe_and_different():
    classes = ["a/b", "a_b", "..", "", "fröhlich", "Anger", "anger", "anger+contempt"]
    folders = folders_of(classes)
    assert len({name.casefold() for name in folders}) == len(classes)
    assert folders[4] == "fröhlich"
    assert folders[7] == "anger+contempt"
    assert not any("/" in name or "." in name for name in folders)


def test_every_split_has_a_name_for_other_libraries():
    assert SPLITS == {"train": "train", "valid": "validation", "test": "test"}


def test_suffixes_of_the_users_files_are_not_doubled(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("--dataset", "folder", "--data-root", "faces", "--image-size", 32, *TWO)
    assert ferc("build", *own, "--out", "b", "--executor", "serial").returncode == 0
    names = [path.name for path in (tmp_path / "b" / "images").rglob("*.png")]
    assert names
    assert all(name.count(".") == 1 for name in names)
    assert ferc("verify", "b", "--rebuild", 3, "--data-root", "faces").returncode == 0


# What builds were before


def test_a_build_without_layouts_is_read_and_repaired_as_it_was(ferc, builds, tmp_path):
    assert (
        ferc(*BUILD, "--executor", "serial", "--out", "old", "--format", "parquet").returncode == 0
    )
    root, manifest = tmp_path / "old", json.loads((tmp_path / "old/manifest.json").read_text())
    del manifest["making"]["layout"]
    for path in sorted((root / "data").rglob("*.parquet")):
        path.rename(path.with_name(path.name.removeprefix("test-")))
    for name in ("README.md", "croissant.json"):
        (root / name).unlink()
    manifest["files"] = {
        path.relative_to(root).as_posix(): digest_of(path)
        for path in root.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    }
    (root / "manifest.json").write_text(json.dumps(manifest))
    assert ferc("verify", "old", "--rebuild", 3).returncode == 0
    lost = next((root / "data" / "snow").rglob("*.parquet"))
    lost.unlink()
    assert (
        ferc(*BUILD, "--executor", "serial", "--out", "old", "--format", "parquet").returncode == 0
    )
    assert lost.exists()
    assert "test-" not in " ".join(path.name for path in (root / "data").rglob("*"))
    assert ferc("verify", "old", "--rebuild", 3).returncode == 0


def test_what_does_not_go_together_is_refused(ferc, builds):
    refused = ferc(*BUILD, "--format", "parquet", "--layout", "imagefolder", "--out", "x")
    assert "layout 'imagefolder' goes with format 'png', not 'parquet'" in one_sentence(refused, 2)
    other = ferc(*BUILD, "--layout", "imagefolder", "--out", builds / "png")
    assert "was made with layout 'cells', not 'imagefolder'" in one_sentence(other, 2)


def test_a_tar_file_of_somebody_else_is_data():
    format = format_of({"format": "webdataset", "layout": "cells"}, ["a"], "test", {"x": 0, "y": 0})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("00000000.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert format.unpack(Path("a.tar"), buffer.getvalue(), ["x"]) == {}
    with pytest.raises(DataError, match="cannot be read as a tar file"):
        format.unpack(Path("a.tar"), b"\0" * 100 + b"x" * 1000, ["x"])
