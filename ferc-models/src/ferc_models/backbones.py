"""Networks: timm's backbones with a linear classifier."""

from __future__ import annotations

import difflib
from typing import Any

import timm
import torch
from torch import nn

from ferc_core.errors import RequestError, RunError


def create_network(
    name: str, num_classes: int, image_size: int, *, pretrained: bool = False
) -> nn.Module:
    """Build the timm backbone ``name`` with timm's own pooling and a Linear(K) behind it.

    It maps float pictures [B, 3, image_size, image_size] to logits [B, K]. Parameters are drawn
    from torch's global generator, or fetched by timm where ``pretrained``.

    Raises `RequestError` for an unknown name or a picture size that the backbone cannot take, and
    `RunError` when the weights cannot be fetched.
    """
    if not timm.is_model(name):
        raise RequestError(f"unknown backbone {name!r}: {nearest(name)}")
    options: dict[str, Any] = {"img_size": image_size} if has_fixed_size(name) else {}
    try:
        network = timm.create_model(name, num_classes=num_classes, **options)
        probe(network, num_classes, image_size)
    except Exception as error:  # timm's backbones refuse a size in many ways
        reason = " ".join(str(error).split())
        raise RequestError(
            f"backbone {name!r} cannot be used on {image_size}x{image_size} pictures: {reason}"
        ) from error
    return fetch(name, num_classes, options) if pretrained else network


def fetch(name: str, num_classes: int, options: dict[str, Any]) -> nn.Module:
    """Build a backbone with the weights that timm downloads."""
    try:
        return timm.create_model(name, num_classes=num_classes, pretrained=True, **options)
    except Exception as error:  # network, hub, cache and file errors alike
        reason = " ".join(str(error).split())[:200]
        raise RunError(
            f"the pretrained weights of {name!r} could not be fetched; download them elsewhere "
            f"and pass the file (.safetensors, .pth or .pt) as the weights instead ({reason})"
        ) from error


def probe(network: nn.Module, num_classes: int, image_size: int) -> None:
    """Raise `ValueError` unless one picture gives one row of logits."""
    network.eval()
    with torch.inference_mode():
        logits = network(torch.zeros(1, 3, image_size, image_size))
    if getattr(logits, "shape", None) != (1, num_classes):
        raise ValueError("it does not return logits")


def has_fixed_size(name: str) -> bool:
    """Say whether a backbone must be told the size of the pictures when it is built."""
    config = timm.models.get_pretrained_cfg(name.partition(".")[0])
    return bool(config is not None and config.fixed_input_size)


def nearest(name: str) -> str:
    """Return a hint with the most similar names that timm knows."""
    near = difflib.get_close_matches(name, timm.list_models(), n=3, cutoff=0.6)
    if not near:
        return "timm.list_models() in Python lists what there is"
    return f"did you mean {' or '.join(map(repr, near))}?"
