"""AffectNet: its tables and files become faces, and what is dropped is counted."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
from helpers.golden import golden
from helpers.loaders import edit, ids, noted
from helpers.mixtures import oracle_points

import ferc_core
from ferc_core.data.opening import check_missing
from ferc_core.data.splits import divide
from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.errors import DataError
from ferc_core.labels import mixture as gmm
from ferc_core.testing.standins.affectnet import RELEASES, write_affectnet
from ferc_core.testing.standins.images import toy_image, toy_number, toy_valence_arousal

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")


@pytest.mark.parametrize("release", RELEASES)
def test_every_release_gives_the_labels_and_points_of_its_files(tmp_path, release):
    root = write_affectnet(tmp_path / "here", release=release, **SMALL)
    faces = ferc_core.registry().datasets["affectnet"].open(root)
    assert (faces.name, faces.classes, list(faces.splits)) == (
        "affectnet",
        CLASSES,
        ["train", "valid"],
    )
    train = faces.splits["train"]
    assert train.labels.dtype == np.int64
    assert train.labels.tolist() == [*range(8), *range(8)]
    assert faces.splits["valid"].labels.tolist() == [*range(8)]
    expected = [toy_valence_arousal(toy_number(i % 8, i // 8)) for i in range(16)]
    assert train.valence_arousal.tolist() == [list(pair) for pair in expected]
    assert faces.notes == ()
    assert faces.about.missing == {}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(train.read))(5), train[5].image)

    seven = open_affectnet(root, classes=7)
    assert seven.classes == CLASSES[:7]
    assert seven.splits["train"].labels.tolist() == [*range(7), *range(7)]
    assert noted(seven, "contempt").startswith("3 rows dropped")

    assert len(set(ids(faces))) == 24
    shutil.move(root, tmp_path / "there")
    moved = open_affectnet(tmp_path / "there")
    assert moved.fingerprint == faces.fingerprint
    assert moved.splits["train"][0].image.shape == (32, 32, 3)


def test_ids_are_the_paths_of_the_tables_or_set_and_number(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    rows = (root / "training.csv").read_text().splitlines()[1:]
    assert open_affectnet(root).splits["train"].ids == tuple(row.split(",")[0] for row in rows)
    root = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    assert (root / "train_set/images/3.jpg").exists()
    assert (root / "val_set/images/3.jpg").exists()
    faces = open_affectnet(root)
    assert faces.splits["train"].ids == tuple(f"train_set/{i}" for i in range(16))
    assert faces.splits["valid"].ids == tuple(f"val_set/{i}" for i in range(8))


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


def test_images_of_the_8_class_release_are_not_cropped(tmp_path):
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


def test_every_form_of_the_manual_release_gives_the_same_faces(tmp_path):
    plain = open_affectnet(write_affectnet(tmp_path / "plain", **SMALL))
    for quirks in (
        {"headless"},
        {"nested"},
        {"lists"},
        {"windows"},
        {"extra-column"},
        {"float-boxes"},
        {"sizes", "float-boxes"},
        {"nested", "windows", "headless", "lists"},
    ):
        name = "+".join(sorted(quirks))
        root = write_affectnet(tmp_path / name, quirks=quirks, **SMALL)
        faces = open_affectnet(root)
        assert faces.fingerprint == plain.fingerprint, name
        image = faces.splits["train"][3].image
        np.testing.assert_array_equal(image, plain.splits["train"][3].image, name)
    inner = tmp_path / "nested" / "Manually_Annotated"
    for name in ("training.csv", "validation.csv"):  # tables above the images
        (inner / name).rename(inner.parent / name)
    assert open_affectnet(inner.parent).fingerprint == plain.fingerprint
    table = tmp_path / "lists" / "Manually_Annotated_file_lists" / "training.csv"
    table.write_text(table.read_text().replace("0/", "0\\"))
    edit(table, "\n0\\", "\n./0//")
    assert open_affectnet(tmp_path / "lists").splits["train"].ids == plain.splits["train"].ids


@pytest.mark.parametrize("release", RELEASES)
def test_rows_without_an_expression_or_a_point_are_dropped_and_counted(tmp_path, release):
    quirks = {"codes", "unrated", "out-of-range", "bad-codes"}
    faces = open_affectnet(write_affectnet(tmp_path, release=release, quirks=quirks, **SMALL))
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
        f"2 rows dropped: the expression is not a code from 0 to 10, the first: {rows[0]}: '11'",
        "1 row dropped: valence or arousal is -2, not rated",
        "2 rows dropped: valence and arousal are not both numbers in [-1, 1], the first: "
        f"{rows[1]}: '1.5', '0.2'",
    )


def test_the_first_usable_row_of_an_image_counts(tmp_path):
    root = write_affectnet(tmp_path, quirks={"duplicates", "in-both"}, **SMALL)
    faces = open_affectnet(root)
    train = faces.splits["train"]
    assert (len(train), len(faces.splits["valid"])) == (16, 8)
    assert train.labels[:4].tolist() == [0, 1, 2, 3]
    assert noted(faces, "earlier row") == (
        "2 rows dropped: the image is also in an earlier row (1 with another expression), the "
        f"first: training.csv, row 17: {train.ids[2]}"
    )
    assert noted(faces, "validation set").startswith("1 training row dropped")
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    cells = lines[4].split(",")
    lines[4] = ",".join([*cells[:-3], "9", "-2", "-2"])
    table.write_text("\n".join(lines))
    train = open_affectnet(root).splits["train"]
    assert train.labels[train.ids.index(cells[0])] == 4  # by the later row


def test_missing_images_are_left_out_and_named(tmp_path):
    root = write_affectnet(tmp_path / "a", quirks={"missing", "nested"}, **SMALL)
    rows = (root / "Manually_Annotated/training.csv").read_text().splitlines()[1:3]
    lost = [f"Manually_Annotated/Manually_Annotated_Images/{row.split(',')[0]}" for row in rows]
    faces = open_affectnet(root)
    assert faces.about.missing == dict.fromkeys(lost, 1)
    assert all(not (root / path).exists() for path in lost)
    assert len(faces.splits["train"]) == 14
    with pytest.raises(DataError, match="2 of 24 faces are lost"):
        check_missing(faces, "fail")
    # the missing images of dropped rows are not lost
    root = write_affectnet(tmp_path / "b", labels=[10, 7, *range(8)], quirks={"missing"}, side=32)
    assert open_affectnet(root, classes=7).about.missing == {}
    assert len(open_affectnet(root).about.missing) == 1


def test_the_mixture_of_a_stand_in_is_the_authors(tmp_path):
    points, labels = oracle_points()
    root = write_affectnet(
        tmp_path, valid=8, labels=labels, valence_arousal=points, distinct=1, side=32
    )
    train = open_affectnet(root).splits["train"]
    mixture = gmm.fit(train.valence_arousal, train.labels, 8)
    oracle = golden("gmm")
    for got, name in (
        (mixture.pi[:3], "pi"),
        (mixture.mu[:3], "mu"),
        (mixture.sigma[:3], "sigma"),
        (mixture.posterior(train.valence_arousal[:3])[:, :3], "first3"),
    ):
        np.testing.assert_allclose(got, oracle[name], rtol=0, atol=1e-12)
    assert mixture.pi[3:].tolist() == [0] * 5
