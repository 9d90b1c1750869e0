"""Maximum-entropy losses: focal loss with a constraint on the expected class index."""

from __future__ import annotations

import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, log_softmax
from ferc_models.losses.classification import focal
from ferc_models.losses.margin import mbls
from ferc_models.options import number

SMALLEST_VARIANCE = 1e-6  # of the class index in `maxent`; a one-hot prediction has none at all


def maxent(
    num_classes: int,
    class_prior: Prior,
    gamma: float = 1.0,
    strength: str | float = "newton1",
    class_weights: str = "none",
) -> Loss:
    """Focal loss plus lambda |E - mu| with E = sum_k k p_k, mu the mean of the class indices.

    strength: lambda. "newton1" is the reference: one Newton step for each sample,
    lambda = clamp((mu - E) / Var, 0, 1), through which the gradient flows. It is one-sided: only
    predictions with E < mu are pushed. A number is taken as lambda itself, on both sides.

    ``gamma`` and ``class_weights`` as in `focal`; the weights do not touch the constraint.
    Source: FER-C, eq. 12, with the multiplier of the authors' code (SPEC section 3).
    """
    classification = focal(num_classes, class_prior, gamma, class_weights)
    fixed = None if strength == "newton1" else fixed_strength(strength)
    mu = (num_classes - 1) / 2

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        p = log_softmax(logits).exp()
        index = torch.arange(num_classes, dtype=p.dtype, device=p.device)
        mean = (p * index).sum(dim=1)
        gap = mu - mean
        if fixed is None:
            variance = (p * (index - mean[:, None]).square()).sum(dim=1)
            penalty = (gap / variance.clamp_min(SMALLEST_VARIANCE)).clamp(0, 1) * gap.abs()
        else:
            penalty = fixed * gap.abs()
        return classification(logits, targets) + penalty.mean()

    return loss


def maxent_mbls(num_classes: int, class_prior: Prior) -> Loss:
    """``maxent`` plus ``mbls(margin=10,weight=1,reduction=sum)``: FER-C, eq. 14."""
    first = maxent(num_classes, class_prior)
    second = mbls(num_classes, class_prior, margin=10, weight=1, reduction="sum")
    return lambda logits, targets: first(logits, targets) + second(logits, targets)


def fixed_strength(value: str | float) -> float:
    """Return a strength that is no word."""
    if isinstance(value, str):
        raise RequestError(f"option 'strength' must be newton1 or a number, not {value!r}")
    return number("strength", value)
