"""Logits, targets and loss expressions that the tests of losses have in common."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ferc_models.losses import build_loss
from ferc_models.losses.base import Prior

UNIFORM = np.full(6, 1 / 6)

# ../shared/golden/golden.json, "losses": made with the reference's functions
LOGITS = (
    (2.0, -1.0, 0.5, 0.0, -0.5, 1.0),
    (0.1, 0.2, -0.3, 0.4, 0.0, -0.2),
    (-1.0, 3.0, 0.0, 12.5, 1.0, 2.0),
    (5.0, -6.0, 1.0, 0.0, 2.0, -4.0),
)
LABELS = (0, 3, 1, 4)
MAXENT = 4.067441764141584  # its value there, within MAXENT_ROUNDING
MAXENT_ROUNDING = 2e-7  # the reference's MaxEnt rounds to float32 on its way

# sums over the classes of target value times cost
BY_CLASS = ("ce", "focal", "focal(gamma=2)", "inv-focal", "poly", "label-smoothing")
SOFT = (
    *BY_CLASS,
    "avuc",
    "soft-avuc",
    "soft-avuc(temperature=1,threshold=0.5)",
    "maxent",
    "maxent(strength=0.5)",
    "maxent(constraint=both,strength=dual,target=global+local)",
    "maxent+mbls",
    "mbls",
    "cals-alm",
    "cals-alm(margin=1,penalty=p2)",
    "cals-alm(margin=1,penalty=p3)",
)
HARD = ("focal-adaptive", "cpc", "cpc(lambda_bdc=0.1)")  # these refuse soft targets
EVERY = SOFT + HARD


def logits(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(LOGITS, dtype=dtype, requires_grad=True)


def hard() -> Tensor:
    return F.one_hot(torch.tensor(LABELS), 6).double()


def targets_of(kind: str) -> Tensor:
    return 0.7 * hard() + 0.3 / 6 if kind == "soft" else hard()


def value(expression: str, x: Tensor, y: Tensor, prior: Prior | None = None) -> float:
    """The value of an objective, with uniform class frequencies unless others are given."""
    classes = x.shape[1]
    prior = np.full(classes, 1 / classes) if prior is None else prior
    return build_loss(expression, classes, prior)(x, y).item()


def beside_ce(expression: str, x: Tensor, y: Tensor) -> float:
    """What a loss adds to cross-entropy."""
    return value(expression, x, y) - value("ce", x, y)


def gradient(expression: str, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of an objective at logits ``x``, after checking that its value is finite."""
    classes, x = x.shape[1], x.detach().clone().requires_grad_()
    loss = build_loss(expression, classes, np.full(classes, 1 / classes))(x, y)
    loss.backward()
    assert torch.isfinite(loss), expression
    assert x.grad is not None
    return x.grad
