"""Cross-entropy and its variants: sums over the classes of a cost of the log-probability."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, balance, check_hard, constant, log_softmax
from ferc_models.options import number

# FLSD-53 of Mukhoti et al. 2020: exponents for target probabilities below these bounds
HARDEST, HARDEST_GAMMA = 0.2, 5.0
HARD, HARD_GAMMA = 0.5, 3.0


def cross_entropy(num_classes: int, class_prior: Prior, class_weights: str = "none") -> Loss:
    """Cross-entropy, -sum_k w_k y_k log p_k.

    class_weights: "none", w_k = 1, or "balanced", w_k = (images of the largest class) / (images
    of class k), as in the authors' code of FER-C.
    """
    return by_class(torch.neg, class_prior, class_weights)


def focal(
    num_classes: int, class_prior: Prior, gamma: float = 1.0, class_weights: str = "none"
) -> Loss:
    """Focal loss, -sum_k w_k y_k (1 - p_k)^gamma log p_k, with gamma 0 or at least 1.

    Between 0 and 1 the gradient is infinite at p = 1. ``class_weights`` as in `cross_entropy`.
    Source: Lin et al. 2017, arXiv:1708.02002; gamma = 1 is FER-C's.
    """
    gamma = focal_gamma(gamma)
    return by_class(lambda log_p: -log_p * missing(log_p).pow(gamma), class_prior, class_weights)


def focal_adaptive(
    num_classes: int, class_prior: Prior, gamma: float = 3.0, class_weights: str = "none"
) -> Loss:
    """Focal loss whose exponent is larger for less probable targets (FLSD-53).

    gamma: the exponent where p_y >= 0.5, 0 or at least 1; it is 5 where p_y < 0.2 and 3 between.
    No gradient flows through the choice. ``class_weights`` as in `cross_entropy`.

    Hard targets only, because the exponent belongs to one class; `SoftTargetsError` for others.
    Source: Mukhoti et al. 2020, arXiv:2002.09437 (gamma = 3); their code sums over the batch.
    """
    gamma = focal_gamma(gamma)

    def cost(log_p: Tensor) -> Tensor:
        p, rest = log_p.exp(), missing(log_p)
        easy = torch.where(p < HARD, rest.pow(HARD_GAMMA), rest.pow(gamma))
        return -log_p * torch.where(p < HARDEST, rest.pow(HARDEST_GAMMA), easy)

    focal_by_p = by_class(cost, class_prior, class_weights)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        check_hard("focal-adaptive", targets)
        return focal_by_p(logits, targets)

    return loss


def inv_focal(
    num_classes: int, class_prior: Prior, gamma: float = 1.0, class_weights: str = "none"
) -> Loss:
    """Inverse focal loss, -sum_k w_k y_k (1 + p_k)^gamma log p_k: it sharpens, gamma >= 0.

    ``class_weights`` as in `cross_entropy`. Source: Wang et al. 2021, "Rethinking Calibration of
    Deep Neural Networks", NeurIPS; gamma = 1 is FER-C's.
    """
    gamma = number("gamma", gamma)
    return by_class(lambda log_p: -log_p * (1 + log_p.exp()).pow(gamma), class_prior, class_weights)


def poly(
    num_classes: int, class_prior: Prior, epsilon: float = 1.0, class_weights: str = "none"
) -> Loss:
    """Poly-1, sum_k w_k y_k (-log p_k + epsilon (1 - p_k)), with epsilon at least -1.

    ``class_weights`` as in `cross_entropy`; they apply to both terms. Source: Leng et al. 2022,
    arXiv:2204.12511. The reference code of FER-C subtracts sum_k (1 - y_k p_k) with
    epsilon = -1: the same gradient for hard targets, and a value larger by K - 1.
    """
    epsilon = number("epsilon", epsilon, -1)
    return by_class(lambda log_p: epsilon * missing(log_p) - log_p, class_prior, class_weights)


def label_smoothing(
    num_classes: int, class_prior: Prior, alpha: float = 0.1, class_weights: str = "none"
) -> Loss:
    """Cross-entropy with the targets (1 - alpha) y + alpha / K, alpha in [0, 1].

    ``class_weights`` as in `cross_entropy`. Source: Szegedy et al. 2016, arXiv:1512.00567,
    section 7.
    """
    alpha = number("alpha", alpha)
    if alpha > 1:
        raise RequestError(f"option 'alpha' must be at most 1, not {alpha:g}")
    classification = cross_entropy(num_classes, class_prior, class_weights)
    return lambda logits, targets: classification(
        logits, (1 - alpha) * targets + alpha / num_classes
    )


def by_class(cost: Callable[[Tensor], Tensor], class_prior: Prior, class_weights: str) -> Loss:
    """Return the loss sum_k w_k y_k cost(log p_k), a mean over the batch."""
    weights = balance(class_prior, class_weights)
    weights_like = None if weights is None else constant(torch.as_tensor(weights))

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        log_p = log_softmax(logits)
        terms = targets.to(log_p) * cost(log_p)
        if weights_like is not None:
            terms = terms * weights_like(log_p)
        return terms.sum(dim=1).mean()

    return loss


def missing(log_p: Tensor) -> Tensor:
    """Return 1 - p, exact also near p = 1."""
    return -torch.expm1(log_p)


def focal_gamma(gamma: float) -> float:
    """Return an exponent of 1 - p that has a finite gradient everywhere."""
    gamma = number("gamma", gamma)
    if 0 < gamma < 1:
        raise RequestError(f"option 'gamma' must be 0 or at least 1, not {gamma:g}")
    return gamma
