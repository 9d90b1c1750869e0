"""Tables of FER+ that are refused, each in one sentence."""

from __future__ import annotations

from functools import partial

from helpers.ferplus_tables import ROWS, edited, pixels, vote, write
from helpers.loaders import refusal

from ferc_core.datasets.ferplus.loader import open_ferplus
from ferc_core.errors import RequestError

sentence = partial(refusal, open_ferplus)


def test_a_wrong_root_or_option_is_refused(tmp_path):
    root = write(tmp_path / "data" / "ferplus", ROWS)
    (root / "labels").mkdir()
    assert "is not a folder" in sentence(root / "fer2013.csv", RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    assert sentence(tmp_path / "data", RequestError).endswith(f"one level too high; use {root}")
    assert sentence(root / "labels", RequestError).endswith(f"one level too low; use {root}")
    (tmp_path / "empty").mkdir()
    message = sentence(tmp_path / "empty", RequestError)
    assert "looked for FER2013 with the votes of FER+ (fer2013.csv, fer2013new.csv)" in message
    assert "did you mean 'majority'?" in sentence(root, RequestError, mode="majorty")
    assert "true, false or test" in sentence(root, RequestError, drop_duplicates="yes")


def test_missing_files_are_named_with_the_archive_to_unpack(tmp_path):
    root = write(tmp_path / "a", ROWS)
    (root / "fer2013.csv").rename(root / "fer2013.tar.gz")
    assert sentence(root).endswith("but fer2013.csv is missing; unpack fer2013.tar.gz")
    root = write(tmp_path / "b", ROWS, layout="fer2013.csv.gz")  # not an archive to unpack
    (root / "fer2013new.csv").unlink()
    assert sentence(root).endswith("but fer2013new.csv is missing")


def test_files_that_cannot_be_read_are_named(tmp_path):
    root = write(tmp_path / "a", ROWS)
    for name in ("fer2013.csv", "fer2013new.csv"):
        path = root / name
        content = path.read_text()
        path.write_bytes(content.encode("utf-16"))
        assert f"{path} is not UTF-8 text" in sentence(root)
        path.write_text(content)
    message = sentence(edited(root, "fer2013.csv", "pixels", "pix"))
    assert "no column 'pixels', only 'emotion', 'pix', 'Usage'" in message
    assert "no column 'NF'" in sentence(edited(root, "fer2013new.csv", "NF", "noface"))
    assert "no rows" in sentence(write(tmp_path / "empty", []))
    root = write(tmp_path / "cut", ROWS, layout="fer2013.csv.gz")
    packed = root / "fer2013.csv.gz"
    packed.write_bytes(packed.read_bytes()[:-200])
    assert "cannot be read as CSV" in sentence(root)


def test_tables_that_do_not_correspond_row_by_row_are_refused(tmp_path):
    root = write(tmp_path, ROWS)
    votes = root / "fer2013new.csv"
    votes.write_text("\n".join(votes.read_text().splitlines()[:-1]) + "\n")
    message = sentence(root)
    assert "has 5 rows" in message
    assert "has 4" in message
    root = edited(write(tmp_path, ROWS), "fer2013new.csv", "PublicTest", "PrivateTest")
    assert "row 4 is 'PublicTest'" in sentence(root)
    # All labels are "angry" here; votes for it agree, votes for happiness do not.
    for emotion in ("anger", "happiness"):
        write(tmp_path, [("Training", pixels(0), vote(**{emotion: 10}))] * 1000)
        if emotion == "anger":
            open_ferplus(root)
    assert "agree with the labels" in sentence(root)
    assert "in only 0% of the rows" in sentence(root)


def test_a_row_that_cannot_be_used_is_named(tmp_path):
    rows = [*ROWS, ("Public", pixels(9), vote(fear=10))]
    assert "row 6: Usage 'Public' must be one of Training" in sentence(write(tmp_path, rows))
    for count in ("", "-1", "x", "2.5"):
        root = write(tmp_path, ROWS)
        edited(root, "fer2013new.csv", "Training,,0,10", f"Training,,0,{count}")
        assert f"row 1: happiness has {count!r} votes" in sentence(root)
    for bad in ("", "1 2 3", pixels(0) + " 1", pixels(0)[:-1] + "x", "256" + pixels(7)[1:]):
        rows = [*ROWS[:3], ("PublicTest", bad, vote(fear=10))]
        assert "row 4: pixels must be 2304 numbers" in sentence(write(tmp_path, rows))


def test_tables_without_a_usable_row_are_refused(tmp_path):
    assert "no row is left" in sentence(write(tmp_path, [ROWS[1]]))
