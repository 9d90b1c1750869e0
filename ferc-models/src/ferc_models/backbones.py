"""Networks: timm's backbones with a linear classifier."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import timm
import torch
from torch import nn

from ferc_core.base.schemas import shown
from ferc_core.errors import RequestError, RunError
from ferc_core.spec import LARGEST_SIDE

ADDRESS = "/\\:"  # characters of paths and addresses, which no name of timm has

_download: ContextVar[bool] = ContextVar("download", default=True)


def create_network(
    name: str, num_classes: int, image_size: int, *, pretrained: bool = False
) -> nn.Module:
    """Build the timm backbone ``name`` with timm's own pooling and a linear classifier.

    It maps float images [B, 3, image_size, image_size] to logits [B, K]. Parameters are drawn
    from torch's global generator, or fetched by timm if ``pretrained``.

    Raises `RequestError` for an unknown name or an unsupported image size, and `RunError` if the
    weights cannot be fetched.
    """
    network, shape = build(name, image_size, num_classes=num_classes)
    if shape != (num_classes,):
        raise RequestError(f"backbone {name!r} cannot be used, because it does not return logits")
    return fetch(name, image_size, num_classes=num_classes) if pretrained else network


def build(name: str, image_size: int, **options: Any) -> tuple[nn.Module, tuple[int, ...]]:
    """Build a backbone with timm's ``options``; return it with the shape of one output.

    Raises `RequestError` for an unknown name or an unsupported image size.
    """
    if any(mark in name for mark in ADDRESS):  # timm would fetch it, pretrained or not
        raise RequestError(
            f"backbone {shown(name)} must be the name of a timm model, such as 'resnet18': paths "
            "and addresses are not followed"
        )
    if image_size > LARGEST_SIDE:
        raise RequestError(f"images of {image_size}x{image_size} are above {LARGEST_SIDE} pixels")
    if not timm.is_model(name):
        raise RequestError(f"unknown backbone {shown(name)}: {nearest(name)}")
    try:
        network = timm.create_model(name, **options, **size_option(name, image_size))
        shape = output_shape(network, image_size)
    except Exception as error:  # timm's backbones reject a size in many ways
        reason = " ".join(str(error).split())
        raise RequestError(
            f"backbone {name!r} cannot be used on {image_size}x{image_size} images: {reason}"
        ) from error
    return network, shape


@contextmanager
def without_downloads() -> Iterator[None]:
    """Run a block in which `fetch` leaves out the weights, so that a request is checked offline."""
    token = _download.set(False)
    try:
        yield
    finally:
        _download.reset(token)


def fetch(name: str, image_size: int, **options: Any) -> nn.Module:
    """Build a backbone with timm's ``options`` and the weights that timm downloads.

    Raises `RequestError` if timm has no weights for it, and `RunError` if the download fails.
    """
    if not timm.is_model_pretrained(name):
        raise RequestError(f"timm has no pretrained weights for backbone {name!r}")
    options = {**options, **size_option(name, image_size), "pretrained": _download.get()}
    try:
        return timm.create_model(name, **options)
    except Exception as error:  # network, hub, cache and file errors alike
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"the pretrained weights of {name!r} could not be downloaded; download them elsewhere "
            f"and pass the file (.safetensors, .pth or .pt) as the weights instead ({reason})"
        ) from error


def output_shape(network: nn.Module, image_size: int) -> tuple[int, ...]:
    """Return the shape of a network's output for one image; leave it in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        output = network(torch.zeros(1, 3, image_size, image_size))
    if not isinstance(output, torch.Tensor):
        raise ValueError("it does not return one tensor")
    return tuple(output.shape[1:])


def size_option(name: str, image_size: int) -> dict[str, int]:
    """Return timm's option for the image size, which only backbones of a fixed size have."""
    config = timm.models.get_pretrained_cfg(name.partition(".")[0])
    fixed = config is not None and config.fixed_input_size
    return {"img_size": image_size} if fixed else {}


def nearest(name: str) -> str:
    """Return a hint with the most similar names that timm knows."""
    near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.6)
    if not near:
        return "timm.list_models() in Python lists the known ones"
    return f"did you mean {' or '.join(map(repr, near))}?"
