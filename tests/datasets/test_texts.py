"""Text files of any system are read alike, and one that cannot be read is named."""

from __future__ import annotations

import gzip

import polars as pl
import pytest

from ferc_core.datasets.texts import BEGINNING, read_csv, read_lines
from ferc_core.errors import DataError

PLAIN = "name,label,more\na.jpg,1,x\nb.jpg, 2 ,\n"
ROWS = pl.DataFrame({"label": ["1", "2"], "name": ["a.jpg", "b.jpg"]})
FORMS = {
    "plain": PLAIN.encode(),
    "windows": PLAIN.replace("\n", "\r\n").encode(),
    "byte-order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "no last line ending": PLAIN.rstrip().encode(),
    "spaces": PLAIN.replace("name,label", " name , label").encode(),
    "quotes": b'"name","label","more"\n"a.jpg","1","x"\nb.jpg,2,"y, z"\n',
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gives_the_same_rows(tmp_path, form):
    for name, content in (("a.csv", FORMS[form]), ("a.csv.gz", gzip.compress(FORMS[form]))):
        (tmp_path / name).write_bytes(content)
        assert read_csv(tmp_path / name, ("label", "name")).equals(ROWS), name


def test_columns_of_a_table_without_a_header_are_given(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a.jpg,1,x\nb.jpg,2,\n")
    columns = ("name", "label", "more")
    assert read_csv(path, ("label", "name"), if_headless=columns).equals(ROWS)
    with pytest.raises(DataError, match="3 columns and no header; expected are 2 columns"):
        read_csv(path, ("label", "name"), if_headless=("name", "label"))


def test_a_table_that_cannot_be_read_is_named_in_one_sentence(tmp_path):
    late = b"name,label\n" + b"a.jpg,1\n" * (BEGINNING // 4) + "café,1\n".encode("latin-1")
    for name, content, message in (
        ("a.csv", b"", "cannot be read as CSV: empty CSV"),
        ("a.csv", b"name,label\n", "has a header and no rows"),
        ("a.csv", b"name,lable\na,1\n", "has no column 'label', only 'name', 'lable'"),
        ("a.csv", "name,label\ncafé,1\n".encode("latin-1"), r"is not UTF-8 text \(line 2\)"),
        ("a.csv", PLAIN.encode("utf-16"), r"is not UTF-8 text \(line 1\)"),
        ("a.csv", PLAIN.encode("utf-16-le"), "is not UTF-8 text;"),
        ("a.csv", late, "is not UTF-8 text"),
        ("a.csv", b'name,label\n"a,1\n' + b"b,2\n" * 9, "cannot be read as CSV"),
        ("a.csv.gz", gzip.compress(PLAIN.encode() * 1000)[:-20], "cannot be read as CSV"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(DataError, match=message) as caught:
            read_csv(path, ("label", "name"))
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 400 + len(str(path))
        assert "\n" not in str(caught.value)


def test_lines_do_not_depend_on_line_endings_and_byte_order_marks(tmp_path):
    path = tmp_path / "list.txt"
    for mark in ("", "\ufeff"):
        for end in ("\n", "\r\n", "\r"):
            path.write_bytes((mark + end.join(["one", "", " two  ", "", ""])).encode())
            assert read_lines(path) == ["one", "", "two"]
    path.write_bytes(b"")
    assert read_lines(path) == []
    path.unlink()
    with pytest.raises(DataError, match=r"list\.txt cannot be read"):
        read_lines(path)
