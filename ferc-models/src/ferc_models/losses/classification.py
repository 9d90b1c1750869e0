"""Cross-entropy and the losses that weigh it by how sure the prediction is."""

from __future__ import annotations

import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, balance, log_softmax
from ferc_models.options import number


def cross_entropy(num_classes: int, class_prior: Prior, class_weights: str = "none") -> Loss:
    """Cross-entropy, -sum_k w_k y_k log p_k.

    class_weights: "none", w_k = 1, or "balanced", w_k = (share of the largest class) / (share of
    class k), as the authors of FER-C train (SPEC 1.10).
    """
    return focal(num_classes, class_prior, gamma=0, class_weights=class_weights)


def focal(
    num_classes: int, class_prior: Prior, gamma: float = 1.0, class_weights: str = "none"
) -> Loss:
    """Focal loss, -sum_k w_k y_k (1 - p_k)^gamma log p_k, with gamma 0 or at least 1.

    Between 0 and 1 the gradient is infinite at p = 1. ``class_weights`` as in `cross_entropy`.
    Source: Lin et al. 2017, arXiv:1708.02002; gamma = 1 is FER-C's.
    """
    gamma = number("gamma", gamma)
    if 0 < gamma < 1:
        raise RequestError(f"option 'gamma' must be 0 or at least 1, not {gamma:g}")
    weights = balance(class_prior, class_weights)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        terms = targets.to(log_p) * log_p
        if gamma:
            terms = terms * (-torch.expm1(log_p)).pow(gamma)
        if weights is not None:
            terms = terms * torch.as_tensor(weights).to(log_p)
        return -terms.sum(dim=1).mean()

    return loss
