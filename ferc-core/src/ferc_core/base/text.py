"""Numbers and names in sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence

SHOWN, LONGEST = 5, 160  # names in a sentence, and characters of one that is shown


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


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text, its end left out where it is too long.

    >>> shortened("neutral, happy", longest=10)
    'neutral...'
    """
    return text if len(text) <= longest else text[: longest - 3] + "..."
