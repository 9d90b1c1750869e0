"""The names that a model's own files have for its outputs. Nothing in them is executed."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ferc_core.base.files import read_bytes
from ferc_core.base.schemas import read_value
from ferc_core.base.text import shortened
from ferc_core.data.classes import names_in
from ferc_core.errors import RequestError

# What exporters call the list of classes, in ONNX metadata or in JSON.
KEYS = ("classes", "class_names", "labels", "names", "id2label")
LARGEST = 1_000_000  # bytes of a JSON file beside a model
LONGEST = 100_000  # characters of a list


def named_in(entries: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return the names of classes that metadata have under one of ``KEYS``, () where none has.

    A list, a mapping from 0, 1, ... to names, or the text of one of these. Raises `RequestError`
    for anything else; ``where`` is what the sentence calls the metadata.
    """
    for key in KEYS:
        if key in entries:
            value = entries[key]
            found = as_names(parsed(value) if isinstance(value, str) else value)
            if not found:
                raise RequestError(
                    f"{where} has {key!r}, which is no list of names: "
                    f"{shortened(repr(value), 80)}; name the outputs with classes="
                )
            return found
    return ()


def named_beside(path: Path) -> tuple[tuple[str, ...], str]:
    """Return the names in MODEL.json beside MODEL.onnx, or in config.json, and the file's name."""
    for file in (path.with_suffix(".json"), path.with_name("config.json")):
        if file == path or not file.is_file():
            continue
        try:
            value = read_value(read_bytes(file, LARGEST))
        except (OSError, ValueError):
            continue  # a file of something else
        if isinstance(value, dict) and (found := named_in(value, str(file))):
            return found, file.name
    return (), ""


def parsed(text: str) -> Any:
    """Return the value of a text: JSON, a literal of Python, or names divided by commas."""
    if len(text) > LONGEST:
        return None
    for read in (read_value, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return list(names_in(text))


def as_names(value: Any) -> tuple[str, ...]:
    """Return names in their order, () for what is no list of them."""
    if isinstance(value, dict):
        try:
            order = {int(key): name for key, name in value.items()}
        except (TypeError, ValueError):
            return ()
        value = [order[k] for k in sorted(order)] if sorted(order) == [*range(len(order))] else ()
    good = isinstance(value, list | tuple) and all(isinstance(n, str) and n for n in value)
    return tuple(value) if good else ()
