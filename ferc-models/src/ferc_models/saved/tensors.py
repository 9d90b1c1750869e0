"""Tensors and a JSON header in one safetensors file, written at once or not at all."""

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

HEADER = "ferc"  # one key alone: safetensors does not keep the order of several


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write ``path``; whoever is killed meanwhile leaves the old file or the new one.

    The same tensors and header give the same bytes. Raises `StoreError` when the disk is full.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    content = save(plain, metadata={HEADER: json.dumps(header, sort_keys=True)})
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the header of a file that `write_tensors` wrote.

    Raises `RequestError` when there is no such file, `DataError` when it is something else.
    """
    if not path.is_file():
        raise RequestError(f"{path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise DataError(f"{path} is no safetensors file or is cut short ({error})") from error
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is a safetensors file, but none that FER-C wrote") from error
    if not isinstance(header, dict):
        raise DataError(f"{path} is a safetensors file, but none that FER-C wrote")
    return tensors, header
