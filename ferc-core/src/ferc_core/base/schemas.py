"""JSON that others may have written, held against a schema before anything in it is believed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ferc_core.base.files import read_bytes
from ferc_core.base.text import shortened

LONGEST = 40  # digits of a whole number
MOST = 10_000  # names in a list, such as the classes of a dataset
MOST_PARTS = 4_000_000  # lists and objects in a file
LARGEST = 64 * 2**20  # bytes of a file that is read, unless it is known to become larger


class Checked(BaseModel):
    """What a file holds: no unknown fields, no text for numbers, and nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Texts = Annotated[list[str], Field(max_length=MOST)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Model = TypeVar("Model", bound=BaseModel)


def read_checked(path: Path, kind: type[Model], largest: int = LARGEST) -> Model:
    """Return what a JSON file holds.

    Raises `OSError` where it cannot be read, `ValueError` with half a sentence where it does not
    hold that.
    """
    return validated(read_value(read_bytes(path, largest)), kind)


def validated(value: Any, kind: type[Model]) -> Model:
    """Return a value as a model; raises `ValueError` with half a sentence on the first fault."""
    check_fields(value, kind)
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(fault(error)) from None


def read_value(content: bytes | str) -> Any:
    """Return the value of a text in JSON.

    Raises `ValueError` for what is none, or what two readers might take differently.
    """
    try:
        text = content if isinstance(content, str) else content.decode("utf-8")
        if text.count("[") + text.count("{") > MOST_PARTS:  # each takes much memory
            raise ValueError(f"it has more than {MOST_PARTS:,} brackets")
        return json.loads(text, object_pairs_hook=once, parse_constant=refuse, parse_int=whole)
    except RecursionError:
        raise ValueError("its brackets are nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not valid JSON: {error}") from None


def check_fields(value: Any, kind: type[BaseModel], place: str = "") -> None:
    """Raise `ValueError` for the first field that a model lacks.

    Pydantic would list all of them, of which a file may have millions.
    """
    if not isinstance(value, dict):
        return
    for name in value:
        if name not in kind.model_fields:
            raise ValueError(f"{place or 'it'} must not have {shown(name)}")
    for name, field in kind.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            check_fields(value.get(name), inner, name)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raises `ValueError` for a name that it has twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(n for n, count in Counter(n for n, _ in pairs).items() if count > 1)
        raise ValueError(f"it has {shown(twice)} twice")
    return found


def whole(digits: str) -> int:
    """Return a number; raises `ValueError` for one that no field can hold."""
    if len(digits) > LONGEST:
        raise ValueError(f"it has a number of {len(digits):,} digits")
    return int(digits)


def refuse(constant: str) -> None:
    """Raise `ValueError` for NaN and Infinity, which are no JSON."""
    raise ValueError(f"it has the value {constant}, which is no number")


def fault(error: ValidationError) -> str:
    """Return the first fault as half a sentence, with the place."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}"
    return f"{place}: {message}" if place else message


def shown(text: str) -> str:
    """Return a name from a file in quotation marks: short, and printable whatever is in it."""
    return repr(shortened(text, 80))
