"""The training loop: what it learns, and that no interruption changes it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import Counter, fit, task
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ferc_core.errors import BadImageError, RunError
from ferc_core.task import Epoch
from ferc_metrics.classification import macro_f1
from ferc_models.images import MEAN, STD, mirrored, shuffled_batches
from ferc_models.saved.predictor import NetworkPredictor
from ferc_models.training import Batch, largest_class, train

pytestmark = pytest.mark.usefixtures("one_thread")


# --- learning -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> NetworkPredictor:
    predictor: NetworkPredictor = fit(
        task(tmp_path_factory.mktemp("learned"), epochs=3, batch_size=8)
    )
    return predictor


def test_the_card_has_the_history_of_a_training(tmp_path: Path, learned: NetworkPredictor) -> None:
    history = learned.card.history
    assert [h["epoch"] for h in history] == [1, 2, 3]
    assert history[-1]["loss"] < history[0]["loss"]
    best = max(h["f1"] for h in history)
    assert best > 0.8
    validation = task(tmp_path).validation
    logits = learned.logits(validation.images(np.arange(24)))
    probs = torch.softmax(torch.tensor(logits, dtype=torch.float64), dim=1).numpy()
    assert macro_f1(probs, validation.labels) == best
    assert json.dumps(history)


def test_a_transformer_is_trained_too(tmp_path: Path) -> None:
    predictor = fit(task(tmp_path, backbone="test_vit", epochs=1, loss="ce"))
    assert predictor.card.backbone == "test_vit"
    assert math.isfinite(predictor.card.history[0]["loss"])


def test_a_training_starts_from_pretrained_weights(
    tmp_path: Path, learned: NetworkPredictor
) -> None:
    learned.save(tmp_path / "w.safetensors")
    again = task(tmp_path, weights=tmp_path / "w.safetensors", epochs=1, seed=9)
    predictor = fit(replace(again, learning_rate=1e-6))
    assert predictor.card.history[0]["f1"] > 0.8
    count = len(learned.network.state_dict())
    assert predictor.card.notes == (f"{count} of {count} tensors are from w.safetensors",)


def count(network: nn.Module, batch: Batch) -> Tensor:
    network.epoch.fill_(batch.epoch)
    return network.weight.square()


def test_the_first_of_the_best_epochs_is_kept(tmp_path: Path) -> None:
    network = Counter()
    state = train(task(tmp_path, epochs=4), network, count, method="counter")
    assert [h["f1"] for h in state.history] == [0, 1, 1, 0]
    assert state.best_f1 == 1
    assert int(network.epoch) == 2


def test_a_batch_has_matching_rows_images_targets_and_labels(tmp_path: Path) -> None:
    asked, seen = task(tmp_path, epochs=2, batch_size=20), []

    def look(network: nn.Module, batch: Batch) -> Tensor:
        pixels = batch.images * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]
        given = asked.train.images(batch.rows).transpose(0, 3, 1, 2) / 255
        np.testing.assert_allclose(pixels.numpy(), given, atol=1e-6)
        np.testing.assert_array_equal(batch.targets.numpy(), asked.train.targets[batch.rows])
        np.testing.assert_array_equal(batch.labels.numpy(), asked.train.labels[batch.rows])
        assert network.training
        seen.append((batch.epoch, batch.rows.tolist()))
        return network.weight.square()

    train(asked, Counter(), look, method="look")
    for epoch in (1, 2):
        rows = [r for e, r in seen if e == epoch]
        assert [len(r) for r in rows] == [20, 20, 8]
        assert sorted(r for batch in rows for r in batch) == list(range(48))
    assert seen[0][1] != seen[3][1]  # another order in every epoch


# --- what can go wrong --------------------------------------------------------------------------


def test_an_infinite_loss_is_named_with_epoch_and_batch(tmp_path: Path) -> None:
    def burst(network: nn.Module, batch: Batch) -> Tensor:
        factor = math.inf if batch.epoch == 2 and 7 in batch.rows else 1.0
        return factor * network.weight.square()

    with pytest.raises(RunError, match=r"loss 'maxent\+mbls' became inf in epoch 2, batch [123];"):
        train(task(tmp_path), Counter(), burst, method="burst")


def test_logits_that_are_not_finite_stop_the_training(tmp_path: Path) -> None:
    def ruin(network: nn.Module, batch: Batch) -> Tensor:
        with torch.no_grad():
            network.epoch.fill_(0)
        return network.weight.sqrt() * 0  # finite here; its gradient is not, once weight is 0

    network = Counter()
    nn.init.zeros_(network.weight)
    with pytest.raises(RunError, match="logits became infinite or NaN"):
        train(task(tmp_path, batch_size=48), network, ruin, method="ruin")


def test_an_unreadable_image_stops_the_training(tmp_path: Path) -> None:
    def broken(rows: Any) -> Any:
        raise BadImageError("faces/7.png cannot be read")

    for workers in (0, 2):
        asked = task(tmp_path, workers=workers)
        with pytest.raises(BadImageError, match=r"faces/7\.png"):
            fit(replace(asked, train=replace(asked.train, images=broken)))


def test_progress_reports_every_epoch_in_order(tmp_path: Path) -> None:
    heard: list[Epoch] = []
    predictor = fit(task(tmp_path, progress=heard.append))
    ends = [e for e in heard if e.validation_f1 is not None]
    assert [e.number for e in ends] == [1, 2, 3]
    assert [e.validation_f1 for e in ends] == [h["f1"] for h in predictor.card.history]
    assert all(0 < e.done <= 1 and e.total == 3 for e in heard)
    assert sorted(heard, key=lambda e: (e.number, e.done)) == heard


def test_the_largest_class_of_a_tied_target_is_the_annotated_one() -> None:
    targets = torch.tensor([[0.2, 0.4, 0.4], [1 / 3] * 3, [0.5, 0.5, 0.0], [0.1, 0.2, 0.7]])
    labels = torch.tensor([2, 1, 2, 0])
    assert largest_class(targets, labels).tolist() == [2, 1, 0, 2]


# --- images on their way ----------------------------------------------------------------------


@given(st.integers(2, 200), st.integers(2, 50), st.integers(0, 9))
def test_batches_hold_every_row_once_and_at_least_two(n: int, size: int, seed: int) -> None:
    batches = shuffled_batches(n, size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    assert all(2 <= len(batch) <= size + 1 for batch in batches)


def test_mirroring_flips_the_chosen_images_left_to_right() -> None:
    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    flipped = mirrored(images, np.array([False, True]))
    np.testing.assert_array_equal(flipped[0], images[0])
    np.testing.assert_array_equal(flipped[1, :, 0], images[1, :, 3])
