"""How long work shows itself; `ferc_core.cli.bars` does it for people.

What is far from the command line, such as the loader of a dataset, asks `current` for the
watcher of the command that it works for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Protocol


class Advance(Protocol):
    """Moves a progress bar on by ``step`` and may change what is written beside it."""

    def __call__(self, step: float, note: str = "") -> None:
        """Move on."""


class Watcher(Protocol):
    """Shows what goes on: progress bars on a terminal, lines in a log, or nothing."""

    def track(self, label: str, total: float) -> AbstractContextManager[Advance]:
        """Show progress of one piece of work."""

    def say(self, text: str) -> None:
        """Show a line."""


class Silent:
    """A watcher that shows nothing."""

    @contextmanager
    def track(self, label: str, total: float) -> Iterator[Advance]:
        """Show nothing."""
        yield lambda step, note="": None

    def say(self, text: str) -> None:
        """Show nothing."""


_current: ContextVar[Watcher] = ContextVar("watcher", default=Silent())  # noqa: B039


def current() -> Watcher:
    """Return the watcher of the work that calls this; a silent one where nobody watches."""
    return _current.get()


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Make ``watcher`` the current one."""
    token = _current.set(watcher)
    try:
        yield
    finally:
        _current.reset(token)
