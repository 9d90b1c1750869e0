"""Tensors and a JSON header in one safetensors file, written atomically."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ferc_core.base.files import replacing
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
    if not path.is_file():
        raise RequestError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DataError(f"{path} is not a valid safetensors file ({error})") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is a safetensors file that FER-C did not write") from error
    if not isinstance(header, dict):
        raise DataError(f"{path} is a safetensors file that FER-C did not write")
    return tensors, header
