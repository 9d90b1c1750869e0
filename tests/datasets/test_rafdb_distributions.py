"""Label distributions of RAF-DB: labels by the largest share, and shares that cannot be used."""

from __future__ import annotations

import pytest
from helpers.loaders import noted
from helpers.rafdb_parts import (
    DISGUST,
    HAPPY,
    NEUTRAL,
    SURPRISE,
    ids,
    shares,
    sizes,
    standin,
)
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.datasets.rafdb.lists import UnusableError, parse_shares
from ferc_core.datasets.rafdb.loader import CLASSES, open_rafdb


def test_the_label_is_the_largest_share(tmp_path):
    root = standin(tmp_path, "ties", "other labels")
    faces = open_rafdb(root, part="basic")
    labels = faces.splits["train"].labels
    assert labels[0] == SURPRISE  # 0.4 surprise, 0.4 fear, 0.2 disgust: the first of the two
    assert labels[2] == HAPPY  # listed as disgust; 0.3 disgust, 0.6 happy, 0.1 sad
    assert shares(faces, "basic/train_00003") == pytest.approx([0, 0, 0.3, 0.6, 0.1, 0, 0])
    assert noted(faces, "1 face of basic with a tie").endswith("(train_00001)")
    assert noted(faces, "1 face of basic with another label").endswith("(train_00003)")
    mixture = open_rafdb(root, part="mixture")
    assert noted(mixture, "1 face of basic with a tie").endswith("(train_00001)")
    assert noted(mixture, "1 face of ml with a tie").endswith("(0001)")
    assert "label by" not in "".join(text for text in mixture.notes if " of ml " in text)


def test_only_faces_that_are_used_are_doubtful(tmp_path):
    root = standin(tmp_path, "ties", "other labels", parts=("basic",))
    for number in (1, 3):
        (root / f"basic/Image/aligned/train_0000{number}_aligned.jpg").unlink()
    faces = open_rafdb(root)
    assert len(faces.about.missing) == 2
    assert [text for text in faces.notes if "label" in text] == []


def test_a_sum_near_one_is_scaled(tmp_path):
    faces = open_rafdb(standin(tmp_path, "rounded distributions"), part="basic")
    expected = [0, 0.695 / 0.995, 0.2 / 0.995, 0.1 / 0.995, 0, 0, 0]
    assert shares(faces, "basic/train_00002") == pytest.approx(expected)
    assert faces.notes == ()


@pytest.mark.parametrize("part", ["basic", "compound", "ml"])
def test_distributions_that_cannot_be_used_cost_their_faces_and_are_counted(tmp_path, part):
    faces = open_rafdb(standin(tmp_path, "bad distributions", parts=(part,)))
    assert sizes(faces) == {"train": 24, "test": 14}
    names = [f"{i:04d}" if part == "ml" else f"train_{i:05d}" for i in range(1, 9)]
    assert [f"{part}/{name}" in ids(faces) for name in names] == [True] * 3 + [False] * 4 + [True]
    lists = {"ml": "distribution.txt"}.get(part, f"distribution_{part}.txt")
    told = " ".join(faces.notes)
    for why, first in (
        ("all shares are 0", f"line 4: {names[3]}.jpg 0 0"),
        ("the shares do not sum to 1 within 0.01", f"line 5: {names[4]}.jpg sums to 1.2"),
        ("a share is negative", f"line 6: {names[5]}.jpg "),
        (f"it is not a name and {len(CLASSES[part])} shares", f"line 7: {names[6]}.jpg "),
    ):
        assert f"dropped 1 line of {part}'s {lists}: {why} (the first is {first}" in told
    spoilt = f"its line in {lists} cannot be used (the first is line 4: train_00004.jpg 4)"
    assert (f"dropped 4 lines of {part}'s list_patition_label.txt: {spoilt}" in told) == (
        part != "ml"
    )


def test_an_all_neutral_face_that_the_list_calls_otherwise_is_dropped_from_the_mixture(tmp_path):
    root = standin(tmp_path, "neutral distribution")
    mixture, basic = open_rafdb(root, part="mixture"), open_rafdb(root, part="basic")
    assert "basic/train_00008" not in ids(mixture)
    assert noted(mixture, "dropped 1 face of basic: the distribution is all neutral").endswith(
        "(train_00008)"
    )
    assert basic.splits["train"].labels[7] == NEUTRAL
    assert noted(basic, "1 face of basic with another label").endswith("(train_00008)")


def test_without_distributions_the_label_list_counts(tmp_path):
    root = standin(tmp_path, "no distributions", "other labels")
    basic = open_rafdb(root, part="basic")
    assert basic.splits["train"].distributions is None
    assert basic.splits["train"].labels[2] == DISGUST
    mixture = open_rafdb(root, part="mixture")
    assert shares(mixture, "basic/train_00003") == [0, 0, 1, 0, 0, 0]
    assert shares(mixture, "ml/0001") == pytest.approx([0.5, 0.3, 0.2, 0, 0, 0])


def test_distributions_can_be_left_aside(tmp_path):
    root = standin(tmp_path, "other labels", "bad distributions")
    basic = open_rafdb(root, part="basic", distributions=False)
    assert basic.splits["train"].distributions is None
    assert basic.splits["train"].labels.tolist() == list(range(7)) * 4
    assert basic.notes == ()
    mixture = open_rafdb(root, part="mixture", distributions=False)
    assert shares(mixture, "basic/train_00003") == [0, 0, 1, 0, 0, 0]
    assert shares(mixture, "ml/0002") == pytest.approx([0, 0.5, 0.3, 0.2, 0, 0])
    assert open_rafdb(root, part="basic").splits["train"].labels[2] == HAPPY  # and taken up again


def test_a_face_without_a_distribution_has_its_label_alone(tmp_path):
    faces = open_rafdb(standin(tmp_path, "few distributions"), part="basic")
    assert shares(faces, "basic/test_0014") == [0, 0, 0, 0, 0, 0, 1]
    assert noted(faces, "1 face of basic without a distribution").endswith("(test_0014)")


def test_distributions_of_no_face_are_counted(tmp_path):
    faces = open_rafdb(standin(tmp_path, "extra distributions"), part="basic")
    assert sizes(faces) == {"train": 28, "test": 14}
    (told,) = faces.notes
    assert "distribution_basic.txt: list_patition_label.txt does not have this name" in told
    assert "(the first is line 43: train_99999.jpg " in told


def test_a_file_of_other_distributions_costs_no_face(tmp_path):
    faces = open_rafdb(standin(tmp_path, "foreign distributions"), part="compound")
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["train"].distributions is None
    (told,) = faces.notes
    assert told.startswith("dropped 42 lines of compound's distribution_compound.txt: it is not a")


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_shares_are_kept_in_proportion_or_refused(values):
    cells = [f"{value:.6f}" for value in values]
    total = sum(map(float, cells))
    try:
        row = parse_shares(cells, 6)
    except UnusableError:
        assert total == 0 or abs(total - 1) > 0.01
    else:
        assert abs(total - 1) <= 0.01 + 1e-6
        assert sum(row) == pytest.approx(1, abs=1e-12)
        assert [share * total for share in row] == pytest.approx(list(map(float, cells)))


@pytest.mark.parametrize("cells", [["0.5", "0.49"], ["0.51", "0.5"]])
def test_a_sum_that_is_a_hundredth_off_is_near_enough(cells):
    assert sum(parse_shares(cells, 2)) == pytest.approx(1)


@pytest.mark.parametrize("cell", ["nan", "inf", "x", "-0.5"])
def test_a_share_must_be_a_number_from_0(cell):
    with pytest.raises(UnusableError):
        parse_shares(["1", cell], 2)
