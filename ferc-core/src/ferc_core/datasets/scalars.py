"""Single values in NumPy files, read by the hundred thousand.

Some sets come with a file for each number. `numpy.load` takes longer for a header than for the
value; here every different header is understood once, and the files are read by several threads.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.lib.format as npy

THREADS = 8  # they wait for the disk
FILES_AT_A_TIME = 2000


class NoScalarError(Exception):
    """A file holds no single value; the message says what it is instead ("is cut short")."""


def read_scalars(
    paths: Sequence[str], advance: Callable[[int], object]
) -> tuple[list[str], dict[int, str]]:
    """Return the values of ``.npy`` files as texts, and what is wrong with those without one.

    A value is a text or a number of any kind, in an array of one element. A file that holds none
    gives "" and an entry (row: what is wrong with it). Pickled objects are never loaded.
    ``advance`` is called with the number of files that were read since the last call.
    """
    parts = [paths[i : i + FILES_AT_A_TIME] for i in range(0, len(paths), FILES_AT_A_TIME)]
    values: list[str] = []
    faults: dict[int, str] = {}
    with ThreadPoolExecutor(THREADS) as threads:
        for texts, wrong in threads.map(_read_part, parts):
            faults.update((len(values) + i, fault) for i, fault in wrong.items())
            values += texts
            advance(len(texts))
    return values, faults


def _read_part(paths: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    texts, faults = [""] * len(paths), {}
    for i, path in enumerate(paths):
        try:
            with open(path, "rb", buffering=0) as file:
                texts[i] = scalar(file.read())
        except NoScalarError as error:
            faults[i] = str(error)
        except OSError as error:
            faults[i] = f"cannot be read ({error.strerror})"
    return texts, faults


def scalar(content: bytes) -> str:
    """Return the only value of a ``.npy`` file as a text; raises `NoScalarError`.

    >>> file = io.BytesIO()
    >>> np.save(file, np.float32(-0.25))
    >>> scalar(file.getvalue())
    '-0.25'
    """
    if not content.startswith(npy.MAGIC_PREFIX):
        raise NoScalarError("is empty" if not content else "is no NumPy file")
    # Version 1 has two bytes for the length of its header, the later ones have four.
    start = 10 if content[6:7] == b"\1" else 12
    end = start + int.from_bytes(content[8:start], "little")
    if len(content) < end:
        raise NoScalarError("is cut short")
    dtype = scalar_type(content[:end])
    if len(content) < end + dtype.itemsize:
        raise NoScalarError("is cut short")
    value = np.frombuffer(content, dtype, count=1, offset=end)[0]
    # A float32 is written with its own digits: 0.3, not 0.30000001192092896.
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if not text.isprintable():
        raise NoScalarError("holds a damaged text")
    return text


@lru_cache(maxsize=1024)
def scalar_type(header: bytes) -> np.dtype[Any]:
    """Return the type of the one element that the header of a ``.npy`` file announces."""
    file = io.BytesIO(header)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        shape, _, dtype = read_header[npy.read_magic(file)](file)
    except Exception as error:  # NumPy's parser fails in many ways on a damaged one
        raise NoScalarError("has a damaged header") from error
    if dtype.hasobject:
        raise NoScalarError("holds pickled Python objects, which are never loaded")
    if np.prod(shape) != 1 or not dtype.itemsize:
        raise NoScalarError("holds no single value")
    return dtype
