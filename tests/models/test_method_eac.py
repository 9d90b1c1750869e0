"""The method eac: attention maps, their agreement with those of mirrored images, erasing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import task as usual_task
from torch import Tensor, nn

from ferc_core.task import Task
from ferc_models.losses import build_loss
from ferc_models.methods.attention import AttentionNetwork, look_twice
from ferc_models.methods.baseline import fit as fit_baseline
from ferc_models.methods.eac import EacLearner, fit
from ferc_models.training import Batch

pytestmark = pytest.mark.usefixtures("one_thread")


def task(directory: Path, **changes: Any) -> Task:
    usual = {"backbone": "test_resnet", "loss": "ce", "epochs": 1}
    return usual_task(directory, **usual | changes)


class Toy(AttentionNetwork):
    """The network of eac on a backbone of the test's own."""

    def __init__(self, backbone: nn.Module, weights: Tensor) -> None:
        nn.Module.__init__(self)
        self.backbone = backbone
        self.classifier = nn.Linear(weights.shape[1], weights.shape[0])
        self.classifier.weight.data = weights


def learner(directory: Path, network: AttentionNetwork, **options: Any) -> EacLearner:
    asked = task(directory)
    return EacLearner(asked, network, build_loss("ce", 3, asked.class_prior), **options)


def some_images(seed: int = 0) -> Tensor:
    return torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(seed))


def pointwise() -> Toy:
    """A network that treats every position alike: it commutes with mirroring."""
    torch.manual_seed(1)
    return Toy(nn.Sequential(nn.Conv2d(3, 5, 1), nn.Tanh()), torch.randn(3, 5))


def sideways() -> Toy:
    """A network that looks to the right of each position: it does not commute."""
    torch.manual_seed(2)
    shift = nn.Conv2d(3, 5, (1, 3), padding=(0, 1))
    shift.weight.data[..., :2] = 0
    return Toy(shift, torch.randn(3, 5))


# --- attention ----------------------------------------------------------------------------------


def test_an_attention_map_weights_the_channels_as_the_classifier_does() -> None:
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[10.0, 0.0], [0.0, 20.0]]]])
    network = Toy(nn.Identity(), torch.tensor([[1.0, 0.0], [2.0, -0.5], [0.0, 3.0]]))
    expected = [
        [[1, 2], [3, 4]],
        [[2 - 5, 4], [6, 8 - 10]],
        [[30, 0], [0, 60]],
    ]
    assert network.attention(features).tolist() == [expected]
    # its mean over the map is the logit, but for the bias
    means = network.attention(features).mean(dim=(2, 3)) + network.classifier.bias
    torch.testing.assert_close(network.classify(features), means)


def test_attention_has_gradients_for_the_features_but_not_the_classifier() -> None:
    network = sideways()
    _, inconsistency = look_twice(network, some_images())
    inconsistency.mean().backward()
    assert network.classifier.weight.grad is None
    assert network.backbone.weight.grad.abs().max() > 0


def test_a_pointwise_network_is_consistent_under_mirroring() -> None:
    network, images = pointwise(), some_images()
    maps = network.attention(network.backbone(images))
    mirrored = network.attention(network.backbone(images.flip(3)))
    torch.testing.assert_close(mirrored, maps.flip(3))
    assert not torch.allclose(mirrored, maps, atol=0.1)
    _, inconsistency = look_twice(network, images)
    assert inconsistency.max() < 1e-10


def test_the_inconsistency_of_a_class_is_its_mean_squared_difference() -> None:
    class Gradient(nn.Module):
        """Adds the column's number to what it sees: 0 1 2."""

        def forward(self, images: Tensor) -> Tensor:
            return images[:, :1] + torch.arange(3.0)

    network = Toy(Gradient(), torch.tensor([[1.0], [2.0], [0.0]]))
    _, inconsistency = look_twice(network, torch.zeros(2, 3, 4, 3))
    # 0 1 2 against 2 1 0: (4 + 0 + 4) / 3, times the squared weight
    torch.testing.assert_close(inconsistency, torch.tensor([[8 / 3, 32 / 3, 0.0]] * 2))


def test_the_loss_is_that_of_the_unmirrored_images_plus_the_weighted_mean(tmp_path: Path) -> None:
    network, images = sideways(), some_images()
    targets = torch.eye(3)[[0, 1, 2, 0]]
    labels = torch.tensor([0, 1, 2, 0])
    batch = Batch(1, np.arange(4), images, targets, labels)
    maps, mirrored = (network.attention(network.backbone(x)) for x in (images, images.flip(3)))
    mean = (maps - mirrored.flip(3)).square().mean()
    plain = nn.functional.cross_entropy(network(images), targets)
    assert mean > 0.01
    for weight in (0, 0.1, 5):
        loss = learner(tmp_path, network, weight=weight).loss(batch)
        torch.testing.assert_close(loss, plain + weight * mean)
    torch.testing.assert_close(learner(tmp_path, network).loss(batch), plain + 5 * mean)


def test_a_consistent_network_has_no_further_loss(tmp_path: Path) -> None:
    network, images = pointwise(), some_images()
    labels = torch.tensor([0, 0, 1, 2])
    batch = Batch(1, np.arange(4), images, torch.eye(3)[labels], labels)
    free = learner(tmp_path, network, weight=0).loss(batch)
    torch.testing.assert_close(learner(tmp_path, network, weight=100).loss(batch), free)


# --- training -----------------------------------------------------------------------------------


def covered(images: Tensor) -> bool:
    """Whether part of an image has the colour that erasing leaves: about 0, normalised."""
    return bool((images.abs().amax(dim=1) < 0.02).flatten(1).float().mean(dim=1).max() > 0.015)


@pytest.mark.parametrize("options", [{}, {"augment": "none"}])
def test_only_training_images_are_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str]
) -> None:
    seen: list[tuple[bool, bool]] = []
    classify = AttentionNetwork.forward

    def watched_forward(self: AttentionNetwork, images: Tensor) -> Tensor:
        seen.append((self.training, covered(images)))
        return classify(self, images)

    def watched_twice(network: AttentionNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
        seen.append((network.training, covered(images)))
        return look_twice(network, images)

    monkeypatch.setattr(AttentionNetwork, "forward", watched_forward)
    monkeypatch.setattr("ferc_models.methods.eac.look_twice", watched_twice)
    asked = task(tmp_path, options=options)
    fit(asked).logits(asked.validation.images(np.arange(24)))
    assert {(True, not options), (False, False)} == set(seen)


def test_weights_of_a_plain_network_fit_the_backbone(tmp_path: Path) -> None:
    fit_baseline(task(tmp_path / "first")).save(tmp_path / "w.safetensors")
    predictor = fit(task(tmp_path / "again", weights=tmp_path / "w.safetensors"))
    (note,) = predictor.card.notes
    count = len(predictor.network.backbone.state_dict())
    assert note == f"{count} of {count} tensors are from w.safetensors"
