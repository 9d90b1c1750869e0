"""``ferc data check``: what it prints, its exit codes, and that it can be stopped."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import one_sentence

from ferc_core.testing.standins.images import toy_image, toy_number, write_image

CLASSES = ("anger", "joy")


def write_folder(root: Path) -> Path:
    """A data folder with a table, and one fault of each kind."""
    rows = []

    def add(path: str, label: str, split: str, subject: str, image: np.ndarray | bytes):
        rows.append([path, label, split, subject])
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(image, bytes):
            target.write_bytes(image)
        else:
            write_image(target, image)

    for split, start in (("train", 0), ("valid", 20), ("test", 30)):
        for i in range(12 if split == "train" else 4):
            face = toy_image(toy_number(i % 2, start + i), 48)
            add(f"{split}/{i}.png", CLASSES[i % 2], split, f"{split}{i % 3}", face)
    add("train/text.png", "joy", "train", "train0", b"no image")
    add("train/small.png", "joy", "train", "train0", toy_image(0, 48)[:31])
    add("test/again.png", "joy", "test", "train0", toy_image(toy_number(0, 0), 48))
    with (root / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split", "identity"], *rows])
    return root


def test_every_finding_in_a_folder_is_printed_with_names(ferc, tmp_path):
    root = write_folder(tmp_path / "faces")
    done = ferc("data", "check", "folder", "--data-root", root)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("folder: Your own images")
    assert lines[0].endswith(f", in {root}")
    assert [line.split() for line in lines if line.startswith(" all")] == [["all", "14", "4", "5"]]
    assert "known beside the labels: the subject of 23" in lines
    assert "22 of 23 images read, from 48x31 to 48x48 pixels" in lines
    assert "a run trains on 14 faces, validates on 4 and scores 5 of 'test'" in lines
    indented = [line.strip() for line in lines if line.startswith("    ")]
    assert indented == [
        f"image {root}/train/text.png is damaged, or in a format that cannot be read",
        "train/small.png (48x31)",
        "train/0.png (train) = test/again.png (test)",
        "train/0.png (train, anger) = test/again.png (test, joy)",
        "train0 (6 and 1 images)",
    ]
    assert lines[-1] == (
        "not sound: 1 image cannot be read; 1 image too small for corruptions, which need "
        "32x32 pixels; 1 of 5 images of 'test' (20.0%) also in 'train'; 1 subject both in "
        "'train' and in 'test'"
    )


def test_toyfaces_are_sound(ferc):
    done = ferc("data", "check", "toyfaces(train=64,valid=16,test=16,size=32)", "--limit", 10)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "30 of 96 images read, 32x32 pixels" in lines
    assert lines[-1] == "sound: no problem in 30 images"


PLUGIN = """
import numpy as np
from ferc_core import DatasetSource, hookimpl
from ferc_core.errors import BadImageError
from ferc_core.faces import About, FaceSet, FaceSplit


def open_tiny(root, *, bad: int = 0, wait: bool = False):
    def split(name, count):
        def read(i):
            if wait:
                import time
                print("reading", flush=True)
                time.sleep(0.05)
            if i < bad:
                raise BadImageError(f"frame {i} of {root}/tiny.mp4 cannot be decoded")
            return np.full((40, 40, 3), (i, len(name), 0), np.uint8)

        ids = tuple(f"{name}/{i}" for i in range(count))
        return FaceSplit(ids, np.arange(count) % 2, read, np.zeros((count, 2)))

    about = About(
        release="Tiny, second release",
        missing={f"{root}/lost.mp4": 30},
        published={"train": (60, 50), "test": 40},
        size=(40, 41),
    )
    splits = {"train": split("train", 100), "test": split("test", 40)}
    return FaceSet("tiny", ("no [b]", "yes"), splits, ("3 rows were dropped",), about)


@hookimpl
def register_datasets(register):
    register(DatasetSource("tiny", open_tiny, summary="Tiny.", source="here"))
"""


@pytest.fixture
def tiny(tmp_path):
    """The arguments that check a third-party dataset."""
    (tmp_path / "tiny.py").write_text(PLUGIN)
    return lambda name: ["data", "check", name, "--data-root", "here", "--plugin", "tiny.py"]


def test_the_dataset_of_a_plugin_is_checked_like_any_other(ferc, tiny):
    done = ferc(*tiny("tiny(bad=13)"), "--workers", 3)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "tiny(bad=13): Tiny, second release, in here"
    rows = [" ".join(line.split()) for line in lines]
    assert "class train published difference test published difference" in rows
    assert "no [b] 50 60 -10 20" in rows
    assert "yes 50 50 +0 20" in rows
    assert "all 100 110 -10 40 40 +0" in rows
    assert "note: 3 rows were dropped" in lines
    assert "    here/lost.mp4 (30 faces)" in lines
    assert "    train/9: frame 9 of here/tiny.mp4 cannot be decoded" in lines
    assert "    train/10: frame 10 of here/tiny.mp4 cannot be decoded" not in lines
    assert "    ... and 16 more: --json names all" in lines
    assert lines[-1] == (
        "not sound: 30 of 170 faces lost with 1 missing file; 26 images cannot be read"
    )


def test_json_says_everything_and_nothing_else(ferc, tiny):
    done = ferc(*tiny("tiny(bad=13)"), "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["dataset"] == "tiny(bad=13)"
    assert (told["data_root"], told["release"]) == ("here", "Tiny, second release")
    assert told["classes"] == ["no [b]", "yes"]
    assert told["notes"] == ["3 rows were dropped"]
    assert told["division"]["scored_split"] == "test"
    assert told["division"]["scored"] == 40
    assert told["splits"]["test"] == {
        "faces": 40,
        "published": 40,
        "difference": 0,
        "classes": {
            name: {"faces": 20, "published": None, "difference": None} for name in told["classes"]
        },
        "read": 40,
        "valence_arousal": True,
        "distributions": False,
        "persons": None,
    }
    kinds = {finding["kind"]: finding for finding in told["findings"]}
    assert kinds["missing"]["names"] == ["here/lost.mp4 (30 faces)"]
    assert kinds["unreadable"]["count"] == len(kinds["unreadable"]["names"]) == 26
    assert kinds["size"]["names"][0] == "train/13 (40x40)"
    assert kinds["size"]["problem"] is False
    assert told["sound"] is False
    assert told["reasons"] == [kinds["missing"]["text"], kinds["unreadable"]["text"]]


def test_a_dataset_that_cannot_be_opened_is_refused_in_one_sentence(ferc, tmp_path):
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "labels.csv").write_bytes(b"path,label\n\xff\xfe,joy\n")
    for arguments, message, code in (
        (["toyface"], "unknown dataset 'toyface': did you mean 'toyfaces'?", 2),
        (["toyfaces(train=8,valid=8,test=8)", "--split", "tset"], "did you mean 'test'?", 2),
        (["folder", "--data-root", "cut"], "cut/labels.csv", 1),
    ):
        done = ferc("data", "check", *arguments, "--json")
        assert message in one_sentence(done, code)
        assert done.stdout == ""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is a signal")
def test_ctrl_c_stops_a_check(tiny, tmp_path):
    command = [sys.executable, "-m", "ferc_core.cli", *tiny("tiny(wait=true)")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, start_new_session=True, **pipes) as job:
        assert job.stdout.read(7) == "reading"
        os.killpg(job.pid, signal.SIGINT)
        _, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    assert errors.splitlines()[-1].startswith("ferc: interrupted")
    assert "Traceback" not in errors
