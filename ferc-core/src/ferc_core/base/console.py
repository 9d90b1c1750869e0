"""Standard output and standard error: what they cannot take, and when they are gone.

Text that the console's encoding lacks is written in other words ("+-" for "±") or as an escape.
Where a stream is closed (``>&-``), nothing is shown and nothing fails.
"""

from __future__ import annotations

import codecs
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ferc_core.errors import Stopped, StoreError

ERRORS = "ferc"  # the name of the handler of characters that an encoding lacks
IN_ASCII = {"±": "+-", "…": "...", "─": "-", "━": "-"}


class Output(io.TextIOWrapper):
    """A standard stream of this process that says what is wrong with it.

    Where nobody reads it any more, as in ``ferc ... | head -1``, the process is to stop. What
    standard error cannot take for another reason is lost, for there is nowhere to say so.
    """

    def write(self, text: str) -> int:
        """Write a text."""
        if text == "":  # Typer tries what it may write
            return 0
        with self.watched():
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        with self.watched():
            super().flush()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Turn an error of the stream into one that says which stream it is."""
        try:
            yield
        except BrokenPipeError as error:
            self.give_up()
            raise Stopped(signal.SIGPIPE) from error
        except OSError as error:
            self.give_up()
            if self.fileno() == 1:
                raise StoreError(
                    f"standard output could not be written: {error.strerror}"
                ) from error

    def give_up(self) -> None:
        """Let whatever is still written go nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def prepare() -> None:
    """Make the standard streams fit for any text, and open those that are closed."""
    codecs.register_error(ERRORS, in_other_words)
    while (free := os.open(os.devnull, os.O_RDWR)) <= 2:  # else a file would get their number
        pass
    os.close(free)
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif type(stream) is io.TextIOWrapper:
            how = stream.encoding, ERRORS, None, stream.line_buffering, stream.write_through
            output = Output(stream.detach(), *how)
            setattr(sys, name, output)
            setattr(sys, f"__{name}__", output)


def in_other_words(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the characters that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    known = (IN_ASCII.get(c, c.encode("ascii", "backslashreplace").decode()) for c in lacking)
    return "".join(known), error.end
