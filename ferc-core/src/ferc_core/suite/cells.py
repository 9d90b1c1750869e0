"""The cells of the benchmark: a corruption at a severity; the clean set is the cell clean/0."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ferc_core.spec import SEVERITIES


@dataclass(frozen=True, order=True)
class Cell:
    """A corruption, as its canonical call, at a severity."""

    corruption: str
    severity: int

    def __str__(self) -> str:
        return f"{self.corruption}/{self.severity}"


CLEAN = Cell("clean", 0)
POOLED = Cell("pooled", 0)  # in tables: all corrupted images together


def cells(corruptions: Iterable[str], severities: Sequence[int] = SEVERITIES) -> tuple[Cell, ...]:
    """Return every combination, corruption by corruption."""
    return tuple(Cell(c, s) for c in corruptions for s in severities)
