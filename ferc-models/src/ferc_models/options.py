"""Checks of the options that a user writes after a name, as in ``mbls(margin=8)``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ferc_core.errors import RequestError, UnknownNameError


def check_options(owner: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise `UnknownNameError` for an option that ``owner``, a method, does not have."""
    names = list(known)
    for name in given:
        if name not in names:
            raise UnknownNameError(f"option of {owner!r}", name, names)


def number(option: str, value: Any, low: float = 0.0) -> float:
    """Return ``value`` as a finite float of at least ``low``, else raise `RequestError`."""
    real = isinstance(value, int | float) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or value < low:
        raise RequestError(f"option {option!r} must be a number of at least {low:g}, not {value!r}")
    return float(value)


def whole(option: str, value: Any, low: int, high: int = 10**6) -> int:
    """Return ``value`` as a whole number from ``low`` to ``high``, else raise `RequestError`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise RequestError(
            f"option {option!r} must be a whole number from {low} to {high:,}, not {value!r}"
        )
    return value


def flag(option: str, value: Any) -> bool:
    """Return ``value`` if it is true or false, else raise `RequestError`."""
    if not isinstance(value, bool):
        raise RequestError(f"option {option!r} must be true or false, not {value!r}")
    return value


def choice(option: str, value: Any, allowed: Iterable[str]) -> str:
    """Return ``value`` if it is one of the ``allowed`` words, else raise `RequestError`."""
    words = list(allowed)
    if value not in words:
        raise RequestError(f"option {option!r} must be {' or '.join(words)}, not {value!r}")
    return str(value)
