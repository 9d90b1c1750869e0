"""The method ``mek``: extra knowledge of rare expressions, mined from the images of all classes.

Labels are smoothed towards rare classes, and attention must be consistent under mirroring, with
the largest weight for rare classes.

Source: Zhang et al. 2023, "Leave No Stone Unturned: Mine Extra Knowledge for Imbalanced Facial
Expression Recognition", and the authors' training script. They use a Swin-T with patches of 2 on
images of 112 pixels, with erasing and RandAugment; here any backbone with feature maps is used, and
erasing is the only augmentation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.losses import Objective
from ferc_models.losses.base import Prior
from ferc_models.methods.attention import AttentionNetwork, look_twice
from ferc_models.options import number
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch


class MekLearner(Learner):
    """Objective of re-balanced smooth labels + weight * inconsistency of the attention.

    The inconsistency is the mean over images of sum_k w_k d_k, where d_k is that of class k and
    w_k its `class_rarity`.

    smoothing: the probability e that a label gives to the other classes, from 0 to below 1.
    weight: of the inconsistency, at least 0.
    """

    network: AttentionNetwork
    rarity: Tensor
    others: Tensor

    def __init__(
        self,
        task: Task,
        network: AttentionNetwork,
        objective: Objective,
        *,
        smoothing: float = 0.3,
        weight: float = 0.1,
    ) -> None:
        super().__init__(task, network, objective)
        self.smoothing, self.weight = number("smoothing", smoothing), number("weight", weight)
        if self.smoothing >= 1:
            raise RequestError(f"option 'smoothing' must be below 1, not {smoothing!r}")
        self.register_buffer("rarity", class_rarity(task.class_prior))
        self.register_buffer("others", other_classes(self.rarity))

    def compiled_parts(self) -> list[nn.Module]:
        """Return the backbone, which `look_twice` calls."""
        return [self.network.backbone]

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, a scalar."""
        logits, inconsistency = look_twice(self.network, batch.images)
        by_image = (inconsistency * self.rarity).sum(dim=1)
        return self.objective(logits, self.targets(batch)) + self.weight * by_image.mean()

    def targets(self, batch: Batch) -> Tensor:
        """Return the re-balanced smooth labels [B, K] of a batch."""
        return smooth(batch.targets, self.others, self.smoothing)


def class_rarity(class_prior: Prior) -> Tensor:
    """Return how rare each class is, float32 [K]: proportional to 1 / frequency, with mean 1.

    A class without images counts as rare as the rarest other one. The authors' w_k = N / (10 n_k)
    have the same ratios; on RAF-DB their mean is 1.45.
    """
    weights = 1 / np.where(class_prior > 0, class_prior, class_prior[class_prior > 0].min())
    return torch.tensor(weights / weights.mean(), dtype=torch.float32)


def other_classes(rarity: Tensor) -> Tensor:
    """Return how the smoothing of each class is distributed, [K, K]; rows sum to 1.

    Of class k, class j gets w_j / sum_{i != k} w_i, and k itself nothing.
    """
    others = rarity.expand(len(rarity), -1).clone().fill_diagonal_(0)
    return others / others.sum(dim=1, keepdim=True)


def smooth(targets: Tensor, others: Tensor, smoothing: float) -> Tensor:
    """Return re-balanced smooth labels [B, K] for targets [B, K]; row sums stay the same.

    (1 - e) y_j + e sum_k y_k r_kj with r from `other_classes`: for a one-hot target 1 - e at the
    class itself and e w_j / sum_{i != k} w_i elsewhere, as in the authors' script.
    """
    return (1 - smoothing) * targets + smoothing * targets @ others


RECIPE = Recipe("mek", AttentionNetwork, MekLearner, augment="erase")
fit, load = RECIPE.fit, RECIPE.load
