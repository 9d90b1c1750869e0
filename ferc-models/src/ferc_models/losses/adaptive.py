"""Class-adaptive label smoothing: a margin on logits, enforced by adaptive multipliers.

Source: Liu et al. 2023, "Class Adaptive Network Calibration", arXiv:2211.15088, and its code.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ferc_models.losses.base import Prior, full_precision
from ferc_models.options import choice, number, whole

LEAST, MOST = 1e-6, 1e6  # of a multiplier, which starts with the least
FIRST_RHO, LARGEST_RHO, GROWTH = 1.0, 10.0, 1.2
PROGRESS = 0.9  # rho grows where the excess is above this fraction of the previous epoch's
SMALLEST_MARGIN = 1e-3

Penalty = Callable[[Tensor, Tensor, Tensor], Tensor]


def cals_alm(
    num_classes: int,
    class_prior: Prior,
    penalty: str = "phr",
    margin: float = 10.0,
    rho_step: int = 10,
) -> ClassAdaptive:
    """Class-adaptive label smoothing by an augmented Lagrangian (CALS-ALM); a penalty.

    The mean over samples and classes of P(h_k, lambda_k, rho_k), where h_k = (max_j l_j - l_k -
    margin) / margin is positive for logits too far below the largest. lambda and rho of each class
    adapt to the validation logits: see `ClassAdaptive.after_epoch`.

    penalty: P, "phr", "p2" or "p3". margin: at least 0.001; 10 is FER-C's and the default of the
    authors' class, whose configuration has 20. rho_step: epochs between two updates of rho.
    Source: arXiv:2211.15088.
    """
    function = PENALTIES[choice("penalty", penalty, PENALTIES)]
    margin, step = number("margin", margin, SMALLEST_MARGIN), whole("rho_step", rho_step, 1)
    return ClassAdaptive(num_classes, function, margin, step)


class ClassAdaptive(nn.Module):
    """The penalty of `cals_alm`; its whole state is in its buffers.

    multiplier, rho: lambda and rho [K]; excess: mean h [K] of the validation images after the
    last epoch; epochs: number of finished epochs.
    """

    multiplier: Tensor
    rho: Tensor
    excess: Tensor
    epochs: Tensor

    def __init__(self, num_classes: int, penalty: Penalty, margin: float, rho_step: int) -> None:
        super().__init__()
        self.penalty, self.margin, self.rho_step = penalty, margin, rho_step
        self.register_buffer("multiplier", torch.full((num_classes,), LEAST))
        self.register_buffer("rho", torch.full((num_classes,), FIRST_RHO))
        # infinite, so that the first epoch is never an increase
        self.register_buffer("excess", torch.full((num_classes,), torch.inf))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the penalty of logits [B, K], a scalar; the targets are ignored."""
        h = self.excess_of(full_precision(logits))
        return self.penalty(h, self.multiplier.to(h), self.rho.to(h)).mean()

    def after_epoch(self, logits: Tensor, targets: Tensor) -> None:
        """Adapt lambda and rho to the validation logits [V, K] after an epoch.

        lambda_k becomes the mean slope of P over the samples, each clamped to [1e-6, 1e6]. Every
        ``rho_step`` epochs rho_k grows by 1.2, up to 10, where the mean of h_k is above 0.9 times
        that of the previous epoch, or above 0 where that was negative.
        """
        h = self.excess_of(logits.detach().to(self.multiplier)).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(self.penalty(h, self.multiplier, self.rho).sum(), h)
        excess = h.detach().mean(dim=0)
        self.epochs += 1
        if self.epochs.item() % self.rho_step == 0:
            stuck = excess > PROGRESS * self.excess.clamp_min(0)
            grown = (GROWTH * self.rho).clamp_max(LARGEST_RHO)
            self.rho.copy_(torch.where(stuck, grown, self.rho))
        self.multiplier.copy_(slope.clamp(LEAST, MOST).mean(dim=0))
        self.excess.copy_(excess)

    def excess_of(self, logits: Tensor) -> Tensor:
        """Return h [B, K], how far each logit exceeds the margin, in units of the margin."""
        return (logits.amax(dim=1, keepdim=True) - logits - self.margin) / self.margin


def phr(h: Tensor, multiplier: Tensor, rho: Tensor) -> Tensor:
    """Powell-Hestenes-Rockafellar: (max(0, lambda + rho h)^2 - lambda^2) / (2 rho)."""
    return ((multiplier + rho * h).relu().square() - multiplier.square()) / (2 * rho)


def p2(h: Tensor, multiplier: Tensor, rho: Tensor) -> Tensor:
    """P2: lambda h + lambda rho h^2 + rho^2 h^3 / 6 where h >= 0, else as `barrier`."""
    above = multiplier * h + multiplier * rho * h.square() + rho.square() * h.pow(3) / 6
    return torch.where(h >= 0, above, barrier(h, multiplier, rho))


def p3(h: Tensor, multiplier: Tensor, rho: Tensor) -> Tensor:
    """P3: lambda h + lambda rho h^2 where h >= 0, else as `barrier`."""
    above = multiplier * h + multiplier * rho * h.square()
    return torch.where(h >= 0, above, barrier(h, multiplier, rho))


def barrier(h: Tensor, multiplier: Tensor, rho: Tensor) -> Tensor:
    """Return lambda h / (1 - rho h) for h <= 0, and 0 above, where it would have a pole."""
    below = h.clamp_max(0)
    return multiplier * below / (1 - rho * below)


PENALTIES: dict[str, Penalty] = {"phr": phr, "p2": p2, "p3": p3}
