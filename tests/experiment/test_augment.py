"""Soft augmentation: corrupted training images with softened labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.runs import run_tiny, tiny

from ferc_core.experiment.augment import soft_augmentation, training_visibilities
from ferc_core.experiment.benchmark import Benchmark

N = 24  # training faces of the tiny run


@pytest.fixture(scope="module")
def augment():
    """Half of the training images corrupted, and the images and targets to do it to."""
    bench = Benchmark.open(tiny(Path("unused"), soft_augmentation=0.5))
    images = bench.images()["train"]
    images.keep()
    visible = training_visibilities(bench, images)
    targets = np.eye(8)[images.faces.labels]
    return soft_augmentation(bench, images.ids, 0, visible), images(np.arange(N)), targets


def test_corrupted_training_images_have_softer_labels(augment):
    augmented, images, targets = augment
    kept = images.copy()
    new, soft = augmented(1, np.arange(N), images, targets)
    changed = (new != images).any(axis=(1, 2, 3))
    assert 4 <= changed.sum() <= 20
    np.testing.assert_array_equal(soft[~changed], targets[~changed])
    assert (soft[changed].max(axis=1) < 1).all()
    np.testing.assert_allclose(soft.sum(axis=1), 1)
    np.testing.assert_array_equal(images, kept)


def test_augmentation_depends_on_epoch_and_image_alone(augment):
    augmented, images, targets = augment
    rows = np.arange(N)
    new, soft = augmented(1, rows, images, targets)
    back, backwards = augmented(1, rows[::-1], images[::-1], targets[::-1])
    np.testing.assert_array_equal(back[::-1], new)
    np.testing.assert_array_equal(backwards[::-1], soft)
    other, _ = augmented(2, rows, images, targets)
    assert (other != new).any()


def test_how_labels_are_judged_does_not_change_the_training(tmp_path):
    model = "checkpoints/baseline-ce-noise0-seed0.safetensors"
    for name, settings in (
        ("augmented", {"soft_augmentation": 0.5, "label_scheme": "gmm"}),
        ("judged", {"soft_augmentation": 0.5, "label_scheme": "one-hot"}),
        ("plain", {"label_scheme": "one-hot"}),
    ):
        assert not run_tiny(tmp_path / name, **settings).failures.causes
    augmented, judged, plain = (
        (tmp_path / name / model).read_bytes() for name in ("augmented", "judged", "plain")
    )
    assert augmented == judged
    assert augmented != plain
