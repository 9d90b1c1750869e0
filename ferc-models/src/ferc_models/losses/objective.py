"""The objective of a training: one loss or a sum of losses.

A registered loss is built as ``build(num_classes, class_prior [K], **options)`` and is then a
function, or a module with buffers, of ``logits`` [B, K] and ``targets`` [B, K] that returns a
scalar, the mean over the batch. Targets may be soft: rows of probabilities. A loss that adapts
itself has a method ``after_epoch(logits, targets)``; what it remembers are its buffers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor, nn

from ferc_core.errors import FercError, PluginError, as_failure
from ferc_core.plugins.objective import terms
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Loss
from ferc_models.losses.base import Prior
from ferc_models.precision import in_float32

Term = Callable[[Tensor, Tensor], Tensor]


class Objective(nn.Module):
    """A sum of losses; those that are modules are its submodules."""

    def __init__(self, terms: list[Term]) -> None:
        super().__init__()
        self.terms = terms
        self.modules_among_them = nn.ModuleList(t for t in terms if isinstance(t, nn.Module))

    @in_float32
    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of logits [B, K] for targets [B, K], a scalar."""
        return reduce(torch.add, [term(logits, targets) for term in self.terms])

    def after_epoch(self, logits: Tensor, targets: Tensor) -> None:
        """Let the losses that adapt themselves see the validation logits [V, K] of an epoch."""
        for term in self.terms:
            if hasattr(term, "after_epoch"):
                term.after_epoch(logits, targets)


def build_loss(expression: str, num_classes: int, class_prior: Prior) -> Objective:
    """Build the objective that an expression such as ``focal(gamma=2)+mbls`` names.

    It means what it means on the command line: see `ferc_core.plugins.objective`. All spellings
    of a sum give the same bits, because the terms are added in one order.

    Raises `UnknownNameError` for an unknown loss or option, `RequestError` for an impossible
    value and `PluginError` for a loss that cannot be built.
    """
    return Objective([build_term(term, num_classes, class_prior) for term in terms(expression)])


def build_term(term: Chosen[Loss], num_classes: int, class_prior: Prior) -> Term:
    """Build one registered loss with its options."""
    try:
        loss: Term = term(num_classes, class_prior)
    except FercError:
        raise
    except BaseException as error:  # a plugin's code may raise anything
        raise PluginError(f"loss '{term}' cannot be built: {as_failure(error)}") from error
    if not callable(loss):
        raise PluginError(f"loss '{term}' is a {type(loss).__name__}, which cannot be called")
    return loss


def maxent_mbls(num_classes: int, class_prior: Prior) -> Objective:
    """Build the preset ``maxent+mbls``, FER-C's calibrated objective (eq. 14)."""
    return build_loss("maxent+mbls", num_classes, class_prior)
