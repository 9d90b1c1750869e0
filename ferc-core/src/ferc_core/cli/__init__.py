"""The command line ``ferc``. Importing it is light: each command imports what it needs."""

from __future__ import annotations

# The part of signal that is in the interpreter: nothing is imported for it.
import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False  # of typing, which takes longer to import than all the rest
if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Run the command line; Ctrl-C is answered from here on, while all the rest is imported."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, end)
    from ferc_core.cli.app import run

    run()


def end(number: int, frame: FrameType | None) -> None:
    """End at once: until a command begins its work there is nothing to put in order."""
    what = b"interrupted" if number == _signal.SIGINT else b"terminated"
    try:
        os.write(2, b"\nferc: " + what + b"\n")
    finally:
        os._exit(128 + number)
