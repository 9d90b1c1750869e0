"""The dataset ``folder`` with a table, CSV or parquet; one clear sentence for each bad input."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl
import pytest
from helpers.loaders import refusal, samples, sizes, small_image

from ferc_core.datasets.folder.loader import open_folder
from ferc_core.errors import RequestError

sentence = partial(refusal, open_folder)


def table(root: Path, text: str, images: str = "a b c d") -> Path:
    """Write ``labels.csv`` and images of these names beside it."""
    for value, name in enumerate(images.split()):
        small_image(root / f"{name}.png", value)
    path = root / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_with_every_column(tmp_path):
    root = table(
        tmp_path,
        "Path,LABEL ,valence,arousal,distribution,identity,split,id,camera\n"
        "a.png,joy,0.5,-1,0.25;0.75,anna,train,first,x\n"
        "b.png,fear,-0.5,1,1 0,bert,val,second/2,x\n"
        'c.png,joy,0,0,"[0.1, 0.9]",cora,TEST,third,x\n',
    )
    faces = open_folder(root)
    assert faces.classes == ("fear", "joy")
    assert samples(faces) == [
        ("train", "first", "joy"),
        ("valid", "second/2", "fear"),
        ("test", "third", "joy"),
    ]
    train, valid, test = (faces.splits[name][0] for name in ("train", "valid", "test"))
    assert (train.valence, train.arousal, train.identity) == (0.5, -1.0, "anna")
    assert train.distribution.tolist() == [0.25, 0.75]
    assert valid.distribution.tolist() == [1.0, 0.0]
    assert test.distribution.tolist() == [0.1, 0.9]
    assert [f.image[0, 0, 0] for f in (train, valid, test)] == [0, 1, 2]
    assert "columns not used: camera" in faces.notes
    assert any("3 of 3 rows" in note for note in faces.notes)


def test_parquet_gives_the_same_faces_as_csv(tmp_path):
    rows = {
        "path": ["a.png", "b.png"],
        "label": [1, 0],
        "valence": [0.5, -0.25],
        "arousal": [0.0, 1.0],
        "distribution": [[0.25, 0.75], [1.0, 0.0]],
        "split": ["train", "test"],
    }
    csv = table(
        tmp_path / "csv",
        "path,label,valence,arousal,distribution,split\n"
        "a.png,1,0.5,0,0.25 0.75,train\nb.png,0,-0.25,1,1;0,test\n",
    )
    parquet = tmp_path / "csv" / "faces.parquet"
    pl.DataFrame(rows).write_parquet(parquet)
    assert open_folder(parquet).fingerprint == open_folder(csv).fingerprint


def test_the_table_of_a_folder_is_used_and_two_are_refused(tmp_path):
    small_image(tmp_path / "joy" / "unlisted.png")
    table(tmp_path, "path,label,split\na.png,fear,test\n")
    assert samples(open_folder(tmp_path)) == [("test", "a.png", "fear")]
    (tmp_path / "labels.parquet").touch()
    assert "both labels.csv and labels.parquet" in sentence(tmp_path, RequestError)


def test_numbered_labels_count_from_0_or_in_the_given_classes(tmp_path):
    faces = open_folder(table(tmp_path, "path,label,split\na.png,2,test\nb.png,0,test\n"))
    assert faces.classes == ("0", "1", "2")
    assert faces.splits["test"].labels.tolist() == [2, 0]
    assert "no image of class 1" in faces.notes
    root = table(tmp_path, "path,label,split\na.png,1,test\nb.png,fear,test\n")
    faces = open_folder(root, classes="fear;joy")
    assert faces.splits["test"].labels.tolist() == [1, 0]


def test_byte_order_mark_windows_line_endings_and_blank_rows(tmp_path):
    root = table(tmp_path, "")
    root.write_bytes(
        b"\xef\xbb\xbfpath,label,split\r\na.png,joy,test\r\n\r\n b.png , joy,test\r\n\r\n"
    )
    assert [s[1] for s in samples(open_folder(root))] == ["a.png", "b.png"]


def test_paths_are_relative_ids_and_absolute_ones_are_read(tmp_path):
    far = small_image(tmp_path / "far" / "c.png", 5)
    small_image(tmp_path / "near" / "sub" / "a.png")
    text = f"path,label,split\nsub\\a.png,x,test\n./b.png,x,test\n{far},x,test\n"
    test = open_folder(table(tmp_path / "near", text)).splits["test"]
    assert test.ids == ("sub/a.png", "b.png", far.relative_to(far.anchor).as_posix())
    assert [face.image[0, 0, 0] for face in test] == [0, 1, 5]


def test_subjects_stay_together_without_splits_and_are_noted_across_splits(tmp_path):
    rows = "".join(f"a.png,x,p{i % 10},{i}\n" for i in range(100))
    faces = open_folder(table(tmp_path, "path,label,identity,id\n" + rows))
    assert sizes(faces) == {"train": 70, "valid": 10, "test": 20}
    subjects = [set(split.identities) for split in faces.splits.values()]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 10
    root = table(tmp_path, "path,label,identity,split\na.png,x,p,train\nb.png,x,p,test\n")
    assert "1 subject in more than one split" in open_folder(root).notes


BAD_TABLES = {
    "is empty": "",
    "a header and no rows": "path,label\n\n",
    "no column 'label', only 'path', 'lable'; rename 'lable'": "path,lable\na.png,x\n",
    "no column 'path', only 'file', 'label'": "file,label\na.png,x\n",
    "two columns 'label'": "path,label,Label\na.png,x,y\n",
    "a column 'valence' but no 'arousal'": "path,label,valence\na.png,x,0\n",
    "a row has more cells": "path,label\na.png,x,y\n",
    "row 3: label is missing": "path,label\na.png,x\n\nb.png,\n",
    "row 2: label 123456 is too large": "path,label\na.png,1\nb.png,123456\n",
    "row 2: valence is 'nan'": "path,label,valence,arousal\na.png,x,0,0\nb.png,x,nan,0\n",
    "row 1: arousal is '-2'": "path,label,valence,arousal\na.png,x,0,-2\n",
    "row 1: arousal is None": "path,label,valence,arousal\na.png,x,0,\n",
    "row 1: valence is 'high'": "path,label,valence,arousal\na.png,x,high,0\n",
    "row 2: the label distribution sums to 1.3": (
        "path,label,distribution\na.png,0,1;0\nb.png,1,1;0.3\n"
    ),
    "row 1: the label distribution sums to 1 or has negative": (
        "path,label,distribution\na.png,0,1.5;-0.5\nb.png,1,1;0\n"
    ),
    "row 2: the label distribution has 3 probabilities for 2 classes": (
        "path,label,distribution\na.png,0,1;0\nb.png,1,1;0;0\n"
    ),
    "row 1: the label distribution sums to nan": (
        "path,label,distribution\na.png,0,x;0\nb.png,1,1;0\n"
    ),
    "row 1: split 'holdout' must be": "path,label,split\na.png,x,holdout\n",
    "row 2: split is missing": "path,label,split\na.png,x,test\nb.png,x,\n",
    "row 3: sample id 'a.png' is also in row 1": "path,label\na.png,x\nb.png,x\n./a.png,x\n",
    "row 1: '../a.png' is not a valid sample id": "path,label\n../a.png,x\n",
    "row 1: 'x/../../y' is not a valid sample id": "path,label,id\na.png,x,x/../../y\n",
    "2 of 3 images are missing, the first in row 2": (
        "path,label\na.png,x\ngone.png,x\nlost.png,x\n"
    ),
}


def test_a_bad_table_is_refused_with_row_and_value(tmp_path):
    for expected, text in BAD_TABLES.items():
        root = table(tmp_path, text)
        message = sentence(root)
        assert expected in message
        assert str(root) in message
    root = table(tmp_path, "path,label\na.png,anger\nb.png,angr\nc.png,2\n")
    message = sentence(root, classes="anger;joy")
    assert "row 2: label 'angr' is not one of the 2 classes" in message
    assert "did you mean 'anger'?" in message


def test_a_file_of_another_kind_is_refused(tmp_path):
    root = table(tmp_path, "")
    for text, encoding in (("a", "utf-16"), ("a", "utf-16-le"), ("Ä", "latin-1")):
        root.write_bytes(f"path,label\na.png,{text}\n".encode(encoding))
        assert "is not UTF-8 text" in sentence(root)
    root = tmp_path / "faces.parquet"
    root.write_bytes(b"PAR1 but nothing else")
    assert "is damaged or not a parquet file" in sentence(root)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("label", [{"name": "joy"}], "column 'label' holds"),
        ("valence", [[0.5]], "row 1: valence is [0.5]"),
        ("distribution", [{"joy": 1.0}], "the label distribution has 0 probabilities"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused(tmp_path, column, values, message):
    small_image(tmp_path / "a.png")
    root = tmp_path / "labels.parquet"
    columns = {"path": ["a.png"], "label": ["joy"], "valence": [0.0], "arousal": [0.0]}
    pl.DataFrame(columns | {column: values}).write_parquet(root)
    assert message in sentence(root)
