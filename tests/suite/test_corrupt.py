"""The suite: addressed randomness, executors, visibility scopes."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferc_core import registry
from ferc_core.base.seeds import generator, rank
from ferc_core.errors import BadImageError
from ferc_core.faces import FaceSplit
from ferc_core.labels.visibility import measure, normalise, sample_rows
from ferc_core.spec import Visibility
from ferc_core.suite.corrupt import CHUNK, CLEAN, Cell, Corruptor, Pictures, Suite, cells


def faces(n: int = 5, side: int = 48) -> FaceSplit:
    pictures = np.random.default_rng(1).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    return FaceSplit(tuple(f"face{i}" for i in range(n)), np.zeros(n, int), pictures.__getitem__)


def suite(split: FaceSplit, engine: str = "serial", workers: int = 1, seed: int = 0) -> Suite:
    corruptor = Corruptor("test", "imagenet-c", seed)
    return Suite(Pictures(split, 40), corruptor, registry().executors[engine], workers)


def fingerprints(made: Suite, forms) -> dict[tuple[Cell, int], str]:
    return {
        (cell, i): hashlib.sha256(image.tobytes()).hexdigest()
        for cell, place, images in made.chunks(forms)
        for i, image in zip(range(place.start, place.stop), images, strict=True)
    }


FORMS = cells(["gaussian_noise", "snow", "glass_blur", "elastic_transform"], [1, 5])


@pytest.mark.parametrize(("engine", "workers"), [("threads", 1), ("threads", 4), ("processes", 2)])
def test_the_same_bytes_whatever_the_order_and_the_engine(engine, workers):
    expected = fingerprints(suite(faces()), FORMS)
    assert fingerprints(suite(faces(), engine, workers), FORMS[::-1]) == expected


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_all_85_forms_in_shuffled_order_over_processes(workers):
    names = [name for name, c in registry().corruptions.items() if c.in_benchmark]
    forms = cells(names)
    assert len(forms) == 85
    shuffled = [forms[i] for i in np.random.default_rng(workers).permutation(85)]
    expected = fingerprints(suite(faces(2)), forms)
    assert fingerprints(suite(faces(2), "processes", workers), shuffled) == expected


def test_the_same_bytes_for_an_image_made_alone():
    split = faces()
    expected = fingerprints(suite(split), FORMS)
    alone = fingerprints(suite(split.take([3])), FORMS)
    assert {cell: alone[cell, 0] for cell in FORMS} == {cell: expected[cell, 3] for cell in FORMS}


def test_every_part_of_the_address_matters():
    draws = {
        generator(dataset, sample, corruption, severity, seed).integers(2**63)
        for dataset in ("a", "b")
        for sample in ("x", "y", "xy")
        for corruption in ("snow", "fog")
        for severity in (1, 2)
        for seed in (0, 1)
    }
    assert len(draws) == 48


def test_chunks_cover_every_image_once():
    n = CHUNK + 3
    seen = [(cell, range(n)[place]) for cell, place, _ in suite(faces(n, 40)).chunks([CLEAN])]
    assert [row for _, rows in seen for row in rows] == list(range(n))


def test_the_clean_cell_is_the_resized_image():
    made = suite(faces())
    (_, _, images) = next(made.chunks([CLEAN]))
    np.testing.assert_array_equal(images, made.pictures(range(5)))
    assert images.shape == (5, 40, 40, 3)


def test_an_image_that_is_too_small_is_named():
    with pytest.raises(BadImageError, match="face0 is 20x20"):
        Pictures(faces(1, 20), 40)([0])


def test_a_smaller_limit_is_part_of_a_larger_one():
    ids = tuple(f"s{i}" for i in range(50))
    assert set(rank(ids, "limit")[:10]) < set(rank(ids, "limit")[:20])
    assert sorted(rank(ids, "limit")) == list(range(50))
    assert list(rank(ids, "limit")) != list(rank(ids, "validation"))


degradations = arrays(float, (4, 6), elements=st.floats(0, 10))


@given(degradations, st.sampled_from(["average", "image", "dataset"]))
@settings(max_examples=50)
def test_visibility_lies_between_nothing_and_everything(d, scope):
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


def test_forms_outside_the_benchmark_do_not_move_the_others():
    d = np.array([[1.0, 2.0, 8.0]])
    v = normalise(d, np.array([True, True, False]), "average")
    np.testing.assert_allclose(v, [[1 / 2, 0, 0]])


def test_an_image_that_nothing_changes_stays_visible():
    v = normalise(np.array([[0.0, 0.0], [1.0, 2.0]]), np.ones(2, bool), "image")
    np.testing.assert_allclose(v, [[1, 1], [1 / 2, 0]])


def test_measured_degradation_is_that_of_the_images():
    made = suite(faces())
    l2 = registry().visibilities["l2"]
    d = measure(made, FORMS, l2.against)
    assert d.shape == (5, len(FORMS))
    clean = made.pictures([2])[0]
    assert d[2, 1] == l2(clean, made.corruptor.one(clean, "face2", FORMS[1]))
    np.testing.assert_array_equal(measure(made.take([2]), FORMS, l2.against), d[2:3])


def test_the_average_uses_a_hundred_faces():
    many = suite(faces(130, 40))
    assert len(sample_rows(many, "average")) == 100
    assert len(sample_rows(many, "dataset")) == 130


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_work_is_handed_out_only_a_little_ahead(workers):
    started = []

    def work(i: int) -> int:
        started.append(i)
        time.sleep(0.001 * (i % 3))
        return i * i

    squares = registry().executors["threads"](work, range(50), workers)
    assert [next(squares) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(started) <= 5 + 2 * workers + 1
    assert list(squares) == [i * i for i in range(5, 50)]


def test_what_concerns_the_clean_image_alone_is_done_once_for_each():
    prepared = []

    def prepare(clean):
        prepared.append(clean)
        return clean

    entry = Visibility("mine", lambda clean, corrupted: 0.0, prepare=prepare)
    made = suite(faces(CHUNK + 3, 40))
    measure(made, FORMS, entry.against)
    np.testing.assert_array_equal(np.stack(prepared), made.pictures(range(CHUNK + 3)))
