"""FER+: rows joined by their place, votes turned into labels as its authors do, drops counted."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core.datasets.ferplus import MODES, open_ferplus, vote_targets
from ferc_core.datasets.ferplus_rows import ANSWERS, CLASSES
from ferc_core.errors import BadImageError, DataError, RequestError
from ferc_core.plan import check_missing
from ferc_core.testing.standins.ferplus import FEWEST, RELEASES, write_ferplus

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL = SHARED / "data" / "ferplus"

NEUTRAL, HAPPINESS, SURPRISE, SADNESS, ANGER = range(5)


def vote(**counts: int) -> list[int]:
    """Ten counts in the order of the file; ``vote(happiness=7, NF=3)``."""
    return [counts.get(answer, 0) for answer in ANSWERS]


def pixels(value: int) -> str:
    """A picture of grey values around ``value``, different for every value."""
    return " ".join(str((value + i) % 256) for i in range(48 * 48))


def write(root: Path, rows: list[tuple], *, layout: str = "fer2013.csv") -> Path:
    """Write both files; a row is (Usage, pixels, votes)."""
    root.mkdir(parents=True, exist_ok=True)
    if layout == "icml_face_data.csv":
        lines = ["emotion, Usage, pixels", *(f"0,{usage},{text}" for usage, text, _ in rows)]
    else:
        lines = ["emotion,pixels,Usage", *(f"0,{text},{usage}" for usage, text, _ in rows)]
    data = ("\n".join(lines) + "\n").encode()
    (root / layout).write_bytes(gzip.compress(data) if layout.endswith(".gz") else data)
    with (root / "fer2013new.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Usage", "Image name", *ANSWERS])
        for usage, _, votes in rows:
            table.writerow([usage, "", *votes])  # names are empty or double in the real file
    return root


ROWS = [
    ("Training", pixels(0), vote(happiness=10)),
    ("Training", pixels(1), vote(NF=9, neutral=1)),
    ("Training", pixels(2), vote(unknown=6, anger=4)),
    ("PublicTest", pixels(3), vote(sadness=6, neutral=3, fear=1)),
    ("PrivateTest", pixels(4), vote(surprise=5, fear=5)),
]


def sentence(root, error: type[Exception] = DataError, **options) -> str:
    with pytest.raises(error) as caught:
        open_ferplus(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- the files


@pytest.mark.parametrize("layout", ["fer2013.csv", "fer2013.csv.gz", "icml_face_data.csv"])
def test_every_layout_of_the_files_gives_the_same_faces(tmp_path, layout):
    root = write(tmp_path, ROWS, layout=layout)
    faces = ferc_core.registry().datasets["ferplus"].open(root)
    assert faces.name == "ferplus"
    assert faces.classes == (
        "neutral",
        "happiness",
        "surprise",
        "sadness",
        "anger",
        "disgust",
        "fear",
        "contempt",
    )
    assert {name: split.ids for name, split in faces.splits.items()} == {
        "train": ("fer0000000",),
        "valid": ("fer0000003",),
        "test": ("fer0000004",),
    }
    assert [split[0].label for split in faces.splits.values()] == [HAPPINESS, SADNESS, SURPRISE]
    image = faces.splits["valid"][0].image
    assert image.shape == (48, 48, 3)
    assert image.dtype == np.uint8
    expected = (3 + np.arange(48 * 48).reshape(48, 48)) % 256
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], expected)


def test_a_split_without_rows_is_absent(tmp_path):
    assert list(open_ferplus(write(tmp_path, ROWS[:4])).splits) == ["train", "valid"]


def test_what_is_dropped_or_doubtful_is_counted(tmp_path):
    flat = " ".join(["7"] * 48 * 48)
    rows = [*ROWS, ("Training", flat, vote(fear=8)), ("Training", flat, vote(NF=10))]
    assert open_ferplus(write(tmp_path, rows)).notes == (
        "dropped 2 rows: 'no face' wins",
        "dropped 1 rows: 'unknown' wins",
        "1 rows have a tie for the largest share; their label is the first",
        "2 pictures have one grey value only, 1 of them are kept",
        "1 groups of exact duplicates in the file, 0 of them in training and another split",
    )


def test_training_pictures_that_stand_in_another_split_are_dropped_on_demand(tmp_path):
    rows = [
        ("Training", pixels(0), vote(happiness=10)),
        ("Training", pixels(1), vote(happiness=10)),
        ("Training", pixels(1), vote(happiness=10)),  # double within training: stays
        ("Training", pixels(2), vote(happiness=10)),  # again in a row that is dropped: stays
        ("PublicTest", pixels(0), vote(happiness=10)),
        ("PublicTest", pixels(2), vote(NF=10)),
    ]
    root = write(tmp_path, rows)
    kept, dropped = open_ferplus(root), open_ferplus(root, drop_duplicates=True)
    assert kept.splits["train"].ids == ("fer0000000", "fer0000001", "fer0000002", "fer0000003")
    assert dropped.splits["train"].ids == ("fer0000001", "fer0000002", "fer0000003")
    assert dropped.splits["valid"].ids == kept.splits["valid"].ids == ("fer0000004",)
    groups = "3 groups of exact duplicates in the file, 2 of them in training and another split"
    assert groups in kept.notes
    assert any("drop_duplicates=true" in note for note in kept.notes)
    assert any(note.startswith("dropped 1 training pictures") for note in dropped.notes)


# --- the votes

SHARES = {  # votes -> mode -> shares by class, or why the row is dropped
    "one vote is noise": (
        vote(happiness=8, fear=1, sadness=1),
        {
            "distribution": {"happiness": 1},
            "majority": {"happiness": 1},
            "crossentropy": {"happiness": 1},
        },
    ),
    "two emotions": (
        vote(neutral=6, sadness=4),
        {
            "distribution": {"neutral": 0.6, "sadness": 0.4},
            "majority": {"neutral": 1},
            "crossentropy": {"neutral": 0.6, "sadness": 0.4},  # 6 is below 75 % of 10
        },
    ),
    "the first holds 75 %": (
        vote(neutral=6, sadness=2, fear=1, anger=1),
        {
            "distribution": {"neutral": 0.75, "sadness": 0.25},
            "majority": {"neutral": 1},
            "crossentropy": {"neutral": 1},  # 6 of 8 heard
        },
    ),
    "half is no majority": (
        vote(neutral=5, sadness=3, fear=2),
        {
            "distribution": {"neutral": 0.5, "sadness": 0.3, "fear": 0.2},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": {"neutral": 5 / 8, "sadness": 3 / 8},
        },
    ),
    "five ways": (
        vote(neutral=2, sadness=2, fear=2, anger=2, disgust=2),
        {
            "distribution": dict.fromkeys(("neutral", "sadness", "fear", "anger", "disgust"), 0.2),
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",
        },
    ),
    "unknown stands in between": (
        vote(neutral=4, unknown=3, sadness=3),
        {
            "distribution": {"neutral": 4 / 7, "sadness": 3 / 7},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": {"neutral": 4 / 7, "sadness": 3 / 7},  # the level of 3 counts whole
        },
    ),
    "unknown ends the list": (
        vote(neutral=4, unknown=4, sadness=2),
        {
            "distribution": {"neutral": 2 / 3, "sadness": 1 / 3},
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",  # 4 of 10
        },
    ),
    "unknown wins": (vote(unknown=6, anger=4), dict.fromkeys(MODES, "'unknown' wins")),
    "no face wins": (vote(NF=6, anger=4), dict.fromkeys(MODES, "'no face' wins")),
    "ten single votes": (
        [1] * 10,
        {
            "distribution": "no answer has more than one vote",
            "majority": "no emotion has more than half of the votes",
            "crossentropy": "too many emotions share the votes",
        },
    ),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", SHARES)
def test_votes_become_shares(case, mode):
    votes, expected = SHARES[case][0], SHARES[case][1][mode]
    targets, why = vote_targets(np.array([votes]), mode)
    if isinstance(expected, str):
        assert why.tolist() == [expected]
    else:
        assert why.tolist() == [""]
        shares = dict(zip(CLASSES, targets[0].tolist(), strict=True))
        assert {name: share for name, share in shares.items() if share} == pytest.approx(expected)


@given(st.lists(st.lists(st.integers(0, 10), min_size=10, max_size=10), min_size=1))
def test_shares_sum_to_one_and_only_answers_that_were_given_have_any(rows):
    votes = np.array(rows)
    for mode in MODES:
        targets, why = vote_targets(votes, mode)
        np.testing.assert_allclose(targets.sum(axis=1), 1)
        kept = why == ""
        assert not ((targets > 0) & (votes[:, :8] < 2))[kept].any()
        winners = votes[kept].max(axis=1)
        assert (votes[kept, targets[kept].argmax(axis=1)] == winners).all()


@pytest.mark.parametrize("mode", MODES)
def test_the_mode_makes_labels_and_distributions(tmp_path, mode):
    votes = vote(neutral=3, sadness=5, fear=2)
    rows = [
        ("Training", pixels(0), votes),
        ("Training", pixels(1), vote(anger=9, NF=1)),
    ]
    faces = open_ferplus(write(tmp_path, rows), mode=mode)
    targets, why = vote_targets(np.array([votes, rows[1][2]]), mode)
    np.testing.assert_array_equal(faces.splits["train"].distributions, targets[why == ""])
    assert faces.splits["train"].labels.tolist() == (
        [ANGER] if mode == "majority" else [SADNESS, ANGER]
    )


# --- bad input


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


def edit(root: Path, name: str, old: str, new: str) -> Path:
    """Replace the first ``old`` in a file of ``root``; returns ``root``."""
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new, 1))
    return root


def test_a_missing_column_is_named(tmp_path):
    assert "no column 'pixels', only 'emotion', 'pix', 'Usage'" in sentence(
        edit(write(tmp_path / "a", ROWS), "fer2013.csv", "pixels", "pix")
    )
    assert "no column 'NF'" in sentence(
        edit(write(tmp_path / "b", ROWS), "fer2013new.csv", "NF", "noface")
    )


def test_files_of_different_length_are_refused(tmp_path):
    root = write(tmp_path, ROWS)
    votes = root / "fer2013new.csv"
    votes.write_text("\n".join(votes.read_text().splitlines()[:-1]) + "\n")
    message = sentence(root)
    assert "has 5 rows" in message
    assert "has 4" in message


def test_rows_of_different_usage_are_refused(tmp_path):
    root = edit(write(tmp_path, ROWS), "fer2013new.csv", "PublicTest", "PrivateTest")
    assert "row 4 is 'PublicTest'" in sentence(root)


def test_an_unknown_usage_is_refused(tmp_path):
    rows = [*ROWS, ("Public", pixels(9), vote(fear=10))]
    assert "row 6: Usage 'Public' must be Training" in sentence(write(tmp_path, rows))


@pytest.mark.parametrize("count", ["", "-1", "x", "2.5"])
def test_a_vote_that_is_no_count_is_refused(tmp_path, count):
    root = edit(write(tmp_path, ROWS), "fer2013new.csv", "Training,,0,10", f"Training,,0,{count}")
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


def test_pictures_that_are_there_are_not_to_be_unpacked(tmp_path):
    root = write(tmp_path, ROWS, layout="fer2013.csv.gz")
    (root / "fer2013new.csv").unlink()
    assert sentence(root).endswith("but fer2013new.csv is not there")


# --- stand-ins, and reading again


def test_a_standin_has_the_faces_that_it_was_asked_for(tmp_path):
    faces = open_ferplus(write_ferplus(tmp_path, train=16, public=8, private=9))
    sizes = {name: len(split) for name, split in faces.splits.items()}
    assert sizes == {"train": 16, "valid": 8, "test": 9}
    assert faces.splits["valid"].labels.tolist() == list(range(8))
    shares = faces.splits["train"].distributions[0]  # 7 neutral, 2 happiness, 1 surprise: noise
    np.testing.assert_allclose(shares, [7 / 9, 2 / 9, 0, 0, 0, 0, 0, 0])
    assert faces.notes == (
        "0 groups of exact duplicates in the file, 0 of them in training and another split",
    )


def test_counts_and_sizes_that_the_files_should_have_are_known(tmp_path):
    about = open_ferplus(write(tmp_path, ROWS)).about
    assert about.release == "FER2013 with the votes of FER+"
    assert sum(about.published.values()) == 35_887  # rows of the challenge
    assert about.published["valid"] == about.published["test"] == 3_589
    assert about.size == (48, 48)
    assert not about.missing


@pytest.mark.parametrize("quirks", [["gzip"], ["icml"], ["windows line ends"], ["unusable names"]])
def test_forms_of_the_files_give_the_same_faces(tmp_path, quirks):
    odd = open_ferplus(write_ferplus(tmp_path / "odd", quirks=quirks))
    usual = open_ferplus(write_ferplus(tmp_path / "usual"))
    assert odd.fingerprint == usual.fingerprint
    np.testing.assert_array_equal(odd.splits["test"][7].image, usual.splits["test"][7].image)


def test_the_oddities_of_a_standin_are_counted(tmp_path):
    quirks = ("constant picture", "duplicates", "no face", "single votes", "tie", "unknown")
    root = write_ferplus(tmp_path, quirks=quirks)
    faces = open_ferplus(root)
    assert faces.notes == (
        "dropped 1 rows: 'no face' wins",
        "dropped 1 rows: 'unknown' wins",
        "dropped 1 rows: no answer has more than one vote",
        "1 rows have a tie for the largest share; their label is the first",
        "1 pictures have one grey value only, 1 of them are kept",
        "1 groups of exact duplicates in the file, 1 of them in training and another split",
        "1 training pictures stand in another split, too; drop_duplicates=true drops them",
    )
    assert faces.splits["train"].labels[1] == SURPRISE  # five votes each for surprise and fear
    assert "fer0000023" not in open_ferplus(root, drop_duplicates=True).splits["train"].ids


def test_a_standin_says_what_it_cannot_write(tmp_path):
    with pytest.raises(RequestError, match="unknown quirk of tables 'no such'"):
        write_ferplus(tmp_path, quirks=("no such",))
    with pytest.raises(RequestError, match="8 rows of Training"):
        write_ferplus(tmp_path, train=FEWEST - 1)


@pytest.mark.parametrize("release", RELEASES)
def test_every_quirk_changes_what_is_written(tmp_path, release):
    def content(root: Path) -> dict[Path, bytes]:
        files = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root): path.read_bytes() for path in files}

    usual = content(write_ferplus(tmp_path / "usual", release=release))
    for quirk in RELEASES[release]:
        root = write_ferplus(tmp_path / quirk, release=release, quirks=(quirk,))
        assert content(root) != usual, quirk


# --- folders of pictures, as the script of FER+ makes them


def test_folders_of_pictures_give_the_faces_of_the_tables(tmp_path):
    tables = open_ferplus(write_ferplus(tmp_path / "tables", quirks=("duplicates", "tie")))
    quirks = ("duplicates", "tie", "nested", "windows line ends")
    folders = open_ferplus(write_ferplus(tmp_path / "folders", release="folders", quirks=quirks))
    assert folders.fingerprint == tables.fingerprint
    assert folders.notes == tables.notes
    assert folders.about.release == "FER+ as folders of pictures"
    for name, split in tables.splits.items():
        for one, other in zip(split, folders.splits[name], strict=True):
            np.testing.assert_array_equal(one.image, other.image)


def test_of_two_rows_with_one_picture_the_later_counts_as_the_script_leaves_its_picture(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("unusable names",))
    faces = open_ferplus(root)
    assert "dropped 1 row: a later one has a picture of the same name" in faces.notes
    train = faces.splits["train"]
    assert len(train) == 24 - 2  # the row without a name is in no folder, either
    assert CLASSES[train[train.ids.index("fer0000005")].label] == "fear"  # row 7, not 6
    shown = open_ferplus(write_ferplus(tmp_path / "tables")).splits["train"][6].image
    np.testing.assert_array_equal(train[train.ids.index("fer0000005")].image, shown)


def test_pictures_of_a_folder_that_are_not_there_are_named(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("missing picture",))
    faces = open_ferplus(root)
    assert faces.about.missing == {"FER2013Test/fer0000039.png": 1}
    assert len(faces.splits["test"]) == 7
    with pytest.raises(DataError, match="1 of 40 faces are lost"):
        check_missing(faces, "fail")


def test_votes_without_pictures_are_answered_by_what_to_do(tmp_path):
    root = write_ferplus(tmp_path, release="folders", quirks=("no pictures",))
    message = sentence(root)
    assert "has the votes of FER+ and none of its pictures" in message
    assert "FER2013Train/fer0000000.png" in message


def test_a_damaged_picture_of_a_folder_is_no_duplicate_and_is_named_when_it_is_read(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    for name in ("fer0000001.png", "fer0000002.png"):
        (root / "FER2013Train" / name).write_bytes(b"no picture")
    faces = open_ferplus(root)
    assert "0 groups of exact duplicates in the file" in faces.notes[-1]
    with pytest.raises(BadImageError, match=r"fer0000001\.png"):
        faces.splits["train"].read(1)


def test_a_split_folder_that_is_not_there_is_named(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    shutil.rmtree(root / "FER2013Valid")
    assert sentence(root).endswith("but FER2013Valid/label.csv is not there")


def test_a_changed_picture_of_a_folder_is_noticed(tmp_path):
    root = write_ferplus(tmp_path, release="folders")
    assert "0 groups" in open_ferplus(root).notes[-1]
    first, second = (root / "FER2013Train" / f"fer000000{i}.png" for i in (0, 1))
    second.write_bytes(first.read_bytes())
    assert "1 groups" in open_ferplus(root).notes[-1]


def test_the_index_gives_the_same_faces_and_notices_changes(tmp_path):
    root = write(tmp_path, ROWS)
    first, again = open_ferplus(root), open_ferplus(root)
    assert again.fingerprint == first.fingerprint
    np.testing.assert_array_equal(again.splits["test"][0].image, first.splits["test"][0].image)
    write(tmp_path, [*ROWS[:4], ("PrivateTest", pixels(77), vote(fear=10)), *ROWS[:1]])
    changed = open_ferplus(root)
    assert changed.splits["test"][0].image[0, 0, 0] == 77
    assert len(changed.splits["train"]) == 2


# --- the real files

real = pytest.mark.skipif(not REAL.exists(), reason="../shared is not here")


@pytest.fixture(scope="module")
def ferplus():
    return open_ferplus(REAL)


@pytest.fixture(scope="module")
def real_rows():
    """(Usage, the votes) of each row, read in the plainest way."""
    with (REAL / "fer2013new.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(row[0], [int(n) for n in row[2:]]) for row in rows]


@real
def test_real_rows_are_kept_or_counted(ferplus, real_rows):
    kept = sum(map(len, ferplus.splits.values()))
    reasons = Counter()
    for _, votes in real_rows:
        heard = [n if n > 1 else 0 for n in votes]
        reasons[ANSWERS[heard.index(max(heard))]] += 1
    assert kept == len(real_rows) - reasons["unknown"] - reasons["NF"]
    assert f"dropped {reasons['unknown']} rows: 'unknown' wins" in ferplus.notes
    assert f"dropped {reasons['NF']} rows: 'no face' wins" in ferplus.notes
    assert list(ferplus.splits) == ["train", "valid"]


@real
def test_real_labels_belong_to_their_rows(ferplus, real_rows):
    for name, usage in (("train", "Training"), ("valid", "PublicTest")):
        split = ferplus.splits[name]
        for i in range(0, len(split), 997):
            row = int(split.ids[i].removeprefix("fer"))
            votes = real_rows[row][1]
            assert real_rows[row][0] == usage
            assert votes[split.labels[i]] == max(votes)
            spoken = [n if n > 1 else 0 for n in votes[:8]]
            expected = np.array(spoken) / sum(spoken)
            np.testing.assert_allclose(split.distributions[i], expected)


@real
def test_real_pictures_belong_to_their_rows(ferplus):
    with gzip.open(REAL / "fer2013.csv.gz", "rt") as file:
        lines = [next(file) for _ in range(21)][1:]
    train = ferplus.splits["train"]
    for i in range(10):
        text = lines[int(train.ids[i].removeprefix("fer"))].split(",")[1]
        expected = np.array(text.split(), dtype=np.uint8).reshape(48, 48)
        np.testing.assert_array_equal(train[i].image[..., 1], expected)


@real
def test_real_oddities_are_noted(ferplus):
    # Counted independently with sort and uniq over the rows of the file.
    assert any("1273 groups of exact duplicates" in note for note in ferplus.notes)
    assert any(note.startswith("12 pictures have one grey value") for note in ferplus.notes)
