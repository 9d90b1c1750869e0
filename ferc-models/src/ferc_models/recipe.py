"""What all methods of this package share: a network, how it learns, and how it is kept.

A method is a `Recipe`: a function that builds its network, and a `Learner` that says what the loss
of a batch is. The rest is here: options, weights, seeds, training, saving and loading.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.losses import Objective, build_loss
from ferc_models.options import check_options
from ferc_models.runtime import choose_device, seeded
from ferc_models.saved.predictor import Card, NetworkPredictor, load_predictor
from ferc_models.training import Batch, train
from ferc_models.weights import load_matching


class Learner(nn.Module):
    """A network while it learns. Called with images it is the network alone.

    A method with more to it overrides `loss`. What it learns besides the network belongs into
    submodules and what it remembers into buffers; then an interrupted training goes on with both,
    and neither is part of the trained model. Keyword-only parameters of its constructor are
    options of the method.
    """

    def __init__(self, task: Task, network: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, images: Tensor) -> Tensor:
        """Return the network's logits [B, K] for normalised images [B, 3, S, S]."""
        logits: Tensor = self.network(images)
        return logits

    def loss(self, batch: Batch) -> Tensor:
        """Return what is to be made small, a scalar: the mean over the images of a batch."""
        return self.objective(self.network(batch.images), batch.targets)

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups for a learning rate of ``rate``."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": rate}]


@dataclass(frozen=True)
class Recipe:
    """A method of this package.

    ``network(backbone, num_classes, image_size, *, pretrained)`` builds the network that is kept;
    further keyword-only parameters are options of the method, too. Weights from a file go into its
    attribute ``backbone`` where it has one. ``augment`` is the default of the option of that name.
    """

    name: str
    network: Callable[..., nn.Module]
    learner: Callable[..., Learner] = Learner
    augment: str = "none"

    def fit(self, task: Task) -> NetworkPredictor:
        """Train on ``task`` and return the predictor of its best epoch.

        Options, beside those of network and learner: ``augment``, see `train`. Initial weights
        are random, from ``task.weights``, or fetched by timm where ``task.pretrained``.
        """
        for_network, for_learner = (keywords(f) for f in (self.network, self.learner))
        check_options(self.name, task.options, ["augment", *for_network, *for_learner])
        if task.weights and task.pretrained:
            raise RequestError(
                "pretrained weights come from a file or from timm: ask for one of them"
            )
        options = chosen(task.options, for_network)
        with seeded(task.seed, 0):
            network = self.network(
                task.backbone,
                len(task.classes),
                task.image_size,
                pretrained=task.pretrained,
                **options,
            )
            notes = []
            if task.weights:
                notes.append(load_matching(getattr(network, "backbone", network), task.weights))
            if task.pretrained:
                notes.append("pretrained weights are from timm")
            for note in notes:
                task.say(note)
            objective = build_loss(task.loss, len(task.classes), task.class_prior)
            learner = self.learner(task, network, objective, **chosen(task.options, for_learner))
        state = train(
            task,
            learner,
            lambda _, batch: learner.loss(batch),
            method=self.name,
            augment=task.options.get("augment", self.augment),
            groups=learner.groups(task.learning_rate),
            after_epoch=objective.after_epoch,
        )
        card = Card(
            method=self.name,
            backbone=task.backbone,
            classes=task.classes,
            image_size=task.image_size,
            options=options,
            notes=tuple(notes),
            history=tuple(state.history),
        )
        return NetworkPredictor(network, card, choose_device(task.device))

    def load(self, path: Path, device: str = "auto") -> NetworkPredictor:
        """Read a predictor that `NetworkPredictor.save` wrote."""

        def build(card: Card) -> nn.Module:
            return self.network(card.backbone, len(card.classes), card.image_size, **card.options)

        return load_predictor(path, self.name, build, device)


def keywords(function: Callable[..., object]) -> list[str]:
    """Return the options that a network or a learner takes."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "pretrained"]


def chosen(options: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the options with these names."""
    return {name: value for name, value in options.items() if name in names}
