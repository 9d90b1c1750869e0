"""Losses that keep the logits of a prediction within a margin of the largest one."""

from __future__ import annotations

from torch import Tensor

from ferc_models.losses.base import Loss, Prior, full_precision
from ferc_models.options import choice, number


def mbls(
    num_classes: int,
    class_prior: Prior,
    margin: float = 10.0,
    weight: float = 0.1,
    reduction: str = "mean",
) -> Loss:
    """Margin-based label smoothing, weight * R_k max(0, max_j l_j - l_k - margin); a penalty.

    reduction: R, "mean" or "sum" over the classes. The defaults are those of Liu et al. 2022,
    arXiv:2111.15430; FER-C, eq. 13, sums with weight 1 (its code with margin 8).
    """
    margin, weight = number("margin", margin), number("weight", weight)
    reduction = choice("reduction", reduction, ("mean", "sum"))

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        logits = full_precision(logits)
        excess = (logits.amax(dim=1, keepdim=True) - logits - margin).relu()
        by_sample = excess.mean(dim=1) if reduction == "mean" else excess.sum(dim=1)
        return weight * by_sample.mean()

    return loss
