"""The method ``scn``: a Self-Cure Network, which weights its images and corrects their labels.

Source: Wang et al. 2020, "Suppressing Uncertainties for Large-Scale Facial Expression
Recognition", CVPR, arXiv:2002.10392. Defaults are those of FER-C's authors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.backbones import output_shape
from ferc_models.features import create_pooled
from ferc_models.images import uploaded
from ferc_models.losses import Objective
from ferc_models.losses.base import full_precision
from ferc_models.options import number
from ferc_models.precision import in_float32
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch, largest_class

# of FER-C's authors; Wang et al. use 0.15 or 0.07, 0.2, 0.7, and relabel from the 10th epoch
MARGIN_1, MARGIN_2, BETA, RELABEL_EPOCH = 0.15, 0.9, 0.7, 2


class ScnNetwork(nn.Module):
    """Logits alpha (W f + b) with alpha = sigmoid(v f + c) of pooled features f [B, C].

    The weight alpha, in (0, 1), estimates how certain an image's label is; it scales the logits in
    training and evaluation alike.
    """

    def __init__(
        self, backbone: str, num_classes: int, image_size: int, *, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.backbone = create_pooled(backbone, image_size, pretrained=pretrained)
        (channels,) = output_shape(self.backbone, image_size)
        self.attention = nn.Linear(channels, 1)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the weighted logits [B, K] of normalised images [B, 3, S, S]."""
        return self.weighted(images)[0]

    def weighted(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weighted logits [B, K] and the weights alpha [B]."""
        features = self.backbone(images)
        alpha = self.attention(features).sigmoid()
        return alpha * self.classifier(features), alpha.squeeze(1)


class ScnLearner(Learner):
    """The objective on weighted logits, plus rank regularisation; and relabelling.

    margin_1:      margin by which the mean weight of the certain images must exceed the others'
    beta:          fraction of a batch that counts as certain, 0 to 1
    margin_2:      a label is replaced if the probability of the likeliest class exceeds that of
                   the labelled one by more than this; 1 keeps all labels
    relabel_epoch: first epoch with relabelling, counted from 0

    Its buffers are the label of each row of `Task.train`, ``labels`` [N], and whether it was
    replaced, ``relabelled`` [N]; a new label is used from the next batch on. The task itself is
    never changed.
    """

    network: ScnNetwork
    labels: Tensor
    relabelled: Tensor

    def __init__(
        self,
        task: Task,
        network: ScnNetwork,
        objective: Objective,
        *,
        margin_1: float = MARGIN_1,
        margin_2: float = MARGIN_2,
        beta: float = BETA,
        relabel_epoch: int = RELABEL_EPOCH,
    ) -> None:
        super().__init__(task, network, objective)
        self.margin_1 = number("margin_1", margin_1)
        self.margin_2 = number("margin_2", margin_2)
        self.beta = number("beta", beta)
        if self.beta > 1:
            raise RequestError(f"option 'beta' must be a number from 0 to 1, not {beta!r}")
        self.relabel_epoch = number("relabel_epoch", relabel_epoch)
        labels = largest_class(torch.tensor(task.train.targets), torch.tensor(task.train.labels))
        self.register_buffer("labels", labels)
        self.register_buffer("relabelled", torch.zeros_like(labels, dtype=torch.bool))

    def loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch for the current labels; then correct them."""
        logits, alpha = self.network.weighted(batch.images)
        classification = self.objective(logits, self.targets(batch))
        if batch.epoch - 1 >= self.relabel_epoch:  # epochs of a batch count from 1
            self.relabel(uploaded(batch.rows, logits.device), logits.detach())
        return classification + rank_loss(alpha, self.beta, self.margin_1)

    def targets(self, batch: Batch) -> Tensor:
        """Return the targets [B, K] of a batch, one-hot where the label was replaced."""
        rows = uploaded(batch.rows, batch.targets.device)
        one_hot = nn.functional.one_hot(self.labels[rows], batch.targets.shape[1])
        return torch.where(self.relabelled[rows, None], one_hot.to(batch.targets), batch.targets)

    def compiled_parts(self) -> list[nn.Module]:
        """Return the backbone, which `ScnNetwork.weighted` calls."""
        return [self.network.backbone]

    def relabel(self, rows: Tensor, logits: Tensor) -> None:
        """Give rows [B] the predicted class where it is much more probable than the labelled one.

        The label of a soft target is its largest class. Source: Wang et al., "Relabeling".
        """
        probs = full_precision(logits).softmax(dim=1)
        likeliest, predicted = probs.max(dim=1)
        labelled = probs.gather(1, self.labels[rows, None]).squeeze(1)
        wrong = likeliest - labelled > self.margin_2
        # all rows are written, since choosing among them would wait for a GPU
        self.labels[rows] = torch.where(wrong, predicted, self.labels[rows])
        self.relabelled[rows] |= wrong


@in_float32
def rank_loss(alpha: Tensor, beta: float, margin: float) -> Tensor:
    """Return max(0, margin - (mean of the largest weights - mean of the others)), a scalar.

    The largest are int(beta B) of the weights alpha [B]; 0 if one of the groups is empty, as in a
    batch of one image. Source: Wang et al., "Rank Regularization".
    """
    high = int(beta * len(alpha))
    if high in (0, len(alpha)):
        return alpha.new_zeros(())
    ranked = alpha.sort(descending=True, stable=True).values
    gap = ranked[:high].mean() - ranked[high:].mean()
    return (margin - gap).relu()


RECIPE = Recipe("scn", ScnNetwork, ScnLearner)
fit, load = RECIPE.fit, RECIPE.load
