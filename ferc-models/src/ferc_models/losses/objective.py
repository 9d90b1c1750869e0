"""The objective of a training: one loss or a sum of losses.

A registered loss is built as ``build(num_classes, class_prior [K], **options)`` and is then a
function, or a module with buffers, of ``logits`` [B, K] and ``targets`` [B, K] that returns a
scalar, the mean over the batch. Targets may be soft: rows of shares that sum to 1. A loss that
adapts itself has a method ``after_epoch(logits, targets)``; what it remembers are its buffers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor, nn

from ferc_core import registry
from ferc_core.base.calls import Call, parse_call, split_sum
from ferc_models.losses.base import Prior

Term = Callable[[Tensor, Tensor], Tensor]


class Objective(nn.Module):
    """A sum of losses; those that are modules are its submodules."""

    def __init__(self, terms: list[Term]) -> None:
        super().__init__()
        self.terms = terms
        self.modules_among_them = nn.ModuleList(t for t in terms if isinstance(t, nn.Module))

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [B, K] for targets [B, K], a scalar."""
        return reduce(torch.add, [term(logits, targets) for term in self.terms])

    def after_epoch(self, logits: Tensor, targets: Tensor) -> None:
        """Let the losses that adapt themselves see the validation logits [V, K] of an epoch."""
        for term in self.terms:
            if hasattr(term, "after_epoch"):
                term.after_epoch(logits, targets)


def build_loss(expression: str, num_classes: int, class_prior: Prior) -> Objective:
    """Build the objective that an expression names.

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
    return Objective([build_term(call, num_classes, class_prior) for call in calls])


def build_term(call: Call, num_classes: int, class_prior: Prior) -> Term:
    """Build one registered loss with its options."""
    entry = registry().losses[call.name]
    entry.check_options(call.options)
    loss: Term = entry(num_classes, class_prior, **call.options)
    return loss
