"""The method scn: weighted logits, rank regularisation, relabelling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from helpers.colours import SIDE, batch, stop_after, task
from torch import Tensor

from ferc_core.task import Examples, Task
from ferc_models.backbones import output_shape
from ferc_models.features import create_features, create_pooled, feature_shape
from ferc_models.losses import build_loss
from ferc_models.methods.scn import ScnLearner, ScnNetwork, fit, rank_loss
from ferc_models.saved.state import FILE
from ferc_models.saved.tensors import read_tensors

pytestmark = pytest.mark.usefixtures("one_thread")


def learner(asked: Task, **options: Any) -> ScnLearner:
    torch.manual_seed(0)
    network = ScnNetwork(asked.backbone, len(asked.classes), asked.image_size)
    objective = build_loss(asked.loss, len(asked.classes), asked.class_prior)
    return ScnLearner(asked, network, objective, **options).train()


def bent(asked: Task, wrong: int) -> Task:
    """The same task with the first labels wrong, in arrays that nobody can write to."""
    labels = asked.train.labels.copy()
    labels[:wrong] = (labels[:wrong] + 1) % 3
    return replace(asked, train=guarded(replace(asked.train, labels=labels)))


def guarded(examples: Examples) -> Examples:
    labels, targets = examples.labels.copy(), np.eye(3)[examples.labels]
    labels.setflags(write=False)
    targets.setflags(write=False)
    return replace(examples, labels=labels, targets=targets)


def last_labels(asked: Task) -> npt.NDArray[np.int64]:
    """The labels at the end of a training, from the state that it left."""
    tensors, _ = read_tensors(asked.directory / FILE)
    labels: npt.NDArray[np.int64] = tensors["network.labels"].numpy()
    return labels


# --- weighted logits ----------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_alpha_scales_the_logits_in_evaluation(backbone: str) -> None:
    network = ScnNetwork(backbone, 2, SIDE).eval()
    images = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        network.classifier.weight.zero_()
        network.classifier.bias.copy_(torch.tensor([2.0, -4.0]))
        features = network.backbone(images)
        scores = features @ network.attention.weight[0] + network.attention.bias
        alpha = 1 / (1 + torch.exp(-scores))
        torch.testing.assert_close(network(images), alpha[:, None] * torch.tensor([[2.0, -4.0]]))
        network.attention.weight.zero_()
        network.attention.bias.fill_(np.log(3))  # alpha = 3/4
        expected = torch.tensor([1.5, -3.0]).expand(4, 2)
        torch.testing.assert_close(network(images), expected)


def test_penalties_see_the_weighted_logits(tmp_path: Path) -> None:
    asked = task(tmp_path, loss="mbls(margin=0,weight=1,reduction=sum)", backbone="test_resnet")
    one = learner(asked, beta=0)
    with torch.no_grad():
        one.network.classifier.weight.zero_()
        one.network.classifier.bias.copy_(torch.tensor([4.0, 0.0, 0.0]))
        one.network.attention.weight.zero_()
        one.network.attention.bias.fill_(np.log(3))
    # logits 3, 0, 0: cross-entropy for class 2 is log(e^3 + 2), the penalty 3 + 3
    expected = np.log(np.exp(3) + 2) + 6
    assert one.loss(batch(asked, [2, 5, 8])).item() == pytest.approx(expected, rel=1e-6)


# --- rank regularisation ------------------------------------------------------------------------


def test_rank_loss_by_hand() -> None:
    # int(0.7 * 4) = 2 certain ones: (.9 + .5) / 2 - (.4 + .2) / 2 = .4
    alpha = torch.tensor([0.4, 0.9, 0.2, 0.5], dtype=torch.float64, requires_grad=True)
    loss = rank_loss(alpha, 0.7, 0.55)
    assert loss.item() == pytest.approx(0.15)
    loss.backward()
    assert alpha.grad is not None
    assert alpha.grad.tolist() == [0.5, -0.5, 0.5, -0.5]
    assert rank_loss(alpha, 0.7, 0.15).item() == 0


def test_rank_loss_of_an_empty_group_is_zero() -> None:
    for n, beta in ((1, 0.7), (5, 1.0), (3, 0.0)):
        assert rank_loss(torch.full((n,), 0.5), beta, 0.15).item() == 0


def test_the_loss_of_a_batch_is_the_objective_plus_the_rank_loss(tmp_path: Path) -> None:
    asked = task(tmp_path, loss="ce")
    one, given = learner(asked, margin_1=1.5), batch(asked, list(range(10)))
    logits, alpha = one.network.weighted(given.images)
    ordered = np.sort(alpha.detach().numpy())
    rank = 1.5 - (ordered[3:].mean() - ordered[:3].mean())
    p = torch.softmax(logits.detach(), dim=1).numpy()
    cross_entropy = -np.log(p[np.arange(10), asked.train.labels[:10]]).mean()
    assert one.loss(given).item() == pytest.approx(cross_entropy + rank, rel=1e-5)


@pytest.mark.parametrize("rows", [[4], [1, 4, 7], [2, 2]])
def test_batches_of_one_image_or_class_have_a_finite_loss_and_gradient(
    tmp_path: Path, rows: list[int]
) -> None:
    asked = task(tmp_path, backbone="test_vit", loss="maxent+mbls")
    one = learner(asked, relabel_epoch=0, margin_2=0)
    loss = one.loss(batch(asked, rows))
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in one.parameters())


# --- relabelling --------------------------------------------------------------------------------


def logits_of(*probs: list[float]) -> Tensor:
    return torch.tensor(probs).log()


def targets(one: ScnLearner, asked: Task, rows: list[int]) -> list[list[float]]:
    """The targets of some rows that the objective is given."""
    return one.targets(batch(asked, rows)).tolist()


def test_only_rows_beyond_the_margin_get_the_predicted_class(tmp_path: Path) -> None:
    asked, rows = task(tmp_path), [3, 4, 5, 6]  # of classes 0, 1, 2, 0
    one, chosen = learner(asked, margin_2=0.5), torch.tensor(rows)
    every = list(range(48))
    one.relabel(
        chosen, logits_of([0.25, 0.1, 0.65], [0.7, 0.25, 0.05], [0.72, 0.03, 0.25], [1.0, 0, 0])
    )  # by .4, .45, .47 and 0
    assert targets(one, asked, every) == asked.train.targets.tolist()
    one.relabel(
        chosen, logits_of([0.2, 0.08, 0.72], [0.7, 0.25, 0.05], [0.77, 0.0, 0.23], [0.1, 0.8, 0.1])
    )  # by .52, .45, .54, .7
    assert targets(one, asked, rows) == [[0, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 0]]
    others = [row for row in every if row not in (3, 5, 6)]
    assert targets(one, asked, others) == asked.train.targets[others].tolist()


def test_the_label_of_a_soft_target_is_its_largest_class(tmp_path: Path) -> None:
    asked = task(tmp_path)
    soft = np.tile([0.75, 0.25, 0.0], (48, 1))
    soft[8:11] = 1 / 3  # of which the annotated class, 2, 0 and 1, is the label
    given = replace(asked, train=replace(asked.train, targets=soft))
    one = learner(given, margin_2=0.5)
    assert one.labels[7:11].tolist() == [0, 2, 0, 1]
    one.relabel(torch.tensor([7, 9]), logits_of([0.2, 0.79, 0.01], [0.4, 0.6, 0.0]))
    assert targets(one, given, [7, 11]) == [[0, 1, 0], [0.75, 0.25, 0]]


def test_a_batch_is_relabelled_after_its_loss(tmp_path: Path) -> None:
    asked, rows = task(tmp_path, loss="ce"), [40, 3, 17, 22, 5, 9]
    one = learner(asked, margin_2=0.3, relabel_epoch=0, beta=0)
    with torch.no_grad():
        one.network.classifier.weight.mul_(3)
    given = batch(asked, rows)
    p = one.network.weighted(given.images)[0].softmax(dim=1).detach().numpy()
    labels = asked.train.labels[rows]
    moved = p.max(axis=1) - p[np.arange(6), labels] > 0.3
    assert 0 < moved.sum() < 6

    first = one.loss(given).item()
    assert first == pytest.approx(-np.log(p[np.arange(6), labels]).mean(), rel=1e-5)
    corrected = np.where(moved, p.argmax(axis=1), labels)
    expected = asked.train.labels.copy()
    expected[rows] = corrected
    np.testing.assert_array_equal(one.labels, expected)
    second = one.loss(given).item()
    assert second == pytest.approx(-np.log(p[np.arange(6), corrected]).mean(), rel=1e-5)


def test_augmented_targets_are_used_until_a_row_is_relabelled(tmp_path: Path) -> None:
    """As with soft augmentation: here to the uniform target, which has no largest class."""
    asked = task(tmp_path, loss="ce")
    one, rows = learner(asked, margin_2=0.5, relabel_epoch=9, beta=0), torch.tensor([1, 4])
    softened = batch(asked, [1, 4], targets=torch.full((2, 3), 1 / 3))
    one.relabel(rows, logits_of([0.1, 0.8, 0.1], [0.1, 0.1, 0.8]))  # both are labelled 1
    p = one.network.weighted(softened.images)[0].log_softmax(dim=1).detach()
    expected = -(p[0].mean() + p[1, 2]) / 2
    assert one.loss(softened).item() == pytest.approx(expected.item(), rel=1e-5)


def test_relabelling_begins_at_relabel_epoch_counted_from_0(tmp_path: Path) -> None:
    asked = task(tmp_path)
    one = learner(asked, margin_2=0)  # relabel_epoch is 2 by default
    for epoch in (1, 2, 3):
        assert np.array_equal(one.labels, asked.train.labels)
        one.loss(batch(asked, list(range(12)), epoch))
    assert not np.array_equal(one.labels, asked.train.labels)


def test_wrong_labels_are_corrected_and_the_task_is_unchanged(tmp_path: Path) -> None:
    right = task(tmp_path, loss="ce", epochs=8, options={"margin_2": 0.2, "relabel_epoch": 5})
    asked = replace(bent(right, 4), validation=guarded(right.validation))
    predictor = fit(asked)
    assert (last_labels(asked) != right.train.labels).sum() <= 2
    assert (asked.train.labels != right.train.labels).sum() == 4
    np.testing.assert_array_equal(asked.train.targets, np.eye(3)[asked.train.labels])
    np.testing.assert_array_equal(asked.validation.labels, right.validation.labels)
    np.testing.assert_array_equal(asked.validation.targets, np.eye(3)[right.validation.labels])
    untrained = ScnNetwork(asked.backbone, 3, SIDE)
    assert set(predictor.network.state_dict()) == set(untrained.state_dict())


def test_relabelling_survives_an_interruption(tmp_path: Path) -> None:
    options = {"margin_2": 0.1, "relabel_epoch": 1}
    whole, stopped = (
        bent(task(tmp_path / name, epochs=3, options=options), 12) for name in ("whole", "stopped")
    )
    fit(whole).save(tmp_path / "whole.safetensors")
    with pytest.raises(KeyboardInterrupt):
        fit(replace(stopped, progress=stop_after(2)))
    assert not np.array_equal(last_labels(stopped), stopped.train.labels)
    fit(stopped).save(tmp_path / "stopped.safetensors")
    names = [tmp_path / f"{name}.safetensors" for name in ("whole", "stopped")]
    assert names[0].read_bytes() == names[1].read_bytes()
    assert (whole.directory / FILE).read_bytes() == (stopped.directory / FILE).read_bytes()


# --- features, also for other methods --------------------------------------------------------


@pytest.mark.parametrize("backbone", ["test_resnet", "test_byobnet", "test_efficientnet"])
def test_feature_shape_is_that_of_the_maps(backbone: str) -> None:
    features = create_features(backbone, 64)
    with torch.inference_mode():
        maps = features(torch.zeros(2, 3, 64, 64))
    assert maps.shape == (2, *feature_shape(features, 64))


def test_pooled_features_are_the_mean_of_the_maps_where_timm_pools_so() -> None:
    pooled, maps = create_pooled("test_resnet", SIDE), create_features("test_resnet", SIDE)
    maps.load_state_dict(pooled.state_dict())
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(pooled(images), maps(images).mean(dim=(2, 3)))
    assert output_shape(pooled, SIDE) == feature_shape(maps, SIDE)[:1]
