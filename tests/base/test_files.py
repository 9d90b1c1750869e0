"""Files are whole or absent, and a folder belongs to one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os

import polars as pl
import pytest

from ferc_core.base.files import (
    claim,
    read_json,
    read_parquet,
    replacing,
    write_json,
    write_parquet,
)
from ferc_core.errors import DataError, RequestError, StoreError


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


def test_a_claimed_folder_is_refused_and_free_again_afterwards(tmp_path):
    with (
        claim(tmp_path / "run"),
        pytest.raises(RequestError, match="another process is working in"),
        claim(tmp_path / "run"),
    ):
        pass
    with claim(tmp_path / "run"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="cannot write to"), claim(tmp_path / "file"):
        pass
