"""Files are whole or absent, and a folder belongs to one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import polars as pl
import pytest

from ferc_core.base import files
from ferc_core.base.claims import sharing
from ferc_core.base.files import (
    digest_of,
    read_json,
    read_parquet,
    replacing,
    sweep,
    write_bytes,
    write_json,
    write_parquet,
)
from ferc_core.errors import DataError, StoreError


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"ä": 1})
    with contextlib.suppress(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert read_json(path) == {"ä": 1}

    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=r"the disk is full, so .*a.json could not be written"):
        write_json(path, {"b": 2})
    assert read_json(path) == {"ä": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_table_keeps_its_record_and_what_cannot_be_read_is_named(tmp_path):
    write_parquet(tmp_path / "sub" / "a.parquet", pl.DataFrame({"x": [1]}), {"ferc.key": "7"})
    assert read_parquet(tmp_path / "sub" / "a.parquet")["x"].to_list() == [1]
    assert pl.read_parquet_metadata(tmp_path / "sub" / "a.parquet")["ferc.key"] == "7"
    (tmp_path / "b").write_text("{")
    with pytest.raises(DataError, match="b cannot be read as JSON"):
        read_json(tmp_path / "b")
    with pytest.raises(DataError, match="b cannot be read as parquet"):
        read_parquet(tmp_path / "b")


def test_a_write_is_synced_before_and_after_it_gets_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace

    def synced(number: int) -> None:
        steps.append(("sync", os.readlink(f"/proc/self/fd/{number}")))
        fsync(number)

    def renamed(source: Path, target: Path) -> None:
        steps.append(("rename", str(source)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_bytes(tmp_path / "a", b"1")
    (first, temporary), (second, source), third = steps
    assert (first, second) == ("sync", "rename")
    assert temporary == source
    assert third == ("sync", str(tmp_path))


def test_temporary_names_cannot_be_guessed_and_what_is_left_of_them_is_removed(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as other:
        assert one != other
        one.write_text("1")
        other.write_text("2")
    with contextlib.suppress(KeyboardInterrupt), replacing(tmp_path / "b") as temporary:
        left = tmp_path / "sub" / temporary.name
        raise KeyboardInterrupt
    write_bytes(left, b"")
    write_bytes(tmp_path / "sub" / ".mine.part", b"")
    sweep(tmp_path)
    assert sorted(p.name for p in tmp_path.rglob("*")) == [".mine.part", "a", "sub"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "folder"])
def test_what_is_no_file_is_neither_followed_nor_replaced(tmp_path, kind):
    path, target = tmp_path / "a", tmp_path / "target"
    if "link" in kind:
        path.symlink_to(target)
    if kind == "link":
        target.write_text("mine")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(StoreError, match=r"a is (a link|not a file)"):
        write_bytes(path, b"1")
    assert not target.exists() or target.read_text() == "mine"
    with pytest.raises(DataError, match="cannot be read"):
        read_json(path)
    assert digest_of(path) == (digest_of(target) if kind == "link" else "")


def test_a_device_is_not_written_to():
    with pytest.raises(StoreError, match="/dev/null is not a file"):
        write_bytes(Path("/dev/null"), b"1")


def test_a_folder_in_use_that_is_moved_or_left_through_a_link_is_noticed(tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    with sharing(run):
        write_bytes(run / "sub" / "a", b"1")
        other.mkdir()
        (run / "way").symlink_to(other)
        with pytest.raises(StoreError, match="is reached by a link in"):
            write_bytes(run / "way" / "b", b"1")
        run.rename(tmp_path / "moved")
        for _ in range(2):
            with pytest.raises(StoreError, match="was moved while it was in use"):
                write_bytes(run / "sub" / "b", b"1")
            run.mkdir(exist_ok=True)  # another one in its place is not it, either
    assert not list(other.iterdir())
    write_bytes(run / "sub" / "b", b"1")  # nobody holds it any more
    assert not files._held


def test_a_folder_may_itself_be_reached_by_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    with sharing(tmp_path / "run"):
        write_bytes(tmp_path / "run" / "sub" / "a", b"1")
    assert (tmp_path / "disk" / "sub" / "a").read_bytes() == b"1"


def test_a_lock_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(StoreError, match="is a link"), sharing(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "mine"


def test_a_path_is_a_name_and_no_pattern(tmp_path):
    for name in ("a1", "a2"):
        write_parquet(tmp_path / name, pl.DataFrame({"x": [1]}), {})
    with pytest.raises(DataError, match=r"a\* cannot be read"):
        read_parquet(tmp_path / "a*")
    write_parquet(tmp_path / "a[1]", pl.DataFrame({"x": [2]}), {})
    assert read_parquet(tmp_path / "a[1]")["x"].to_list() == [2]
