"""Training objectives, and the reading of expressions such as ``maxent+mbls(margin=8)``.

A builder is called as ``build(num_classes, class_prior [K], **options)`` and returns
``f(logits [B, K], targets [B, K]) -> scalar``, the mean over the batch. Targets may be soft: rows
of shares that sum to 1. Everything is computed from the log-softmax in float32, or in float64
where the logits are, also under autocast: a clamp on probabilities, as in the reference code,
would stop the learning of confidently wrong samples (SPEC section 3).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_core.expr import Call, parse_call, split_sum
from ferc_models.options import choice, number

Loss = Callable[[Tensor, Tensor], Tensor]
Prior = npt.NDArray[np.float64]

SMALLEST_VARIANCE = 1e-6  # of the class index in `maxent`; a one-hot prediction has none at all


def build_loss(expression: str, num_classes: int, class_prior: Prior) -> Loss:
    """Build the loss that an expression names.

    The name of a registered loss, which may itself hold a plus sign (``maxent+mbls``), or terms
    ``name`` or ``name(option=value, ...)`` joined by ``+``. Where every term is a penalty, ``ce``
    is added.

    Raises `UnknownNameError` for an unknown loss or option and `RequestError` for an impossible
    value.
    """
    losses = registry().losses
    if expression.strip() in losses:
        calls = [Call(expression.strip())]
    else:
        calls = [parse_call(term) for term in split_sum(expression)]
    if all(losses[call.name].penalty for call in calls):
        calls = [Call("ce"), *calls]
    terms = [build_term(call, num_classes, class_prior) for call in calls]
    return lambda logits, targets: reduce(torch.add, [f(logits, targets) for f in terms])


def build_term(call: Call, num_classes: int, class_prior: Prior) -> Loss:
    """Build one registered loss with its options."""
    entry = registry().losses[call.name]
    entry.check_options(call.options)
    loss: Loss = entry(num_classes, class_prior, **call.options)
    return loss


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


def balance(class_prior: Prior, class_weights: str) -> Prior | None:
    """Return the class weights [K], or None; a class without pictures weighs like the rarest."""
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
