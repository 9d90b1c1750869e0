"""What all methods of this package have in common: a network, its training and its file.

A method is a `Recipe`: a function that builds its network, and a `Learner` that defines the loss of
a batch. The rest is here: options, checks, weights, seeds, training, saving and loading.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ferc_core.errors import FercError, PluginError, RequestError, as_failure
from ferc_core.task import Task
from ferc_models.backbones import without_downloads
from ferc_models.images import AUGMENTATIONS
from ferc_models.losses import Objective, build_loss
from ferc_models.losses.base import SoftTargetsError
from ferc_models.options import check_options, choice
from ferc_models.precision import check_precision
from ferc_models.runtime import choose_device, seeded
from ferc_models.saved.predictor import Card, NetworkPredictor, load_predictor
from ferc_models.training import Batch, check_task, train
from ferc_models.weights import load_matching


class Learner(nn.Module):
    """A network in training. Called with images it is the network alone.

    A method with more to it overrides `loss`. Further trainable parts belong in submodules and
    further state in buffers: both are saved with the state of a training, and neither is part of
    the trained model. Keyword-only parameters of the constructor are options of the method.
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
        """Return the loss to minimise, a scalar: the mean over the images of a batch."""
        return self.objective(self.network(batch.images), self.targets(batch))

    def targets(self, batch: Batch) -> Tensor:
        """Return the targets [B, K] that the objective is given for a batch."""
        return batch.targets

    def compiled_parts(self) -> list[nn.Module]:
        """Return the modules that `loss` calls with a batch, which torch.compile may take."""
        return [self.network]

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Return the optimiser's parameter groups for a learning rate of ``rate``."""
        return [{"params": [p for p in self.parameters() if p.requires_grad], "lr": rate}]


@dataclass(frozen=True)
class Recipe:
    """A method of this package.

    ``network(backbone, num_classes, image_size, *, pretrained)`` builds the network that is kept;
    its further keyword-only parameters are options of the method, too. Weights from a file go into
    its attribute ``backbone`` if it has one. ``augment`` is the default of the option of that name,
    ``backbone`` the default backbone.
    """

    name: str
    network: Callable[..., nn.Module]
    learner: Callable[..., Learner] = Learner
    augment: str = "none"
    backbone: str = "resnet18"

    def fit(self, task: Task) -> NetworkPredictor:
        """Train on ``task`` and return the predictor of its best epoch.

        Options, beside those of network and learner: ``augment``, see `train`. Initial weights
        are random, from ``task.weights``, or fetched by timm if ``task.pretrained``.
        """
        task = self.settled(task)
        learner, notes = self.prepare(task)
        state = train(
            task,
            learner,
            lambda _, batch: learner.loss(batch),
            method=self.name,
            augment=task.options.get("augment", self.augment),
            groups=learner.groups(task.learning_rate),
            after_epoch=learner.objective.after_epoch,
            parts=learner.compiled_parts(),
        )
        card = Card(
            method=self.name,
            backbone=task.backbone,
            classes=task.classes,
            image_size=task.image_size,
            options=chosen(task.options, keywords(self.network)),
            notes=tuple(notes),
            history=tuple(state.history),
            precision=task.precision,
        )
        return NetworkPredictor(learner.network, card, choose_device(task.device))

    def check(self, task: Task) -> None:
        """Raise what `fit` would raise before it trains.

        It takes seconds: network and objective are built once, images are not read, and nothing
        is trained, downloaded, written or said.
        """
        with without_downloads():
            self.prepare(replace(self.settled(task), say=lambda _: None))

    def settled(self, task: Task) -> Task:
        """Return the task with the backbone that it leaves open."""
        return replace(task, backbone=task.backbone or self.backbone)

    def prepare(self, task: Task) -> tuple[Learner, list[str]]:
        """Return the learner with its initial weights, and notes on these; check all of the task.

        Raises `RequestError` for what cannot be done and `DataError` for too few images.
        """
        for_network, for_learner = (keywords(f) for f in (self.network, self.learner))
        check_options(self.name, task.options, ["augment", *for_network, *for_learner])
        choice("augment", task.options.get("augment", self.augment), AUGMENTATIONS)
        check_task(task)
        check_precision(task.precision, choose_device(task.device))
        if task.weights and task.pretrained:
            raise RequestError("use pretrained weights from a file or from timm, not both")
        with seeded(task.seed, 0):
            network = self.network(
                task.backbone,
                len(task.classes),
                task.image_size,
                pretrained=task.pretrained,
                **chosen(task.options, for_network),
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
        check_targets(self.name, task, learner)
        return learner, notes

    def load(self, path: Path, device: str = "auto") -> NetworkPredictor:
        """Read a predictor that `NetworkPredictor.save` wrote."""

        def build(card: Card) -> nn.Module:
            check_options(self.name, card.options, keywords(self.network))
            backbone = card.backbone or self.backbone
            return self.network(backbone, len(card.classes), card.image_size, **card.options)

        return load_predictor(path, self.name, build, device)


def check_targets(method: str, task: Task, learner: Learner) -> None:
    """Raise `RequestError` if the loss needs hard targets and is to be given soft ones.

    It is tried on the two softest targets: as they are, as an augmentation may soften them, and as
    the method changes them. The message names the first of these that makes them soft.
    """
    loss = build_loss(task.loss, len(task.classes), task.class_prior)  # its state is thrown away
    rows = np.argsort(task.train.targets.max(axis=1), kind="stable")[:2]
    batch = Batch(
        epoch=1,
        rows=rows,
        images=torch.zeros(len(rows), 3, task.image_size, task.image_size),
        targets=torch.tensor(task.train.targets[rows]).float(),
        labels=torch.tensor(task.train.labels[rows]),
    )
    steps = {"": batch.targets}
    if task.augmentation is not None:
        steps["soft augmentation"] = (batch.targets + 1 / len(task.classes)) / 2
    steps[f"method {method!r}"] = learner.targets(batch)
    for cause, targets in steps.items():
        try:
            value = loss(torch.zeros_like(targets), targets)
        except SoftTargetsError as error:
            if not cause:
                raise
            raise RequestError(
                f"{cause} makes targets soft, and loss {error.loss!r} needs hard ones; use a loss "
                "that takes soft targets, such as 'ce' or 'maxent+mbls'"
            ) from error
        except BaseException as error:  # a plugin's code may raise anything
            if isinstance(error, FercError):
                raise
            raise PluginError(f"loss {task.loss!r} fails: {as_failure(error)}") from error
        if not isinstance(value, Tensor) or value.ndim:
            shown = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise PluginError(f"loss {task.loss!r} returns {shown}, which is not a scalar tensor")


def keywords(function: Callable[..., object]) -> list[str]:
    """Return the options that a network or a learner takes."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "pretrained"]


def chosen(options: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """Return the options with these names."""
    return {name: value for name, value in options.items() if name in names}
