"""The method dmue: its branches, what they teach, and that only the main one is kept."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import SIDE
from helpers.colours import task as usual_task
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ferc_core.task import Task
from ferc_models.losses import build_loss
from ferc_models.methods.dmue import DmueLearner, DmueNetwork, fit
from ferc_models.methods.dmue_parts import (
    branch_labels,
    mined_labels,
    ramp_down,
    ramp_up,
    similarity_loss,
    soft_loss,
    statistics,
)
from ferc_models.runtime import seeded
from ferc_models.training import Batch

pytestmark = pytest.mark.usefixtures("one_thread")


def task(directory: Path, **changes: Any) -> Task:
    return usual_task(directory, **({"backbone": "test_resnet", "learning_rate": 1e-3} | changes))


def learner(classes: int = 3, side: int = SIDE, loss: str = "ce", **options: Any) -> DmueLearner:
    """A learner in training mode, as the recipe builds it."""
    names = tuple("abcdefgh"[:classes])
    asked = task(Path(), classes=names, image_size=side)
    objective = build_loss(loss, classes, np.full(classes, 1 / classes))
    with seeded(3):
        network = DmueNetwork("test_resnet", classes, side)
        return DmueLearner(asked, network, objective, **options).train()


def batch(labels: list[int], classes: int = 3, side: int = SIDE, epoch: int = 1) -> Batch:
    """Noise with these labels."""
    rng = np.random.default_rng(len(labels))
    images = torch.tensor(rng.normal(size=(len(labels), 3, side, side)), dtype=torch.float32)
    return Batch(
        epoch, np.arange(len(labels)), images, torch.eye(classes)[labels], torch.tensor(labels)
    )


def buffers(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.named_buffers()}


def changed(module: nn.Module, before: dict[str, Tensor]) -> bool:
    return any(not torch.equal(tensor, before[name]) for name, tensor in module.named_buffers())


# --- the parts ----------------------------------------------------------------------------------


def test_a_branch_numbers_the_other_classes_in_order_and_back() -> None:
    for classes, branch in ((2, 0), (2, 1), (3, 1), (7, 0), (7, 3), (7, 6)):
        others = [t for t in range(classes) if t != branch]
        numbers = branch_labels(torch.tensor(others), branch).tolist()
        assert numbers == list(range(classes - 1))
        for label, number in zip(others, numbers, strict=True):
            said = torch.full((1, classes - 1), -99.0)
            said[0, number] = 99.0  # a branch that is sure of this class
            assert mined_labels(said, branch).argmax().item() == label


def test_a_mined_label_is_0_at_the_true_class_and_sums_to_1() -> None:
    logits = torch.randn(9, 3, generator=torch.Generator().manual_seed(1))
    for branch in range(4):
        mined = mined_labels(logits, branch)
        assert mined.shape == (9, 4)
        assert (mined[:, branch] == 0).all()
        assert (np.delete(mined.numpy(), branch, axis=1) > 0).all()
        torch.testing.assert_close(mined.sum(dim=1), torch.ones(9))


def test_mining_raises_probabilities_to_1_over_1_2() -> None:
    probs = torch.tensor([[0.2, 0.8]])
    powers = np.array([0.2, 0.8]) ** (1 / 1.2)
    low, high = powers / powers.sum()
    np.testing.assert_allclose(mined_labels(probs.log(), 1), [[low, 0, high]], rtol=1e-6)
    assert low > 0.2  # flatter than before


def test_the_ramps_have_the_values_of_fer_c() -> None:
    assert ramp_up(0, 0.6) == pytest.approx(0.0067, abs=5e-5)
    assert [ramp_up(e, 0.6) for e in (1, 2, 50)] == [1, 1, 1]
    assert ramp_down(0, 0.6) == 1
    falling = [ramp_down(e, 0.6) for e in (1, 2, 3)]
    np.testing.assert_allclose(falling, [0.852, 0.613, 0.527], atol=5e-4)


def test_the_ramps_of_a_longer_training_meet_at_their_end() -> None:
    assert ramp_up(3, 6) == pytest.approx(math.exp(-5 / 4))
    assert [ramp_up(e, 6) for e in (6, 7)] == [1, 1]
    assert [ramp_down(e, 6) for e in (0, 5, 6)] == [1, 1, 1]
    assert ramp_down(12, 6) == pytest.approx(math.exp(-1 / 4))
    assert ramp_down(10**9, 6) == pytest.approx(math.exp(-1))


def test_the_soft_loss_compares_all_but_the_true_class() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]).log() + 3
    mined = torch.tensor([[0.0, 0.6, 0.4], [0.3, 0.7, 0.0]])
    value = soft_loss(logits, torch.tensor([0, 2]), mined)
    by_hand = (0.35**2 + 0.15**2 + 0.2**2 + 0.5**2) / 6
    assert value.item() == pytest.approx(by_hand, rel=1e-6)


def test_the_similarity_loss_compares_gram_matrices_row_by_row() -> None:
    # [1 2; 2 4], both rows (1, 2) / sqrt 5, against the unit matrix
    value = similarity_loss(torch.tensor([[1.0], [2.0]]), torch.eye(2))
    assert value.item() == pytest.approx(1 - 1.5 / math.sqrt(5), rel=1e-6)
    view = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    turned = view @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]])
    assert similarity_loss(view, 7 * turned).item() == pytest.approx(0, abs=1e-12)


def test_confidence_depends_on_the_cosines_to_the_classes_of_the_batch() -> None:
    features = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.5, math.sqrt(3) / 2]])
    judged = statistics(features, torch.tensor([0, 1, 3]), 4)
    assert judged.shape == (3, 8)
    # cosines 1, sqrt(1/2) and 1/2: the absent class 2 must not be the smallest
    np.testing.assert_allclose(judged[0], [1, math.sqrt(2) - 1, 0, 0, 1, 0, 0, 0], atol=1e-6)
    assert judged[1, 1] == judged[2, 3] == 1
    assert (judged[:, 2] == 0).all()


def test_confidence_depends_on_the_mean_over_a_class() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])
    judged = statistics(features, torch.tensor([0, 0, 1, 2]), 3)
    # of the first image: (1 + 0) / 2 to its own class, .6 and -1 to the others
    np.testing.assert_allclose(judged[0, :3], [1.5 / 1.6, 1, 0], atol=1e-6)


def test_statistics_of_one_class_are_finite() -> None:
    for features in (torch.ones(4, 5), torch.zeros(4, 5), torch.eye(4)):
        x = features.clone().requires_grad_()
        judged = statistics(x, torch.tensor([1, 1, 1, 1]), 3)
        np.testing.assert_array_equal(judged.detach(), [[0, 0, 0, 0, 1, 0]] * 4)
        judged.square().sum().backward()
        assert torch.isfinite(x.grad).all()


# --- the loss of a batch ------------------------------------------------------------------------


def expected_parts(
    of: DmueLearner, at: Batch, view: str, classes: list[int]
) -> tuple[float, float]:
    """What is ramped up and what is ramped down, branch by branch on whole batches of images."""
    net, labels = of.network, torch.tensor(classes)
    stages = nn.Sequential(*[net.backbone.get_submodule(n) for n in STAGES])
    maps = stages(at.images)
    pool = lambda stage, rows: stage(maps[rows]).mean(dim=(2, 3))
    main = pool(net.backbone.layer4, slice(None))
    own, similar, soft = [], [], 0.0
    logits = main @ net.classifier.weight.T
    p = logits.softmax(dim=1)
    for c in range(3):
        others, its = labels != c, labels == c
        seen = pool(of.branches[c], others)
        told = seen @ of.classifiers[c].weight.T
        names = [t for t in range(3) if t != c]
        wanted = torch.tensor([names.index(int(t)) for t in labels[others]])
        own.append(functional.cross_entropy(told, wanted))
        x, f = (told if view == "logits" else seen), main[others]
        rows = [
            ((x @ a) / (x @ a).norm() - (f @ b) / (f @ b).norm()).square().mean()
            for a, b in zip(x, f, strict=True)
        ]
        similar.append(torch.stack(rows).mean())
        of.branches[c].eval()
        q = (pool(of.branches[c], its) @ of.classifiers[c].weight.T).softmax(dim=1)
        of.branches[c].train()
        m = q ** (1 / 1.2) / (q ** (1 / 1.2)).sum(dim=1, keepdim=True)
        soft += (p[its][:, names] - m).square().sum().item() / p.numel()
    trust = of.confidence(statistics(main, labels, 3))
    classification = functional.cross_entropy(trust * logits, at.targets)
    taught = classification.item() + 0.5 * soft + 1000 * torch.stack(similar).mean().item()
    return taught, torch.stack(own).mean().item()


STAGES = ("conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3")


@pytest.mark.parametrize("similarity", ["logits", "features"])
def test_the_loss_is_the_ramped_sum_of_its_parts(similarity: str) -> None:
    of = learner(similarity=similarity)
    nn.init.normal_(of.network.classifier.weight)  # not all but the same logits
    for classifier in of.classifiers:
        nn.init.normal_(classifier.weight)
    labels = [0, 1, 2, 1, 2, 1]
    taught, own = expected_parts(copy.deepcopy(of), batch(labels), similarity, labels)
    for epoch, up, down in ((1, math.exp(-5), 1), (2, 1, math.exp(-0.16)), (4, 1, math.exp(-0.64))):
        value = copy.deepcopy(of).loss(batch(labels, epoch=epoch)).item()
        assert value == pytest.approx(up * taught + down * own, rel=1e-4)


def test_the_objective_sees_the_weighted_logits_and_the_targets_as_they_are() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class Look(nn.Module):
        def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
            seen.append((logits.detach(), targets))
            return logits.sum()

    of = learner()
    nn.init.normal_(of.network.classifier.weight)
    of.objective = Look()
    soft = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.3, 0.6, 0.1], [0.4, 0.4, 0.2]])
    of.loss(replace(batch([0, 2, 1, 0]), targets=soft))
    plain = of.network(batch([0, 2, 1, 0]).images).detach()
    ((weighted, targets),) = seen
    assert targets is soft
    ratio = weighted / plain
    assert ((ratio > 0) & (ratio < 1)).all()
    torch.testing.assert_close(ratio, ratio[:, :1].expand(4, 3), rtol=1e-3, atol=1e-4)


def test_a_uniform_target_counts_as_the_annotated_class() -> None:
    uniform = torch.full((4, 3), 1 / 3)
    for labels in ([0, 1, 2, 1], [2, 2, 1, 0]):
        of, given = learner(), batch(labels)
        value = copy.deepcopy(of).loss(replace(given, targets=uniform))
        by_hand = expected_parts(of, replace(given, targets=uniform), "features", labels)
        assert value.item() == pytest.approx(math.exp(-5) * by_hand[0] + by_hand[1], rel=1e-4)


def test_mining_changes_neither_batch_normalisation_nor_gradients() -> None:
    of = learner()
    maps = of.network.shared(batch([0, 1, 2, 2]).images)
    before = buffers(of)
    mined = of.mine(maps, torch.tensor([0, 1, 2, 2]))
    assert not mined.requires_grad
    assert not changed(of, before)
    assert all(module.training for module in of.modules())


def test_a_branch_is_not_trained_on_its_own_class() -> None:
    of = learner()
    before = [buffers(branch) for branch in of.branches]
    of.loss(batch([1, 1, 1])).backward()
    assert [changed(branch, old) for branch, old in zip(of.branches, before, strict=True)] == [
        True,
        False,
        True,
    ]
    for c in range(3):
        given = [p.grad is not None for p in of.branches[c].parameters()]
        assert all(given) if c != 1 else not any(given)


def test_every_part_has_a_gradient() -> None:
    of = learner()
    of.loss(batch([0, 1, 2, 0, 1, 2])).backward()
    assert all(parameter.grad is not None for parameter in of.parameters())
    for part in (of.network.classifier, of.confidence, *of.branches, *of.classifiers, of.network):
        assert any(parameter.grad.abs().sum() > 0 for parameter in part.parameters())


def test_the_confidence_network_is_trained_unless_train_score_is_false() -> None:
    for train_score in (True, False):
        of = learner(train_score=train_score)
        optimizer = torch.optim.Adam(of.groups(1e-3))
        before = [p.detach().clone() for p in of.confidence.parameters()]
        of.loss(batch([0, 1, 2, 0], epoch=2)).backward()
        optimizer.step()
        pairs = zip(of.confidence.parameters(), before, strict=True)
        assert [not torch.equal(now, old) for now, old in pairs] == [train_score] * len(before)


def test_classifiers_and_confidence_learn_faster() -> None:
    assert learner().groups(2.5e-4)[1]["lr"] == pytest.approx(4 * 2.5e-4)
    of = learner(classifier_rate=1.5)
    slow, fast = of.groups(2.5e-4)
    assert slow["lr"] == 2.5e-4
    assert fast["lr"] == pytest.approx(1.5 * 2.5e-4)
    heads = [of.network.classifier, of.classifiers, of.confidence]
    assert {id(p) for p in fast["params"]} == {id(p) for h in heads for p in h.parameters()}
    every = [id(p) for group in (slow, fast) for p in group["params"]]
    assert sorted(every) == sorted(id(p) for p in of.parameters())


@pytest.mark.parametrize(
    ("labels", "classes", "side"),
    [
        ([2], 3, 64),  # one image
        ([0, 0], 3, SIDE),  # one class
        ([0, 1], 3, SIDE),  # branches 0 and 1 with one image, whose maps are 1 x 1
        ([0, 1, 0, 1], 3, SIDE),  # an absent class
        ([0, 1, 1], 2, SIDE),  # branches that tell one class apart from nothing
        ([1], 2, 64),
        ([0, 0, 0], 2, SIDE),
    ],
)
def test_odd_batches_give_finite_losses_and_gradients(
    labels: list[int], classes: int, side: int
) -> None:
    for similarity, loss in (("logits", "maxent+mbls"), ("features", "ce")):
        of = learner(classes, side, loss, similarity=similarity)
        value = of.loss(batch(labels, classes, side, epoch=2))
        value.backward()
        assert math.isfinite(value.item())
        grads = [p.grad for p in of.parameters() if p.grad is not None]
        assert grads
        assert all(torch.isfinite(grad).all() for grad in grads)


# --- training and the trained model -------------------------------------------------------------


def test_only_the_main_branch_is_kept_and_run(tmp_path: Path) -> None:
    asked = task(tmp_path, epochs=1)
    fit(asked).save(tmp_path / "model.safetensors")
    names = set(load_file(tmp_path / "model.safetensors"))
    assert {name.partition(".")[0] for name in names} == {"backbone", "classifier"}
    plain = set(DmueNetwork("test_resnet", 3, SIDE).state_dict())
    assert names == plain
    assert len([name for name in names if "layer4.0.conv1.weight" in name]) == 1

    of, images = learner().eval(), batch([0, 1, 2]).images

    def refuse(*_: Any) -> None:
        raise AssertionError("an auxiliary branch ran")

    for part in (*of.branches, *of.classifiers, of.confidence):
        part.register_forward_pre_hook(refuse)
    with torch.inference_mode():
        maps = of.network.shared(images)
        main = of.network.classifier(of.network.features(maps, of.network.backbone.layer4))
        assert torch.equal(of(images), main)


def test_branches_start_as_copies_of_the_pretrained_last_stage(tmp_path: Path) -> None:
    source = learner().network.backbone
    with seeded(8):
        for parameter in source.parameters():
            nn.init.normal_(parameter, std=0.1)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    heard: list[str] = []
    asked = task(tmp_path, weights=tmp_path / "w.pth", epochs=1, learning_rate=1e-12)
    fit(replace(asked, say=heard.append))
    count = len(source.state_dict())
    assert heard == [f"{count} of {count} tensors are from w.pth"]
    wanted = dict(source.layer4.named_parameters())
    with safe_open(tmp_path / "training.safetensors", framework="pt") as state:
        for c in range(3):
            for name, tensor in wanted.items():
                branch = state.get_tensor(f"network.branches.{c}.{name}")
                torch.testing.assert_close(branch, tensor.detach(), rtol=0, atol=1e-6)


def test_a_deeper_residual_network_can_be_used() -> None:
    network = DmueNetwork("resnet50", 7, 64).eval()
    images = torch.zeros(1, 3, 64, 64)
    with torch.inference_mode():
        stepwise = network.features(network.shared(images), network.backbone.layer4)
        assert network(images).shape == (1, 7)
        assert torch.equal(stepwise, network.backbone(images))
