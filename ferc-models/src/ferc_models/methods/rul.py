"""The method ``rul``: Relative Uncertainty Learning.

A network learns the uncertainty of an image by mixing its features with another image's: the more
uncertain image has the larger weight in the mixture, which must be classified as both.

Source: Zhang, Wang and Deng 2021, "Relative Uncertainty Learning for Facial Expression
Recognition", NeurIPS; constants of its authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.features import create_features, feature_shape
from ferc_models.images import uploaded
from ferc_models.losses import Objective
from ferc_models.options import choice, number
from ferc_models.precision import in_float32
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch

WIDTH = 64  # of the embeddings
BN_EPS = 2e-5
DROPOUT = 0.4
# FER-C's: u between e^-10 and e^10, so that a quotient of two is finite in float32
LOG_VARIANCE = (-10.0, 10.0)


class RulNetwork(nn.Module):
    """A backbone's feature maps, embedded in 64 dimensions, and a linear classifier on them.

    ``dropout`` is the fraction of the feature maps' values that are dropped in training: 0.4 in the
    code of the method's authors, 0 in FER-C's.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        image_size: int,
        *,
        pretrained: bool = False,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.dropout = number("dropout", dropout)
        if self.dropout >= 1:
            raise RequestError(f"option 'dropout' must be at least 0 and below 1, not {dropout!r}")
        self.backbone = create_features(backbone, image_size, pretrained=pretrained)
        self.map_shape = feature_shape(self.backbone, image_size)
        self.embedding = embedding(self.map_shape, self.dropout)
        self.classifier = nn.Linear(WIDTH, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [B, K] of normalised images [B, 3, S, S], without any mixing."""
        logits: Tensor = self.classifier(self.embedding(self.backbone(images)))
        return logits


class RulLearner(Learner):
    """The objective on mixed embeddings, and a second head for the uncertainty.

    mixed_loss: "add-up", half the loss for an image's own target and half for its partner's, or
                "overwrite", the loss for its own target alone, on which FER-C's numbers rest
    """

    network: RulNetwork

    def __init__(
        self,
        task: Task,
        network: RulNetwork,
        objective: Objective,
        *,
        mixed_loss: str = "add-up",
    ) -> None:
        super().__init__(task, network, objective)
        self.mixed_loss = choice("mixed_loss", mixed_loss, ("add-up", "overwrite"))
        self.log_variance = embedding(network.map_shape, network.dropout)

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch in which every image is mixed with a random one."""
        partners = torch.randperm(len(batch.rows))  # on the CPU: the same on every device
        return self.paired_loss(batch, uploaded(partners.numpy(), batch.images.device))

    def compiled_parts(self) -> list[nn.Module]:
        """Return the backbone, which `paired_loss` calls."""
        return [self.network.backbone]

    def paired_loss(self, batch: Batch, partners: Tensor) -> Tensor:
        """Return the loss where image i is mixed with image ``partners[i]``, a permutation."""
        maps = self.network.backbone(batch.images)
        mixed = mixture(self.network.embedding(maps), self.log_variance(maps), partners)
        logits = self.network.classifier(mixed)
        own = self.objective(logits, batch.targets)
        if self.mixed_loss == "overwrite":
            return own
        return 0.5 * own + 0.5 * self.objective(logits, batch.targets[partners])


def embedding(map_shape: tuple[int, int, int], dropout: float) -> nn.Sequential:
    """Build a head that maps feature maps [B, C, h, w] to embeddings [B, 64]."""
    channels, height, width = map_shape
    return nn.Sequential(
        nn.BatchNorm2d(channels, eps=BN_EPS, affine=False),
        nn.Dropout(dropout),
        nn.Flatten(),
        nn.Linear(channels * height * width, WIDTH),
        nn.BatchNorm1d(WIDTH, eps=BN_EPS),
    )


@in_float32
def mixture(mu: Tensor, log_variance: Tensor, partners: Tensor) -> Tensor:
    """Mix every embedding mu_i [B, D] with its partner's, in proportion to their uncertainties.

    z_i = (u_i mu_i + u_j mu_j) / (u_i + u_j) with j = partners[i] and u_i > 0 the mean variance
    exp(log_variance[i]) over the dimensions. The more uncertain one has the larger weight, as in
    the paper.
    """
    u = log_variance.clamp(*LOG_VARIANCE).exp().mean(dim=1, keepdim=True)
    own = u / (u + u[partners])
    return own * mu + (1 - own) * mu[partners]


RECIPE = Recipe("rul", RulNetwork, RulLearner)
fit, load = RECIPE.fit, RECIPE.load
