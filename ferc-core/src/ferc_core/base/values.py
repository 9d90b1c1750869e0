"""Values that no option takes, whatever it is for: refused with what is wrong with them."""

from __future__ import annotations

import math
import os
from pathlib import PurePath

from ferc_core.errors import RequestError

GREATEST = 2**63 - 1  # of whole numbers: tables and seeds hold no other
LONGEST_NAME, LONGEST_PATH = 255, 4095  # bytes, on the file systems in use


def check_value(what: str, value: object) -> None:
    """Raise `RequestError` for a number or a text that nothing can hold.

    ``what`` is what it is called in the sentence; a list is checked by its items, a path as one.
    """
    if isinstance(value, list | tuple):
        for each in value:
            check_value(what, each)
    elif isinstance(value, int) and abs(value) > GREATEST:
        raise RequestError(f"{what} must be between -{GREATEST} and {GREATEST}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise RequestError(f"{what} must be a finite number, not {value}")
    elif isinstance(value, os.PathLike):
        check_path(what, os.fspath(value))
    elif isinstance(value, str):
        check_text(what, value)


def check_text(what: str, text: str) -> None:
    """Raise `RequestError` for a text that no file of FER-C's and no name can hold."""
    if "\0" in text:
        raise RequestError(f"{what} must not hold a null character, as {text!r} does")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{what} must be UTF-8, and {text!r} is not: rename it") from error


def check_path(what: str, path: str) -> None:
    """Raise `RequestError` for a path that no file system takes."""
    if "\0" in path:
        raise RequestError(f"{what} must not hold a null character, as {path!r} does")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise RequestError(f"{what} is a path of over {LONGEST_PATH} bytes: {path}")
    for name in PurePath(path).parts:
        if len(os.fsencode(name)) > LONGEST_NAME:
            raise RequestError(f"{what} has a name of over {LONGEST_NAME} bytes in it: {path}")
