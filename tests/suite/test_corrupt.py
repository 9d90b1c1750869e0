"""The suite: every face in every cell, at its address, whoever makes it."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.suites import CELLS, OFFICIAL, corruptor, faces, fingerprints, suite

from ferc_core.errors import BadImageError, RequestError, RunError
from ferc_core.spec import Corruption
from ferc_core.suite.cells import CLEAN, Cell, cells
from ferc_core.suite.corrupt import CHUNK, Chunk


def test_cells_are_every_combination_and_have_a_text():
    assert len(cells(OFFICIAL)) == 85
    assert [str(cell) for cell in cells(["snow", "fog"], [1, 2])] == [
        "snow/1", "snow/2", "fog/1", "fog/2",
    ]  # fmt: skip


def test_threads_give_the_same_bytes_in_any_order():
    expected = fingerprints(suite(faces()), CELLS)
    for workers in (1, 4):
        assert fingerprints(suite(faces(), "threads", workers), CELLS[::-1]) == expected


def test_all_85_cells_in_any_order_over_processes_give_the_same_bytes():
    every = cells(OFFICIAL)
    shuffled = [every[i] for i in np.random.default_rng(2).permutation(85)]
    expected = fingerprints(suite(faces(2)), every)
    assert fingerprints(suite(faces(2), "processes", 2), shuffled) == expected


def test_an_image_made_alone_has_the_same_bytes():
    split = faces()
    expected = fingerprints(suite(split), CELLS)
    alone = fingerprints(suite(split.take([3])), CELLS)
    assert {cell: alone[cell, 0] for cell in CELLS} == {cell: expected[cell, 3] for cell in CELLS}
    taken = fingerprints(suite(split).take([3]), CELLS)
    assert taken == alone


def test_chunks_cover_every_image_of_every_cell_once():
    n, both = CHUNK + 3, (CLEAN, Cell("contrast", 5))
    seen = [(cell, range(n)[place]) for cell, place, _ in suite(faces(n, 40)).chunks(both)]
    for cell in both:
        assert [row for c, rows in seen if c == cell for row in rows] == list(range(n))
    assert [cell for cell, _ in seen] == [CLEAN, CLEAN, both[1], both[1]]


def test_cells_are_asked_for_a_little_ahead_of_their_turn():
    asked = []

    def cells():
        for severity in (1, 2, 3, 4, 5):
            asked.append(severity)
            yield Cell("contrast", severity)

    made = suite(faces()).chunks(cells())
    assert next(made)[0] == Cell("contrast", 1)
    assert asked == [1]
    assert [cell.severity for cell, *_ in made] == [2, 3, 4, 5]


def test_the_clean_cell_is_the_resized_image():
    made = suite(faces())
    (_, _, images) = next(made.chunks([CLEAN]))
    np.testing.assert_array_equal(images, made.images(range(5)))
    assert images.shape == (5, 40, 40, 3)


def test_a_corruption_that_raises_is_named_with_sample_and_cell():
    def broken(image, severity, rng):
        raise IndexError("too far")

    made = corruptor(names=["snow"])
    chosen = made.corruptions["snow"]
    made.corruptions["snow"] = type(chosen)(Corruption("snow", broken), chosen.call)
    clean = faces(1).read(0)
    with pytest.raises(BadImageError, match="sample face0: snow/5 failed with IndexError: too far"):
        made.one(clean, "face0", Cell("snow", 5))
    lacking = Corruption("snow", lambda image, severity, rng: np.empty(1 << 60, np.uint8))
    made.corruptions["snow"] = type(chosen)(lacking, chosen.call)
    with pytest.raises(RunError, match="memory ran out"):  # the image is not bad
        made.one(clean, "face0", Cell("snow", 5))
    with pytest.raises(RequestError, match="severity must be"):  # ours stay as they are
        made(Chunk(Cell("snow", 7), ("face0",), clean[None]))
