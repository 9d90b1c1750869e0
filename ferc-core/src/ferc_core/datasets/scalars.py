"""Single values in NumPy files, read by the hundred thousand.

Some datasets have a file for each number. `numpy.load` spends more time on a header than on the
value; here every distinct header is parsed once, and the files are read by several threads.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.lib.format as npy

from ferc_core.base.files import read_bytes

THREADS = 8  # they wait for the disk
LARGEST = 1 << 20  # bytes of a file with one value
FILES_AT_A_TIME = 2000


class NoScalarError(Exception):
    """A file does not hold a single value; the message says why ("is cut short")."""


def read_scalars(
    paths: Sequence[str], advance: Callable[[int], object]
) -> tuple[list[str], dict[int, str]]:
    """Return the values of ``.npy`` files as text, and what is wrong with the others by row.

    A value is a text or a number of any type, in an array of one element; a file without one
    gives "". Pickled objects are never loaded. ``advance`` is called with the number of files
    read since its last call.
    """
    parts = [paths[i : i + FILES_AT_A_TIME] for i in range(0, len(paths), FILES_AT_A_TIME)]
    values: list[str] = []
    faults: dict[int, str] = {}
    with ThreadPoolExecutor(THREADS) as threads:
        for part in threads.map(lambda paths: [*map(_read, paths)], parts):
            faults |= {len(values) + i: fault for i, (_, fault) in enumerate(part) if fault}
            values += [text for text, _ in part]
            advance(len(part))
    return values, faults


def _read(path: str) -> tuple[str, str]:
    """Return the value of a file and "", or "" and what is wrong with the file."""
    try:
        return scalar(read_bytes(path, LARGEST)), ""
    except NoScalarError as error:
        return "", str(error)
    except OSError as error:
        return "", f"cannot be read ({error.strerror})"


def scalar(content: bytes) -> str:
    """Return the only value of a ``.npy`` file as text; raises `NoScalarError`.

    >>> file = io.BytesIO()
    >>> np.save(file, np.float32(-0.25))
    >>> scalar(file.getvalue())
    '-0.25'
    """
    if not content.startswith(npy.MAGIC_PREFIX):
        raise NoScalarError("is not a NumPy file" if content else "is empty")
    # Version 1 stores the length of its header in two bytes, later versions in four.
    start = 10 if content[6:7] == b"\1" else 12
    end = start + int.from_bytes(content[8:start], "little")
    if len(content) < end:
        raise NoScalarError("is cut short")
    dtype = scalar_type(content[:end])
    if len(content) < end + dtype.itemsize:
        raise NoScalarError("is cut short")
    value = np.frombuffer(content, dtype, count=1, offset=end)[0]
    # str(float32) keeps the digits of the file: 0.3, not 0.30000001192092896.
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if not text.isprintable():
        raise NoScalarError("holds damaged text")
    return text


@lru_cache(maxsize=1024)
def scalar_type(header: bytes) -> np.dtype[Any]:
    """Return the type of the one element that the header of a ``.npy`` file announces."""
    file = io.BytesIO(header)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    try:
        shape, _, dtype = read_header[npy.read_magic(file)](file)
    except Exception as error:  # NumPy's parser fails in many ways on a damaged header
        raise NoScalarError("has a damaged header") from error
    if dtype.hasobject:
        raise NoScalarError("holds pickled Python objects, which are never loaded")
    if np.prod(shape) != 1 or not dtype.itemsize:
        raise NoScalarError("does not hold a single value")
    return dtype
