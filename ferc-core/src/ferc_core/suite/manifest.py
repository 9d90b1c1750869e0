"""What the manifest of a build holds.

A build may come from anybody. Its manifest says what it was made from; nothing else that it might
say is obeyed, and the names in it stay inside its folder.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from ferc_core.base.calls import parse_call
from ferc_core.base.files import read_bytes
from ferc_core.base.schemas import Checked, Count, Texts, read_value, shown, validated
from ferc_core.base.seeds import BENCHMARK_VERSION, other_version
from ferc_core.errors import DataError, RequestError
from ferc_core.spec import LARGEST_SIDE, SMALLEST_SIDE

LARGEST = 2**30  # bytes of a manifest, which names every image

# Names below a folder: no "..", not absolute, no control characters, forward slashes.
_CHARACTER = r"[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]"
_PART = rf"(?!\.\.?(?:/|$)){_CHARACTER}+"
INSIDE = re.compile(rf"{_PART}(?:/{_PART})*")
DIGEST = re.compile(r"[0-9a-f]{32}")


def check_options(dataset: str) -> str:
    """Raise `ValueError` for a dataset with an option that is a path out of the data root."""
    try:
        options = parse_call(dataset).options
    except RequestError as error:
        raise ValueError("it is not the name of a dataset, with or without options") from error
    for name, value in options.items():
        if isinstance(value, str) and leads_out(value):
            raise ValueError(f"its option {name} must not leave the data root: {shown(value)}")
    return dataset


def leads_out(text: str) -> bool:
    """Say whether a text, taken as a path, is absolute or climbs to a folder above."""
    windows, here = PureWindowsPath(text), PurePosixPath(text)
    anchored = here.anchor or windows.anchor or text.startswith("~")
    return bool(anchored) or ".." in (*here.parts, *windows.parts)


def check_texts(table: dict[str, Any]) -> dict[str, Any]:
    """Raise `ValueError` unless all values are texts."""
    for name, value in table.items():
        if not isinstance(value, str):
            raise ValueError(f"{shown(name)} must be a text")
    return table


def check_counts(table: dict[str, Any]) -> dict[str, Any]:
    """Raise `ValueError` unless it has a number of images for each cell and class."""
    for cell, classes in table.items():
        if not isinstance(classes, dict):
            raise ValueError(f"{shown(cell)} must have a number for each class")
        for label, n in classes.items():
            if type(n) is not int or not 0 <= n < 2**63 or not label.isdecimal():
                raise ValueError(f"{shown(cell)} must have a whole number for each class")
    return table


def check_files(table: dict[str, Any]) -> dict[str, Any]:
    """Raise `ValueError` unless it has a hash for each file, and all are inside the folder."""
    for name, digest in table.items():
        if not INSIDE.fullmatch(name):
            raise ValueError(f"{shown(name)} is not the name of a file in it")
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise ValueError(f"{shown(name)} must have a hash of 32 hexadecimal digits")
    return table


class Making(Checked):
    """The settings that a build is made with, by the names that a configuration has for them.

    ``gmm`` is the key of the mixture in ``GMM``; ``format`` and ``layout`` say how images are
    stored: see `ferc_core.suite.formats`.
    """

    dataset: Annotated[str, AfterValidator(check_options)]
    split: str
    limit: Count
    on_bad_image: str
    image_size: Annotated[int, Field(ge=SMALLEST_SIDE, le=LARGEST_SIDE)]
    corruptions: Texts
    severities: Annotated[list[int], Field(max_length=5)]
    severity_table: str
    suite_seed: Count
    visibility: str
    visibility_scope: str
    label_scheme: str
    fusion: float
    format: Literal["png", "parquet", "webdataset"]
    layout: Literal["cells", "imagefolder"] = "cells"  # absent where there were none yet
    gmm: str = ""
    classes: Texts = Field(default_factory=list)


HOW = ("format", "layout", "gmm")  # fields of `Making` that a configuration does not have

# The fields of a configuration that say what a build is made from; a manifest can set no others.
MAKING = tuple(name for name in Making.model_fields if name not in HOW)


class Manifest(Checked):
    """What the manifest of a build holds."""

    kind: Literal["build"] = "build"
    benchmark: str
    versions: Annotated[dict[Any, Any], AfterValidator(check_texts)]
    making: Making
    data: str
    classes: Annotated[Texts, Field(min_length=2)]
    gmm: str = ""  # whose mixture softened the labels, in words
    split: str
    counts: Annotated[dict[Any, Any], AfterValidator(check_counts)]
    files: Annotated[dict[Any, Any], AfterValidator(check_files)]


def inside(name: str) -> str:
    """Return the name of a file of a build; raises `DataError` for one that would be elsewhere."""
    if not INSIDE.fullmatch(name):
        raise DataError(f"{shown(name)} cannot be the name of a file of a build")
    return name


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a build, as `Manifest` describes it; raises `DataError` otherwise."""
    try:
        value = read_value(read_bytes(path, LARGEST))
        made_by = value.get("benchmark") if isinstance(value, dict) else None
        if isinstance(made_by, str) and made_by != BENCHMARK_VERSION:
            raise DataError(other_version(path.parent, made_by))
        validated(value, Manifest)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is not the manifest of a build: {error}") from error
    manifest: dict[str, Any] = value
    return manifest
