"""RAF-DB: every part from its files to faces, and the mixture of the paper."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers.loaders import ids, noted, refusal, sizes
from helpers.rafdb_parts import LIST, NEUTRAL, distribution, standin

import ferc_core
from ferc_core.datasets.rafdb.loader import BLENDED, CLASSES, PUBLISHED, open_rafdb
from ferc_core.errors import RequestError
from ferc_core.testing.standins.rafdb import FOLDERS

refused = partial(refusal, open_rafdb)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """All three parts without quirks: 28 faces for training and 14 for the test each."""
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
    found = distribution(faces, "basic/train_00006")
    assert found == pytest.approx([0.1, 0, 0, 0, 0, 0.7, 0.2])
    assert train.valence_arousal is None
    assert faces.notes == ()
    assert faces.about.release == "RAF-DB basic"
    assert faces.about.size == (100, 100)
    assert not faces.about.missing


def test_images_belong_to_their_rows(tmp_path):
    """Toy faces of equal class and turn are equal."""
    faces = open_rafdb(standin(tmp_path, parts=("basic",)))
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
    found = distribution(faces, "compound/train_00002")
    assert found == pytest.approx([0, 0.7, 0.2, 0.1] + [0] * 7)


def test_raf_ml_takes_labels_from_distributions_and_splits_from_the_partition(whole):
    faces = open_rafdb(whole, part="ml")
    assert faces.classes == ("surprise", "fear", "disgust", "happy", "sad", "anger")
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["train"].ids[0] == "ml/0001"
    assert faces.splits["test"].ids[0] == "ml/0029"
    assert faces.splits["train"].labels.tolist() == [i % 6 for i in range(28)]
    assert distribution(faces, "ml/0005") == pytest.approx([0.2, 0, 0, 0, 0.5, 0.3])
    assert faces.about.size is None


def test_the_mixture_is_basic_without_neutral_and_raf_ml(whole):
    faces = open_rafdb(whole, part="mixture")
    assert faces.classes == BLENDED
    assert sizes(faces) == {"train": 24 + 28, "test": 12 + 14}  # 4 and 2 faces are neutral
    assert "left out 6 faces of basic: neutral" in faces.notes
    assert "basic/train_00007" not in ids(faces)
    # 0.7 anger, 0.2 neutral, 0.1 surprise: without neutral 1/8 and 7/8
    found = distribution(faces, "basic/train_00006")
    assert found == pytest.approx([1 / 8, 0, 0, 0, 0, 7 / 8])
    assert distribution(faces, "ml/0005") == pytest.approx([0.2, 0, 0, 0, 0.5, 0.3])
    np.testing.assert_allclose(faces.splits["train"].distributions.sum(axis=1), 1, atol=1e-12)


def test_the_default_part_is_the_first_that_exists(tmp_path):
    mixture = "RAF-DB basic without neutral, and RAF-ML"
    for number, (parts, chosen, release) in enumerate(
        (
            (("basic", "compound", "ml"), "mixture", mixture),
            (("basic", "compound"), "basic", "RAF-DB basic"),
            (("compound", "ml"), "compound", "RAF-DB compound"),
            (("ml",), "ml", "RAF-ML"),
        )
    ):
        faces = open_rafdb(standin(tmp_path / str(number), parts=parts))
        assert faces.about.release == release
        assert faces.classes == CLASSES[chosen]
        assert faces.notes[0].startswith(f"chose part={chosen} ({release})")
        assert ("also available" in faces.notes[0]) == (len(parts) > 1)


def test_the_root_may_be_a_part_itself(whole, tmp_path):
    for part, folder in FOLDERS.items():
        faces = open_rafdb(whole / folder)
        assert faces.classes == CLASSES[part]
        assert faces.splits["train"].ids == open_rafdb(whole, part=part).splits["train"].ids
    root = standin(tmp_path, parts=("basic", "compound"))
    for part in ("basic", "compound"):  # without the folder's name, its labels tell
        lone = (root / part).rename(tmp_path / f"raf_{part[0]}")
        assert open_rafdb(lone).classes == CLASSES[part]
        assert open_rafdb(lone, part="compound").classes == CLASSES["compound"]


def test_published_counts_are_those_of_the_owners(whole):
    train, test = PUBLISHED["basic"]["train"], PUBLISHED["basic"]["test"]
    assert (sum(train), sum(test)) == (12_271, 3_068)
    assert (sum(train[:NEUTRAL]), sum(test[:NEUTRAL])) == (9_747, 2_388)
    assert PUBLISHED["compound"] == {"train": 3162, "test": 792}
    assert PUBLISHED["ml"] == {"train": 3926, "test": 982}
    for split, basic in (("train", 9_747), ("test", 2_388)):
        assert PUBLISHED["mixture"][split] == basic + PUBLISHED["ml"][split]
    # Those of FER-C's authors: 12,173 to train, 1,500 to validate and 3,370 to test.
    assert PUBLISHED["mixture"] == {"train": 12_173 + 1_500, "test": 3_370}
    for part in CLASSES:
        assert open_rafdb(whole, part=part).about.published == PUBLISHED[part]


# --- layouts


def test_every_layout_gives_the_same_faces(whole, tmp_path):
    usual = open_rafdb(whole)
    for quirks in (("corrected spelling", "windows line ends"), ("flat",), ("nested",)):
        odd = open_rafdb(standin(tmp_path / quirks[0], *quirks))
        assert odd.fingerprint == usual.fingerprint
        assert odd.notes == usual.notes
        np.testing.assert_array_equal(odd.splits["test"][20].image, usual.splits["test"][20].image)
    basic = tmp_path / "nested" / "basic"
    (basic / "EmoLabel/distribution_basic.txt").rename(basic / "distribution_basic.txt")
    (basic / "EmoLabel/list_patition_label.txt").rename(basic / "Image/list_patition_label.txt")
    for path in [*(tmp_path / "flat/RAF-ML/aligned").iterdir()]:
        path.rename(path.with_name(path.name.replace("_aligned.jpg", ".PNG")))
    for name in ("nested", "flat"):
        assert open_rafdb(tmp_path / name).fingerprint == usual.fingerprint
        assert not open_rafdb(tmp_path / name).about.missing


def test_the_folder_of_raf_ml_has_several_names(tmp_path):
    folder = standin(tmp_path / "usual", parts=("ml",)) / "RAF-ML"
    for name in ("RAF_ML", "raf-ml", "RAFML", "ml", "RAF-ML/RAF-ML"):
        place = tmp_path / name.replace("/", " ") / name
        place.parent.mkdir(parents=True)
        folder = folder.rename(place)
        root = tmp_path / name.replace("/", " ")
        assert sizes(open_rafdb(root, part="ml")) == {"train": 28, "test": 14}


def test_options_say_where_the_files_of_raf_ml_are(tmp_path):
    root = standin(tmp_path)
    usual = open_rafdb(root)
    (root / "RAF-ML/EmoLabel").rename(root / "labels")
    (root / "labels/distribution.txt").rename(root / "labels/soft.txt")
    (root / "RAF-ML/Image/aligned").rename(root / "faces")
    faces = open_rafdb(root, ml_labels="labels/soft.txt", ml_images="faces")
    assert faces.fingerprint == usual.fingerprint
    message = refused(root, ml_labels="labels/other.txt", ml_images="faces")
    assert "labels/other.txt is missing" in message
    message = refused(root, RequestError, ml_labels="no.txt", ml_images="no")
    assert "looked for RAF-ML (no.txt, no)" in message
    message = refused(root, ml_labels="labels/soft.txt", ml_images="labels/soft.txt")
    assert "is not a folder" in message


# --- splits of RAF-ML


def test_names_tell_the_splits_of_raf_ml_if_they_can(tmp_path):
    faces = open_rafdb(standin(tmp_path, "ml prefixes", parts=("ml",)))
    assert sizes(faces) == {"train": 28, "test": 14}
    assert faces.splits["test"].ids[0] == "ml/test_0001"


def test_without_given_splits_a_hash_chooses_a_fifth(tmp_path):
    faces = open_rafdb(standin(tmp_path / "a", "no partition"), part="ml")
    assert sizes(faces) == {"train": 34, "test": 8}  # 20 % of 42 is 8.4
    assert "chose 20 % for the test: 8 of 42" in noted(faces, "nothing says which faces of ml")
    other = open_rafdb(standin(tmp_path / "b", "no partition", "missing images"), part="ml")
    chosen = set(faces.splits["test"].ids)
    assert set(other.splits["test"].ids) == chosen - {"ml/0042"}  # by the names alone


def test_gaps_in_the_partition_are_counted(tmp_path):
    faces = open_rafdb(standin(tmp_path, "bad partition", parts=("ml",)))
    assert sizes(faces) == {"train": 26, "test": 14}
    assert not {"ml/0001", "ml/0002"} & set(ids(faces))
    notes = " ".join(faces.notes)
    assert "dropped 2 lines of ml's distribution.txt: partition_label.txt does not say" in notes
    assert "it is not a name and 0 (train) or 1 (test) (the first is line 1: 0001.jpg 2)" in notes
    assert "distribution.txt does not have this name (the first is line 42: 9999.jpg 0)" in notes


def test_the_index_notices_changes_and_ids_do_not_depend_on_the_root(tmp_path):
    quirks = ("bad labels", "bad distributions", "ties", "missing images")
    root = standin(tmp_path / "here", *quirks)
    before, again = open_rafdb(root), open_rafdb(root)
    assert again.fingerprint == before.fingerprint
    assert (again.notes, again.about) == (before.notes, before.about)
    root = root.rename(tmp_path / "there")
    assert open_rafdb(root).fingerprint == before.fingerprint
    with (root / LIST).open("a") as file:
        file.write("train_77777.jpg 1\n")
    (root / "basic/Image/aligned/train_77777_aligned.jpg").write_bytes(b"")
    assert "basic/train_77777" in open_rafdb(root).splits["train"].ids
    (root / "basic/Image/aligned/train_77777_aligned.jpg").unlink()
    assert "basic/train_77777" not in open_rafdb(root).splits["train"].ids
