"""AffectNet: both releases from their raw folders, with every oddity that copies of them have."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ferc_core
from ferc_core import gmm
from ferc_core.datasets.affectnet import open_affectnet
from ferc_core.datasets.affectnet_crop import CropReader, face_edges
from ferc_core.errors import BadImageError, DataError, RequestError, UnknownNameError
from ferc_core.plan import check_missing
from ferc_core.splits import divide
from ferc_core.testing.standins.affectnet import RELEASES, npy, write_affectnet
from ferc_core.testing.standins.pictures import (
    toy_feeling,
    toy_number,
    toy_picture,
    write_picture,
)

SHARED = Path(__file__).resolve().parents[2] / "shared"
SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}
HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)


def sentence(root, error: type[Exception] = DataError, **options) -> str:
    with pytest.raises(error) as caught:
        open_affectnet(root, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first ``old`` in a text file."""
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())


def noted(faces, text: str) -> str:
    """Return the one note that holds ``text``."""
    (note,) = [note for note in faces.notes if text in note]
    return note


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


def test_pictures_of_the_8_class_release_are_read_whole(tmp_path):
    root = write_affectnet(tmp_path, release="8-class", train=8, valid=8, distinct=1)
    image = open_affectnet(root).splits["train"][2].image
    assert image.shape == (224, 224, 3)
    assert np.abs(image.astype(int) - toy_picture(toy_number(2, 0), 224)).mean() < 6


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


def test_tables_in_a_folder_above_or_below_the_pictures_are_found(tmp_path):
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


# --- forms of the 8-class release


def test_annotations_as_numbers_give_the_same_faces_as_texts(tmp_path):
    texts = write_affectnet(tmp_path / "a", release="8-class", **SMALL)
    numbers = write_affectnet(tmp_path / "b", release="8-class", quirks={"numbers"}, **SMALL)
    assert np.load(texts / "train_set/annotations/3_exp.npy").dtype.kind == "U"
    assert np.load(numbers / "train_set/annotations/3_exp.npy").dtype == np.int64
    assert np.load(numbers / "train_set/annotations/3_aro.npy").dtype == np.float32
    assert open_affectnet(numbers).fingerprint == open_affectnet(texts).fingerprint


@pytest.mark.parametrize(
    "array",
    [
        np.array("5.0"),
        np.array([b"5"]),
        np.array([["5"]]),
        np.uint8(5),
        np.array(5, dtype=">i4"),
        np.float16(5),
    ],
    ids=repr,
)
def test_a_code_may_be_stored_in_any_way(tmp_path, array):
    root = write_affectnet(tmp_path, release="8-class", **SMALL)
    (root / "train_set/annotations/0_exp.npy").write_bytes(npy(np.asarray(array)))
    assert open_affectnet(root).splits["train"].labels[0] == 5


def later_version(array: np.ndarray) -> bytes:
    """A file of version 2, whose header has a longer length."""
    first = npy(array)
    return b"\x93NUMPY\x02\x00" + first[8:10] + b"\0\0" + first[10:]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is empty"),
        (b"neutral", "is no NumPy file"),
        (npy(np.array("5"))[:40], "is cut short"),
        (npy(np.array("5"))[:-1], "is cut short"),
        (npy(np.arange(2)), "holds no single value"),
        (npy(np.array([])), "holds no single value"),
        (npy(np.array("5"))[:-4] + b"\x00\xd8\0\0", "holds a damaged text"),
        (npy(np.array([{}], dtype=object)), "holds pickled Python objects"),
        (b"\x93NUMPY\x01\x00\x05\x00(1,2)", "has a damaged header"),
        (b"\x93NUMPY\x01\x00\x05\x00{(1,2", "has a damaged header"),
        (b"\x93NUMPY\x09\x00\x05\x00\x00\x00(1,2)", "has a damaged header"),
        (later_version(np.array("5")), ""),
    ],
)
def test_an_annotation_that_cannot_be_used_is_named(tmp_path, content, fault):
    root = write_affectnet(tmp_path, release="8-class", **SMALL)
    (root / "train_set/annotations/0_exp.npy").write_bytes(content)
    faces = open_affectnet(root)
    if not fault:
        assert faces.splits["train"].labels[0] == 5
        return
    assert faces.about.missing == {"train_set/annotations/0_exp.npy": 1}
    note = noted(faces, fault)
    assert note.startswith("1 row dropped")
    assert note.endswith("train_set/annotations/0_exp.npy")
    assert len(faces.splits["train"]) == 15


def test_pictures_without_annotations_and_the_reverse_are_counted_and_named(tmp_path):
    quirks = {"missing", "unannotated", "no-valence", "cut", "pickled"}
    faces = open_affectnet(write_affectnet(tmp_path, release="8-class", quirks=quirks, **SMALL))
    assert faces.splits["train"].ids == tuple(f"train_set/{i}" for i in range(5, 16))
    assert faces.about.missing == dict.fromkeys(
        [
            "train_set/images/0.jpg",
            "train_set/images/1.jpg",
            "train_set/annotations/2_val.npy",
            "train_set/annotations/3_exp.npy",
            "train_set/annotations/4_aro.npy",
        ],
        1,
    )
    assert set(faces.notes) == {
        "1 row dropped: a file is cut short: train_set/annotations/3_exp.npy",
        "1 row dropped: a file holds pickled Python objects, which are never loaded: "
        "train_set/annotations/4_aro.npy",
        "1 row dropped: a picture has no annotation: train_set/images/16.jpg",
    }


def test_a_pickled_annotation_is_never_executed(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    root = write_affectnet(tmp_path / "root", release="8-class", **SMALL)
    path = root / "train_set/annotations/0_exp.npy"
    path.write_bytes(npy(np.array([Trap()], dtype=object)))
    assert noted(open_affectnet(root), "pickled")
    assert not (tmp_path / "sprung").exists()


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


def test_a_picture_that_is_named_twice_counts_once(tmp_path):
    root = write_affectnet(tmp_path, quirks={"duplicates"}, **SMALL)
    faces = open_affectnet(root)
    train = faces.splits["train"]
    assert len(train) == 16
    assert train.labels[:4].tolist() == [0, 1, 2, 3]  # the first row stays
    assert noted(faces, "earlier row") == (
        "2 rows dropped: the picture stands in an earlier row, too (1 of them with another "
        f"expression), the first: training.csv, row 17: {train.ids[2]}"
    )


def test_a_training_row_of_a_validation_picture_is_dropped(tmp_path):
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


def test_missing_pictures_are_left_out_and_named(tmp_path):
    root = write_affectnet(tmp_path, quirks={"missing", "nested"}, **SMALL)
    rows = (root / "Manually_Annotated/training.csv").read_text().splitlines()[1:3]
    lost = [f"Manually_Annotated/Manually_Annotated_Images/{row.split(',')[0]}" for row in rows]
    faces = open_affectnet(root)
    assert faces.about.missing == dict.fromkeys(lost, 1)
    assert all(not (root / path).exists() for path in lost)
    assert len(faces.splits["train"]) == 14
    with pytest.raises(DataError, match="2 of 24 faces are lost"):
        check_missing(faces, "fail")


def test_a_missing_picture_of_a_dropped_row_is_no_loss(tmp_path):
    root = write_affectnet(tmp_path, labels=[10, 7, *range(8)], quirks={"missing"}, side=32)
    assert open_affectnet(root, classes=7).about.missing == {}
    assert len(open_affectnet(root).about.missing) == 1


# --- the box of the face

SYMMETRIC = (134, 134, 899, 899)  # as right and bottom edge: margins of 134 on all sides


@pytest.mark.parametrize(
    ("box", "picture", "edges"),
    [
        (SYMMETRIC, (1033, 1033), (134, 134, 899, 899)),  # ends at x + w, yet corners are even
        ((20, 20, 137, 137), (157, 157), (20, 20, 137, 137)),
        ((20, 20, 100, 100), (140, 140), (20, 20, 120, 120)),  # even as sizes
        ((20, 20, 100, 100), (119, 140), (20, 20, 100, 100)),  # 20 + 100 > 119
        ((20, 20, 100, 100), (140, 119), (20, 20, 100, 100)),
        ((60, 10, 50, 90), (200, 200), (60, 10, 110, 100)),  # 50 < 60: no right edge
        ((10, 60, 90, 60), (200, 200), (10, 60, 100, 120)),  # 60 <= 60: no bottom edge
        ((60, 60, 50, 50), (100, 100), (60, 60, 110, 110)),  # only sizes, though it leaves
        # margins as corners |10 - 10| + |0 - 20| = 20; as sizes |10 - 0| + |0 - 20| = 30
        ((10, 0, 90, 80), (100, 100), (10, 0, 90, 80)),
        # 10 x 10 in 100: corners |10 - 70| + |10 - 70| = 120; sizes |10 - 60| * 2 = 100
        ((10, 10, 30, 30), (100, 100), (10, 10, 40, 40)),
        # a tie: as corners |20 - 30| + |20 - 30| = 20; as sizes |20 - 10| + |20 - 10| = 20
        ((20, 20, 70, 70), (100, 100), (20, 20, 90, 90)),
    ],
)
def test_the_reading_of_a_box_is_decided_for_each_picture(box, picture, edges):
    assert face_edges(box, *picture, "auto") == edges


def test_a_reading_can_be_chosen():
    assert face_edges((20, 20, 100, 100), 140, 140, "corners") == (20, 20, 100, 100)
    assert face_edges(SYMMETRIC, 1033, 1033, "sizes") == (134, 134, 1033, 1033)


@given(st.data())
def test_a_box_with_even_margins_is_found_however_it_is_stored(data):
    across, down = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 50))
    w, h = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 200))
    edges = (across, down, across + w, down + h)
    picture = (w + 2 * across, h + 2 * down)
    assert face_edges(edges, *picture, "auto") == edges
    assert face_edges((across, down, w, h), *picture, "auto") == edges


@pytest.mark.parametrize("quirk", ["sizes", ""])
def test_the_face_is_cut_out_exactly(tmp_path, quirk):
    root = write_affectnet(tmp_path, train=16, valid=8, quirks={quirk} - {""})
    train = open_affectnet(root).splits["train"]
    assert train.ids[4].endswith(".png")  # without loss
    np.testing.assert_array_equal(train[4].image, toy_picture(toy_number(4, 0), 64))
    whole = open_affectnet(root, crop="none").splits["train"][4].image
    assert whole.shape == (96, 96, 3)
    np.testing.assert_array_equal(whole[16:-16, 16:-16], train[4].image)


def test_the_option_crop_reads_boxes_in_one_way(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)  # 8, 8, 40, 40 in pictures of 48 x 48
    shapes = {
        crop: open_affectnet(root, crop=crop).splits["train"][0].image.shape[:2]
        for crop in ("corners", "sizes", "none", "auto")
    }
    assert shapes == {"corners": (32, 32), "sizes": (40, 40), "none": (48, 48), "auto": (32, 32)}


def test_boxes_that_only_fit_one_reading_are_counted(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    edit(root / "training.csv", ",8,8,40,40,", ",20,20,20.0,16,")
    assert noted(open_affectnet(root), "can only be").startswith("1 box of 24 can only be left")
    assert open_affectnet(root, crop="sizes").notes == ()


def test_rows_without_a_box_are_dropped_unless_pictures_are_read_whole(tmp_path):
    root = write_affectnet(tmp_path, quirks={"boxless"}, **SMALL)
    edit(root / "validation.csv", ",8,8,40,40,", ",8,8,0,40,")
    faces = open_affectnet(root)
    assert (len(faces.splits["train"]), len(faces.splits["valid"])) == (16, 7)
    note = noted(faces, "no box")
    assert note.startswith("2 rows dropped")
    assert "validation.csv, row 1: '8, 8, 0, 40'" in note


def test_a_box_is_clipped_to_the_picture_and_one_outside_is_refused(tmp_path):
    picture = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
    write_picture(tmp_path / "a" / "b.png", picture)
    boxes = np.array([[30, 20, 50, 50], [-5, -6, 10, 20], [40, 3, 60, 20], [5, -20, 20, -1]])
    read = CropReader(["a/b.png"] * 4, tmp_path, boxes.astype(np.int32), "corners")
    np.testing.assert_array_equal(read(0), picture[20:, 30:])
    np.testing.assert_array_equal(read(1), picture[:20, :10])
    for i, box in ((2, "40, 3, 60, 20"), (3, "5, -20, 20, -1")):
        with pytest.raises(BadImageError) as caught:
            read(i)
        assert str(tmp_path / "a" / "b.png") in str(caught.value)
        assert f"box {box}" in str(caught.value)
        assert "40 x 30 pixels" in str(caught.value)


# --- the index


def swap(path: Path, content: bytes) -> None:
    """Write a file of the same size and time."""
    state = path.stat()
    assert len(content) == state.st_size
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


@pytest.mark.parametrize(
    ("release", "name"),
    [("manual", "training.csv"), ("8-class", "train_set/annotations/0_exp.npy")],
)
def test_annotations_are_read_once_and_again_when_they_change(tmp_path, release, name):
    root = write_affectnet(tmp_path, release=release, labels=[0] * 8, side=32, distinct=1)
    path = root / name
    before = open_affectnet(root)
    if release == "manual":
        changed = path.read_bytes().replace(b",0,", b",1,")
    else:
        changed = npy(np.array("1"))
    swap(path, changed)
    assert open_affectnet(root).fingerprint == before.fingerprint  # from the index
    os.utime(path, ns=(1, 1))
    assert open_affectnet(root).splits["train"].labels[0] == 1


@pytest.mark.parametrize("release", RELEASES)
def test_a_picture_that_comes_or_goes_is_noticed(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    folder = {"manual": "Manually_Annotated_Images/0", "8-class": "train_set/images"}[release]
    picture = sorted((root / folder).iterdir())[0]
    for _ in range(2):
        assert open_affectnet(root).about.missing == {}
        content = picture.read_bytes()
        picture.unlink()
        assert list(open_affectnet(root).about.missing) == [f"{folder}/{picture.name}"]
        picture.write_bytes(content)


def test_notes_are_the_same_from_the_index(tmp_path):
    quirks = set(RELEASES["manual"]) - {"utf-16"}
    root = write_affectnet(tmp_path, quirks=quirks, **SMALL)
    first, second = open_affectnet(root), open_affectnet(root)
    assert first.notes == second.notes
    assert first.about == second.about
    assert first.fingerprint == second.fingerprint


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


# --- bad input


def test_wrong_options_are_refused(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    for classes in (6, 9, True, "8", 7.5):
        assert "classes must be 7 (no contempt) or 8" in sentence(
            root, RequestError, classes=classes
        )
    assert "did you mean 'corners'?" in sentence(root, UnknownNameError, crop="corner")
    assert "unknown crop 'True'" in sentence(root, UnknownNameError, crop=True)
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    assert "cropped already" in sentence(later, RequestError, crop="sizes")
    assert open_affectnet(later, crop="none").fingerprint == open_affectnet(later).fingerprint


def test_a_root_one_level_off_is_answered_by_the_right_one(tmp_path):
    manual = write_affectnet(tmp_path / "a" / "AffectNet", **SMALL)
    later = write_affectnet(tmp_path / "b" / "AffectNet", release="8-class", **SMALL)
    for root, below in ((manual, "Manually_Annotated_Images"), (later, "val_set")):
        assert f"too high: give {root}" in sentence(root.parent, RequestError)
        assert f"too low: give {root}" in sentence(root / below, RequestError)
    assert "does not exist" in sentence(tmp_path / "gone", RequestError)
    assert "needs a data root" in sentence(None, RequestError)
    (tmp_path / "c").mkdir()
    message = sentence(tmp_path / "c", RequestError)
    assert "manual CSV release" in message
    assert "8-class release" in message


def test_a_half_unpacked_archive_is_recognised(tmp_path):
    root = write_affectnet(tmp_path / "a", **SMALL)
    (root / "validation.csv").unlink()
    (root / "lists.zip").touch()
    message = sentence(root)
    assert "looks like AffectNet, manual CSV release" in message
    assert "validation.csv is not there; unpack lists.zip" in message
    later = write_affectnet(tmp_path / "b", release="8-class", **SMALL)
    shutil.rmtree(later / "val_set")
    assert "val_set/images and val_set/annotations are not there" in sentence(later)


@pytest.mark.parametrize("release", RELEASES)
def test_when_no_face_is_left_the_counts_say_why(tmp_path, release):
    root = write_affectnet(tmp_path, release=release, **SMALL)
    folder = {"manual": "Manually_Annotated_Images", "8-class": "train_set/images"}[release]
    shutil.rmtree(root / folder)
    (root / folder).mkdir()
    message = sentence(root)
    assert "no face of 'train' is left" in message
    lost = {"manual": 24, "8-class": 16}[release]
    assert f"{lost} files missing: {folder}/" in message


def test_tables_in_another_encoding_are_named(tmp_path):
    root = write_affectnet(tmp_path / "a", quirks={"utf-16"}, **SMALL)
    assert f"{root / 'validation.csv'} is not UTF-8 text" in sentence(root)
    root = write_affectnet(tmp_path / "b", **SMALL)
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    lines[3] = f"café{lines[3]}"
    table.write_bytes("\n".join(lines).encode("latin-1"))
    assert f"{table} is not UTF-8 text (line 4)" in sentence(root)


def test_a_table_that_is_none_is_refused(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    whole = table.read_text()
    table.write_text(HEADER + "\n")
    assert "has a header and no rows" in sentence(root)
    table.write_text("")
    assert str(table) in sentence(root)
    table.write_text(whole.replace("valence", "joy", 1))
    assert "has no column 'valence'" in sentence(root)
    table.write_text("\n".join(line.rpartition(",")[0] for line in whole.splitlines()[1:]))
    assert "has 8 columns and no header; expected are 9" in sentence(root)
    table.write_bytes(np.random.default_rng(0).bytes(5000))
    assert str(table) in sentence(root)


def test_a_table_that_is_cut_short_loses_its_last_row_with_a_count(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    table.write_text(table.read_text().rstrip()[:-40])  # within the landmarks
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 15
    assert "training.csv, row 16: ''" in noted(faces, "no code from 0 to 10")


@pytest.mark.parametrize("path", ["../secret.jpg", "0/../../b.jpg", "", "0/a\x07.jpg"])
def test_a_path_that_leaves_the_folder_is_refused_with_its_row(tmp_path, path):
    root = write_affectnet(tmp_path, **SMALL)
    table = root / "training.csv"
    lines = table.read_text().splitlines()
    lines[2] = path + "," + lines[2].partition(",")[2]
    table.write_text("\n".join(lines))
    assert "training.csv, row 2" in sentence(root)


def test_a_damaged_picture_is_named_when_it_is_read(tmp_path):
    root = write_affectnet(tmp_path, **SMALL)
    train = open_affectnet(root).splits["train"]
    path = root / "Manually_Annotated_Images" / train.ids[0]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadImageError, match=path.name):
        train.read(0)


def test_the_stand_in_knows_its_releases_and_quirks(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'manual'"):
        write_affectnet(tmp_path, release="manuell")
    with pytest.raises(UnknownNameError, match="unknown quirk of the 8-class release 'headless'"):
        write_affectnet(tmp_path, release="8-class", quirks={"headless"})
    assert not list(tmp_path.iterdir())


def test_thousands_of_rows_take_a_few_pictures(tmp_path):
    root = write_affectnet(tmp_path, train=2000, valid=80, distinct=2, side=32)
    faces = open_affectnet(root)
    assert len(faces.splits["train"]) == 2000
    files = [p.stat().st_ino for p in (root / "Manually_Annotated_Images").rglob("*.*")]
    assert len(files) == 2080
    assert len(set(files)) <= 32  # 2 of each class, in two formats
    assert len(np.unique(faces.splits["train"].valence_arousal, axis=0)) > 1900
