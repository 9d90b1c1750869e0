"""The method ``dmue``: auxiliary branches mine soft labels and estimate label uncertainty.

For each class c, a copy of the network's last stage is trained to classify the images of all other
classes. Its prediction for an image of class c is a soft label, from which the main branch learns
in addition to the given one. The main branch also learns the pairwise similarities of the auxiliary
branches, and a small network estimates how reliable each image's label is. Only the main branch is
kept in the trained model.

Source: She et al. 2021, "Dive into Ambiguity: Latent Distribution Mining and Pairwise Uncertainty
Estimation for Facial Expression Recognition", arXiv:2104.00232; constants as in FER-C. Errors of
the reference code are corrected: the confidence network is trained, absent classes are ignored,
there is no 0/0, and mining does not change the branches' batch-normalisation statistics. The stem
is timm's, with the ReLU that the reference omits, as ImageNet weights expect.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from timm.models.resnet import ResNet
from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.features import create_pooled
from ferc_models.images import uploaded
from ferc_models.losses import Objective
from ferc_models.methods.dmue_parts import (
    branch_labels,
    branch_loss,
    confidence_network,
    evaluating,
    linear_classifier,
    mined_labels,
    ramp_down,
    ramp_up,
    similarity_loss,
    soft_loss,
    statistics,
)
from ferc_models.options import choice, flag, number
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch, largest_class

SOFT_WEIGHT = 0.5  # of the mined labels; reference code
SIMILARITY_WEIGHT = 1000  # of the similarity-preserving term; reference code


class DmueNetwork(nn.Module):
    """A residual network in two parts, shared and last stage, with a linear classifier.

    It maps images [B, 3, S, S] to the logits [B, K] of the main branch.
    """

    def __init__(
        self, backbone: str, num_classes: int, image_size: int, *, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.backbone = create_pooled(backbone, image_size, pretrained=pretrained)
        if not isinstance(self.backbone, ResNet):
            raise RequestError(
                f"method 'dmue' needs a residual network, and backbone {backbone!r} is not one; "
                "use 'resnet18', 'resnet50' or another ResNet of timm"
            )
        self.width: int = self.backbone.num_features
        self.classifier = linear_classifier(self.width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits [B, K] of images [B, 3, S, S]."""
        logits: Tensor = self.classifier(self.backbone(images))
        return logits

    def shared(self, images: Tensor) -> Tensor:
        """Return the feature maps of images, [B, C, h, w], before the last stage."""
        net = self.backbone
        stem = net.maxpool(net.act1(net.bn1(net.conv1(images))))
        maps: Tensor = net.layer3(net.layer2(net.layer1(stem)))
        return maps

    def features(self, maps: Tensor, last_stage: nn.Module) -> Tensor:
        """Return the pooled features [B, C] of a last stage for shared maps."""
        pooled: Tensor = self.backbone.forward_head(last_stage(maps))
        return pooled


class DmueLearner(Learner):
    """The network with its auxiliary branches.

    ramp: length of the two ramps in epochs, see `ramp_up`; She et al. use 4 to 14
    classifier_rate: factor on the learning rate of the classifiers and the confidence network
    similarity: what of an auxiliary branch is compared with the main features: its "features", as
    in the paper, or its "logits", as in the reference code; from random weights, "logits" makes
    the features collapse before they have learned anything
    train_score: False leaves the confidence network untrained, as in the authors' code of both
    papers, on which their published numbers rest
    """

    network: DmueNetwork

    def __init__(
        self,
        task: Task,
        network: DmueNetwork,
        objective: Objective,
        *,
        ramp: float = 0.6,
        classifier_rate: float = 4,
        similarity: str = "features",
        train_score: bool = True,
    ) -> None:
        super().__init__(task, network, objective)
        self.ramp = number("ramp", ramp, 0.01)
        self.classifier_rate = number("classifier_rate", classifier_rate)
        self.similarity = choice("similarity", similarity, ("logits", "features"))
        classes = range(len(task.classes))
        self.branches = nn.ModuleList(deepcopy(network.backbone.layer4) for _ in classes)
        self.classifiers = nn.ModuleList(
            linear_classifier(network.width, len(classes) - 1) for _ in classes
        )
        trained = flag("train_score", train_score)
        self.confidence = confidence_network(len(classes)).requires_grad_(trained)

    def loss(self, batch: Batch) -> Tensor:
        """Return the weighted sum of losses; branches take the largest class of a soft target."""
        labels = largest_class(batch.targets, batch.labels)
        known = labels.cpu()  # rows are chosen there; a GPU has nothing to do yet but copy these
        maps = self.network.shared(batch.images)
        features = self.network.features(maps, self.network.backbone.layer4)
        logits = self.network.classifier(features)
        own, similarity = self.branch_losses(maps, features, known)
        soft = soft_loss(logits, labels, self.mine(maps, known))
        trust = self.confidence(statistics(features, labels, logits.shape[1]))
        learned = (
            self.objective(trust * logits, batch.targets)
            + SOFT_WEIGHT * soft
            + SIMILARITY_WEIGHT * similarity
        )
        epoch = batch.epoch - 1
        return ramp_up(epoch, self.ramp) * learned + ramp_down(epoch, self.ramp) * own

    def branch_losses(
        self, maps: Tensor, features: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the branches' cross-entropy and similarity loss, each a mean over the branches.

        The labels are on the CPU. A branch with fewer than the two images that batch normalisation
        needs is left out.
        """
        own, similar = [], []
        for c, (branch, classifier) in enumerate(zip(self.branches, self.classifiers, strict=True)):
            others = (labels != c).nonzero()[:, 0]
            if len(others) < 2:
                continue
            rows, given = (uploaded(each.numpy(), maps.device) for each in (others, labels[others]))
            seen = self.network.features(maps[rows], branch)
            logits = classifier(seen)
            own.append(branch_loss(logits, branch_labels(given, c)))
            view = logits if self.similarity == "logits" else seen
            similar.append(similarity_loss(view, features[rows]))
        if not own:
            return features.new_zeros(()), features.new_zeros(())
        return torch.stack(own).mean(), torch.stack(similar).mean()

    def mine(self, maps: Tensor, labels: Tensor) -> Tensor:
        """Return soft labels [N, K], each from the branch that is not trained on its class.

        The labels are on the CPU.
        """
        size = len(maps), len(self.branches)
        mined = maps.new_zeros(size, dtype=torch.promote_types(maps.dtype, torch.float32))
        for c, (branch, classifier) in enumerate(zip(self.branches, self.classifiers, strict=True)):
            rows = uploaded((labels == c).nonzero()[:, 0].numpy(), maps.device)
            if len(rows):
                with evaluating(branch):
                    logits = classifier(self.network.features(maps[rows], branch))
                    mined[rows] = mined_labels(logits, c)
        return mined

    def compiled_parts(self) -> list[nn.Module]:
        """Return the stages of the main branch: the others get a different number of images in each
        batch, and torch.compile would compile them anew for it.
        """
        net = self.network.backbone
        return [net.layer1, net.layer2, net.layer3, net.layer4]

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Return two groups: the stages, and the parts with ``classifier_rate`` times the rate."""
        fast = [
            parameter
            for part in (self.network.classifier, self.classifiers, self.confidence)
            for parameter in part.parameters()
            if parameter.requires_grad
        ]
        known = {id(parameter) for parameter in fast}
        slow = [p for p in self.parameters() if p.requires_grad and id(p) not in known]
        return [
            {"params": slow, "lr": rate},
            {"params": fast, "lr": rate * self.classifier_rate},
        ]


RECIPE = Recipe("dmue", DmueNetwork, DmueLearner)
fit, load = RECIPE.fit, RECIPE.load
