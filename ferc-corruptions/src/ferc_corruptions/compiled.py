"""Loops over pixels, compiled when they are first called.

Numba compiles them without "fast math": sums keep their order, and no multiplication is fused with
an addition. So they give the same bytes with whatever instructions a processor has. Where Numba has
no wheel, Python runs the same loops, to the same bytes, and an image of 224x224 takes seconds.

Three habits keep them fast, and as fast at 48x48 as at 224x224:

- Arrays are flat, rows are given by where they start, and such numbers are unsigned: Numba does not
  ask whether they count from the end, and LLVM makes vector instructions of the loop.
- An innermost loop is a function of its own.
- What is only read is marked so (`read_only`): other arrays would be compiled a second time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ferc_core.base.memory import keep_freed_blocks

try:
    from numba import njit
except ImportError:
    njit = None  # type: ignore[assignment]
    warnings.warn(
        "Numba is not installed: corruptions give the same images, thousands of times more slowly",
        stacklevel=2,
    )

keep_freed_blocks()

Function = TypeVar("Function", bound=Callable[..., Any])
Flat = npt.NDArray[Any]  # one-dimensional
Whole = int | np.integer[Any]  # the numbers of a loop
Real = Any  # float or a NumPy one; their unions are too much for a type checker
U = np.uint64  # an unsigned number; with a signed one, Numba would compute in floating point


def compiled(function: Function) -> Function:
    """Return a function that is compiled at its first call, and kept on disk where it can be."""
    if njit is None:
        return np.errstate(over="ignore")(function)  # unsigned numbers start again from 0
    try:
        return njit(function, cache=True, nogil=True, error_model="numpy")  # type: ignore[no-any-return]
    except RuntimeError:  # there is no folder for it that can be written to
        return njit(function, nogil=True, error_model="numpy")  # type: ignore[no-any-return]


def read_only(array: npt.NDArray[Any]) -> Flat:
    """Return an array as a flat one in C order that cannot be written to."""
    flat = np.ascontiguousarray(array).reshape(-1).view()
    flat.setflags(write=False)
    return flat
