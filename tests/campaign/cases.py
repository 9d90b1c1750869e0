"""Cases: functions that write a bad (or an unusual) input, and say which command is to meet it.

    @case
    def seed_of_twenty_digits(folder, dice):
        return Asked("run", "--seed", "1" * 20)

A case is one idea and has many inputs, one for each number. The same number gives the same input
again, which is how a finding is repeated: ``python -m campaign --again inputs/NAME/NUMBER``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

Something = TypeVar("Something")

ENDLESS = sys.maxsize
MODULES = (
    "options", "configs", "plugin_files", "predictions", "data", "images", "mixtures", "records",
    "tables", "models", "caches", "places", "surroundings", "good",
)  # fmt: skip


class Dice(random.Random):
    """The random numbers of an input; ``number`` is its place among the inputs of its case."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{name}/{number}")
        self.number = number

    def turn(self, choices: Sequence[Something]) -> Something:
        """Return the choices one after the other, as the numbers count up."""
        return choices[self.number % len(choices)]


@dataclass(frozen=True, init=False)
class Asked:
    """A command line, where it is run, and what it may do.

    expect:     "refused" where it must not succeed, "done" where it must, "any" where both may be
    may_change: files and folders, relative to the working folder, that it may write again; all
                others that are there before must be the same afterwards
    same:       a file that it makes, and the one in stock whose bytes it must have when it is done
    stdout, stderr: "kept"; "full" disk; "closed"; a "pipe" that nobody reads
    encoding:   of both
    memory, files, size: limits of the process: bytes of address space, open files, bytes of a file
    signal:     one that is sent, and after how many seconds
    process:    in a new interpreter, not in a fork of one that has imported everything
    network:    it may be asked for something
    """

    arguments: tuple[str, ...]
    environment: Mapping[str, str | None] = field(default_factory=dict)
    expect: Literal["refused", "done", "any"] = "any"
    may_change: tuple[str, ...] = ()
    same: tuple[str, str] | None = None
    stdout: Literal["kept", "full", "closed", "pipe"] = "kept"
    stderr: Literal["kept", "full", "closed"] = "kept"
    encoding: str = "utf-8"
    memory: int = 0
    files: int = 0
    size: int = 0
    signal: tuple[int, float] | None = None
    process: bool = False
    network: bool = False

    def __init__(self, *arguments: object, **rest: object) -> None:
        object.__setattr__(self, "arguments", tuple(map(str, arguments)))
        for name, known in self.__dataclass_fields__.items():
            if name == "arguments":
                continue
            usual = {} if name == "environment" else known.default
            object.__setattr__(self, name, rest.pop(name, usual))
        if rest:
            raise TypeError(f"unknown: {', '.join(rest)}")

    @property
    def command(self) -> str:
        """What a person would type, for messages."""
        shown = (
            a if len(a) < 200 else f"{a[:100]}[... {len(a)} characters]" for a in self.arguments
        )
        return " ".join(["ferc", *(ascii(a) if needs_quotes(a) else a for a in shown)])


def needs_quotes(argument: str) -> bool:
    """Whether an argument is shown in quotes."""
    return not argument or not argument.isprintable() or any(c in argument for c in " \"'()[]{}*")


Write = Callable[[Path, Dice], Asked]


@dataclass(frozen=True)
class Case:
    """An idea of an input: the function, how many different ones it has, and if they are quick."""

    name: str
    write: Write
    many: int
    quick: bool


CASES: dict[str, Case] = {}


def case(write: Write | None = None, *, many: int = 1, quick: bool = True) -> Callable[..., Asked]:
    """Make a case of a function; ``many`` is the number of its different inputs."""

    def add(function: Write) -> Write:
        assert function.__name__ not in CASES, f"two cases are called {function.__name__}"
        CASES[function.__name__] = Case(function.__name__, function, many, quick)
        return function

    return add if write is None else add(write)


def all_cases() -> dict[str, Case]:
    """Return every case by name."""
    for module in MODULES:
        import_module(f"campaign.inputs.{module}")
    return CASES


def chosen(many: int, seed: int = 0, only: str = "", quick: bool = False) -> list[str]:
    """Return the ids of this many inputs: all cases take turns, until they have no more."""
    cases = [
        case
        for case in all_cases().values()
        if only in f"inputs/{case.write.__module__.rpartition('.')[2]}/{case.name}"
        and (case.quick or not quick)
    ]
    ids: list[str] = []
    for turn in count():
        left = [case for case in cases if turn < case.many]
        if not left or len(ids) >= many:
            return ids[:many]
        ids += [f"inputs/{case.name}/{numbered(case, turn, seed)}" for case in left]
    raise AssertionError


def numbered(case: Case, turn: int, seed: int) -> int:
    """Return the number of an input; only those of endless cases depend on the seed."""
    return turn + seed * 1_000_000 if case.many == ENDLESS else turn


def found(identity: str) -> tuple[Case, Dice]:
    """Return the case and the dice of an id."""
    _, name, number = identity.split("/")
    return all_cases()[name], Dice(name, int(number))


def among(choices: Sequence[Something], dice: Dice, most: int) -> Iterator[Something]:
    """Yield one to ``most`` of the choices."""
    yield from dice.sample(list(choices), min(len(choices), dice.randint(1, most)))
