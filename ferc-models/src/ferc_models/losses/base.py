"""What all losses share: full precision, the log-softmax, class weights, hard targets.

Everything is computed from the log-softmax in float32, or in float64 if the logits are float64,
also under autocast. The reference code clamps probabilities, which stops the learning of
confidently wrong samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.options import choice

Loss = Callable[[Tensor, Tensor], Tensor]
Prior = npt.NDArray[np.float64]


class SoftTargetsError(RequestError):
    """A loss that needs hard targets was given soft ones."""

    def __init__(self, loss: str) -> None:
        self.loss = loss
        super().__init__(
            f"loss {loss!r} needs hard targets, one class for each image, but these are soft; "
            "use hard targets or a loss that takes soft ones, such as 'ce'"
        )


def balance(class_prior: Prior, class_weights: str) -> Prior | None:
    """Return the class weights [K], or None; a class without images gets that of the rarest."""
    if choice("class_weights", class_weights, ("none", "balanced")) == "none":
        return None
    prior = np.asarray(class_prior, dtype=np.float64)
    weights: Prior = prior.max() / np.where(prior > 0, prior, prior[prior > 0].min())
    return weights


def constant(values: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that gives values in type and on the device of a tensor.

    They are copied there once: a GPU would be waited for.
    """
    copies: dict[tuple[torch.device, torch.dtype], Tensor] = {}

    def like(tensor: Tensor) -> Tensor:
        where = tensor.device, tensor.dtype
        if where not in copies:
            with torch.inference_mode(False):  # trainings take them, too
                copies[where] = values.to(tensor.device, tensor.dtype)
        return copies[where]

    return like


def log_softmax(logits: Tensor) -> Tensor:
    """Return log p [B, K] in full precision."""
    return torch.log_softmax(full_precision(logits), dim=1)


def full_precision(logits: Tensor) -> Tensor:
    """Return the logits in float32; float64 logits are returned unchanged."""
    return logits if logits.dtype == torch.float64 else logits.float()


def check_hard(loss: str, targets: Tensor) -> None:
    """Raise `SoftTargetsError` unless each row of the targets [B, K] is one-hot."""
    one_hot = ((targets == 0) | (targets == 1)).all() & (targets.sum(dim=1) == 1).all()
    if not one_hot:
        raise SoftTargetsError(loss)
