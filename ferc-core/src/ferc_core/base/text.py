"""Numbers and names in sentences for the user."""

from __future__ import annotations

import re
from collections.abc import Sequence

SHOWN, LONGEST = 5, 160  # names in a sentence, and characters of one that is shown
LONGEST_WORD, LONGEST_MESSAGE = 200, 1000  # characters of what is said about an error
# What a terminal obeys or hides: control characters, marks of direction, halves of characters.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


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


def printable(text: str) -> str:
    r"""Return a text with escapes for what a terminal would obey; lines and tabs stay.

    Names and messages come from anywhere, so whatever is shown goes through here. The escapes
    are JSON's own, and leave JSON what it was.

    >>> printable("a \x1b[31mred\x1b[0m name")
    'a \\u001b[31mred\\u001b[0m name'
    """
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def in_cell(text: str) -> str:
    r"""Return a text for a cell of a table, in one line.

    >>> in_cell("two\nlines")
    'two\\nlines'
    """
    return printable(text.replace("\n", "\\n").replace("\t", "\\t"))


def sentence(text: str) -> str:
    """Return a message in one line of bounded length, long words shortened in the middle.

    >>> sentence("no file\\nof that name")
    'no file of that name'
    >>> len(sentence("x" * 5000)), len(sentence("y " * 5000))
    (200, 1000)
    """
    line = re.sub(r"\s*\n\s*", " ", text.strip()).replace("\t", " ")
    return printable(bounded(line))


def bounded(text: str) -> str:
    """Return a text with what is too long shortened in the middle: its words, and the whole."""
    words = rf"\S{{{LONGEST_WORD + 1},}}"
    text = re.sub(words, lambda word: middle_out(word[0], LONGEST_WORD), text)
    return middle_out(text, LONGEST_MESSAGE)


def middle_out(text: str, longest: int) -> str:
    """Return a text, its middle left out where it is too long.

    >>> middle_out("a rather long text", 11)
    'a ra...text'
    """
    keep = longest - 3
    return text if len(text) <= longest else f"{text[: keep - keep // 2]}...{text[-(keep // 2) :]}"
