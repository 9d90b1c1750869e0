"""Losses that make right predictions certain and wrong ones uncertain.

The uncertainty of a prediction is the entropy of its softmax, u = -sum_k p_k log p_k in nats. A
prediction is right when its class has the largest target value of the row, soft targets included;
if several classes share the largest value, each of them is right. The reference code takes the
argmax over the whole batch at once and so counts nearly all predictions as wrong.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, log_softmax
from ferc_models.losses.classification import cross_entropy, missing
from ferc_models.options import number

THRESHOLDS = 21  # of AvUC, from the smallest to the largest uncertainty of a batch
SMALLEST_AREA = 1e-10  # keeps logarithm and quotient finite where all are wrong and certain
MIXED_IN = 1e-5  # weight of the uniform distribution that Soft-AvUC mixes into a prediction
SMALLEST_GOOD = 1e-5  # below the fraction of Soft-AvUC
EDGE = 1e-6  # distance of the relative entropy of Soft-AvUC from 0 and 1
SMALLEST_TEMPERATURE = 1e-3


def avuc(
    num_classes: int, class_prior: Prior, beta: float = 3.0, class_weights: str = "none"
) -> Loss:
    """Cross-entropy plus accuracy versus uncertainty: CE - beta log(area + 1e-10).

    The area is that under AvU = (n_ac + n_iu) / (n_ac + n_au + n_ic + n_iu) over 21 thresholds,
    spread evenly from the smallest to the largest uncertainty of the batch. Accurate or inaccurate,
    certain (u at most the threshold) or uncertain samples are counted softly, with s = max_k p_k:

        n_ac: s (1 - tanh u)   n_au: s tanh u   n_ic: (1 - s)(1 - tanh u)   n_iu: (1 - s) tanh u

    Where all are wrong and certain, the area is 0 and only the cross-entropy has a gradient.
    ``class_weights`` as in `cross_entropy`. Source: Krishnan and Tickoo 2020, arXiv:2012.07923,
    and the authors' code for the area. As in FER-C, beta = 3 and u is that of the softmax, without
    sampling.
    """
    beta = number("beta", beta)
    classification = cross_entropy(num_classes, class_prior, class_weights)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        area = accuracy_versus_uncertainty(log_softmax(logits), targets)
        return classification(logits, targets) - beta * (area + SMALLEST_AREA).log()

    return loss


def soft_avuc(
    num_classes: int,
    class_prior: Prior,
    temperature: float = 0.01,
    threshold: float = 0.1,
    weight: float = 1.0,
    class_weights: str = "none",
) -> Loss:
    """Cross-entropy plus Soft-AvUC: CE + weight log(1 + (n_au + n_ic) / (n_ac + n_iu)).

    Each sample is uncertain to a degree q = sigmoid((logit(u / log K) - logit(threshold)) /
    temperature) and certain to 1 - q; a certain one counts (1 - q)(1 - tanh u), an uncertain one
    q tanh u. u is that of the prediction mixed with 1e-5 of the uniform distribution.

    temperature: at least 0.001; threshold: between 0 and 1. ``class_weights`` as in
    `cross_entropy`. Source: Karandikar et al. 2021, arXiv:2108.00106, eq. 15, and the authors'
    code, which uses tanh of the entropy in nats. Temperature, threshold and weight are FER-C's,
    whose own form of the loss differs: 21 hard thresholds and a focal loss.
    """
    temperature = number("temperature", temperature, SMALLEST_TEMPERATURE)
    threshold, weight = number("threshold", threshold), number("weight", weight)
    if not 0 < threshold < 1:
        raise RequestError(f"option 'threshold' must be between 0 and 1, not {threshold:g}")
    shift = math.log(threshold / (1 - threshold))
    classification = cross_entropy(num_classes, class_prior, class_weights)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        p = log_softmax(logits).exp()
        u = entropy(((1 - MIXED_IN) * p + MIXED_IN / num_classes).log())
        share = (u / math.log(num_classes)).clamp(EDGE, 1 - EDGE)
        degree = (share.logit() - shift) / temperature
        certain = (-degree).sigmoid() * (1 - u.tanh())
        uncertain = degree.sigmoid() * u.tanh()
        right = is_right(p, targets)
        good = torch.where(right, certain, uncertain).sum()
        bad = torch.where(right, uncertain, certain).sum()
        term = torch.log1p(bad / good.clamp_min(SMALLEST_GOOD))
        return classification(logits, targets) + weight * term

    return loss


def accuracy_versus_uncertainty(log_p: Tensor, targets: Tensor) -> Tensor:
    """Return the area of `avuc`, a scalar in [0, 1], for log-probabilities [B, K]."""
    u, largest, right = entropy(log_p), log_p.amax(dim=1), is_right(log_p, targets)
    positions = torch.linspace(0, 1, THRESHOLDS, dtype=u.dtype, device=u.device)
    thresholds = torch.lerp(u.min(), u.max(), positions[:, None])
    certain = u <= thresholds  # [thresholds, B]
    amount = torch.where(right, largest.exp(), missing(largest)) * torch.where(
        certain, 1 - u.tanh(), u.tanh()
    )
    good = (amount * (certain == right)).sum(dim=1)
    return torch.trapezoid(good / (amount.sum(dim=1) + SMALLEST_AREA), positions)


def entropy(log_p: Tensor) -> Tensor:
    """Return the entropy [B] in nats."""
    return -(log_p.exp() * log_p).sum(dim=1)


def is_right(scores: Tensor, targets: Tensor) -> Tensor:
    """Return whether the predicted class of each row has its largest target value, bool [B]."""
    predicted = targets.gather(1, scores.argmax(dim=1, keepdim=True)).squeeze(1)
    return predicted == targets.amax(dim=1)
