"""FER-C on disk: built, resumed, verified, and used in place of a dataset."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import BUILD, METHOD, SABOTAGE, TWO, folder_of_faces

from ferc_core import open_dataset
from ferc_core.base.files import digest
from ferc_core.base.seeds import BENCHMARK_VERSION
from ferc_core.experiment import build as building
from ferc_core.images.io import resize
from ferc_core.images.png import encode
from ferc_core.suite import layout

FILES = 70 * 5 + 4  # images of five cells, labels, visibilities and the two of the card
SERIAL = ("--executor", "serial")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A small build, made once, by processes."""
    folder = tmp_path_factory.mktemp("made")
    result = ferc_in(folder)(*BUILD, "--out", "b")
    assert result.returncode == 0, result.stderr
    return folder / "b"


@pytest.fixture
def built(made, tmp_path) -> Path:
    """A copy of the build, for a test of its own."""
    return Path(shutil.copytree(made, tmp_path / "b"))


def manifest(folder: Path) -> str:
    return (folder / "manifest.json").read_text()


def test_a_build_has_a_lossless_image_for_every_sample_and_cell(made):
    names = {p.relative_to(made).as_posix() for p in made.rglob("*.png")}
    assert len(names) == 350
    assert "images/snow/5/test-00069.png" in names
    image = cv2.imread(str(made / "images/clean/0/test-00003.png"))
    face = open_dataset("toyfaces", train=24, valid=16, test=70).splits["test"][3]
    np.testing.assert_array_equal(image[:, :, ::-1], resize(face.image, 32))


def test_the_manifest_counts_and_hashes_everything(made):
    content = json.loads(manifest(made))
    assert len(content["files"]) == FILES
    assert content["benchmark"] == BENCHMARK_VERSION
    assert set(content["counts"]) == {"clean/0", "snow/1", "snow/5", "contrast/1", "contrast/5"}
    assert sum(content["counts"]["snow/1"].values()) == 70
    assert "ferc-corruptions" in content["versions"]
    labels = pl.read_parquet(made / "labels.parquet")
    assert labels.columns == [
        "sample", "corruption", "severity", "label", "visibility", "target", "valence", "arousal",
        "group.subject",
    ]  # fmt: skip


def test_a_sound_build_verifies(ferc, built):
    result = ferc("verify", "b", "--rebuild", 12)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"b is sound: {FILES} files, and 12 images made again are the same" in result.stdout


def flip_a_byte(root: Path) -> str:
    path = root / "images/snow/5/test-00007.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "images/snow/5/test-00007.png is not the file that was built"


def delete_a_file(root: Path) -> str:
    (root / "images/contrast/1/test-00000.png").unlink()
    return "images/contrast/1/test-00000.png is missing"


def add_a_file(root: Path) -> str:
    (root / "images/contrast/1/stray.png").write_bytes(b"x")
    return "images/contrast/1/stray.png does not belong there"


def edit_a_label(root: Path) -> str:
    path = root / "labels.parquet"
    labels = pl.read_parquet(path)
    labels[5, "label"] = (labels[5, "label"] + 1) % 8
    labels.write_parquet(path)
    return "in clean/0, not"


@pytest.mark.parametrize("damage", [flip_a_byte, delete_a_file, add_a_file, edit_a_label])
def test_damage_is_found_and_named(ferc, built, damage):
    expected = damage(built)
    result = ferc("verify", "b")
    assert result.returncode == 1
    assert expected in result.stdout
    if damage is edit_a_label:
        assert "labels.parquet is not the file that was built" in result.stdout
    else:
        assert len(result.stdout.splitlines()) == 1


def test_a_forged_image_with_a_forged_hash_is_found_by_rebuilding(ferc, built):
    content = json.loads(manifest(built))
    for name in list(content["files"]):
        if name.startswith("images/snow"):
            forged = encode(np.zeros((32, 32, 3), np.uint8))
            (built / name).write_bytes(forged)
            content["files"][name] = digest(forged)
    (built / "manifest.json").write_text(json.dumps(content))
    assert ferc("verify", "b").returncode == 0
    result = ferc("verify", "b", "--rebuild", 20)
    assert result.returncode == 1
    assert "has other pixels" in result.stdout


def test_a_build_that_is_stopped_again_and_again_ends_with_the_same_manifest(
    ferc, ferc_process, made, tmp_path
):
    (tmp_path / "sabotage.py").write_text(SABOTAGE)
    for target, cause in (
        (".building/manifest.json", "kill"),  # the first of all
        (".building/manifest.json", "full disk"),
        ("labels.parquet", "full disk"),
        ("test-00065.png", "kill"),  # of the second job
    ):
        build = (*BUILD, *SERIAL, "--out", "b", "--plugin", "sabotage.py")
        stopped = ferc_process(*build, DIE_AT=target, DIE_OF=cause)
        if cause == "kill":
            assert stopped.returncode == -signal.SIGKILL
        else:
            assert "the disk is full" in one_sentence(stopped, 1)
        if "manifest" not in target:
            assert "is an unfinished build" in one_sentence(ferc("verify", "b"), 1)
    assert ferc(*BUILD, *SERIAL, "--out", "b").returncode == 0
    assert manifest(tmp_path / "b") == manifest(made)  # which processes made
    assert ferc("verify", "b").returncode == 0


def test_a_build_that_is_stopped_while_it_tidies_up_is_tidied_up(ferc, built):
    (built / ".building").mkdir()
    (built / ".building" / "0.json").write_text("{}")
    assert ".building/0.json does not belong there" in ferc("verify", "b").stdout
    assert "b is complete already" in ferc(*BUILD, "--out", "b").stderr
    assert ferc("verify", "b").returncode == 0


def test_what_is_damaged_in_a_build_is_made_again(ferc, built):
    before = manifest(built)
    untouched = built / "images/snow/5/test-00003.png"
    made = untouched.stat().st_mtime_ns
    (built / "images/snow/5/test-00065.png").write_bytes(b"")
    (built / "images/snow/1/test-00069.png").unlink()
    (built / "labels.parquet").write_bytes((built / "labels.parquet").read_bytes()[:100])
    (built / "visibility.parquet").write_bytes(b"")
    done = ferc(*BUILD, "--out", "b")
    assert "4 files are missing or damaged and made again" in done.stderr
    assert manifest(built) == before
    assert untouched.stat().st_mtime_ns == made  # of another job
    assert ferc("verify", "b").returncode == 0


@pytest.mark.parametrize("content", ["", '{"making": '])
def test_a_build_whose_manifest_cannot_be_read_is_made_again(ferc, built, content):
    before = manifest(built)
    (built / "manifest.json").write_text(content)
    done = ferc(*BUILD, "--out", "b")
    assert "manifest.json cannot be read as JSON" in done.stderr
    assert manifest(built) == before
    assert ferc("verify", "b").returncode == 0


def test_a_file_that_is_not_the_one_that_was_built_is_not_used(ferc, built):
    flip_a_byte(built)
    run = ("run", *METHOD, "--dataset", "b", *TWO, "--epochs", 1, "--out", "r")
    assert "test-00007.png is not the file that was built" in one_sentence(ferc(*run), 1)
    labels = pl.read_parquet(built / "labels.parquet").filter(corruption="clean")
    probs = labels.select("sample", "corruption", "severity", probs="target")
    probs.write_parquet(built.parent / "p.parquet")
    assert ferc("score", "p.parquet", "--dataset", "b").returncode == 0
    edit_a_label(built)
    refused = ferc("score", "p.parquet", "--dataset", "b")
    assert "labels.parquet is not the file that was built" in one_sentence(refused, 1)


def test_everything_that_does_not_belong_to_a_build_is_named(ferc, built):
    (built / "link.png").symlink_to("labels.parquet")
    (built / "images" / "more").symlink_to(built)
    (built / "images" / ".lock").write_text("")
    os.mkfifo(built / "pipe")
    image = built / "images/snow/5/test-00001.png"
    image.rename(built / "images/snow/5/other.png")
    image.symlink_to("other.png")
    result = ferc("verify", "b")
    assert result.returncode == 1
    strange = ("images/.lock", "images/more", "images/snow/5/other.png", "link.png", "pipe")
    assert set(result.stdout.splitlines()) == {
        *(f"{name} does not belong there" for name in strange),
        "images/snow/5/test-00001.png is a link, not a file",
    }


def test_a_second_build_does_nothing_and_another_one_is_refused(ferc, built):
    stamps = {p: p.stat().st_mtime_ns for p in built.rglob("*.png")}
    assert "b is complete already" in ferc(*BUILD, "--out", "b").stderr
    assert "suite_seed 0, not 1" in one_sentence(ferc(*BUILD, "--out", "b", "--suite-seed", 1), 2)
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps


def test_a_folder_with_other_things_is_left_alone(ferc, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert "neither empty nor a build" in one_sentence(ferc(*BUILD, "--out", "mine"), 2)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("path", "message"), [("absent", "is not a directory"), (".", "is not a build")]
)
def test_what_is_not_a_build_is_refused(ferc, path, message):
    assert message in one_sentence(ferc("verify", path), 2)


def test_a_bad_image_stops_a_build_or_is_left_out_and_named(ferc, tmp_path):
    root = folder_of_faces(tmp_path / "faces")
    (root / "test/calm/3.png").write_bytes(b"not an image")
    own = ("build", "--dataset", "folder", "--data-root", "faces", "--image-size", 32,
           "--corruption", "contrast", "--severity", 2, *SERIAL)  # fmt: skip
    assert "test/calm/3.png" in one_sentence(ferc(*own, "--out", "b"), 1)
    assert ferc(*own, "--out", "c", "--on-bad-image", "skip").returncode == 0
    assert "test/calm/3.png" in (tmp_path / "c" / "skipped.txt").read_text()
    assert len(list((tmp_path / "c").rglob("*.png"))) == 2 * 11
    assert "is sound" in ferc("verify", "c", "--rebuild", 5, "--data-root", "faces").stdout


def test_both_formats_hold_the_same_images_and_a_run_on_them_scores_as_without(
    ferc, tmp_path, monkeypatch
):
    for module in (layout, building):
        monkeypatch.setattr(module, "SHARD", 8)
    root = folder_of_faces(tmp_path / "faces")
    own = ("--dataset", "folder", "--data-root", root, "--corruption", "snow", "--severity", 4)
    run = ("run", *METHOD, "--epochs", 2)
    for format in ("png", "parquet"):
        build = ("build", *own, "--image-size", 32, *SERIAL, "--format", format, "--out", format)
        assert ferc(*build).returncode == 0
        sound = ferc("verify", format, "--rebuild", 2, "--data-root", root)
        assert "is sound" in sound.stdout, sound.stderr
        done = ferc(*run, "--dataset", format, "--data-root", root, "--out", f"on-{format}")
        assert done.returncode == 0, done.stderr

    shards = sorted((tmp_path / "parquet" / "data" / "snow" / "4").glob("*.parquet"))
    assert [p.name for p in shards] == ["test-00000000.parquet", "test-00000008.parquet"]
    rows = pl.concat(pl.read_parquet(p) for p in shards)
    for row in rows.iter_rows(named=True):
        image = tmp_path / "png" / "images/snow/4" / row["image"]["path"]
        assert row["image"]["bytes"] == image.read_bytes()
    labels = pl.read_parquet(tmp_path / "png" / "labels.parquet").filter(corruption="snow")
    assert rows.drop("image").equals(labels)

    assert ferc(*run, *own, "--out", "made").returncode == 0
    made, png, parquet = (
        pl.read_parquet(tmp_path / name / "results.parquet")
        for name in ("made", "on-png", "on-parquet")
    )
    assert png.equals(made)
    assert parquet.equals(made)


def test_a_run_on_a_build_keeps_to_what_was_built(ferc, built, tmp_path):
    run = ("run", *METHOD[:-2], "--dataset", "b", "--out", "run")
    message = one_sentence(ferc(*run, "--image-size", 40), 2)
    assert "was built with image_size 32" in message
    assert "has no fog/1" in one_sentence(ferc(*run, "--corruption", "fog"), 2)
    assert not (tmp_path / "run").exists()
