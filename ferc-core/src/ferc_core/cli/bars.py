"""Progress on the terminal, or as a few lines in a log. All of it goes to standard error."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ferc_core.base.progress import Advance, watching
from ferc_core.errors import RunError


class Bars:
    """A `ferc_core.base.progress.Watcher` for people."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    @contextmanager
    def track(self, label: str, total: float) -> Iterator[Advance]:
        """Show a bar, or on no terminal a line at the end; nothing where there is nothing to do."""
        if total == 0:
            yield lambda step, note="": None
            return
        task = self.progress.add_task(label, total=total, note="")
        start, last = time.monotonic(), ""

        def advance(step: float, note: str = "") -> None:
            nonlocal last
            last = note
            self.progress.update(task, advance=step, note=note)

        yield advance
        if not self.console.is_terminal:
            self.say(f"{label}: done in {time.monotonic() - start:.1f} s {last}".rstrip())

    def say(self, text: str) -> None:
        """Show a line above the bars."""
        self.console.print(text, markup=False, soft_wrap=True)


@contextmanager
def interruptible() -> Iterator[Bars]:
    """Show progress of all that is done, and end in one sentence on Ctrl-C."""
    try:
        with Bars() as bars, watching(bars):
            yield bars
    except KeyboardInterrupt:
        raise RunError("stopped; the same command goes on from here") from None
