"""RAF-DB: every part from its files to faces, the paper's mixture, and every oddity counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core.config import Config
from ferc_core.datasets.rafdb import CLASSES, PUBLISHED, open_rafdb
from ferc_core.datasets.rafdb_lists import UnusableError, parse_shares
from ferc_core.errors import DataError, FercError, RequestError
from ferc_core.faces import FaceSet
from ferc_core.plan import check_missing
from ferc_core.testing.standins.rafdb import FEWEST, FOLDERS, QUIRKS, write_rafdb

SURPRISE, FEAR, DISGUST, HAPPY, SAD, ANGER, NEUTRAL = range(7)
LIST = "basic/EmoLabel/list_patition_label.txt"


def standin(root: Path, *quirks: str, **options) -> Path:
    """A small RAF-DB with few different pictures."""
    return write_rafdb(root, **{"side": 32, "distinct": 1, **options}, quirks=quirks)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """All three parts without oddities: 28 faces for training and 14 for the test each."""
    return standin(tmp_path_factory.mktemp("raf"))


def refused(root, error: type[FercError] = DataError, **options) -> str:
    with pytest.raises(error) as caught:
        open_rafdb(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def sizes(faces: FaceSet) -> dict[str, int]:
    return {name: len(split) for name, split in faces.splits.items()}


def shares(faces: FaceSet, sample: str) -> list[float]:
    for split in faces.splits.values():
        if sample in split.ids:
            return split.distributions[split.ids.index(sample)].tolist()
    raise AssertionError(f"{sample} is not there")


def ids(faces: FaceSet) -> list[str]:
    return [name for split in faces.splits.values() for name in split.ids]


def note(faces: FaceSet, beginning: str) -> str:
    (found,) = [text for text in faces.notes if text.startswith(beginning)]
    return found


# --- the parts


def test_basic_has_seven_classes_in_the_order_of_its_codes(whole):
    faces = ferc_core.registry().datasets["rafdb"].open(whole, part="basic")
    assert faces.name == "rafdb"
    assert faces.classes == ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
    assert sizes(faces) == {"train": 28, "test": 14}
    train, test = faces.splits["train"], faces.splits["test"]
    assert train.ids[:2] == ("basic/train_00001", "basic/train_00002")
    assert test.ids[:2] == ("basic/test_0001", "basic/test_0002")
    assert train.labels.tolist() == list(range(7)) * 4  # the codes 1 to 7 in turn
    assert train.labels.dtype == np.int64
    assert shares(faces, "basic/train_00006") == pytest.approx([0.1, 0, 0, 0, 0, 0.7, 0.2])
    assert train.valence_arousal is None
    assert faces.notes == ()
    assert faces.about.release == "RAF-DB basic"
    assert faces.about.size == (100, 100)
    assert not faces.about.missing


def test_the_pictures_belong_to_their_rows(tmp_path):
    """The toy faces are drawn from class and turn alone, so faces of equal ones are equal."""
    root = standin(tmp_path, parts=("basic",))
    faces = open_rafdb(root)
    train, test = faces.splits["train"], faces.splits["test"]
    assert train[3].image.shape == (32, 32, 3)
    for i in range(7):
        np.testing.assert_array_equal(train[i].image, test[i].image)
        if i:
            assert (train[i].image != train[i - 1].image).any()


def test_compound_has_eleven_classes(whole):
    faces = open_rafdb(whole, part="compound")
    assert len(faces.classes) == 11
    assert faces.classes[0] == "happily surprised"
    assert faces.classes[10] == "disgustedly surprised"
    assert faces.splits["train"].labels.tolist() == [i % 11 for i in range(28)]
    assert faces.splits["test"].ids[0] == "compound/test_0001"
    assert shares(faces, "compound/train_00002") == pytest.approx([0, 0.7, 0.2, 0.1] + [0] * 7)


def test_raf_ml_takes_its_labels_from_distributions_and_its_splits_from_the_partition(whole):
    faces = open_rafdb(whole, part="ml")
    assert faces.classes == ("surprise", "fear", "disgust", "happy", "sad", "anger")
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["train"].ids[0] == "ml/0001"
    assert faces.splits["test"].ids[0] == "ml/0029"
    assert faces.splits["train"].labels.tolist() == [i % 6 for i in range(28)]
    assert shares(faces, "ml/0005") == pytest.approx([0.2, 0, 0, 0, 0.5, 0.3])
    assert faces.about.size is None


def test_the_mixture_is_basic_without_neutral_and_raf_ml(whole):
    faces = open_rafdb(whole, part="mixture")
    assert faces.classes == ("surprise", "fear", "disgust", "happy", "sad", "anger")
    assert sizes(faces) == {"train": 24 + 28, "test": 12 + 14}  # 4 and 2 faces are neutral
    assert "left out 6 faces of basic: neutral" in faces.notes
    assert "basic/train_00007" not in ids(faces)
    # 0.7 anger, 0.2 neutral, 0.1 surprise: without neutral 1/8 and 7/8
    assert shares(faces, "basic/train_00006") == pytest.approx([1 / 8, 0, 0, 0, 0, 7 / 8])
    assert shares(faces, "ml/0005") == pytest.approx([0.2, 0, 0, 0, 0.5, 0.3])
    np.testing.assert_allclose(faces.splits["train"].distributions.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(
    ("parts", "chosen", "release"),
    [
        (("basic", "compound", "ml"), "mixture", "RAF-DB basic without neutral, and RAF-ML"),
        (("basic", "ml"), "mixture", "RAF-DB basic without neutral, and RAF-ML"),
        (("basic", "compound"), "basic", "RAF-DB basic"),
        (("compound", "ml"), "compound", "RAF-DB compound"),
        (("ml",), "ml", "RAF-ML"),
    ],
)
def test_without_a_part_the_first_that_is_there_is_chosen(tmp_path, parts, chosen, release):
    faces = open_rafdb(standin(tmp_path, parts=parts))
    assert faces.about.release == release
    assert faces.classes == CLASSES[chosen]
    assert faces.notes[0].startswith(f"chose part={chosen} ({release})")
    assert ("can be chosen, too" in faces.notes[0]) == (len(parts) > 1)


@pytest.mark.parametrize("part", FOLDERS)
def test_the_root_may_be_a_part_itself(whole, part):
    faces = open_rafdb(whole / FOLDERS[part])
    assert faces.classes == CLASSES[part]
    assert faces.splits["train"].ids == open_rafdb(whole, part=part).splits["train"].ids


def test_a_part_that_lies_alone_is_compound_when_its_labels_are(tmp_path):
    root = standin(tmp_path, parts=("basic", "compound"))
    for part in ("basic", "compound"):
        lone = (root / part).rename(tmp_path / f"raf_{part[0]}")
        assert open_rafdb(lone).classes == CLASSES[part]
        assert open_rafdb(lone, part="compound").classes == CLASSES["compound"]


def test_published_counts_are_those_of_the_owners():
    train, test = PUBLISHED["basic"]["train"], PUBLISHED["basic"]["test"]
    assert (sum(train), sum(test)) == (12_271, 3_068)
    assert (sum(train[:NEUTRAL]), sum(test[:NEUTRAL])) == (9_747, 2_388)
    assert PUBLISHED["compound"] == {"train": 3162, "test": 792}
    assert PUBLISHED["ml"] == {"train": 3926, "test": 982}
    for split, basic in (("train", 9_747), ("test", 2_388)):
        assert PUBLISHED["mixture"][split] == basic + PUBLISHED["ml"][split]
    # Those of FER-C's authors: 12,173 to train, 1,500 to validate and 3,370 to test.
    assert PUBLISHED["mixture"] == {"train": 12_173 + 1_500, "test": 3_370}


def test_published_counts_come_with_the_faces(whole):
    for part in CLASSES:
        assert open_rafdb(whole, part=part).about.published == PUBLISHED[part]


# --- layouts


@pytest.mark.parametrize("quirk", ["corrected spelling", "flat", "nested", "windows line ends"])
def test_layouts_that_occur_give_the_same_faces(whole, tmp_path, quirk):
    odd, usual = open_rafdb(standin(tmp_path, quirk)), open_rafdb(whole)
    assert odd.fingerprint == usual.fingerprint
    assert odd.notes == usual.notes
    np.testing.assert_array_equal(odd.splits["test"][20].image, usual.splits["test"][20].image)


@pytest.mark.parametrize("name", ["RAF_ML", "raf-ml", "RAFML", "ml", "RAF-ML/RAF-ML"])
def test_the_folder_of_raf_ml_has_several_names(tmp_path, name):
    standin(tmp_path / "usual", parts=("ml",))
    (tmp_path / "root" / name).parent.mkdir(parents=True)
    (tmp_path / "usual" / "RAF-ML").rename(tmp_path / "root" / name)
    assert sizes(open_rafdb(tmp_path / "root", part="ml")) == {"train": 28, "test": 14}


def test_the_label_list_may_lie_beside_the_pictures(whole, tmp_path):
    root = standin(tmp_path, parts=("basic",))
    for path in (root / "basic/EmoLabel").iterdir():
        path.rename(root / "basic/Image" / path.name)
    assert open_rafdb(root).fingerprint == open_rafdb(whole, part="basic").fingerprint


def test_distributions_may_lie_in_the_folder_of_the_part(whole, tmp_path):
    root = standin(tmp_path, parts=("basic",))
    (root / "basic/EmoLabel/distribution_basic.txt").rename(root / "basic/distribution_basic.txt")
    assert open_rafdb(root).fingerprint == open_rafdb(whole, part="basic").fingerprint


def test_options_say_where_the_files_of_raf_ml_are(whole, tmp_path):
    root = standin(tmp_path)
    usual = open_rafdb(root)
    (root / "RAF-ML/EmoLabel").rename(root / "labels")
    (root / "labels/distribution.txt").rename(root / "labels/soft.txt")
    (root / "RAF-ML/Image/aligned").rename(root / "faces")
    faces = open_rafdb(root, ml_labels="labels/soft.txt", ml_images="faces")
    assert faces.fingerprint == usual.fingerprint
    assert "labels/other.txt is not there" in refused(
        root, ml_labels="labels/other.txt", ml_images="faces"
    )
    assert "looked for RAF-ML (no.txt, no)" in refused(
        root, RequestError, ml_labels="no.txt", ml_images="no"
    )
    assert "is no folder" in refused(root, ml_labels="labels/soft.txt", ml_images="labels/soft.txt")


def test_pictures_may_be_png_and_without_the_ending_aligned(whole, tmp_path):
    root = standin(tmp_path)
    for path in [*(root / "RAF-ML/Image/aligned").iterdir()]:
        path.rename(path.with_name(path.name.replace("_aligned.jpg", ".PNG")))
    faces = open_rafdb(root)
    assert faces.fingerprint == open_rafdb(whole).fingerprint
    assert not faces.about.missing


# --- distributions


def test_the_label_is_the_largest_share(tmp_path):
    root = standin(tmp_path, "ties", "other labels")
    faces = open_rafdb(root, part="basic")
    labels = faces.splits["train"].labels
    assert labels[0] == SURPRISE  # 0.4 surprise, 0.4 fear, 0.2 disgust: the first of the two
    assert labels[2] == HAPPY  # listed as disgust; 0.3 disgust, 0.6 happy, 0.1 sad
    assert shares(faces, "basic/train_00003") == pytest.approx([0, 0, 0.3, 0.6, 0.1, 0, 0])
    assert note(faces, "1 face of basic with a tie").endswith("(train_00001)")
    assert note(faces, "1 face of basic with another label").endswith("(train_00003)")
    mixture = open_rafdb(root, part="mixture")
    assert note(mixture, "1 face of basic with a tie").endswith("(train_00001)")
    assert note(mixture, "1 face of ml with a tie").endswith("(0001)")
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
    assert note(mixture, "dropped 1 face of basic: the distribution is all neutral").endswith(
        "(train_00008)"
    )
    assert basic.splits["train"].labels[7] == NEUTRAL
    assert note(basic, "1 face of basic with another label").endswith("(train_00008)")


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
    assert note(faces, "1 face of basic without a distribution").endswith("(test_0014)")


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


# --- splits of RAF-ML


def test_names_tell_the_splits_of_raf_ml_where_they_can(tmp_path):
    faces = open_rafdb(standin(tmp_path, "ml prefixes", parts=("ml",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["test"].ids[0] == "ml/test_0001"


def test_without_any_word_on_the_splits_a_hash_draws_a_fifth(tmp_path):
    faces = open_rafdb(standin(tmp_path / "a", "no partition"), part="ml")
    assert sizes(faces) == {"train": 34, "test": 8}  # 20 % of 42 is 8.4
    assert "chose 20 % for the test: 8 of 42" in note(faces, "nothing says which faces of ml")
    other = open_rafdb(standin(tmp_path / "b", "no partition", "missing pictures"), part="ml")
    drawn = set(faces.splits["test"].ids)
    assert set(other.splits["test"].ids) == drawn - {"ml/0042"}  # the draw is that of the names


def test_a_partition_with_gaps_is_counted(tmp_path):
    faces = open_rafdb(standin(tmp_path, "bad partition", parts=("ml",)))
    assert sizes(faces) == {"train": 26, "test": 14}
    assert not {"ml/0001", "ml/0002"} & set(ids(faces))
    told = " ".join(faces.notes)
    assert "dropped 2 lines of ml's distribution.txt: partition_label.txt does not say" in told
    assert "it is not a name and 0 (train) or 1 (test) (the first is line 1: 0001.jpg 2)" in told
    assert "distribution.txt does not have this name (the first is line 42: 9999.jpg 0)" in told


# --- lines, pictures and files that are wrong


def test_bad_lines_of_the_label_list_are_counted_and_named(tmp_path):
    faces = open_rafdb(standin(tmp_path, "bad labels", parts=("basic",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    first = "dropped 1 line of basic's list_patition_label.txt: "
    assert faces.notes[1:] == (
        f"{first}it is not a name and one label (the first is line 43: train_88881.jpg)",
        f"{first}the label is no number from 1 to 7 (the first is line 44: train_88882.jpg 99)",
        f"{first}the name begins neither with train_ nor with test_ "
        "(the first is line 45: face_88883.jpg 1)",
    )


@pytest.mark.parametrize(
    "name", ["../train_1.jpg", "train_1/2.jpg", "train_\x07.jpg", "..", ".jpg"]
)
def test_a_name_that_is_no_picture_is_counted(tmp_path, name):
    root = standin(tmp_path, parts=("basic",))
    with (root / LIST).open("a") as file:
        file.write(f"\n{name} 1\n")
    faces = open_rafdb(root)
    assert sizes(faces) == {"train": 28, "test": 14}
    assert "it does not begin with the name of a picture (the first is line 44" in faces.notes[1]


def test_double_names_count_once(tmp_path):
    faces = open_rafdb(standin(tmp_path, "double names", parts=("basic",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.notes[1].endswith(
        "the name stands in a line before (the first is line 43: train_00001.jpg 1)"
    )
    assert "distribution_basic.txt: the name stands in a line before" in faces.notes[2]


def test_missing_pictures_are_named_and_a_run_without_them_is_refused(tmp_path):
    root = standin(tmp_path, "missing pictures", parts=("basic",))
    faces = open_rafdb(root)
    assert dict(faces.about.missing) == {str(root / "basic/Image/aligned/test_0014_aligned.jpg"): 1}
    assert sizes(faces) == {"train": 28, "test": 13}
    assert "basic/test_0014" not in ids(faces)
    with pytest.raises(DataError, match="1 of 42 faces are lost"):
        check_missing(faces, Config().on_bad_image)


def test_a_missing_picture_that_is_not_used_is_not_missed(tmp_path):
    """The last face of the basic part is neutral, so the mixture does not need it."""
    faces = open_rafdb(standin(tmp_path, "missing pictures"), part="mixture")
    assert [Path(path).name for path in faces.about.missing] == ["0042_aligned.jpg"]


def test_half_unpacked_archives_are_named(tmp_path):
    root = standin(tmp_path, "packed")
    message = refused(root)
    assert "looks like RAF-DB basic, but basic/Image/aligned is not there" in message
    assert message.endswith("unpack basic/Image/aligned.zip")
    assert refused(root, part="mixture") == message
    assert "unpack Image/aligned.zip" in refused(root / "RAF-ML")
    (root / "basic/Image/aligned").mkdir()
    assert "none of 42 pictures is there" in refused(root, part="basic")


def test_a_part_without_its_list_is_named(tmp_path):
    root = standin(tmp_path, parts=("basic", "ml"))
    (root / LIST).unlink()
    assert "list_patition_label.txt is not there" in refused(root)
    assert "list_patition_label.txt is not there" in refused(root, part="basic")
    assert open_rafdb(root, part="ml").classes == CLASSES["ml"]


def test_a_wrong_root_is_answered_by_the_right_one(whole, tmp_path):
    assert f"too low: give {whole / 'basic'}" in refused(whole / "basic/Image", RequestError)
    assert f"too low: give {whole}" in refused(whole / "basic", RequestError, part="mixture")
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads/raf").symlink_to(whole)
    assert f"too high: give {tmp_path / 'downloads/raf'}" in refused(
        tmp_path / "downloads", RequestError
    )
    assert "does not exist" in refused(tmp_path / "gone", RequestError)
    assert "needs a data root" in refused(None, RequestError)
    (tmp_path / "empty").mkdir()
    message = refused(tmp_path / "empty", RequestError)
    assert "looked for RAF-DB basic (basic/EmoLabel/list_patition_label.txt" in message
    assert "it holds nothing" in message


def test_a_part_that_is_not_there_is_refused(tmp_path):
    root = standin(tmp_path, parts=("basic",))
    for part in ("compound", "ml", "mixture"):
        assert "it holds basic" in refused(root, RequestError, part=part)


def test_wrong_options_are_refused(whole):
    assert "unknown part 'basics': did you mean 'basic'?" in refused(
        whole, RequestError, part="basics"
    )
    assert "true or false" in refused(whole, RequestError, distributions="no")
    assert "has no labels" in refused(whole, RequestError, part="ml", distributions=False)
    for path in (1, "/etc/passwd", "*.txt"):
        assert "relative to the data root" in refused(whole, RequestError, ml_labels=path)


def test_lists_in_another_encoding_are_named(tmp_path):
    assert "list_patition_label.txt is not UTF-8 text" in refused(standin(tmp_path, "utf-16"))


@pytest.mark.parametrize("text", ["", "\n\n", "train_00001.jpg\n", "name label\n"])
def test_a_list_without_usable_lines_is_refused(tmp_path, text):
    root = standin(tmp_path, parts=("basic",))
    (root / LIST).write_text(text)
    assert f"{root / LIST} has no line that can be used" in refused(root)


# --- reading again


def test_the_index_gives_the_same_faces_and_notices_changes(tmp_path):
    quirks = ("bad labels", "bad distributions", "ties", "missing pictures")
    root = standin(tmp_path, *quirks)
    before, again = open_rafdb(root), open_rafdb(root)
    assert again.fingerprint == before.fingerprint
    assert (again.notes, again.about) == (before.notes, before.about)
    with (root / LIST).open("a") as file:
        file.write("train_77777.jpg 1\n")
    (root / "basic/Image/aligned/train_77777_aligned.jpg").write_bytes(b"")
    assert "basic/train_77777" in open_rafdb(root).splits["train"].ids
    (root / "basic/Image/aligned/train_77777_aligned.jpg").unlink()
    assert "basic/train_77777" not in open_rafdb(root).splits["train"].ids


def test_ids_stay_when_the_folder_moves(tmp_path):
    root = standin(tmp_path / "one")
    before = open_rafdb(root).fingerprint
    root.rename(tmp_path / "two")
    assert open_rafdb(tmp_path / "two").fingerprint == before


# --- the stand-in itself


def test_a_standin_says_what_it_cannot_write(tmp_path):
    with pytest.raises(RequestError, match="no quirk or part of RAF-DB: no such quirk"):
        write_rafdb(tmp_path, quirks=("no such quirk",))
    with pytest.raises(RequestError, match="8 training faces"):
        write_rafdb(tmp_path, train=FEWEST - 1)


def test_every_quirk_changes_what_is_written(whole, tmp_path):
    def content(root: Path) -> dict[str, bytes]:
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    usual = content(whole)
    for quirk in QUIRKS:
        assert content(standin(tmp_path / quirk, quirk)) != usual, quirk
