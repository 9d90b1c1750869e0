"""AffectNet: what its tables and files say becomes faces, and what is dropped is counted."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from helpers.commands import SHARED
from helpers.loaders import noted

import ferc_core
from ferc_core.data.splits import divide
from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.errors import DataError
from ferc_core.experiment.benchmark import check_missing
from ferc_core.labels import mixture as gmm
from ferc_core.testing.standins.affectnet import RELEASES, write_affectnet
from ferc_core.testing.standins.images import (
    toy_feeling,
    toy_image,
    toy_number,
)

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}


# --- what every copy gives


@pytest.mark.parametrize("release", RELEASES)
def test_labels_and_feelings_are_those_of_the_files(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    faces = ferc_core.registry().datasets["affectnet"].open(root)
    assert faces.name == "affectnet"
    assert faces.classes == (
        "neutral",
        "happy",
        "sad",
        "surprise",
        "fear",
        "disgust",
        "anger",
        "contempt",
    )
    assert list(faces.splits) == ["train", "valid"]
    train = faces.splits["train"]
    assert train.labels.dtype == np.int64
    assert train.labels.tolist() == [*range(8), *range(8)]
    assert faces.splits["valid"].labels.tolist() == [*range(8)]
    expected = [toy_feeling(toy_number(i % 8, i // 8)) for i in range(16)]
    assert train.valence_arousal.tolist() == [list(pair) for pair in expected]
    assert faces.notes == ()
    assert faces.about.missing == {}


@pytest.mark.parametrize("release", RELEASES)
def test_ids_are_unique_over_the_splits_and_stay_when_the_folder_moves(tmp_path, release):
    root = write_affectnet(tmp_path / "here", release=release, **SMALL)
    before = open_affectnet(root)
    ids = [i for split in before.splits.values() for i in split.ids]
    assert len(set(ids)) == 24
    shutil.move(root, tmp_path / "there")
    after = open_affectnet(tmp_path / "there")
    assert after.fingerprint == before.fingerprint
    assert after.splits["train"][0].image.shape == (32, 32, 3)


def test_ids_of_the_manual_release_are_the_paths_of_its_tables(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    rows = (root / "training.csv").read_text().splitlines()[1:]
    assert open_affectnet(root).splits["train"].ids == tuple(row.split(",")[0] for row in rows)


def test_numbers_of_the_8_class_release_repeat_in_its_sets_and_ids_do_not(tmp_path):
    faces = open_affectnet(write_affectnet(tmp_path, release="8-class", **SMALL))
    assert (tmp_path / "train_set/images/3.jpg").exists()
    assert (tmp_path / "val_set/images/3.jpg").exists()
    assert faces.splits["train"].ids == tuple(f"train_set/{i}" for i in range(16))
    assert faces.splits["valid"].ids == tuple(f"val_set/{i}" for i in range(8))


@pytest.mark.parametrize("release", RELEASES)
def test_seven_classes_leave_out_contempt(tmp_path, release):
    faces = open_affectnet(write_affectnet(tmp_path, release=release, **SMALL), classes=7)
    assert faces.classes[-1] == "anger"
    assert faces.splits["train"].labels.tolist() == [*range(7), *range(7)]
    assert noted(faces, "contempt").startswith("3 rows dropped")


def test_published_counts_and_sizes(tmp_path):
    manual = open_affectnet(write_affectnet(tmp_path / "a", **SMALL)).about
    assert manual.release == "AffectNet, manual CSV release"
    assert sum(manual.published["train"]) == 287651
    assert manual.published["valid"] == (500,) * 8
    assert manual.size is None
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    about = open_affectnet(later).about
    assert about.release == "AffectNet, 8-class release"
    assert about.published == {"train": manual.published["train"], "valid": 3999}
    assert about.size == (224, 224)
    without_contempt = open_affectnet(later, classes=7).about.published
    assert without_contempt == {"train": manual.published["train"][:7]}


@pytest.mark.parametrize("release", RELEASES)
def test_readers_can_be_sent_to_other_processes(tmp_path, release):
    split = open_affectnet(write_affectnet(tmp_path, release=release, **SMALL)).splits["train"]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(split.read))(5), split[5].image)


def test_images_of_the_8_class_release_are_read_whole(tmp_path):
    root = write_affectnet(tmp_path, release="8-class", train=8, valid=8, distinct=1)
    image = open_affectnet(root).splits["train"][2].image
    assert image.shape == (224, 224, 3)
    assert np.abs(image.astype(int) - toy_image(toy_number(2, 0), 224)).mean() < 6


def test_the_official_validation_set_is_scored_and_validation_comes_from_training(tmp_path):
    faces = open_affectnet(write_affectnet(tmp_path, **SMALL | {"train": 32}))
    splits = divide(faces)
    assert splits.scored_name == "valid"
    assert splits.scored.ids == faces.splits["valid"].ids
    assert set(splits.validation.ids) < set(faces.splits["train"].ids)


# --- forms of the manual release


@pytest.mark.parametrize(
    "quirks",
    [
        {"headless"},
        {"nested"},
        {"lists"},
        {"nested", "lists"},
        {"windows"},
        {"windows", "headless", "lists"},
        {"extra-column"},
        {"float-boxes"},
        {"sizes"},
        {"sizes", "float-boxes"},
    ],
    ids=lambda quirks: "+".join(sorted(quirks)),
)
def test_every_form_of_the_manual_release_gives_the_same_faces(tmp_path, quirks):
    plain = open_affectnet(write_affectnet(tmp_path / "plain", **SMALL))
    faces = open_affectnet(write_affectnet(tmp_path / "odd", quirks=quirks, **SMALL))
    assert faces.fingerprint == plain.fingerprint
    for i in range(8):
        image = faces.splits["train"][i].image
        np.testing.assert_array_equal(image, plain.splits["train"][i].image)


def test_tables_in_a_folder_above_or_below_the_images_are_found(tmp_path):
    root = write_affectnet(tmp_path, quirks={"nested"}, **SMALL)
    plain = open_affectnet(root)
    for name in ("training.csv", "validation.csv"):
        (root / "Manually_Annotated" / name).rename(root / name)
    assert open_affectnet(root).fingerprint == plain.fingerprint


def test_backslashes_in_paths_are_slashes(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    plain = open_affectnet(root)
    table = root / "training.csv"
    table.write_text(table.read_text().replace("0/", "0\\"))
    assert open_affectnet(root).splits["train"].ids == plain.splits["train"].ids


# --- rows that are dropped


@pytest.mark.parametrize("release", RELEASES)
def test_rows_without_an_expression_or_a_feeling_are_dropped_and_counted(tmp_path, release):
    quirks = {"codes", "unrated", "out-of-range", "bad-codes"}
    root = write_affectnet(tmp_path, release=release, quirks=quirks, **SMALL)
    faces = open_affectnet(root)
    assert faces.splits["train"].labels.tolist() == [*range(8), *range(8)]
    assert faces.about.missing == {}
    rows = {
        "manual": ("training.csv, row 26", "training.csv, row 24"),
        "8-class": ("train_set/annotations/25", "train_set/annotations/23"),
    }[release]
    assert faces.notes == (
        "3 rows dropped: expression 8, none",
        "2 rows dropped: expression 9, uncertain",
        "1 row dropped: expression 10, no face",
        f"2 rows dropped: the expression is no code from 0 to 10, the first: {rows[0]}: '11'",
        "1 row dropped: valence or arousal is -2, not rated",
        "2 rows dropped: valence and arousal are not both numbers in [-1, 1], the first: "
        f"{rows[1]}: '1.5', '0.2'",
    )


def test_an_image_that_is_named_twice_counts_once(tmp_path):
    root = write_affectnet(tmp_path, quirks={"duplicates"}, **SMALL)
    faces = open_affectnet(root)
    train = faces.splits["train"]
    assert len(train) == 16
    assert train.labels[:4].tolist() == [0, 1, 2, 3]  # the first row stays
    assert noted(faces, "earlier row") == (
        "2 rows dropped: the image stands in an earlier row, too (1 of them with another "
        f"expression), the first: training.csv, row 17: {train.ids[2]}"
    )


def test_a_training_row_of_a_validation_image_is_dropped(tmp_path):
    root = write_affectnet(tmp_path, quirks={"in-both"}, **SMALL)
    faces = open_affectnet(root)
    assert len(faces.splits["valid"]) == 8
    assert len(faces.splits["train"]) == 16
    assert noted(faces, "validation set").startswith("1 training row dropped")


def test_an_unusable_row_does_not_take_the_place_of_a_usable_one(tmp_path):
    root = write_affectnet(tmp_path, quirks={"duplicates"}, **SMALL)
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    cells = lines[4].split(",")
    lines[4] = ",".join([*cells[:-3], "9", "-2", "-2"])
    table.write_text("\n".join(lines))
    train = open_affectnet(root).splits["train"]
    assert train.labels[train.ids.index(cells[0])] == 4  # what the later row says


def test_missing_images_are_left_out_and_named(tmp_path):
    root = write_affectnet(tmp_path, quirks={"missing", "nested"}, **SMALL)
    rows = (root / "Manually_Annotated/training.csv").read_text().splitlines()[1:3]
    lost = [f"Manually_Annotated/Manually_Annotated_Images/{row.split(',')[0]}" for row in rows]
    faces = open_affectnet(root)
    assert faces.about.missing == dict.fromkeys(lost, 1)
    assert all(not (root / path).exists() for path in lost)
    assert len(faces.splits["train"]) == 14
    with pytest.raises(DataError, match="2 of 24 faces are lost"):
        check_missing(faces, "fail")


def test_a_missing_image_of_a_dropped_row_is_no_loss(tmp_path):
    root = write_affectnet(tmp_path, labels=[10, 7, *range(8)], quirks={"missing"}, side=32)
    assert open_affectnet(root, classes=7).about.missing == {}
    assert len(open_affectnet(root).about.missing) == 1


# --- the mixture of valence and arousal


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
@pytest.mark.parametrize("release", RELEASES)
def test_the_mixture_of_a_stand_in_is_the_authors(tmp_path, release):
    golden = json.loads((SHARED / "golden" / "golden.json").read_text())["gmm"]
    rng = np.random.RandomState(0)
    means, counts = [(0.1, -0.1), (0.7, 0.2), (-0.6, -0.3)], [60, 90, 50]
    clouds = [rng.normal(m, (0.12, 0.15), (n, 2)) for m, n in zip(means, counts, strict=True)]
    root = write_affectnet(
        tmp_path,
        release=release,
        valid=8,
        labels=np.repeat([0, 1, 2], counts),
        valence_arousal=np.concatenate(clouds).round(4),
        distinct=1,
        side=32,
    )
    train = open_affectnet(root).splits["train"]
    mixture = gmm.fit(train.valence_arousal, train.labels, 8)
    gamma = mixture.posterior(train.valence_arousal[:3])
    for got, name in (
        (mixture.pi[:3], "pi"),
        (mixture.mu[:3], "mu"),
        (mixture.sigma[:3], "sigma"),
        (gamma[:, :3], "first3"),
    ):
        np.testing.assert_allclose(got, golden[name], rtol=0, atol=1e-12)
    assert mixture.pi[3:].tolist() == [0] * 5
