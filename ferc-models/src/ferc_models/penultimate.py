"""The features that the last layer of a network makes its logits of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def penultimate(network: nn.Module, classes: int) -> Iterator[list[Tensor]]:
    """Yield a list that gets the features [B, D] of each forward pass.

    They are what goes into the linear layer to ``classes`` outputs that runs last; nothing is
    added to the list where the network has none.
    """
    layers = [
        m for m in network.modules() if isinstance(m, nn.Linear) and m.out_features == classes
    ]
    found: list[Tensor] = []
    seen: list[Tensor] = []

    def remember(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor) and inputs[0].ndim == 2:
            seen.append(inputs[0])

    def keep(*_: Any) -> None:
        found.extend(seen[-1:])
        seen.clear()

    handles = [layer.register_forward_pre_hook(remember) for layer in layers]
    handles.append(network.register_forward_hook(keep))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def has_penultimate(network: nn.Module, classes: int) -> bool:
    """Whether a network has a linear layer to so many outputs."""
    return any(isinstance(m, nn.Linear) and m.out_features == classes for m in network.modules())
