"""The manual attributes of RAF-DB: gender, race and age of a face, as its owners annotated them.

``Annotation/manual/NAME_manu_attri.txt`` has five lines of landmarks and then three numbers. Their
meanings are those of the readme that comes with RAF-DB, as published code that reads it has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ferc_core.datasets.texts import read_lines
from ferc_core.errors import DataError

ENDING = "_manu_attri.txt"
LANDMARKS = 5  # lines before the attributes
CODES = {
    "gender": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    "age": ("0-3", "4-19", "20-39", "40-69", "70+"),
}


def read_attributes(
    folder: Path, files: Sequence[str], names: Sequence[str]
) -> dict[str, list[str | None]]:
    """Return the attributes of the faces of these names, None where nothing usable says it."""
    there = set(files)
    rows = [
        attributes_in(folder / f"{name}{ENDING}") if f"{name}{ENDING}" in there else {}
        for name in names
    ]
    return {attribute: [row.get(attribute) for row in rows] for attribute in CODES}


def attributes_in(path: Path) -> dict[str, str]:
    """Return the attributes in a file, as far as they are usable."""
    try:
        numbers = [line.strip() for line in read_lines(path)][LANDMARKS:]
    except DataError:
        return {}
    return {
        name: meanings[int(number)]
        for (name, meanings), number in zip(CODES.items(), numbers, strict=False)
        if number.isdecimal() and int(number) < len(meanings)
    }
