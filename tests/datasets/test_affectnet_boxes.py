"""The box of a face in AffectNet: two readings of its four numbers, and the crop."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.loaders import edit, noted
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.datasets.affectnet.crop import CropReader, face_edges
from ferc_core.datasets.affectnet.loader import open_affectnet
from ferc_core.errors import BadImageError
from ferc_core.testing.standins.affectnet import write_affectnet
from ferc_core.testing.standins.images import toy_image, toy_number, write_image

SMALL = {"train": 16, "valid": 8, "distinct": 1, "side": 32}
SYMMETRIC = (134, 134, 899, 899)  # as right and bottom edge: margins of 134 on all sides


def test_the_reading_of_a_box_is_decided_for_each_image():
    for box, size, edges in (
        (SYMMETRIC, (1033, 1033), (134, 134, 899, 899)),  # ends at x + w, yet corners are even
        ((20, 20, 137, 137), (157, 157), (20, 20, 137, 137)),
        ((20, 20, 100, 100), (140, 140), (20, 20, 120, 120)),  # even as sizes
        ((20, 20, 100, 100), (119, 140), (20, 20, 100, 100)),  # 20 + 100 > 119
        ((20, 20, 100, 100), (140, 119), (20, 20, 100, 100)),
        ((60, 10, 50, 90), (200, 200), (60, 10, 110, 100)),  # 50 < 60: not a right edge
        ((10, 60, 90, 60), (200, 200), (10, 60, 100, 120)),  # 60 <= 60: not a bottom edge
        ((60, 60, 50, 50), (100, 100), (60, 60, 110, 110)),  # only sizes, though out of the image
        # margins as corners |10 - 10| + |0 - 20| = 20; as sizes |10 - 0| + |0 - 20| = 30
        ((10, 0, 90, 80), (100, 100), (10, 0, 90, 80)),
        # 10 x 10 in 100: corners |10 - 70| + |10 - 70| = 120; sizes |10 - 60| * 2 = 100
        ((10, 10, 30, 30), (100, 100), (10, 10, 40, 40)),
        # a tie: as corners |20 - 30| + |20 - 30| = 20; as sizes |20 - 10| + |20 - 10| = 20
        ((20, 20, 70, 70), (100, 100), (20, 20, 90, 90)),
    ):
        assert face_edges(box, *size, "auto") == edges, (box, size)


@given(st.data())
def test_a_box_with_even_margins_is_found_in_either_form(data):
    across, down = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 50))
    w, h = data.draw(st.integers(1, 200)), data.draw(st.integers(1, 200))
    edges = (across, down, across + w, down + h)
    size = (w + 2 * across, h + 2 * down)
    assert face_edges(edges, *size, "auto") == edges
    assert face_edges((across, down, w, h), *size, "auto") == edges


def test_the_face_is_cropped_exactly(tmp_path):
    for name, quirks in (("corners", set()), ("sizes", {"sizes"})):
        root = write_affectnet(tmp_path / name, train=8, valid=8, quirks=quirks)
        train = open_affectnet(root).splits["train"]
        assert train.ids[4].endswith(".png")  # lossless
        np.testing.assert_array_equal(train[4].image, toy_image(toy_number(4, 0), 64))
    whole = open_affectnet(root, crop="none").splits["train"][4].image
    assert whole.shape == (96, 96, 3)
    np.testing.assert_array_equal(whole[16:-16, 16:-16], train[4].image)


def test_the_option_crop_fixes_the_reading_of_boxes(tmp_path):
    assert face_edges((20, 20, 100, 100), 140, 140, "corners") == (20, 20, 100, 100)
    assert face_edges(SYMMETRIC, 1033, 1033, "sizes") == (134, 134, 1033, 1033)
    root = write_affectnet(tmp_path, **SMALL)  # 8, 8, 40, 40 in images of 48 x 48
    shapes = {
        crop: open_affectnet(root, crop=crop).splits["train"][0].image.shape[:2]
        for crop in ("corners", "sizes", "none", "auto")
    }
    assert shapes == {"corners": (32, 32), "sizes": (40, 40), "none": (48, 48), "auto": (32, 32)}
    edit(root / "training.csv", ",8,8,40,40,", ",20,20,20.0,16,")
    assert noted(open_affectnet(root), "can only be").startswith("1 box of 24 can only be left")
    assert open_affectnet(root, crop="sizes").notes == ()


def test_rows_without_a_box_are_dropped_unless_images_are_read_whole(tmp_path):
    root = write_affectnet(tmp_path, quirks={"boxless"}, **SMALL)
    edit(root / "validation.csv", ",8,8,40,40,", ",8,8,0,40,")
    faces = open_affectnet(root)
    assert (len(faces.splits["train"]), len(faces.splits["valid"])) == (16, 7)
    note = noted(faces, "no box")
    assert note.startswith("2 rows dropped")
    assert "validation.csv, row 1: '8, 8, 0, 40'" in note
    assert len(open_affectnet(root, crop="none").splits["valid"]) == 8


def test_a_box_is_clipped_to_the_image_and_one_outside_is_refused(tmp_path):
    image = np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)
    write_image(tmp_path / "a" / "b.png", image)
    boxes = np.array([[30, 20, 50, 50], [-5, -6, 10, 20], [40, 3, 60, 20], [5, -20, 20, -1]])
    read = CropReader(["a/b.png"] * 4, tmp_path, boxes.astype(np.int32), "corners")
    np.testing.assert_array_equal(read(0), image[20:, 30:])
    np.testing.assert_array_equal(read(1), image[:20, :10])
    for i, box in ((2, "40, 3, 60, 20"), (3, "5, -20, 20, -1")):
        with pytest.raises(BadImageError) as caught:
            read(i)
        assert str(tmp_path / "a" / "b.png") in str(caught.value)
        assert f"box {box}" in str(caught.value)
        assert "40 x 30 pixels" in str(caught.value)
