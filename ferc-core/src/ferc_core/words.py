"""Numbers and names as they stand in sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 5


def number(n: int, noun: str, several: str = "") -> str:
    """Return a number with its noun.

    >>> number(1, "face"), number(12345, "identity"), number(2, "class", "classes")
    ('1 face', '12,345 identities', '2 classes')
    """
    plural = noun.removesuffix("y") + "ies" if noun.endswith("y") else noun + "s"
    return f"{n:,} {noun if n == 1 else several or plural}"


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """Return the first of some names.

    >>> listed(["a", "b", "c"], shown=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
