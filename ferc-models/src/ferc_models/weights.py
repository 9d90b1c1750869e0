"""Pretrained weights from a local file: the tensors whose name and shape agree."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ferc_core.errors import RequestError

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
    if not path.is_file():
        raise RequestError(f"weights file {path} does not exist")
    try:
        content = read_content(path)
    except SafetensorError as error:
        raise RequestError(f"{path} is not a valid safetensors file ({error})") from error
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise RequestError(f"{path} does not hold tensors by name; save a state_dict")
    return {str(name).removeprefix(PREFIX): tensor for name, tensor in content.items()}


def read_content(path: Path) -> object:
    """Return the content of the file, whatever it is; raises `RequestError` if it is unreadable."""
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix not in TORCH_SUFFIXES:
        raise RequestError(f"weights file {path} must be a .safetensors, .pth or .pt file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen types and advises to unpickle
        raise RequestError(
            f"{path} is not a valid file of tensors alone; save the model's state_dict"
        ) from error
