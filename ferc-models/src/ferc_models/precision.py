"""Mixed precision: networks may compute in 16 bits, losses always compute in 32."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_core.task import PRECISIONS
from ferc_models.options import choice

FULL, BRAIN, HALF = PRECISIONS
TYPES = {BRAIN: torch.bfloat16, HALF: torch.float16}

P = ParamSpec("P")
R = TypeVar("R")


def check_precision(precision: str, device: torch.device) -> None:
    """Raise `RequestError` for a precision that a device cannot compute in."""
    choice("precision", precision, PRECISIONS)
    if precision == HALF and device.type != "cuda":
        raise RequestError("precision 'fp16' needs a GPU; use bf16 or fp32")
    if precision == BRAIN and device.type == "cuda":
        with torch.cuda.device(device):
            if not torch.cuda.is_bf16_supported():
                raise RequestError("precision 'bf16' is not for this GPU; use fp16 or fp32")


def computing_in(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a network computes in a precision; nothing for "fp32"."""
    if precision == FULL:
        return nullcontext()
    return torch.autocast(device.type, TYPES[precision])


def scaler_for(precision: str, device: torch.device) -> Any:
    """Return what scales the losses of a training so that no gradient becomes 0; None but for fp16.

    It is torch's ``GradScaler``.
    """
    return torch.amp.GradScaler(device.type) if precision == HALF else None


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function of tensors compute in float32 also under autocast, and in float64 if given it.

    Floats of 16 bits become float32; other values stay as they are.
    """

    @wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        device = next(each.device for each in args if isinstance(each, Tensor))
        with torch.autocast(device.type, enabled=False):
            return function(*map(widened, args), **kwargs)

    return cast("Callable[P, R]", computed)


def widened(value: Any) -> Any:
    """Return a tensor of 16-bit floats as float32; anything else unchanged."""
    if isinstance(value, Tensor) and value.dtype in TYPES.values():
        return value.float()
    return value
