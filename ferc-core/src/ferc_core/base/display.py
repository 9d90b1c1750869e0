"""Progress for people: bars on a terminal or in a notebook, lines elsewhere and in a log file.

All of it goes to standard error, so that standard output holds results alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ferc_core.base.paths import expanded, no_file
from ferc_core.base.progress import Advance, ignore
from ferc_core.base.text import bounded, printable
from ferc_core.errors import RequestError, StoreError

SECONDS_BETWEEN_LINES = 5  # of one piece of work in a log, unless it asks for marks


class Display:
    """A `ferc_core.base.progress.Watcher` for people; a context that bars are shown in.

    quiet:    show nothing
    log_file: a file that lines with the time are added to, whether quiet or not
    """

    def __init__(self, quiet: bool = False, log_file: Path | str | None = None) -> None:
        self.quiet = quiet
        self.log_file = expanded(log_file) if log_file else None
        self.console = Console(stderr=True, highlight=False, emoji=False)
        # a notebook draws bars by ipywidgets; without them it gets lines
        notebook = self.console.is_jupyter and find_spec("ipywidgets") is not None
        self.shows_bars = not quiet and (self.console.is_terminal or notebook)
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            disable=not self.shows_bars,
        )

    def __enter__(self) -> Display:
        if self.log_file is not None:
            check_log_file(self.log_file)
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    @contextmanager
    def track(self, label: str, total: float, marks: int) -> Iterator[Advance]:
        """Show a bar, or where there is no terminal lines, at the end and in between."""
        if total == 0:
            yield ignore
            return
        label = printable(label)
        task = self.progress.add_task(label, total=total, note="")
        start = shown = time.monotonic()
        reached, last = 0.0, ""

        def advance(step: float, note: str = "") -> None:
            nonlocal reached, last, shown
            before, reached, last = reached, reached + step, printable(note)
            self.progress.update(task, advance=step, note=last)
            parts = marks or 10
            mark = int(parts * reached / total + 1e-9)
            if mark == int(parts * before / total + 1e-9) or mark >= parts:
                return
            if marks or time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
                shown = time.monotonic()
                part = f"{mark}/{marks}" if marks else f"{reached / total:.0%}"
                self.line(f"{label}: {part} in {shown - start:.0f} s {last}")

        yield advance
        self.progress.update(task, completed=total)
        self.line(f"{label}: done in {time.monotonic() - start:.1f} s {last}")

    def say(self, text: str) -> None:
        """Show a line, above the bars where there are any."""
        self.show(text, not self.quiet)

    def line(self, text: str) -> None:
        """Show a line about progress, where no bar shows it."""
        self.show(text.rstrip(), not (self.quiet or self.shows_bars))

    def show(self, text: str, on_screen: bool) -> None:
        """Show a line where it is wanted, and add it to the log file, if there is one."""
        text = bounded(printable(text))
        if on_screen:
            self.console.print(text, markup=False, soft_wrap=True)
        if self.log_file is None:
            return
        try:
            with self.log_file.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now().astimezone():%Y-%m-%d %H:%M:%S%z} {text}\n")
        except OSError as error:
            raise StoreError(
                f"the log file {self.log_file} could not be written: {error.strerror}"
            ) from error


def check_log_file(path: Path) -> None:
    """Raise `RequestError` unless lines can be added to a file of this name."""
    try:
        reason = no_file(path) if os.path.lexists(path) else ""
        if not reason:
            path.open("a").close()
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise RequestError(f"cannot write the log file {path}: {reason}")
