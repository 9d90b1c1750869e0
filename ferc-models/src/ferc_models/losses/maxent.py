"""Maximum-entropy losses: focal loss with constraints on the moments of the class index."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ferc_core.errors import RequestError
from ferc_models.losses.base import Loss, Prior, constant, log_softmax
from ferc_models.losses.classification import focal
from ferc_models.losses.multipliers import multipliers
from ferc_models.options import choice, number

CONSTRAINTS = ("mean", "variance", "both")
TARGETS = ("global", "local", "global+local")
PRIORS = ("uniform", "empirical")

SMALLEST_VARIANCE = 1e-6  # of the class index in `newton_step`; a one-hot prediction has none
NO_MULTIPLIER = 1e-9  # a multiplier this small is 0 but for rounding

# weights [B, D] of the distances, for predictions p [B, K] and targets y [B, K]
Strength = Callable[[Tensor, Tensor], Tensor]


def maxent(
    num_classes: int,
    class_prior: Prior,
    gamma: float = 1.0,
    constraint: str = "mean",
    target: str = "global",
    strength: str | float = "newton1",
    prior: str = "uniform",
    class_weights: str = "none",
) -> Loss:
    """Focal loss plus lambda |moment of p - wanted moment|, on the class index x = 0 ... K-1.

    constraint: the moment. "mean", E = sum_k p_k k; "variance", the second moment sum_k p_k k^2;
        "both", E and the central variance sum_k p_k (k - E)^2, each with its own lambda.
    target: whose moment is wanted. "global", that of the prior q; "local", that of the sample's own
        target y; "global+local", both distances are added.
    prior: q, "uniform" or "empirical", the class frequencies of the training labels.
    strength: lambda. "newton1", for mean and global alone, is FER-C's: one Newton step for each
        sample, see `newton_step`. It is one-sided: only predictions with E < mu are pushed. "dual"
        solves, once for each class, for the multipliers of the distribution of largest entropy
        that has the wanted moments, see `dual`; a target whose largest value is shared by several
        classes gets the mean of theirs. A number is taken as lambda itself.

    ``gamma`` and ``class_weights`` as in `focal`; the weights do not apply to the constraint.

    Raises `RequestError` for meaningless combinations. Source: FER-C, eq. 12, with the
    multiplier of the authors' code; Neo et al. 2024, "MaxEnt Loss", arXiv:2310.17159, for the
    other constraints and targets.
    """
    choice("constraint", constraint, CONSTRAINTS)
    choice("target", target, TARGETS)
    choice("prior", prior, PRIORS)
    check_combination(num_classes, constraint, target, strength, prior)
    classification = focal(num_classes, class_prior, gamma, class_weights)
    probs = np.full(num_classes, 1 / num_classes) if prior == "uniform" else class_prior
    q = torch.tensor(probs, dtype=torch.float64)[None]
    wanted = constant(moments(q, constraint))
    weigh = build_strength(strength, constraint, target, q)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        p = log_softmax(logits).exp()
        found, y = moments(p, constraint), targets.to(p)
        distance = torch.zeros_like(found)
        if target != "local":
            distance = distance + (found - wanted(p)).abs()
        if target != "global":
            distance = distance + (found - moments(y, constraint)).abs()
        penalty = (weigh(p, y) * distance).sum(dim=1)
        return classification(logits, targets) + penalty.mean()

    return loss


def check_combination(
    num_classes: int, constraint: str, target: str, strength: str | float, prior: str
) -> None:
    """Raise `RequestError` for options of `maxent` that are meaningless together."""
    if strength == "newton1" and (constraint, target) != ("mean", "global"):
        raise RequestError(
            f"strength=newton1 is for the global mean only, not for constraint={constraint} with "
            f"target={target}; use strength=dual or a number"
        )
    if constraint == "both" and num_classes < 3:
        raise RequestError(
            f"constraint=both needs at least 3 classes, not {num_classes}: the mean of two fixes "
            "their variance; use constraint=mean"
        )
    if target == "local" and strength != "dual" and prior == "empirical":
        raise RequestError(
            "prior=empirical has no effect with target=local and a fixed strength; leave it out"
        )


def build_strength(strength: str | float, constraint: str, target: str, q: Tensor) -> Strength:
    """Return the function that weighs the distances."""
    if strength == "newton1":
        mu = constant(moments(q, "mean"))
        return lambda p, y: newton_step(p, mu(p))
    if strength == "dual":
        by_class = constant(torch.as_tensor(np.abs(dual(constraint, target, q))))
        # not as a matrix product, which autocast would round
        return lambda p, y: (largest(y)[:, :, None] * by_class(p)).sum(dim=1)
    if isinstance(strength, str):
        raise RequestError(
            f"option 'strength' must be newton1 or dual or a number, not {strength!r}"
        )
    fixed = number("strength", strength)
    return lambda p, y: torch.full_like(p[:, :1], fixed)


def largest(y: Tensor) -> Tensor:
    """Return the uniform distributions [B, K] over the classes with the largest target value."""
    among = (y == y.amax(dim=1, keepdim=True)).to(y)
    return among / among.sum(dim=1, keepdim=True)


def newton_step(p: Tensor, mu: Tensor) -> Tensor:
    """Return clamp((mu - E) / Var, 0, 1) [B, 1], through which the gradient flows.

    One step of Newton's method from 0 for the tilt of p that has the mean mu, as in FER-C's code;
    there an exactly one-hot prediction divides by 0.
    """
    gap = mu - moments(p, "mean")
    variance = moments(p, "both")[:, 1:]
    return (gap / variance.clamp_min(SMALLEST_VARIANCE)).clamp(0, 1)


def dual(constraint: str, target: str, q: Tensor) -> Prior:
    """Return the multipliers [K, D] for targets of each class, float64.

    They are those of the distribution of largest entropy with the moments of the prior q [1, K],
    or, where the target is local too, with those of (q + one-hot) / 2: no distribution with
    finite multipliers has the moments of a one-hot target.

    Source: Neo et al. 2024, arXiv:2310.17159. Their code leaves the distribution unnormalised,
    adds a term to the derivative, stops after 20 steps, and mixes the classes' means within each
    class's variance.
    """
    num_classes = q.shape[1]
    own = torch.eye(num_classes, dtype=q.dtype)
    mixed = q.expand(num_classes, -1) if target == "global" else (q + own) / 2
    means = moments(mixed, "mean")[:, 0]
    rows = []
    for probs, mean in zip(mixed.numpy(), means.tolist(), strict=True):
        found = multipliers(features(num_classes, constraint, mean), probs)
        if found is None:
            raise RequestError(
                "strength=dual has no finite multiplier, because too few of the classes have "
                "training images; use prior=uniform"
            )
        rows.append(found)
    solved: Prior = np.array(rows)
    if np.abs(solved).max() < NO_MULTIPLIER:
        raise RequestError(
            f"strength=dual is 0: the uniform distribution already has the global moments of "
            f"constraint={constraint}; use another target, prior or strength"
        )
    return solved


def features(num_classes: int, constraint: str, mean: float) -> Prior:
    """Return t [K, D], whose expected values are the moments of a distribution with ``mean``."""
    x = np.arange(num_classes, dtype=np.float64)
    columns = {"mean": [x], "variance": [x**2], "both": [x, (x - mean) ** 2]}
    stacked: Prior = np.stack(columns[constraint], axis=1)
    return stacked


def moments(probs: Tensor, constraint: str) -> Tensor:
    """Return the moments [B, D] of distributions over the class indices, [B, K]."""
    x = torch.arange(probs.shape[1], dtype=probs.dtype, device=probs.device)
    if constraint == "variance":
        return (probs * x.square()).sum(dim=1, keepdim=True)
    mean = (probs * x).sum(dim=1, keepdim=True)
    if constraint == "mean":
        return mean
    variance = (probs * (x - mean).square()).sum(dim=1, keepdim=True)
    return torch.cat([mean, variance], dim=1)
