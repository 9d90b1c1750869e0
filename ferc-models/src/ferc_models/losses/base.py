"""What all losses share: full precision, the log-softmax, class weights, hard targets.

Everything is computed from the log-softmax in float32, or in float64 where the logits are, also
under autocast: a clamp on probabilities, as in the reference code, would stop the learning of
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


def balance(class_prior: Prior, class_weights: str) -> Prior | None:
    """Return the class weights [K], or None; a class without images weighs like the rarest."""
    if choice("class_weights", class_weights, ("none", "balanced")) == "none":
        return None
    prior = np.asarray(class_prior, dtype=np.float64)
    weights: Prior = prior.max() / np.where(prior > 0, prior, prior[prior > 0].min())
    return weights


def log_softmax(logits: Tensor) -> Tensor:
    """Return log p [B, K] in full precision."""
    return torch.log_softmax(full_precision(logits), dim=1)


def full_precision(logits: Tensor) -> Tensor:
    """Return the logits in float32, or as they are when they are float64."""
    return logits if logits.dtype == torch.float64 else logits.float()


def check_hard(loss: str, targets: Tensor) -> None:
    """Raise `RequestError` unless each row of the targets [B, K] is all of one class."""
    one_hot = ((targets == 0) | (targets == 1)).all() & (targets.sum(dim=1) == 1).all()
    if not one_hot:
        raise RequestError(
            f"loss {loss!r} needs hard targets, one class for each image, and was given soft "
            "ones; train with hard targets or with another loss"
        )
