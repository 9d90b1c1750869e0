"""How long work shows itself; `ferc_core.cli.bars` does it for people."""

from __future__ import annotations

from contextlib import AbstractContextManager
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
