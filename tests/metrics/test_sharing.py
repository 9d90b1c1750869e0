"""What metrics have in common is computed once for arrays that nobody can change."""

from __future__ import annotations

import gc
import weakref

import numpy as np

from ferc_metrics.sharing import is_frozen, remembered


def frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def counted():
    calls = []

    @remembered
    def doubled(array):
        calls.append(array)
        return array * 2

    return doubled, calls


def test_it_is_computed_once_for_the_same_read_only_array():
    doubled, calls = counted()
    one, other = frozen(np.arange(3.0)), frozen(np.arange(3.0))
    for _ in range(3):
        assert doubled(one).tolist() == doubled(other).tolist() == [0, 2, 4]
    assert len(calls) == 2
    assert not doubled(one).flags.writeable


def test_an_array_that_may_change_is_looked_at_again():
    doubled, calls = counted()
    array = np.arange(3.0)
    assert doubled(array)[2] == 4
    array[2] = 5
    assert doubled(array)[2] == 10
    view = frozen(array[:])  # may change, through the array
    assert doubled(view)[2] == 10
    array[2] = 6
    assert doubled(view)[2] == 12
    assert doubled([1.0]) == [1.0, 1.0]
    assert len(calls) == 5


def test_only_arrays_that_own_what_is_read_only_are_frozen():
    owner = np.arange(4.0)
    assert not is_frozen(owner)
    assert not is_frozen(frozen(owner[:2]))
    assert is_frozen(frozen(owner))
    assert is_frozen(owner[:2])
    assert is_frozen(np.frombuffer(b"abcd", np.uint8))
    assert not is_frozen("text")


def test_arrays_are_not_kept_alive():
    doubled, _ = counted()
    array = frozen(np.arange(3.0))
    known = weakref.ref(array)
    doubled(array)
    _.clear()
    del array
    gc.collect()
    assert known() is None
