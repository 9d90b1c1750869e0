"""Executors: results in order, whatever runs them, and work handed out a little ahead."""

from __future__ import annotations

import time

import pytest

from ferc_core import registry

EXECUTORS = registry().executors


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_work_is_handed_out_only_a_little_ahead(workers):
    started = []

    def work(i: int) -> int:
        started.append(i)
        time.sleep(0.001 * (i % 3))
        return i * i

    squares = EXECUTORS["threads"](work, range(50), workers)
    assert [next(squares) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(started) <= 5 + 2 * workers + 1
    assert list(squares) == [i * i for i in range(5, 50)]


def test_an_error_ends_the_work_and_cancels_what_waits():
    started = []

    def work(i: int) -> int:
        started.append(i)
        if i == 3:
            raise ValueError("three")
        time.sleep(0.001)
        return i

    with pytest.raises(ValueError, match="three"):
        list(EXECUTORS["threads"](work, range(1000), 2))
    assert len(started) < 20


def test_processes_give_results_in_order():
    assert list(EXECUTORS["processes"](abs, [-3, 2, -1], 2)) == [3, 2, 1]
