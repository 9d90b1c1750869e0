"""Progress reporting, by context: whoever works calls `say` and `track`, whoever watches shows it.

`ferc_core.base.display.Display` shows progress to people. Where nobody watches, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol


class Advance(Protocol):
    """Moves a progress bar on by ``step`` and may change the note beside it."""

    def __call__(self, step: float, note: str = "") -> None:
        """Move on."""


class Watcher(Protocol):
    """Shows progress: bars on a terminal, lines in a log, or nothing."""

    def track(self, label: str, total: float, marks: int) -> AbstractContextManager[Advance]:
        """Show the progress of one piece of work; see the function `track`."""

    def say(self, text: str) -> None:
        """Show a line."""


class Silent:
    """A watcher that shows nothing."""

    @contextmanager
    def track(self, label: str, total: float, marks: int) -> Iterator[Advance]:
        """Show nothing."""
        yield ignore

    def say(self, text: str) -> None:
        """Show nothing."""


def ignore(step: float, note: str = "") -> None:
    """Show no progress."""


_watcher: ContextVar[Watcher] = ContextVar("watcher", default=Silent())  # noqa: B039


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Let ``watcher`` show what happens in this context."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


def watcher() -> Watcher:
    """Return whoever watches in this context."""
    return _watcher.get()


def say(text: str) -> None:
    """Show a line."""
    _watcher.get().say(text)


def track(label: str, total: float, marks: int = 0) -> AbstractContextManager[Advance]:
    """Show the progress of one piece of work.

    A log gets a line when the work is done, and before that one after each of ``marks`` equal
    parts, or after each tenth of work that takes long.
    """
    return _watcher.get().track(label, total, marks)
