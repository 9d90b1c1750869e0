"""Tensors and a JSON header in one safetensors file, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from ferc_core.base.files import reading, replacing
from ferc_core.base.schemas import LARGEST, read_value
from ferc_core.base.text import shortened
from ferc_core.errors import DataError, RequestError

HEADER = "ferc"  # a single key, because safetensors does not keep the order of several


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write ``path`` atomically: a kill leaves the old file or the new one.

    The same tensors and header give the same bytes. Raises `StoreError` if the disk is full.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain, metadata={HEADER: json.dumps(header, sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header of a file that `write_tensors` wrote.

    Raises `RequestError` if there is no such file, `DataError` if it is something else.
    """
    if not path.exists():
        raise RequestError(f"{path} does not exist")
    tensors, metadata = read_safetensors(path)
    try:
        header = read_value(metadata[HEADER])
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is a safetensors file that FER-C did not write") from error
    if not isinstance(header, dict):
        raise DataError(f"{path} is a safetensors file that FER-C did not write")
    return tensors, header


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file; raises `DataError` for others."""
    try:
        check_names(path)
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of safetensors, and of torch for a type that it lacks
        reason = shortened(" ".join(str(error).split()))
        raise DataError(f"{path} is not a valid safetensors file ({reason})") from error


def check_names(path: Path) -> None:
    """Raise `ValueError` where the file names a tensor twice, or has no list of them."""
    with reading(path) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > LARGEST:
            raise ValueError(f"its list of tensors has {size:,} bytes")
        read_value(file.read(size))


def check_format(header: Mapping[str, Any], wanted: int, path: Path) -> None:
    """Raise `DataError` for a header of another version of the format."""
    found = header.get("format")
    if found != wanted:
        raise DataError(
            f"{path} has format {shortened(repr(found), 80)}, and this version of FER-C reads "
            f"{wanted}; use the version that wrote it"
        )
