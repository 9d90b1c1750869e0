"""The method mek: re-balanced smooth labels, and attention weighed by how rare a class is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import batch, painted
from helpers.colours import task as usual_task
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ferc_core.task import Task
from ferc_models.losses import build_loss
from ferc_models.methods.attention import AttentionNetwork, look_twice
from ferc_models.methods.mek import MekLearner, class_rarity, other_classes, smooth
from ferc_models.training import Batch

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 64
RAF = np.array([1290, 281, 717, 4772, 1982, 705, 2524])  # training images of RAF-DB, by class
# w_k = N / (10 n_k) of RAF-DB, as the authors' training script prints them
AUTHORS = np.array([0.95124, 4.36690, 1.71144, 0.25715, 0.61912, 1.74057, 0.48617])

class_counts = st.lists(st.integers(0, 50), min_size=2, max_size=9).filter(any)


def task(directory: Path, **changes: Any) -> Task:
    train = painted([0] * 24 + [1] * 16 + [2] * 8, 0, side=SIDE)
    usual = {"backbone": "test_resnet", "image_size": SIDE, "train": train, "loss": "ce"}
    return usual_task(directory, **usual | changes)


def smoothed(counts: list[int], targets: Tensor, smoothing: float) -> Tensor:
    """Labels as a training on so many images of each class makes them."""
    prior = np.array(counts) / sum(counts)
    return smooth(targets, other_classes(class_rarity(prior)), smoothing)


# --- labels -------------------------------------------------------------------------------------


def test_smoothing_is_proportional_to_rarity() -> None:
    # 1/n: 1/6, 1/3, 1/2, so weights 1 : 2 : 3
    labels = smoothed([6, 3, 2], torch.eye(3), 0.3)
    expected = [
        [0.7, 0.3 * 2 / 5, 0.3 * 3 / 5],
        [0.3 * 1 / 4, 0.7, 0.3 * 3 / 4],
        [0.3 * 1 / 3, 0.3 * 2 / 3, 0.7],
    ]
    torch.testing.assert_close(labels, torch.tensor(expected))


def test_labels_on_raf_db_are_those_of_the_authors() -> None:
    labels = smoothed(RAF.tolist(), torch.eye(7), 0.3).numpy()
    for k in range(7):
        others = np.delete(AUTHORS, k)
        np.testing.assert_allclose(np.delete(labels[k], k), 0.3 * others / others.sum(), rtol=1e-4)
        np.testing.assert_allclose(labels[k, k], 0.7, rtol=1e-6)


@settings(max_examples=30)
@given(class_counts, st.floats(0.01, 0.99))
def test_labels_are_distributions_that_favour_the_rarest(counts: list[int], e: float) -> None:
    labels = smoothed(counts, torch.eye(len(counts)), e)
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(len(counts)))
    assert labels.min() >= 0
    rare = [n or min(m for m in counts if m) for n in counts]
    for k, row in enumerate(labels):
        others = [j for j in range(len(counts)) if j != k]
        most = max(others, key=lambda j: row[j])
        assert rare[most] == min(rare[j] for j in others)


def test_a_soft_target_mixes_the_labels_of_its_classes() -> None:
    mixed = smoothed([6, 3, 2], torch.tensor([[0.25, 0.75, 0.0]]), 0.3)
    first, second, _ = smoothed([6, 3, 2], torch.eye(3), 0.3)
    torch.testing.assert_close(mixed[0], 0.25 * first + 0.75 * second)


def test_two_classes_are_smoothed_towards_each_other() -> None:
    labels = smoothed([90, 10], torch.eye(2), 0.2)
    torch.testing.assert_close(labels, torch.tensor([[0.8, 0.2], [0.2, 0.8]]))


# --- rarity -------------------------------------------------------------------------------------


def test_rarity_is_inverse_frequency_with_a_mean_of_one() -> None:
    torch.testing.assert_close(
        class_rarity(np.array([6, 3, 2]) / 11), torch.tensor([0.5, 1.0, 1.5])
    )
    torch.testing.assert_close(class_rarity(np.full(4, 0.25)), torch.ones(4))
    np.testing.assert_allclose(class_rarity(RAF / RAF.sum()), AUTHORS / AUTHORS.mean(), rtol=1e-4)


def test_a_class_without_images_counts_as_the_rarest() -> None:
    torch.testing.assert_close(class_rarity(np.array([0.8, 0.2, 0.0])), torch.tensor([1, 4, 4]) / 3)
    torch.testing.assert_close(class_rarity(np.array([0.0, 1.0])), torch.ones(2))


# --- loss ---------------------------------------------------------------------------------------


def parts(directory: Path, **options: Any) -> tuple[MekLearner, Batch]:
    torch.manual_seed(0)
    asked = task(directory, loss="focal")
    network = AttentionNetwork("test_resnet", 3, SIDE).eval()
    given = batch(asked, [0, 45, 30, 1])
    return MekLearner(asked, network, build_loss("focal", 3, asked.class_prior), **options), given


def test_without_smoothing_and_weight_it_is_the_objective_alone(tmp_path: Path) -> None:
    learner, given = parts(tmp_path, smoothing=0, weight=0)
    plain = learner.objective(learner.network(given.images), given.targets)
    torch.testing.assert_close(learner.loss(given), plain)
    assert not torch.allclose(parts(tmp_path, weight=0)[0].loss(given), plain)


def test_smoothing_changes_the_targets_of_any_objective(tmp_path: Path) -> None:
    learner, given = parts(tmp_path, smoothing=0.3, weight=0)
    labels = smoothed([24, 16, 8], given.targets, 0.3)
    expected = learner.objective(learner.network(given.images), labels)
    torch.testing.assert_close(learner.loss(given), expected)


def test_attention_counts_by_rarity_summed_over_classes(tmp_path: Path) -> None:
    learner, given = parts(tmp_path, smoothing=0, weight=0.1)
    plain = learner.objective(learner.network(given.images), given.targets)
    _, inconsistency = look_twice(learner.network, given.images)
    # 24, 16 and 8 images: 1/n is as 2 : 3 : 6
    weighted = inconsistency @ torch.tensor([2.0, 3.0, 6.0]) * 3 / 11
    assert weighted.mean() > 1e-6
    torch.testing.assert_close(learner.loss(given), plain + 0.1 * weighted.mean())
