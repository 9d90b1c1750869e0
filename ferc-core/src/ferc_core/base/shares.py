"""Shares of work for job arrays: ``--part 2/4`` is the second of four."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from ferc_core.errors import RequestError

T = TypeVar("T")

MOST = 10**6


@dataclass(frozen=True)
class Share:
    """The part ``number``, from 1, of ``count`` parts. All of them together are the whole."""

    number: int = 1
    count: int = 1

    def of(self, items: Sequence[T]) -> list[T]:
        """Return the items of this part: every ``count``-th.

        >>> Share(2, 3).of("abcdefg")
        ['b', 'e']
        """
        return list(items[self.number - 1 :: self.count])

    @property
    def is_all(self) -> bool:
        """Whether there is no other part."""
        return self.count == 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def share(text: str) -> Share:
    """Return the share that a text names, everything for ""; raises `RequestError`.

    >>> share("2/4")
    Share(number=2, count=4)
    """
    if not text:
        return Share()
    found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text)
    number, count = map(int, found.groups()) if found else (0, 0)
    if not 1 <= number <= count <= MOST:
        raise RequestError(f"part must be I/N with I from 1 to N, as in 2/4, not {text!r}")
    return Share(number, count)
