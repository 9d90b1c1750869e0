"""Visibility: degradations of every image in every cell, and what they are normalised by."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.suites import CELLS, faces, suite
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferc_core import registry
from ferc_core.base.calls import Call
from ferc_core.base.parallel import serial
from ferc_core.images.png import encode
from ferc_core.labels.visibility import measure, normalise, sample_rows
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Visibility
from ferc_core.suite.corrupt import CHUNK

degradations = arrays(float, (4, 6), elements=st.floats(0, 10))


@given(degradations, st.sampled_from(["average", "image", "dataset"]))
@settings(max_examples=50)
def test_visibility_lies_between_0_and_1(d, scope):
    v = normalise(d, np.ones(6, bool), scope)
    assert v.shape == ((1, 6) if scope == "average" else (4, 6))
    assert (v >= 0).all()
    assert (v <= 1).all()


def test_scopes_by_hand():
    d = np.array([[1.0, 2.0], [3.0, 4.0]])
    both = np.ones(2, bool)
    np.testing.assert_allclose(normalise(d, both, "average"), [[1 - 2 / 3, 0]])
    np.testing.assert_allclose(normalise(d, both, "image"), [[1 / 2, 0], [1 / 4, 0]])
    np.testing.assert_allclose(normalise(d, both, "dataset"), [[3 / 4, 1 / 2], [1 / 4, 0]])


def test_cells_outside_the_benchmark_do_not_move_the_others():
    d = np.array([[1.0, 2.0, 8.0]])
    v = normalise(d, np.array([True, True, False]), "average")
    np.testing.assert_allclose(v, [[1 / 2, 0, 0]])


def test_an_image_that_nothing_changes_stays_visible():
    v = normalise(np.array([[0.0, 0.0], [1.0, 2.0]]), np.ones(2, bool), "image")
    np.testing.assert_allclose(v, [[1, 1], [1 / 2, 0]])


def test_measured_degradation_is_that_of_the_images():
    made = suite(faces())
    l2 = registry().visibilities.choose("l2")
    d = measure(made, CELLS, l2, serial)
    assert d.shape == (5, len(CELLS))
    clean = made.images([2])[0]
    assert d[2, 1] == l2(clean, made.corruptor.one(clean, "face2", CELLS[1]))
    np.testing.assert_array_equal(measure(made.take([2]), CELLS, l2, serial), d[2:3])


def test_the_average_is_over_a_hundred_faces():
    many = suite(faces(130, 40))
    assert len(sample_rows(many.ids, "average")) == 100
    assert len(sample_rows(many.ids, "dataset")) == 130


def test_what_concerns_the_clean_image_alone_is_done_once_for_each():
    prepared = []

    def prepare(clean):
        prepared.append(clean)
        return clean

    entry = Visibility("mine", lambda clean, corrupted: 0.0, prepare=prepare)
    made = suite(faces(CHUNK + 3, 40))
    measure(made, CELLS[:2], Chosen(entry, Call("mine", {})), serial)
    np.testing.assert_array_equal(np.stack(prepared), made.images(range(CHUNK + 3)))


@pytest.mark.parametrize("severity", [1, 3, 4])
def test_cells_that_leave_every_image_unchanged_are_named(ferc, tmp_path, severity):
    """Saturation at severities 1 to 3 does nothing to grey images."""
    for part in ("train", "test"):
        for i, name in enumerate(("calm", "angry")):
            folder = tmp_path / "faces" / part / name
            folder.mkdir(parents=True)
            grey = np.random.default_rng(i).integers(0, 256, (40, 40), dtype=np.uint8)
            (folder / f"{i}.png").write_bytes(encode(np.dstack([grey] * 3)))
    result = ferc(
        "build", "--dataset", "folder", "--data-root", "faces", "--image-size", 40, "--out", "b",
        "--corruption", "saturate", "--corruption", "contrast", "--severity", severity,
        "--executor", "serial",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    note = f"unchanged: saturate/{severity}"
    assert (note in result.stderr) == (severity < 4), result.stderr
    assert "contrast" not in result.stderr.partition("unchanged: ")[2].split("\n")[0]
