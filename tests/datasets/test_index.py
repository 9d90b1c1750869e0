"""The index of a data root: made once, reused while the files stand, remade when they do not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from ferc_core.base.files import user_cache
from ferc_core.datasets.index import Source, indexed
from ferc_core.errors import DataError


class Root:
    """A data root with a table, a folder of annotations and one of images; counts readings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("table.csv", "texts/b/2.txt", "texts/a.txt", "images/1.jpg"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(name)
        self.readings: list[dict[str, list[str]]] = []

    def open(self, folder: Path | None = None, version: str = "made-up/1") -> pl.DataFrame:
        root = folder or self.folder
        sources = [
            Source(root / "table.csv"),
            Source(root / "texts", without=".bak"),
            Source(root / "images", pictures=True),
        ]

        def read(names):
            self.readings.append({path.name: found for path, found in names.items()})
            return pl.DataFrame({"text": [(root / "table.csv").read_text()]})

        return indexed(version, root, sources, read)

    def read_again(self, **options: object) -> bool:
        """Open, and say whether anything was read for it."""
        before = len(self.readings)
        self.open(**options)
        return len(self.readings) > before


@pytest.fixture
def root(tmp_path) -> Root:
    made = Root(tmp_path / "root")
    made.open()
    return made


def test_files_are_listed_sorted_with_forward_slashes(root):
    assert root.readings == [{"texts": ["a.txt", "b/2.txt"], "images": ["1.jpg"]}]


def test_rows_come_from_the_index_the_second_time(root):
    assert not root.read_again()
    assert root.open().equals(pl.DataFrame({"text": ["table.csv"]}))


def touch(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: touch(folder / "table.csv"),
        lambda folder: touch(folder / "texts/b/2.txt"),
        lambda folder: (folder / "texts/b/2.txt").write_text("longer than before"),
        lambda folder: (folder / "texts/b/2.txt").unlink(),
        lambda folder: (folder / "texts/new.txt").write_text(""),
        lambda folder: (folder / "images/1.jpg").unlink(),
        lambda folder: (folder / "images/2.jpg").write_text(""),
        lambda folder: (folder / "images/1.jpg").rename(folder / "images/3.jpg"),
    ],
)
def test_a_change_of_what_the_rows_are_made_from_is_noticed(root, change):
    change(root.folder)
    assert root.read_again()
    assert not root.read_again()


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: touch(folder / "images/1.jpg"),
        lambda folder: (folder / "images/1.jpg").write_text("another image"),
        lambda folder: (folder / "texts/a.txt.bak").write_text("left out"),
        lambda folder: (folder / "texts/.DS_Store").write_text("of a system"),
        lambda folder: (folder / "beside.txt").write_text("nobody asked for it"),
    ],
)
def test_what_the_rows_do_not_say_is_no_change(root, change):
    change(root.folder)
    assert not root.read_again()


def test_a_folder_is_the_same_however_it_is_written(root, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(root.folder)
    monkeypatch.chdir(tmp_path)
    assert not root.read_again(folder=Path("root"))
    assert not root.read_again(folder=tmp_path / "link")


def test_another_version_of_the_rows_is_read_anew(root):
    assert root.read_again(version="made-up/2")
    assert root.open(version="made-up/2").equals(root.open())


def test_a_damaged_index_is_made_again(root):
    (file,) = (user_cache() / "index").glob("made-up-*.parquet")
    for content in (b"", b"PAR1 no parquet PAR1", file.read_bytes()[:-20]):
        file.write_bytes(content)
        assert root.read_again()
    assert not root.read_again()


def test_without_a_place_for_it_the_rows_are_read_every_time(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "cache"))
    made = Root(tmp_path / "root")
    assert made.read_again()
    assert made.read_again()


def test_nothing_is_written_into_the_data_root(root):
    names = {path.name for path in root.folder.rglob("*") if path.is_file()}
    assert names == {"table.csv", "a.txt", "2.txt", "1.jpg"}


def test_a_source_that_went_away_is_named(root):
    shutil.rmtree(root.folder / "texts")
    with pytest.raises(DataError, match=r"texts cannot be read: No such file"):
        root.open()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "own cache"))
