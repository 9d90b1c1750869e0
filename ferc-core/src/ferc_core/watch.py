"""How long work shows itself: the interface, and a watcher that shows nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
        """Say nothing."""
