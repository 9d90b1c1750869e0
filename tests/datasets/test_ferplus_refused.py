"""Tables of FER+ that are refused, each in one sentence."""

from __future__ import annotations

from functools import partial

import pytest
from helpers.ferplus_tables import ROWS, edited, pixels, vote, write
from helpers.loaders import refusal

from ferc_core.datasets.ferplus.loader import open_ferplus
from ferc_core.errors import RequestError

sentence = partial(refusal, open_ferplus)


def test_wrong_roots_and_options(tmp_path):
    root = write(tmp_path / "good", ROWS)
    assert "does not exist" in sentence(tmp_path / "gone", RequestError)
    assert "is no folder" in sentence(root / "fer2013.csv", RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    assert "did you mean 'majority'?" in sentence(root, RequestError, mode="majorty")
    assert "true or false" in sentence(root, RequestError, drop_duplicates="yes")


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013new.csv"])
def test_a_missing_file_is_named(tmp_path, name):
    (write(tmp_path, ROWS) / name).unlink()
    assert name in sentence(tmp_path)


def test_a_missing_column_is_named(tmp_path):
    assert "no column 'pixels', only 'emotion', 'pix', 'Usage'" in sentence(
        edited(write(tmp_path / "a", ROWS), "fer2013.csv", "pixels", "pix")
    )
    assert "no column 'NF'" in sentence(
        edited(write(tmp_path / "b", ROWS), "fer2013new.csv", "NF", "noface")
    )


def test_files_of_different_length_are_refused(tmp_path):
    root = write(tmp_path, ROWS)
    votes = root / "fer2013new.csv"
    votes.write_text("\n".join(votes.read_text().splitlines()[:-1]) + "\n")
    message = sentence(root)
    assert "has 5 rows" in message
    assert "has 4" in message


def test_rows_of_different_usage_are_refused(tmp_path):
    root = edited(write(tmp_path, ROWS), "fer2013new.csv", "PublicTest", "PrivateTest")
    assert "row 4 is 'PublicTest'" in sentence(root)


def test_an_unknown_usage_is_refused(tmp_path):
    rows = [*ROWS, ("Public", pixels(9), vote(fear=10))]
    assert "row 6: Usage 'Public' must be Training" in sentence(write(tmp_path, rows))


@pytest.mark.parametrize("count", ["", "-1", "x", "2.5"])
def test_a_vote_that_is_no_count_is_refused(tmp_path, count):
    root = edited(write(tmp_path, ROWS), "fer2013new.csv", "Training,,0,10", f"Training,,0,{count}")
    message = sentence(root)
    assert "row 1: happiness" in message
    assert repr(count) in message


@pytest.mark.parametrize(
    "bad", ["", "1 2 3", pixels(0) + " 1", pixels(0)[:-1] + "x", "256" + pixels(7)[1:]]
)
def test_bad_pixels_are_refused_with_their_row(tmp_path, bad):
    rows = [*ROWS[:3], ("PublicTest", bad, vote(fear=10))]
    assert "row 4: pixels must be 2304 numbers" in sentence(write(tmp_path, rows))


def test_files_without_rows_and_cut_files_are_refused(tmp_path):
    assert "no rows" in sentence(write(tmp_path / "empty", []))
    root = write(tmp_path / "cut", ROWS, layout="fer2013.csv.gz")
    packed = root / "fer2013.csv.gz"
    packed.write_bytes(packed.read_bytes()[:-200])
    assert "cannot be read as CSV" in sentence(root)


def test_a_set_of_which_nothing_is_left_is_refused(tmp_path):
    assert "no row is left" in sentence(write(tmp_path, [ROWS[1]]))


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    """All labels are "angry" here; votes for it agree, votes for happiness do not."""
    picture = pixels(0)
    assert open_ferplus(write(tmp_path, [("Training", picture, vote(anger=10))] * 1000))
    root = write(tmp_path, [("Training", picture, vote(happiness=10))] * 1000)
    assert "do not belong together" in sentence(root)


@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013new.csv"])
def test_a_file_in_another_encoding_is_named(tmp_path, name):
    path = write(tmp_path, ROWS) / name
    path.write_bytes(path.read_text().encode("utf-16"))
    assert f"{path} is not UTF-8 text" in sentence(tmp_path)


def test_a_wrong_root_is_answered_by_the_right_one(tmp_path):
    right = write(tmp_path / "data" / "ferplus", ROWS)
    (right / "labels").mkdir()
    assert sentence(tmp_path / "data", RequestError).endswith(f"lies too high: give {right}")
    assert sentence(right / "labels", RequestError).endswith(f"lies too low: give {right}")
    (tmp_path / "empty").mkdir()
    message = sentence(tmp_path / "empty", RequestError)
    assert "looked for FER2013 with the votes of FER+ (fer2013.csv, fer2013new.csv)" in message


def test_a_packed_challenge_is_to_be_unpacked(tmp_path):
    root = write(tmp_path, ROWS)
    (root / "fer2013.csv").rename(root / "fer2013.tar.gz")
    assert sentence(root).endswith("but fer2013.csv is not there; unpack fer2013.tar.gz")


def test_images_that_are_there_are_not_to_be_unpacked(tmp_path):
    root = write(tmp_path, ROWS, layout="fer2013.csv.gz")
    (root / "fer2013new.csv").unlink()
    assert sentence(root).endswith("but fer2013new.csv is not there")
