"""Progress of other processes: a `Messenger` there tells what a `Relay` here shows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import Any

from ferc_core.base.progress import Advance, Watcher

Message = tuple[Any, ...]  # of plain values


class Messenger:
    """A watcher in a process that people do not see; ``send`` takes its messages to a `Relay`."""

    def __init__(self, send: Callable[[Message], object]) -> None:
        self.send, self.numbers = send, count()

    @contextmanager
    def track(self, label: str, total: float, marks: int) -> Iterator[Advance]:
        """Show the progress of one piece of work."""
        number = next(self.numbers)

        def advance(step: float, note: str = "") -> None:
            self.send(("step", number, step, note))

        self.send(("begin", number, label, total, marks))
        yield advance
        self.send(("end", number))

    def say(self, text: str) -> None:
        """Show a line."""
        self.send(("say", text))


class Relay:
    """Shows what one other process tells, by a watcher that sees several of them."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.shown: dict[int, tuple[AbstractContextManager[Advance], Advance]] = {}
        self.lock = threading.Lock()

    def show(self, message: Message) -> None:
        """Show a message."""
        kind, *rest = message
        with self.lock:
            if kind == "say":
                self.watcher.say(*rest)
            elif kind == "begin":
                number, label, total, marks = rest
                shown = self.watcher.track(label, total, marks)
                self.shown[number] = shown, shown.__enter__()
            elif kind == "step" and rest[0] in self.shown:
                self.shown[rest[0]][1](*rest[1:])
            elif kind == "end" and rest[0] in self.shown:
                self.shown.pop(rest[0])[0].__exit__(None, None, None)
