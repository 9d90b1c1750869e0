"""The index of a data root is made once, reused while the files stay the same, else remade."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from ferc_core.base.files import read_table, user_cache, write_parquet
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
            Source(root / "images", images=True),
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
def root(tmp_path, monkeypatch) -> Root:
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "own cache"))
    made = Root(tmp_path / "root")
    made.open()
    return made


def touch(path: Path) -> None:
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))


def test_rows_are_read_once_and_then_come_from_the_index(root):
    assert root.readings == [{"texts": ["a.txt", "b/2.txt"], "images": ["1.jpg"]}]  # sorted
    assert not root.read_again()
    assert root.open().equals(pl.DataFrame({"text": ["table.csv"]}))
    names = {path.name for path in root.folder.rglob("*") if path.is_file()}
    assert names == {"table.csv", "a.txt", "2.txt", "1.jpg"}  # nothing written into the data root


def test_an_index_of_other_columns_is_made_again(root):
    (path,) = (user_cache() / "index").iterdir()
    frame, record = read_table(path)
    write_parquet(path, frame.with_columns(text=pl.lit(7)), record)
    assert root.read_again()
    assert root.open()["text"].to_list() == ["table.csv"]


NOTICED: dict[str, Callable[[Path], object]] = {
    "newer table": lambda folder: touch(folder / "table.csv"),
    "newer annotation": lambda folder: touch(folder / "texts/b/2.txt"),
    "longer annotation": lambda folder: (folder / "texts/b/2.txt").write_text("longer than before"),
    "annotation removed": lambda folder: (folder / "texts/b/2.txt").unlink(),
    "annotation added": lambda folder: (folder / "texts/new.txt").write_text(""),
    "image added": lambda folder: (folder / "images/2.jpg").write_text(""),
    "image removed": lambda folder: (folder / "images/2.jpg").unlink(),
    "image renamed": lambda folder: (folder / "images/1.jpg").rename(folder / "images/3.jpg"),
}
IGNORED: dict[str, Callable[[Path], object]] = {
    "newer image": lambda folder: touch(folder / "images/1.jpg"),
    "changed image": lambda folder: (folder / "images/1.jpg").write_text("another image"),
    "excluded suffix": lambda folder: (folder / "texts/a.txt.bak").write_text("excluded"),
    "hidden file": lambda folder: (folder / "texts/.DS_Store").write_text("of a system"),
    "file outside": lambda folder: (folder / "beside.txt").write_text("not a source"),
}


def test_changes_of_annotations_and_image_names_are_noticed(root):
    for name, change in NOTICED.items():
        change(root.folder)
        assert root.read_again(), name
        assert not root.read_again(), name


def test_other_changes_are_ignored(root):
    for name, change in IGNORED.items():
        change(root.folder)
        assert not root.read_again(), name


def test_the_spelling_of_the_path_does_not_matter(root, monkeypatch, tmp_path):
    (tmp_path / "link").symlink_to(root.folder)
    monkeypatch.chdir(tmp_path)
    assert not root.read_again(folder=Path("root"))
    assert not root.read_again(folder=tmp_path / "link")


def test_a_new_version_or_a_damaged_index_is_read_again(root):
    assert root.read_again(version="made-up/2")
    assert root.open(version="made-up/2").equals(root.open())
    for file in (user_cache() / "index").glob("made-up-*.parquet"):
        whole = file.read_bytes()
        for damaged in (b"", b"PAR1 no parquet PAR1", whole[:-20]):
            file.write_bytes(damaged)
            assert root.read_again() or root.read_again(version="made-up/2")
    assert not root.read_again()


def test_rows_are_read_every_time_if_the_cache_is_not_writable(tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file where the folder should be")
    monkeypatch.setenv("FERC_CACHE", str(tmp_path / "cache"))
    made = Root(tmp_path / "root")
    assert made.read_again()
    assert made.read_again()


def test_a_missing_source_is_named(root):
    shutil.rmtree(root.folder / "texts")
    with pytest.raises(DataError, match=r"texts cannot be read: No such file"):
        root.open()
