"""The notation for a name with options: ``mbls(margin=8,reduction=sum)``, and for sums of them.

Every plugin entry is named in this way, on the command line and in configurations alike. Values
are true, false, integers, floats or words. A word that would be read as something else is quoted,
such as a path with a comma: ``onnx(file="a, b.onnx")``. A call has one canonical text, which is
part of the key of everything that is made from it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ferc_core.errors import RequestError

Value = bool | int | float | str

QUOTES = "\"'"
_CALL = re.compile(r"\s*([A-Za-z0-9][\w.+-]*)\s*(?:\((.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True)
class Call:
    """A name and its options; ``str`` gives the canonical text, options in alphabetic order."""

    name: str
    options: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        inside = ",".join(f"{key}={show(self.options[key])}" for key in sorted(self.options))
        return f"{self.name}({inside})" if inside else self.name


def parse_call(text: str) -> Call:
    """Read ``name`` or ``name(option=value, ...)``.

    >>> str(parse_call("mbls( reduction=sum, margin=8 )"))
    'mbls(margin=8,reduction=sum)'
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise RequestError(f"cannot read {text!r}: write name or name(option=value,option=value)")
    name, inside = match.groups()
    options: dict[str, Value] = {}
    for part in split_outside(inside or "", ","):
        if not part:
            continue
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not (equals and key.isidentifier() and value):
            raise RequestError(f"cannot read {part!r} in {text!r}: write option=value")
        if key in options:
            raise RequestError(f"option {key!r} is given twice in {text!r}")
        if all(mark in value[1:-1] for mark in QUOTES):  # there is no canonical text for it
            raise RequestError(f"cannot read {part!r}: a value holds one kind of quotation mark")
        options[key] = parse_value(value)
    return Call(name, options)


def split_sum(text: str) -> list[str]:
    """Split ``a+b(c=1)`` at the plus signs outside parentheses.

    >>> split_sum("focal(gamma=2) + mbls")
    ['focal(gamma=2)', 'mbls']
    """
    terms = split_outside(text, "+")
    if not all(terms):
        raise RequestError(f"cannot read {text!r}: a term is missing beside '+'")
    return terms


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator outside parentheses and quoted values, and strip the parts."""
    parts, depth, start, quote = [], 0, 0, ""
    for position, character in enumerate(text):
        if quote or (character in QUOTES and text[:position].rstrip().endswith("=")):
            quote = "" if character == quote else quote or character
            continue
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
        if character == separator and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    if quote:
        raise RequestError(f"cannot read {text!r}: a quotation mark is not closed")
    if depth != 0:
        raise RequestError(f"cannot read {text!r}: the parentheses do not match")
    return [*parts, text[start:].strip()]


def parse_value(text: str) -> Value:
    """Read a value: a bool, an int or a float if it is one and not quoted, else a word."""
    if len(text) > 1 and text[0] in QUOTES and text[0] == text[-1]:
        return text[1:-1]
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def show(value: Value) -> str:
    """Return a value as `parse_call` reads it back."""
    if not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if value and value == value.strip() and stands_alone(value):
        return value
    quote = next(mark for mark in QUOTES if mark not in value)
    return f"{quote}{value}{quote}"


def stands_alone(word: str) -> bool:
    """Say whether a word without quotation marks reads back as itself."""
    try:
        return split_outside(f"x={word}", ",") == [f"x={word}"] and parse_value(word) == word
    except RequestError:
        return False


def wrong_type(parameter: inspect.Parameter, value: object) -> str:
    """Return what an option must be where its default tells that ``value`` is something else."""
    default, is_bool = parameter.default, isinstance(value, bool)
    if isinstance(default, bool):
        return "" if is_bool or "str" in str(parameter.annotation) else "true or false"
    if not isinstance(default, int | float) or "str" in str(parameter.annotation):
        return ""
    if is_bool or not isinstance(value, int | float):
        return "a number"
    whole = isinstance(default, int) and "float" not in str(parameter.annotation)
    return "a whole number" if whole and isinstance(value, float) else ""
