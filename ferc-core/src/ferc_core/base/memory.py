"""Memory that stays with the process."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# parameters of mallopt(3) of the GNU C library
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
MIB = 1 << 20


def keep_freed_blocks() -> None:
    """Let the C library of Linux keep freed blocks of up to 32 MiB instead of returning them.

    A run makes and frees blocks of the size of images and of a network's layers all the time, and
    the system clears each before it hands it out again: a fifth of the time of a whole run.
    Elsewhere this does nothing.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # another C library
        set_option = ctypes.CDLL(None).mallopt
        set_option(MMAP_THRESHOLD, 32 * MIB)  # at most
        set_option(TRIM_THRESHOLD, 2048 * MIB - 1)
        set_option(TOP_PAD, 64 * MIB)
