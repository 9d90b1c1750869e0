"""FER+: images and votes of its tables belong together, and what is dropped is counted."""

from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import pytest
from helpers.commands import SHARED
from helpers.ferplus_tables import ROWS, pixels, vote, write
from helpers.loaders import content, sizes

import ferc_core
from ferc_core.base.text import number
from ferc_core.datasets.ferplus.loader import open_ferplus
from ferc_core.datasets.ferplus.rows import ANSWERS, CLASSES
from ferc_core.errors import RequestError
from ferc_core.testing.standins.ferplus import FEWEST, RELEASES, write_ferplus

REAL = SHARED / "data" / "ferplus"
HAPPINESS, SURPRISE, SADNESS = 1, 2, 3


def test_every_layout_of_the_tables_gives_the_same_faces(tmp_path):
    for layout in ("fer2013.csv", "fer2013.csv.gz", "icml_face_data.csv"):
        root = write(tmp_path / layout, ROWS, layout=layout)
        faces = ferc_core.registry().datasets["ferplus"].open(root)
        assert (faces.name, faces.classes) == ("ferplus", CLASSES)
        assert {name: split.ids for name, split in faces.splits.items()} == {
            "train": ("fer0000000",),
            "valid": ("fer0000003",),
            "test": ("fer0000004",),
        }
        assert [split[0].label for split in faces.splits.values()] == [HAPPINESS, SADNESS, SURPRISE]
        image = faces.splits["valid"][0].image
        assert (image.shape, image.dtype) == ((48, 48, 3), np.uint8)
        expected = (3 + np.arange(48 * 48).reshape(48, 48)) % 256
        for channel in range(3):
            np.testing.assert_array_equal(image[..., channel], expected)
    assert faces.about.release == "FER2013 with the votes of FER+"
    assert sum(faces.about.published.values()) == 35_887  # rows of the challenge
    assert faces.about.published["valid"] == faces.about.published["test"] == 3_589
    assert faces.about.size == (48, 48)
    assert not faces.about.missing
    assert list(open_ferplus(write(tmp_path / "two", ROWS[:4])).splits) == ["train", "valid"]


def test_training_images_in_another_split_are_dropped_on_request(tmp_path):
    flat = " ".join(["7"] * 48 * 48)
    rows = [
        ("Training", pixels(0), vote(happiness=10)),
        ("Training", pixels(1), vote(happiness=10)),
        ("Training", pixels(1), vote(happiness=10)),  # twice within training: kept
        ("Training", pixels(2), vote(happiness=10)),  # again in a row that is dropped: kept
        ("PublicTest", pixels(0), vote(happiness=10)),
        ("PublicTest", pixels(2), vote(NF=10)),
        ("PublicTest", flat, vote(fear=8)),
    ]
    root = write(tmp_path, rows)
    kept, dropped = open_ferplus(root), open_ferplus(root, drop_duplicates=True)
    assert kept.splits["train"].ids == ("fer0000000", "fer0000001", "fer0000002", "fer0000003")
    assert dropped.splits["train"].ids == ("fer0000001", "fer0000002", "fer0000003")
    assert dropped.splits["valid"].ids == kept.splits["valid"].ids == ("fer0000004", "fer0000006")
    notes = (
        "dropped 1 row: 'no face' wins",
        "1 image with a single grey value, 1 of them kept",
        "3 groups of identical images in the file, 2 of them in training and another split",
    )
    leaked = "1 training image also in another split"
    assert kept.notes == (*notes, f"{leaked}; drop_duplicates=true drops them")
    assert dropped.notes == (*notes, f"dropped {leaked}")
    unseen = open_ferplus(root, drop_duplicates="test")  # for models that were trained elsewhere
    assert unseen.splits["train"].ids == kept.splits["train"].ids
    assert unseen.splits["valid"].ids == ("fer0000006",)
    assert unseen.notes == (*notes, "dropped 1 image also in training")


# --- stand-ins, and reading again


def test_a_stand_in_has_the_requested_faces_in_every_form(tmp_path):
    usual = open_ferplus(write_ferplus(tmp_path / "usual", train=16, public=8, private=9))
    assert sizes(usual) == {"train": 16, "valid": 8, "test": 9}
    assert usual.splits["valid"].labels.tolist() == list(range(8))
    first = usual.splits["train"].distributions[0]  # 7 neutral, 2 happiness, 1 surprise: ignored
    np.testing.assert_allclose(first, [7 / 9, 2 / 9, 0, 0, 0, 0, 0, 0])
    assert usual.notes == (
        "0 groups of identical images in the file, 0 of them in training and another split",
    )
    for quirks in (["gzip", "unusable names"], ["icml", "windows line ends"]):
        folder = tmp_path / quirks[0]
        odd = open_ferplus(write_ferplus(folder, train=16, public=8, private=9, quirks=quirks))
        assert odd.fingerprint == usual.fingerprint
        np.testing.assert_array_equal(odd.splits["test"][7].image, usual.splits["test"][7].image)


def test_the_quirks_of_a_stand_in_are_counted(tmp_path):
    quirks = ("constant image", "duplicates", "no face", "single votes", "tie", "unknown")
    faces = open_ferplus(write_ferplus(tmp_path, quirks=quirks))
    assert faces.notes == (
        "dropped 1 row: 'no face' wins",
        "dropped 1 row: 'unknown' wins",
        "dropped 1 row: no answer has more than one vote",
        "1 row with a tie for the most probable class; the first is the label",
        "1 image with a single grey value, 1 of them kept",
        "1 group of identical images in the file, 1 of them in training and another split",
        "1 training image also in another split; drop_duplicates=true drops them",
    )
    assert faces.splits["train"].labels[1] == SURPRISE  # five votes each for surprise and fear


def test_a_stand_in_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(RequestError, match="unknown quirk of tables 'no such'"):
        write_ferplus(tmp_path, quirks=("no such",))
    with pytest.raises(RequestError, match="8 rows of Training or more, not 7"):
        write_ferplus(tmp_path, train=FEWEST - 1)


@pytest.mark.parametrize("release", RELEASES)
def test_every_quirk_changes_what_is_written(tmp_path, release):
    few = {"release": release, "train": 8, "public": 1, "private": 1}
    usual = content(write_ferplus(tmp_path / "usual", **few))
    for quirk in RELEASES[release]:
        root = write_ferplus(tmp_path / quirk, quirks=(quirk,), **few)
        assert content(root) != usual, quirk


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


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Every 8th row of the real tables: (usage, pixels, votes) as text, and the dataset."""
    if not REAL.exists():
        pytest.skip("../shared is not here")
    root = tmp_path_factory.mktemp("ferplus")
    tables = []
    for name in ("fer2013.csv.gz", "fer2013new.csv"):
        with gzip.open(REAL / name, "rt") if name.endswith(".gz") else (REAL / name).open() as file:
            header, *lines = file
        tables.append(lines[::8])
        (root / name.removesuffix(".gz")).write_text("".join([header, *lines[::8]]))
    rows = []
    for image, votes in zip(*tables, strict=True):
        usage, _, *counts = votes.strip().split(",")
        rows.append((usage, image.split(",")[1], list(map(int, counts))))
    return rows, open_ferplus(root)


def test_real_rows_are_kept_or_counted(real):
    rows, faces = real
    reasons = Counter()
    for _, _, votes in rows:
        heard = [n if n > 1 else 0 for n in votes]
        reasons[ANSWERS[heard.index(max(heard))]] += 1
    assert sum(sizes(faces).values()) == len(rows) - reasons["unknown"] - reasons["NF"]
    unknown, no_face = (number(reasons[answer], "row") for answer in ("unknown", "NF"))
    assert f"dropped {unknown}: 'unknown' wins" in faces.notes
    assert f"dropped {no_face}: 'no face' wins" in faces.notes
    assert list(faces.splits) == ["train", "valid"]
    groups = sum(n > 1 for n in Counter(text for _, text, _ in rows).values())
    assert groups > 5
    assert any(note.startswith(f"{groups} groups of identical") for note in faces.notes)
    constant = sum(len(set(text.split())) == 1 for _, text, _ in rows)
    assert sum("single grey value" in note for note in faces.notes) == (constant > 0)


def test_real_labels_and_images_belong_to_their_rows(real):
    rows, faces = real
    for name, usage in (("train", "Training"), ("valid", "PublicTest")):
        split = faces.splits[name]
        for i in range(0, len(split), 97):
            found, text, votes = rows[int(split.ids[i].removeprefix("fer"))]
            assert found == usage
            assert votes[split.labels[i]] == max(votes)
            heard = np.array([n if n > 1 else 0 for n in votes[:8]])
            np.testing.assert_allclose(split.distributions[i], heard / heard.sum())
            expected = np.array(text.split(), dtype=np.uint8).reshape(48, 48)
            np.testing.assert_array_equal(split[i].image[..., 1], expected)
