"""Signals that tell a process to stop: `Stopped` is raised, and what is begun is put in order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from ferc_core.errors import Stopped

SOON = 0.01  # seconds

Handler = Callable[[int, FrameType | None], None]


def stop(number: int, frame: FrameType | None) -> None:
    """Stop; the handler of a signal."""
    raise Stopped(number)


def stop_on(*numbers: int, handler: Handler = stop) -> None:
    """Let signals be answered by a handler that raises `Stopped`."""
    for number in numbers:
        signal.signal(number, handler)
    sys.unraisablehook = dropped


def dropped(found: Any) -> None:
    """Stop a little later where the signal came while Python dropped all errors, as it does at
    the end of an object.
    """
    if not isinstance(found.exc_value, Stopped) or not hasattr(signal, "setitimer"):
        sys.__unraisablehook__(found)
        return
    number = found.exc_value.number
    signal.signal(signal.SIGALRM, lambda alarm, frame: stop(number, frame))
    signal.setitimer(signal.ITIMER_REAL, SOON)
