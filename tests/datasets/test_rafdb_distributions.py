"""Label distributions of RAF-DB: the most probable class is the label; bad ones are counted."""

from __future__ import annotations

import pytest
from helpers.loaders import ids, noted, sizes
from helpers.rafdb_parts import DISGUST, HAPPY, NEUTRAL, SURPRISE, distribution, standin
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.datasets.rafdb.lists import UnusableError, parse_distribution
from ferc_core.datasets.rafdb.loader import CLASSES, open_rafdb


def test_the_label_is_the_most_probable_class(tmp_path):
    root = standin(tmp_path, "ties", "other labels")
    faces = open_rafdb(root, part="basic")
    labels = faces.splits["train"].labels
    assert labels[0] == SURPRISE  # 0.4 surprise, 0.4 fear, 0.2 disgust: the first of the two
    assert labels[2] == HAPPY  # listed as disgust; 0.3 disgust, 0.6 happy, 0.1 sad
    assert distribution(faces, "basic/train_00003") == pytest.approx([0, 0, 0.3, 0.6, 0.1, 0, 0])
    assert noted(faces, "1 face of basic with a tie").endswith("(train_00001)")
    assert noted(faces, "1 face of basic with another label").endswith("(train_00003)")
    mixture = open_rafdb(root, part="mixture")
    assert noted(mixture, "1 face of basic with a tie").endswith("(train_00001)")
    assert noted(mixture, "1 face of ml with a tie").endswith("(0001)")
    assert "label by" not in "".join(text for text in mixture.notes if " of ml " in text)


def test_only_faces_that_are_used_are_noted(tmp_path):
    root = standin(tmp_path, "ties", "other labels", parts=("basic",))
    for number in (1, 3):
        (root / f"basic/Image/aligned/train_0000{number}_aligned.jpg").unlink()
    faces = open_rafdb(root)
    assert len(faces.about.missing) == 2
    assert [text for text in faces.notes if "label" in text] == []


def test_a_sum_near_one_is_normalised(tmp_path):
    faces = open_rafdb(standin(tmp_path, "rounded distributions"), part="basic")
    expected = [0, 0.695 / 0.995, 0.2 / 0.995, 0.1 / 0.995, 0, 0, 0]
    assert distribution(faces, "basic/train_00002") == pytest.approx(expected)
    assert faces.notes == ()


@pytest.mark.parametrize("part", ["basic", "compound", "ml"])
def test_unusable_distributions_cost_their_faces_and_are_counted(tmp_path, part):
    faces = open_rafdb(standin(tmp_path, "bad distributions", parts=(part,)))
    assert sizes(faces) == {"train": 24, "test": 14}
    names = [f"{i:04d}" if part == "ml" else f"train_{i:05d}" for i in range(1, 9)]
    assert [f"{part}/{name}" in ids(faces) for name in names] == [True] * 3 + [False] * 4 + [True]
    lists = {"ml": "distribution.txt"}.get(part, f"distribution_{part}.txt")
    notes = " ".join(faces.notes)
    for why, first in (
        ("all probabilities are 0", f"line 4: {names[3]}.jpg 0 0"),
        ("the probabilities do not sum to 1 within 0.01", f"line 5: {names[4]}.jpg sums to 1.2"),
        ("a probability is negative", f"line 6: {names[5]}.jpg "),
        (f"it is not a name and {len(CLASSES[part])} probabilities", f"line 7: {names[6]}.jpg "),
    ):
        assert f"dropped 1 line of {part}'s {lists}: {why} (the first is {first}" in notes
    spoilt = f"its line in {lists} is not usable (the first is line 4: train_00004.jpg 4)"
    assert (f"dropped 4 lines of {part}'s list_patition_label.txt: {spoilt}" in notes) == (
        part != "ml"
    )


def test_an_all_neutral_distribution_is_dropped_from_the_mixture(tmp_path):
    root = standin(tmp_path, "neutral distribution")
    mixture, basic = open_rafdb(root, part="mixture"), open_rafdb(root, part="basic")
    assert "basic/train_00008" not in ids(mixture)
    note = noted(mixture, "dropped 1 face of basic: the label distribution is all neutral")
    assert note.endswith("(train_00008)")
    assert basic.splits["train"].labels[7] == NEUTRAL
    assert noted(basic, "1 face of basic with another label").endswith("(train_00008)")


def test_without_distributions_the_label_list_counts(tmp_path):
    root = standin(tmp_path, "no distributions", "other labels")
    basic = open_rafdb(root, part="basic")
    assert basic.splits["train"].distributions is None
    assert basic.splits["train"].labels[2] == DISGUST
    mixture = open_rafdb(root, part="mixture")
    assert distribution(mixture, "basic/train_00003") == [0, 0, 1, 0, 0, 0]
    assert distribution(mixture, "ml/0001") == pytest.approx([0.5, 0.3, 0.2, 0, 0, 0])


def test_distributions_can_be_ignored(tmp_path):
    root = standin(tmp_path, "other labels", "bad distributions")
    basic = open_rafdb(root, part="basic", distributions=False)
    assert basic.splits["train"].distributions is None
    assert basic.splits["train"].labels.tolist() == list(range(7)) * 4
    assert basic.notes == ()
    mixture = open_rafdb(root, part="mixture", distributions=False)
    assert distribution(mixture, "basic/train_00003") == [0, 0, 1, 0, 0, 0]
    assert distribution(mixture, "ml/0002") == pytest.approx([0, 0.5, 0.3, 0.2, 0, 0])
    assert open_rafdb(root, part="basic").splits["train"].labels[2] == HAPPY  # and used again


def test_a_face_without_a_distribution_is_one_hot(tmp_path):
    faces = open_rafdb(standin(tmp_path, "few distributions"), part="basic")
    assert distribution(faces, "basic/test_0014") == [0, 0, 0, 0, 0, 0, 1]
    assert noted(faces, "1 face of basic without a label distribution").endswith("(test_0014)")


def test_distributions_without_a_face_are_counted(tmp_path):
    faces = open_rafdb(standin(tmp_path, "extra distributions"), part="basic")
    assert sizes(faces) == {"train": 28, "test": 14}
    (notes,) = faces.notes
    assert "distribution_basic.txt: list_patition_label.txt does not have this name" in notes
    assert "(the first is line 43: train_99999.jpg " in notes


def test_a_file_of_unrelated_distributions_costs_no_face(tmp_path):
    faces = open_rafdb(standin(tmp_path, "foreign distributions"), part="compound")
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["train"].distributions is None
    (notes,) = faces.notes
    assert notes.startswith("dropped 42 lines of compound's distribution_compound.txt: it is not a")


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_values_are_kept_in_proportion_or_refused(values):
    cells = [f"{value:.6f}" for value in values]
    total = sum(map(float, cells))
    try:
        row = parse_distribution(cells, 6)
    except UnusableError:
        assert total == 0 or abs(total - 1) > 0.01
    else:
        assert abs(total - 1) <= 0.01 + 1e-6
        assert sum(row) == pytest.approx(1, abs=1e-12)
        assert [value * total for value in row] == pytest.approx(list(map(float, cells)))


def test_a_sum_may_be_a_hundredth_off_and_values_must_be_numbers_from_0():
    for cells in (["0.5", "0.49"], ["0.51", "0.5"]):
        assert sum(parse_distribution(cells, 2)) == pytest.approx(1)
    for cell in ("nan", "inf", "x", "-0.5"):
        with pytest.raises(UnusableError):
            parse_distribution(["1", cell], 2)
