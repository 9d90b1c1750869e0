"""Pretrained weights from a local file: the tensors whose name and shape agree."""

from __future__ import annotations

import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from ferc_core.base.files import reading
from ferc_core.errors import DataError, RequestError
from ferc_models.saved.tensors import read_safetensors

WRAPPERS = ("state_dict", "model")  # keys under which training scripts store the weights
PREFIX = "module."  # which torch's DataParallel puts before every name
TORCH_SUFFIXES = (".pth", ".pt")


def load_matching(network: nn.Module, path: Path) -> str:
    """Copy the tensors of a file that fit into the network; return a sentence with their number.

    A classifier for other classes, for example, does not fit and keeps its initial values.
    Raises `RequestError` if the file cannot be used or nothing in it fits.
    """
    given = read_weights(path)
    wanted = network.state_dict()
    fitting = {
        name: tensor
        for name, tensor in given.items()
        if name in wanted and wanted[name].shape == tensor.shape
    }
    if not fitting:
        raise RequestError(
            f"{path}: none of its {len(given)} tensors fits this backbone by name and shape "
            f"(the file has {next(iter(given), 'none')!r}, the backbone {next(iter(wanted))!r})"
        )
    network.load_state_dict(fitting, strict=False)
    left = [name for name in wanted if name not in fitting]
    rest = f"; newly initialised: {', '.join(left[:4])}{' ...' if left[4:] else ''}" if left else ""
    return f"{len(fitting)} of {len(wanted)} tensors are from {path.name}{rest}"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors, .pth or .pt file by name.

    Nothing in the file is executed: torch's files are read with ``weights_only=True``. Wrappers
    (``{"state_dict": ...}``, ``{"model": ...}``) and ``module.`` before the names are removed.
    Raises `RequestError` for anything that is not a dictionary of tensors.
    """
    if not path.exists():
        raise RequestError(f"weights file {path} does not exist")
    try:
        with reading(path):
            content = read_content(path)
    except OSError as error:
        raise RequestError(f"weights file {path} cannot be read: {error.strerror}") from error
    except DataError as error:
        raise RequestError(str(error)) from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(map(is_plain, content.values())):
        raise RequestError(f"{path} does not hold tensors by name; save a state_dict")
    return {str(name).removeprefix(PREFIX): tensor for name, tensor in content.items()}


def read_content(path: Path) -> object:
    """Return the content of the file, whatever it is; raises `FercError` if it is unreadable."""
    if path.suffix == ".safetensors":
        return read_safetensors(path)[0]
    if path.suffix not in TORCH_SUFFIXES:
        raise RequestError(f"weights file {path} must be a .safetensors, .pth or .pt file")
    try:
        if is_compressed(path):
            raise RequestError(f"{path} is compressed, as torch.save never does; save it with that")
        return torch.load(path, map_location="cpu", weights_only=True)
    except RequestError:
        raise
    except Exception as error:  # torch raises a dozen types and advises to unpickle
        raise RequestError(
            f"{path} is not a valid file of tensors alone; save the model's state_dict"
        ) from error


def is_compressed(path: Path) -> bool:
    """Say whether the file is an archive that would become larger in memory than it is on disk."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist())


def is_plain(value: object) -> bool:
    """Say whether a value is a tensor as networks have them."""
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )
