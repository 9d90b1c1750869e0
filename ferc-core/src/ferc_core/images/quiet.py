"""Decoders without their remarks: libjpeg and libpng print what they dislike, without a file name.

They write to the ``stderr`` of the C library. While an image is decoded that variable has another
stream; Python's own output, which other threads may write meanwhile, does not pass through it.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

_lock = threading.Lock()
_decoding = 0  # threads that decode now


@cache
def _streams() -> tuple[ctypes.c_void_p, int | None, int] | None:
    """Return the variable, its usual stream and one that nobody reads; None where unknown."""
    try:
        library = ctypes.CDLL(None)
        variable = ctypes.c_void_p.in_dll(library, "stderr")
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.fsencode(os.devnull), b"w")
    except (OSError, AttributeError, ValueError, TypeError):  # not the C library of Linux
        return None
    return (variable, variable.value, nowhere) if nowhere else None


@contextmanager
def quiet() -> Iterator[None]:
    """Run a block in which C libraries print nothing; other threads may run one, too."""
    global _decoding
    streams = _streams()
    if streams is None:
        yield
        return
    variable, usual, nowhere = streams
    with _lock:
        _decoding += 1
        variable.value = nowhere
    try:
        yield
    finally:
        with _lock:
            _decoding -= 1
            if not _decoding:
                variable.value = usual
