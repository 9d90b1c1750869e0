"""RAF-DB: every part from its files to faces, and the mixture of the paper."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.loaders import noted, refusal
from helpers.rafdb_parts import (
    LIST,
    NEUTRAL,
    ids,
    shares,
    sizes,
    standin,
)

import ferc_core
from ferc_core.datasets.rafdb.loader import CLASSES, PUBLISHED, open_rafdb
from ferc_core.errors import RequestError
from ferc_core.testing.standins.rafdb import FOLDERS

refused = partial(refusal, open_rafdb)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """All three parts without oddities: 28 faces for training and 14 for the test each."""
    return standin(tmp_path_factory.mktemp("raf"))


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


def test_the_images_belong_to_their_rows(tmp_path):
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


def test_the_label_list_may_lie_beside_the_images(whole, tmp_path):
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


def test_images_may_be_png_and_without_the_ending_aligned(whole, tmp_path):
    root = standin(tmp_path)
    for path in [*(root / "RAF-ML/Image/aligned").iterdir()]:
        path.rename(path.with_name(path.name.replace("_aligned.jpg", ".PNG")))
    faces = open_rafdb(root)
    assert faces.fingerprint == open_rafdb(whole).fingerprint
    assert not faces.about.missing


# --- splits of RAF-ML


def test_names_tell_the_splits_of_raf_ml_where_they_can(tmp_path):
    faces = open_rafdb(standin(tmp_path, "ml prefixes", parts=("ml",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["test"].ids[0] == "ml/test_0001"


def test_without_any_word_on_the_splits_a_hash_draws_a_fifth(tmp_path):
    faces = open_rafdb(standin(tmp_path / "a", "no partition"), part="ml")
    assert sizes(faces) == {"train": 34, "test": 8}  # 20 % of 42 is 8.4
    assert "chose 20 % for the test: 8 of 42" in noted(faces, "nothing says which faces of ml")
    other = open_rafdb(standin(tmp_path / "b", "no partition", "missing images"), part="ml")
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


# --- reading again


def test_the_index_gives_the_same_faces_and_notices_changes(tmp_path):
    quirks = ("bad labels", "bad distributions", "ties", "missing images")
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
