"""Data folders that are damaged or were made to do harm: a sentence or a note, and never a wait."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.loaders import edit, refusal, small_image
from helpers.runs import folder_of_faces

from ferc_core.datasets import texts, tree
from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.datasets.ferplus.loader import open_ferplus
from ferc_core.datasets.folder.loader import open_folder
from ferc_core.datasets.index import Source, survey
from ferc_core.datasets.rafdb.loader import open_rafdb
from ferc_core.datasets.scalars import read_scalars
from ferc_core.datasets.videos import VideoFrames
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.images.headers import MOST_PIXELS
from ferc_core.images.io import limit_pixels
from ferc_core.testing.standins import write_affwild, write_ferplus, write_rafdb

# Folders


def circles(folder: Path) -> None:
    """Links to itself, to the folder above, and to each other."""
    for name, target in (("self", "."), ("up", ".."), ("loop", "loop"), ("gone", "nowhere")):
        (folder / name).symlink_to(target)


def deep(folder: Path) -> None:
    """1,200 folders in each other."""
    here = os.getcwd()
    try:
        os.chdir(folder)
        for _ in range(1200):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)


def branches(folder: Path) -> None:
    """Links that branch: 2^24 paths to nothing."""
    for i in range(24):
        (folder / f"b{i}").mkdir()
        for name in ("one", "two"):
            (folder / f"b{i}" / name).symlink_to(f"../b{i + 1}")
    (folder / "b24").mkdir()


@pytest.mark.parametrize("make", [circles, deep])
def test_odd_folders_are_read_to_their_end(ferc, tmp_path, make):
    root = folder_of_faces(tmp_path / "data", 2)
    make(root / "train/calm")
    done = ferc("data", "check", "folder", "--data-root", root)
    assert "12 images" in done.stdout
    assert "Traceback" not in done.stderr
    names, _ = survey([Source(root, images=True)])
    subprocess.run(["rm", "-r", root / "train"], check=True)  # pytest cannot remove what is so deep
    assert len([name for name in names[root] if name.endswith(".png")]) == 12


def test_a_folder_without_end_is_refused(ferc, tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "MOST_FOLDERS", 100)
    root = folder_of_faces(tmp_path / "data", 2)
    branches(root / "train/calm")
    message = one_sentence(ferc("data", "check", "folder", "--data-root", root), 1)
    assert "more than 100 folders" in message
    with pytest.raises(DataError, match="more than 100 folders"):
        survey([Source(root)])


# What stands where a file should be


def small_affwild(root: Path) -> Path:
    return write_affwild(root, identities=2, frames=14, side=32)


@pytest.mark.parametrize("kind", ["fifo", "endless", "folder"])
@pytest.mark.parametrize(
    ("name", "write", "opened", "file"),
    [
        ("folder", folder_of_faces, open_folder, "labels.csv"),
        ("ferplus", write_ferplus, open_ferplus, "fer2013.csv"),
        ("rafdb", write_rafdb, open_rafdb, "basic/EmoLabel/list_patition_label.txt"),
        ("affwild", small_affwild, open_affwild, "EXPR_*/Train_Set/*.txt"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, name, write, opened, file, kind):
    write(tmp_path)
    path = next(iter(sorted(tmp_path.glob(file))), tmp_path / file)
    path.unlink(missing_ok=True)
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
        "folder": lambda: path.mkdir(),
    }
    make[kind]()
    if name == "folder":  # a table that is no file is none, when it is not the data root itself
        assert len(open_folder(tmp_path).splits) == 3
        return
    with suppress(DataError, RequestError):  # or it is noted
        opened(tmp_path)


def test_single_values_in_no_file_are_faults(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").touch()
    os.truncate(tmp_path / "large", 1 << 40)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    many = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    (tmp_path / "many").write_bytes(many)
    names = ["fifo", "zero", "large", "many"]
    values, faults = read_scalars([str(tmp_path / name) for name in names], lambda n: None)
    assert values == [""] * 4
    assert [faults[i] for i in range(4)] == [
        "cannot be read (it is not a file)",
        "cannot be read (it is not a file)",
        "cannot be read (it has 1,099,511,627,776 bytes, and at most 1,048,576 are read)",
        "does not hold a single value",
    ]


def test_a_packed_table_that_grows_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "LARGEST", 1 << 20)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + bytes(2 << 20)))
    with pytest.raises(DataError, match="unpacked it has more than 1,048,576 bytes"):
        texts.read_csv(path, ("a",))


# Tables


@pytest.mark.parametrize(
    "cell", ["inf;-inf", "1e308;1e308", "nan;nan", "0;0", "1e400;0", "-0.5;1.5", "0x1;0", "1;0;"]
)
def test_numbers_that_are_no_distribution_are_refused(tmp_path, cell):
    for value, name in enumerate("ab"):
        small_image(tmp_path / f"{name}.png", value)
    (tmp_path / "labels.csv").write_text(
        f"path,label,distribution\na.png,joy,{cell}\nb.png,fear,1;0\n"
    )
    assert "row 1: the label distribution" in refusal(open_folder, tmp_path)


def test_a_distribution_that_overflows_is_a_counted_line(tmp_path):
    root = write_rafdb(tmp_path, parts=["basic"])
    path = root / "basic/EmoLabel/distribution_basic.txt"
    name, first, _ = path.read_text().split(" ", 2)
    edit(path, f"{name} {first}", f"{name} 1e308")
    lines = path.read_text().splitlines()
    cells = lines[0].split()
    path.write_text("\n".join([" ".join([cells[0], *["1e308"] * (len(cells) - 1)]), *lines[1:]]))
    assert any("do not sum to 1" in note for note in open_rafdb(root).notes)


def test_a_class_of_five_thousand_digits_has_its_place(tmp_path):
    for value, name in enumerate("ab"):
        small_image(tmp_path / f"{name}.png", value)
    long = "9" * 5000
    (tmp_path / "labels.csv").write_text(f"path,label\na.png,{long}\nb.png,10\n")
    assert open_folder(tmp_path).classes == ("10", long)


def test_what_a_message_shows_of_a_cell_is_short(tmp_path):
    small_image(tmp_path / "a.png", 0)
    (tmp_path / "labels.csv").write_text(f"path,label,valence,arousal\na.png,x,{'9' * 10**6},0\n")
    assert len(refusal(open_folder, tmp_path)) < 600


def test_a_parquet_table_of_too_many_rows_is_refused_by_its_metadata(tmp_path, monkeypatch):
    from ferc_core.datasets.folder import table

    monkeypatch.setattr(table, "MOST_ROWS", 10)
    pl.DataFrame({"path": ["a.png"] * 11, "label": ["x"] * 11}).write_parquet(
        tmp_path / "labels.parquet"
    )
    assert "11 rows, and at most 10" in refusal(open_folder, tmp_path)


# Paths


def test_options_do_not_lead_out_of_the_data_root(tmp_path):
    write_rafdb(tmp_path / "rafdb", parts=["ml"])
    message = refusal(
        open_rafdb, tmp_path / "rafdb", RequestError, ml_labels="../elsewhere/distribution.txt"
    )
    assert "leads out of the data root" in message


@pytest.mark.parametrize("name", ["exp[lr=1]", "a*b", "100%", "%03d"])
def test_the_data_root_is_a_name_and_no_pattern(tmp_path, name):
    root = write_affwild(tmp_path / name, release="v1", identities=2, frames=14)
    assert len(open_affwild(root, frames=7).splits) == 2


# Videos


def frames_of(path: Path, number: int = 1) -> VideoFrames:
    box = path.parent / "box.pts"
    box.write_text("{\n0 0\n8 8\n}\n")
    frames = np.arange(number)
    return VideoFrames(
        path.parent, [path.name], np.zeros(number, np.int64), frames, [box.name] * number
    )


@pytest.fixture
def video(tmp_path) -> Path:
    root = write_affwild(tmp_path / "v1", release="v1", identities=1, frames=14)
    return next(root.glob("videos/train/*"))


@pytest.mark.parametrize("name", ["%03d.mp4", "img%d[0-9]*.mp4", "concat:a|b.mp4", "a\nb.mp4"])
def test_the_name_of_a_video_is_taken_literally(video, name):
    path = video.rename(video.with_name(name))
    assert frames_of(path)(0).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["fifo", "endless", "folder", "text", "dangling"])
def test_what_is_no_video_is_a_bad_image(tmp_path, kind):
    path = tmp_path / "video.mp4"
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "endless": lambda: path.symlink_to("/dev/zero"),
        "folder": lambda: path.mkdir(),
        "text": lambda: path.write_text("no video"),
        "dangling": lambda: path.symlink_to("nowhere"),
    }
    make[kind]()
    with pytest.raises(BadImageError, match=r"video\.mp4"):
        frames_of(path)(0)


def test_frames_beyond_the_limit_are_refused(video):
    limit_pixels(100)
    try:
        with pytest.raises(BadImageError, match="at most 100 are read"):
            frames_of(video)(0)
    finally:
        limit_pixels(MOST_PIXELS)
    assert frames_of(video)(0).shape == (8, 8, 3)
