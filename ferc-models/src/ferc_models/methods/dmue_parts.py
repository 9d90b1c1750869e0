"""The parts of DMUE's losses, as functions of tensors.

Throughout, N images have labels t in 0 .. K-1, and the auxiliary branch c classifies the K - 1
classes other than c, in their usual order.

Source: She et al. 2021, "Dive into Ambiguity", arXiv:2104.00232, section 3; constants and details
from its reference code (FaceX-Zoo) and from that of FER-C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferc_models.precision import in_float32

TEMPERATURE = 1.2  # of mined labels; raised to the power 1 / 1.2, they become flatter
CLASSIFIER_STD = 0.001  # standard deviation of a classifier's initial weights
SMALLEST_RANGE = 1e-6  # of cosines in `statistics`; smaller differences are rounding


def ramp_up(epoch: int, length: float) -> float:
    """Return the weight of the main branch's losses in ``epoch``, counted from 0.

    It rises from exp(-5) to 1 within ``length`` epochs.
    """
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch <= length else 1.0


def ramp_down(epoch: int, length: float) -> float:
    """Return the weight of the auxiliary branches' own loss in ``epoch``, counted from 0.

    It is 1 for ``length`` epochs and then falls towards exp(-1).
    """
    return 1.0 if epoch < length else math.exp(-((1 - length / epoch) ** 2))


def branch_labels(labels: Tensor, branch: int) -> Tensor:
    """Return the numbers that branch ``branch`` has for labels [N], none of which is its own."""
    return torch.where(labels < branch, labels, labels - 1)


@in_float32
def branch_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of a branch's logits [N, K - 1] for its `branch_labels` [N]."""
    return functional.cross_entropy(logits, labels)


@in_float32
def mined_labels(logits: Tensor, branch: int) -> Tensor:
    """Return soft labels [N, K] from a branch's logits [N, K - 1] for images of its own class.

    Rows sum to 1 and are 0 at ``branch``: they are distributions over the other classes.
    """
    probs = torch.softmax(logits / TEMPERATURE, dim=1)
    own = probs.new_zeros(len(probs), 1)
    return torch.cat([probs[:, :branch], own, probs[:, branch:]], dim=1)


@in_float32
def soft_loss(logits: Tensor, labels: Tensor, mined: Tensor) -> Tensor:
    """Return the mean squared distance of softmax(logits) from mined labels, all [N, K].

    The true class is set to 0 on both sides; the other probabilities are not rescaled.
    """
    others = torch.softmax(logits, dim=1).scatter(1, labels[:, None], 0.0)
    return functional.mse_loss(others, mined)


@in_float32
def similarity_loss(branch: Tensor, main: Tensor) -> Tensor:
    """Return the difference between the similarities of N images in two views.

    It is the mean squared distance of the Gram matrices of the views, [N, D] and [N, E], with each
    row scaled to length 1.
    """
    grams = (functional.normalize(view @ view.T, dim=1) for view in (branch, main))
    return functional.mse_loss(*grams)


@in_float32
def statistics(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the input [N, 2K] of the confidence network.

    First the mean cosine between an image's features [N, C] and those of each class in the batch,
    scaled to 0 .. 1 over the classes in the batch (0 for absent classes, and for all if the cosines
    are equal); then its one-hot label.
    """
    directions = functional.normalize(features, dim=1)
    one_hot = functional.one_hot(labels, num_classes).to(directions)
    counts = one_hot.sum(dim=0)
    absent = counts == 0
    means = directions @ (directions.T @ one_hot) / counts.clamp_min(1)
    low = means.masked_fill(absent, math.inf).amin(dim=1, keepdim=True)
    high = means.masked_fill(absent, -math.inf).amax(dim=1, keepdim=True)
    scaled = (means - low) / (high - low).clamp_min(SMALLEST_RANGE)
    return torch.cat([scaled.masked_fill(absent, 0.0), one_hot], dim=1)


def confidence_network(num_classes: int) -> nn.Module:
    """Return the network that maps `statistics` [N, 2K] to confidences [N, 1] in 0 .. 1."""
    return nn.Sequential(
        nn.Linear(2 * num_classes, num_classes),
        nn.PReLU(),
        nn.Linear(num_classes, 1),
        nn.Sigmoid(),
    )


def linear_classifier(width: int, num_classes: int) -> nn.Linear:
    """Return a classifier without bias and with small initial weights."""
    classifier = nn.Linear(width, num_classes, bias=False)
    nn.init.normal_(classifier.weight, std=CLASSIFIER_STD)
    return classifier


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Run a block with a module in evaluation mode and without gradients."""
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(training)
