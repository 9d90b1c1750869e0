"""The method ``baseline``: a timm backbone with a linear classifier, and nothing else.

Source: FER-C, section 5; SPEC 2.1 (ResNet-18) and 2.5 (SwinV2-T as ``swinv2_tiny_window8_256``,
here with its pooled features before the classifier instead of ImageNet's 1000 logits).
"""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models.backbones import create_network
from ferc_models.losses import build_loss
from ferc_models.options import check_options
from ferc_models.predictor import Card, NetworkPredictor, load_predictor
from ferc_models.runtime import choose_device, seeded
from ferc_models.training import train
from ferc_models.weights import load_matching

NAME = "baseline"
DEFAULT_BACKBONE = "resnet18"


def fit(task: Task) -> NetworkPredictor:
    """Train the backbone on ``task`` and return the predictor of its best epoch.

    Option: ``augment=flip`` mirrors each training picture with chance 1/2. Initial weights are
    random, from ``task.weights``, or fetched by timm where ``task.pretrained``.
    """
    check_options(NAME, task.options, ["augment"])
    if task.weights and task.pretrained:
        raise RequestError("pretrained weights come from a file or from timm: ask for one of them")
    backbone = task.backbone or DEFAULT_BACKBONE
    loss = build_loss(task.loss, len(task.classes), task.class_prior)
    with seeded(task.seed, 0):
        network = create_network(
            backbone, len(task.classes), task.image_size, pretrained=task.pretrained
        )
    notes = [load_matching(network, task.weights)] if task.weights else []
    notes += [f"pretrained weights of {backbone} are from timm"] if task.pretrained else []
    for note in notes:
        task.say(note)
    state = train(
        task,
        network,
        lambda model, batch: loss(model(batch.images), batch.targets),
        method=NAME,
        augment=task.options.get("augment", "none"),
    )
    card = Card(
        method=NAME,
        backbone=backbone,
        classes=task.classes,
        image_size=task.image_size,
        notes=tuple(notes),
        history=tuple(state.history),
    )
    return NetworkPredictor(network, card, choose_device(task.device))


def load(path: Path, device: str = "auto") -> NetworkPredictor:
    """Read a predictor that `NetworkPredictor.save` wrote."""

    def build(card: Card) -> nn.Module:
        return create_network(card.backbone, len(card.classes), card.image_size)

    return load_predictor(path, NAME, build, device)
