"""``ferc data preview``: one image with faces of each class and their annotations."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.commands import one_sentence

from ferc_core.data.preview import COLUMNS, draw
from ferc_core.datasets.toyfaces.loader import open_toyfaces
from ferc_core.drawing.theme import PALETTE
from ferc_core.errors import BadImageError, RequestError, UnknownNameError
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.labels.mixture import Mixture

SKIN = ((250, 10, 120), (10, 200, 30), (20, 60, 250))  # of the faces of each class, RGB
CLASSES = ("anger", "joy", "awe")


def coloured(labels, *, bad: tuple[int, ...] = (), classes=CLASSES, **known) -> FaceSet:
    """A dataset whose faces have the colour of their class; those in ``bad`` cannot be read."""
    labels = np.array(labels, dtype=np.int64)

    def read(i: int) -> np.ndarray:
        if i in bad:
            raise BadImageError("damaged")
        return np.full((48, 48, 3), SKIN[labels[i]], np.uint8)

    ids = tuple(f"faces/{i}.png" for i in range(len(labels)))
    return FaceSet("made up", classes, {"train": FaceSplit(ids, labels, read, **known)})


def drawn(faces: FaceSet, folder: Path, **options) -> np.ndarray:
    """The preview as RGB [H, W, 3]."""
    path = folder / "preview.png"
    draw(faces, path, **options)
    return cv2.imread(str(path))[..., ::-1]


def showing(image: np.ndarray, colour) -> np.ndarray:
    """Mark [H, W] the pixels of a colour, as RGB or as in PALETTE."""
    if isinstance(colour, str):
        colour = tuple(bytes.fromhex(colour[1:]))
    return (image == colour).all(axis=2)


def test_every_class_has_a_row_of_at_most_eight_faces(tmp_path):
    image = drawn(coloured([0] * 3 + [1] * 20 + [2]), tmp_path)
    areas = [showing(image, skin).sum() for skin in SKIN]
    face = areas[2]  # the only one of its class
    assert face > 60 * 60
    assert [round(area / face) for area in areas] == [3, COLUMNS, 1]
    rows = [np.flatnonzero(showing(image, skin).any(axis=1)) for skin in SKIN]
    assert rows[0].max() < rows[1].min()
    assert rows[1].max() < rows[2].min()
    bars = [np.flatnonzero(showing(image, shade).any(axis=1)) for shade in PALETTE[:3]]
    for bar, row in zip(bars, rows, strict=True):  # the bar of a class stands beside its row
        assert abs(bar.min() - row.min()) <= 2
        assert abs(bar.max() - row.max()) <= 2


def test_an_unreadable_image_is_an_empty_frame(tmp_path):
    whole = drawn(coloured([0, 0, 1, 2]), tmp_path)
    damaged = drawn(coloured([0, 0, 1, 2], bad=(1,)), tmp_path)
    assert damaged.shape == whole.shape
    faces = [showing(image, SKIN[0]).sum() for image in (whole, damaged)]
    assert round(faces[0] / faces[1], 1) == 2
    assert np.array_equal(showing(whole, SKIN[1]), showing(damaged, SKIN[1]))


def test_a_class_without_a_face_keeps_its_row(tmp_path):
    some, all_ = drawn(coloured([0, 2]), tmp_path), drawn(coloured([0, 1, 2]), tmp_path)
    assert some.shape == all_.shape
    assert not showing(some, SKIN[1]).any()
    assert showing(some, PALETTE[1]).any()
    assert np.array_equal(showing(some, SKIN[2]), showing(all_, SKIN[2]))


def test_many_classes_and_names_with_markup_are_drawn(tmp_path):
    names = [f"Disgustedly and Angrily Surprised {i}" for i in range(9)]
    faces = coloured([0, 1, 2], classes=(*names, "$\\frac{$", "无表情"))
    rows = drawn(faces, tmp_path).shape[0] / drawn(coloured([0, 1, 2]), tmp_path).shape[0]
    assert 2.5 < rows < 11 / 3


def test_the_preview_depends_on_faces_and_seed_and_shows_training_points(tmp_path):
    faces = open_toyfaces(train=16, valid=8, test=8, size=32)
    first = drawn(faces, tmp_path)
    content = (tmp_path / "preview.png").read_bytes()
    test, seed = drawn(faces, tmp_path, split="test"), drawn(faces, tmp_path, seed=1)
    drawn(faces, tmp_path)
    assert (tmp_path / "preview.png").read_bytes() == content
    middle = int(0.59 * first.shape[1])
    assert np.array_equal(first[:, middle:], test[:, middle:])
    assert not np.array_equal(first[:, :middle], test[:, :middle])
    assert not np.array_equal(first[:, :middle], seed[:, :middle])


def test_the_ellipses_are_those_of_the_given_mixture(tmp_path):
    """All points are in one place, the ellipses of class 0 in another; class 2 has none."""
    points = np.tile([-0.5, 0.5], (3, 1))
    faces = coloured([0, 1, 2], valence_arousal=points)
    mixture = Mixture(
        pi=np.array([0.5, 0.5, 0]),
        mu=np.array([[0.6, -0.6], [-0.6, -0.6], [0, 0]]),
        sigma=np.tile(0.01 * np.eye(2), (3, 1, 1)),
    )
    image = drawn(faces, tmp_path, mixture=mixture)
    plane = image[:, int(0.59 * image.shape[1]) :]
    height, width = plane.shape[:2]
    rows, columns = np.nonzero(showing(plane, PALETTE[0]))
    assert rows.min() > height / 2
    assert columns.min() > width / 2
    rows, columns = np.nonzero(showing(plane, PALETTE[1]))
    assert rows.min() > height / 2
    assert columns.max() < width / 2
    assert not showing(plane, PALETTE[2]).any()


def test_a_mixture_needs_valence_and_arousal(tmp_path):
    mixture = Mixture(np.full(3, 1 / 3), np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1)))
    with pytest.raises(RequestError, match="no valence and arousal"):
        draw(coloured([0, 1, 2]), tmp_path / "preview.png", mixture=mixture)


def test_distributions_are_bars_as_long_as_their_means(tmp_path):
    means = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0]])
    image = drawn(coloured([0, 0, 1], distributions=means), tmp_path)
    bars = image[:, image.shape[1] * 3 // 4 :]
    assert not showing(bars, PALETTE[2]).any()
    of_first, of_second = (showing(bars, PALETTE[k]).sum(axis=1) for k in (0, 1))
    upper, lower = np.flatnonzero(of_first)[5], np.flatnonzero(of_second)[-5]
    for row, (first, second) in ((upper, (0.7, 0.3)), (lower, (0.1, 0.9))):
        width = of_first[row] + of_second[row]
        assert width > 200
        assert of_first[row] / width == pytest.approx(first, abs=0.02)
        assert of_second[row] / width == pytest.approx(second, abs=0.02)


def test_a_dataset_with_labels_alone_is_narrower(tmp_path):
    labels, known = [0, 1, 2], np.eye(3)
    alone = drawn(coloured(labels), tmp_path)
    beside = drawn(coloured(labels, distributions=known), tmp_path)
    assert alone.shape[1] < beside.shape[1] - 200


def test_a_refused_preview_writes_no_file(tmp_path):
    path = tmp_path / "preview.png"
    with pytest.raises(UnknownNameError, match="did you mean 'train'"):
        draw(coloured([0, 1]), path, split="trian")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_preview(ferc, tmp_path):
    name = "toyfaces(train=8,valid=8,test=8,size=48)"
    done = ferc("data", "preview", name, "--out", "new/a.png", "--split", "test", "--seed", 4)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "wrote new/a.png\n"
    faces = open_toyfaces(train=8, valid=8, test=8, size=48)
    again = tmp_path / "b.png"
    draw(faces, again, split="test", seed=4)
    assert again.read_bytes() == (tmp_path / "new" / "a.png").read_bytes()
    height, width = cv2.imread(str(again)).shape[:2]
    assert height > 900
    assert width > 1500


def test_the_command_takes_a_mixture_and_the_name_of_the_dataset(ferc, tmp_path):
    small = "toyfaces(train=64,valid=16,test=16,size=48)"
    assert ferc("gmm", "fit", "--dataset", small, "--out", "gmm.json").returncode == 0
    name = "toyfaces(train=16,valid=8,test=8,size=40)"
    images = []
    for more in ((), ("--gmm", "gmm.json")):
        done = ferc("data", "preview", name, *more)
        assert done.stdout == "wrote toyfaces-preview.png\n", done.stderr
        images.append((tmp_path / "toyfaces-preview.png").read_bytes())
    assert images[0] != images[1]


def test_a_wrong_command_is_refused_in_one_sentence(ferc, tmp_path):
    (tmp_path / "taken").write_text("a file")
    small = "toyfaces(train=8,valid=8,test=8,size=32)"
    for arguments, message, code in (
        ([small, "--out", "a.jpg"], "unknown kind of file '.jpg'", 2),
        (["folder", "--out", "a.png"], "--data-root", 2),
        ([small, "--out", "taken/a.png"], "taken is not a directory", 2),
    ):
        assert message in one_sentence(ferc("data", "preview", *arguments), code)
