"""Text files of any system are read alike, and one that cannot be read is named."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from ferc_core.datasets.texts import BEGINNING, read_csv, read_lines
from ferc_core.errors import DataError

PLAIN = "name,label,more\na.jpg,1,x\nb.jpg, 2 ,\n"
ROWS = pl.DataFrame({"label": ["1", "2"], "name": ["a.jpg", "b.jpg"]})


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.rstrip().encode(),
        PLAIN.replace("name,label", " name , label").encode(),
        b'"name","label","more"\n"a.jpg","1","x"\nb.jpg,2,"y, z"\n',
    ],
    ids=["plain", "windows", "byte-order mark", "no last line end", "blanks", "quotes"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_the_same_in_every_form(tmp_path, content, packed):
    path = tmp_path / ("table.csv.gz" if packed else "table.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert read_csv(path, ("label", "name")).equals(ROWS)


def test_a_table_without_a_header_is_read_by_place(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a.jpg,1,x\nb.jpg,2,\n")
    columns = ("name", "label", "more")
    assert read_csv(path, ("label", "name"), if_headless=columns).equals(ROWS)
    with pytest.raises(DataError, match="3 columns and no header; expected are 2 with commas"):
        read_csv(path, ("label", "name"), if_headless=("name", "label"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as CSV: empty CSV"),
        (b"name,label\n", "has a header and no rows"),
        (b"name,lable\na,1\n", "has no column 'label', only 'name', 'lable'"),
        ("name,label\ncafé,1\n".encode("latin-1"), r"is not UTF-8 text \(line 2\)"),
        (PLAIN.encode("utf-16"), r"is not UTF-8 text \(line 1\)"),
        (PLAIN.encode("utf-16-le"), "is not UTF-8 text;"),
        (b'name,label\n"a,1\n' + b"b,2\n" * 9, "cannot be read as CSV"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path, ("label", "name"))
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))
    assert "\n" not in str(caught.value)


def test_another_encoding_far_down_in_a_table_is_noticed(tmp_path):
    path = tmp_path / "table.csv"
    rows = b"a.jpg,1\n" * (BEGINNING // 4)
    path.write_bytes(b"name,label\n" + rows + "café,1\n".encode("latin-1"))
    with pytest.raises(DataError, match="is not UTF-8 text"):
        read_csv(path, ("label", "name"))


def test_a_packed_table_that_is_cut_short_is_named(tmp_path):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(PLAIN.encode() * 1000)[:-20])
    with pytest.raises(DataError, match=r"table\.csv\.gz cannot be read as CSV"):
        read_csv(path, ("label", "name"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_are_the_same_whatever_ends_them(tmp_path, end, mark):
    path = tmp_path / "list.txt"
    path.write_bytes((mark + end.join(["one", "", " two  ", "", ""])).encode())
    assert read_lines(path) == ["one", "", "two"]
