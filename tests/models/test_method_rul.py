"""The method rul: mixed embeddings, the add-up loss, the uncertainty head."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.colours import SIDE, batch, task
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ferc_core.task import Task
from ferc_models.losses import Objective, build_loss
from ferc_models.methods.rul import RulLearner, RulNetwork, fit, mixture
from ferc_models.training import Batch

pytestmark = pytest.mark.usefixtures("one_thread")


def learner(asked: Task, dropout: float = 0.0, **options: Any) -> RulLearner:
    torch.manual_seed(0)
    network = RulNetwork(asked.backbone, len(asked.classes), asked.image_size, dropout=dropout)
    objective = build_loss(asked.loss, len(asked.classes), asked.class_prior)
    return RulLearner(asked, network, objective, **options).train()


# --- mixing -------------------------------------------------------------------------------------


def test_mixing_by_hand() -> None:
    mu = torch.tensor([[4.0, 0.0], [0.0, 8.0], [2.0, 2.0]])
    # uncertainties, means over the dimensions: (1 + 3) / 2 = 2, (6 + 6) / 2 = 6, (2 + 0+) / 2 = 1
    variance = torch.tensor([[1.0, 3.0], [6.0, 6.0], [2.0, math.exp(-10)]])
    mixed = mixture(mu, variance.log(), torch.tensor([1, 2, 0]))
    u = [2, 6, 1 + math.exp(-10) / 2]
    expected = [
        [4 * u[0] / 8, 8 * u[1] / 8],
        [2 * u[2] / (6 + u[2]), (8 * 6 + 2 * u[2]) / (6 + u[2])],
        [(2 * u[2] + 4 * 2) / (2 + u[2]), 2 * u[2] / (2 + u[2])],
    ]
    torch.testing.assert_close(mixed, torch.tensor(expected))


shuffles = st.integers(1, 9).flatmap(lambda n: st.permutations(list(range(n))))


@settings(max_examples=40, deadline=None)
@given(shuffles, st.integers(0, 99), st.sampled_from([1.0, 30.0, 1e4]))
def test_both_weights_add_up_to_one(order: list[int], seed: int, scale: float) -> None:
    rng = torch.Generator().manual_seed(seed)
    log_variance = scale * torch.randn(len(order), 64, generator=rng)
    mixed = mixture(torch.full((len(order), 64), 3.0), log_variance, torch.tensor(order))
    torch.testing.assert_close(mixed, torch.full_like(mixed, 3.0))


@settings(max_examples=40, deadline=None)
@given(shuffles, st.integers(0, 99))
def test_a_pair_makes_the_same_mixture_from_both_sides(order: list[int], seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    mu, log_variance = torch.randn(2, len(order), 64, generator=rng)
    partners = torch.tensor(order)
    forth = mixture(mu, log_variance, partners)
    back = mixture(mu, log_variance, partners.argsort())
    torch.testing.assert_close(forth, back[partners])


def test_the_more_uncertain_image_has_the_larger_weight() -> None:
    mu = torch.tensor([[1.0], [-1.0]])
    swap = torch.tensor([1, 0])
    mixed = mixture(mu, torch.tensor([[1.0], [0.0]]), swap)
    assert mixed.flatten().tolist() == pytest.approx([math.tanh(0.5)] * 2)
    extreme = mixture(mu, torch.tensor([[1e4], [-1e4]]), swap)
    assert extreme.flatten().tolist() == pytest.approx([math.tanh(10)] * 2)


# --- the loss -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> RulLearner:
    return learner(task(tmp_path_factory.mktemp("rul"), loss="ce", backbone="test_resnet"))


def by_hand(one: RulLearner, given: Batch, partners: Tensor) -> tuple[float, float]:
    """Return the mean cross-entropy of the mixtures for both images' labels."""
    maps = one.network.backbone(given.images)
    mu, log_variance = one.network.embedding(maps), one.log_variance(maps)
    u = log_variance.exp().mean(dim=1)
    a1, a2 = u / (u + u[partners]), u[partners] / (u + u[partners])
    mixed = a1[:, None] * mu + a2[:, None] * mu[partners]
    p = one.network.classifier(mixed).softmax(dim=1).detach()
    labels, rows = given.targets.argmax(dim=1), torch.arange(len(partners))
    own, other = (-p[rows, y].log().mean().item() for y in (labels, labels[partners]))
    return own, other


def test_add_up_uses_both_labels_and_overwrite_the_own_one(taught: RulLearner) -> None:
    given, partners = batch(task(Path()), [0, 5, 7, 9]), torch.tensor([2, 0, 3, 1])
    own, other = by_hand(taught, given, partners)
    assert abs(own - other) > 1e-3
    assert taught.paired_loss(given, partners).item() == pytest.approx((own + other) / 2, rel=1e-5)
    overwriting = learner(task(Path(), loss="ce", backbone="test_resnet"), mixed_loss="overwrite")
    overwriting.load_state_dict(taught.state_dict())
    assert overwriting.paired_loss(given, partners).item() == pytest.approx(own, rel=1e-5)


@settings(deadline=None, max_examples=8)
@given(st.permutations(list(range(5))))
def test_the_add_up_loss_is_the_same_with_images_and_partners_swapped(
    taught: RulLearner, order: list[int]
) -> None:
    rows, partners = [0, 4, 8, 10, 15], torch.tensor(order)
    asked = task(Path())
    usual = taught.paired_loss(batch(asked, rows), partners).item()
    swapped = batch(asked, [rows[i] for i in order])  # image i is now what its partner was
    assert taught.paired_loss(swapped, partners.argsort()).item() == pytest.approx(usual, rel=1e-4)


def test_partners_are_a_permutation_from_torchs_generator(tmp_path: Path) -> None:
    asked = task(tmp_path)
    one, rows, seen = learner(asked), list(range(20)), []

    def look(logits: Tensor, targets: Tensor) -> Tensor:
        seen.append(targets[:, 0].tolist())
        return logits.sum()

    one.objective = Objective([look])
    numbered = replace(batch(asked, rows), targets=torch.arange(20.0)[:, None].expand(20, 3))
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        one.loss(numbered)
    assert seen[0::2] == [rows] * 3
    first, again, other = seen[1::2]
    assert sorted(first) == rows
    assert first == again != other


def test_penalties_see_the_mixed_logits_once(tmp_path: Path) -> None:
    asked = task(tmp_path, loss="mbls(margin=0,weight=1,reduction=sum)", backbone="test_resnet")
    one = learner(asked)
    with torch.no_grad():
        one.network.classifier.weight.zero_()
        one.network.classifier.bias.copy_(torch.tensor([3.0, 0.0, 0.0]))
    partners = torch.tensor([1, 0])  # of classes 1 and 2: log(e^3 + 2) for both, and 3 + 3
    expected = math.log(math.exp(3) + 2) + 6
    loss = one.paired_loss(batch(asked, [1, 2]), partners).item()
    assert loss == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rows", [[1, 4, 7], [2, 2]])
def test_batches_of_one_class_have_a_finite_loss_and_gradient(
    tmp_path: Path, rows: list[int]
) -> None:
    asked = task(tmp_path, loss="maxent+mbls")
    one = learner(asked, dropout=0.4)
    loss = one.loss(batch(asked, rows))
    loss.backward()
    assert torch.isfinite(loss)
    gradients = [p.grad for p in one.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)


def test_the_loss_teaches_the_uncertainty_head(taught: RulLearner) -> None:
    taught.zero_grad()
    taught.paired_loss(batch(task(Path()), [0, 4, 8]), torch.tensor([1, 2, 0])).backward()
    assert all(
        p.grad is not None and p.grad.abs().sum() > 0 for p in taught.log_variance[3].parameters()
    )


# --- the network --------------------------------------------------------------------------------


def test_in_evaluation_an_image_is_classified_by_its_own_embedding() -> None:
    network = RulNetwork("test_resnet", 2, SIDE).eval()
    images = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits = network(images)
        mu = network.embedding(network.backbone(images))
        torch.testing.assert_close(
            logits, mu @ network.classifier.weight.T + network.classifier.bias
        )
        assert mu.shape == (4, 64)
        torch.testing.assert_close(network(images[:1]), logits[:1])


@pytest.mark.parametrize(("options", "fraction"), [({}, 0.4), ({"dropout": 0.0}, 0.0)])
def test_dropout_is_an_option_of_both_heads(
    tmp_path: Path, options: dict[str, float], fraction: float
) -> None:
    asked = task(tmp_path)
    network = RulNetwork(asked.backbone, 3, SIDE, **options)
    one = RulLearner(asked, network, build_loss("ce", 3, asked.class_prior))
    for head in (network.embedding, one.log_variance):
        dropout = [m for m in head if isinstance(m, nn.Dropout)]
        torch.manual_seed(0)
        dropped = (dropout[0].train()(torch.ones(20_000)) == 0).float().mean().item()
        assert dropped == pytest.approx(fraction, abs=0.02)


# --- as a method --------------------------------------------------------------------------------


def test_the_uncertainty_head_is_not_part_of_the_trained_model(tmp_path: Path) -> None:
    asked = task(tmp_path, epochs=1, options={"dropout": 0.1, "mixed_loss": "overwrite"})
    predictor = fit(asked)
    plain = RulNetwork(asked.backbone, 3, SIDE).state_dict()
    assert set(predictor.network.state_dict()) == set(plain)
    assert predictor.card.options == {"dropout": 0.1}  # what shapes the network alone
