"""Properties of every method that trains."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from helpers.colours import CLASSES, fit, painted, saved, stop_after, task

from ferc_core import registry
from ferc_core.errors import DataError
from ferc_core.task import Task
from ferc_models.saved.predictor import NetworkPredictor

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = sorted(name for name, method in registry().methods.items() if method.trains)
USUAL: dict[str, Any] = {"batch_size": 8}  # enough steps for three epochs
# what a method needs to learn the toy colours fast, where the usual small task is not the best
SETTINGS: dict[str, dict[str, Any]] = {
    "dmue": {"backbone": "test_resnet", "learning_rate": 1e-3},
    "eac": {"backbone": "test_resnet"},
    "mek": {
        "backbone": "test_resnet",
        "image_size": 64,
        "train": painted([0] * 24 + [1] * 16 + [2] * 8, 0, side=64),  # with something to balance
    },
    "rul": {"options": {"dropout": 0.1}},
    "swinv2_t": {
        "backbone": "",
        "image_size": 64,
        "learning_rate": 1e-3,
        "options": {"size": "mini"},
    },
}


def task_of(name: str, directory: Path, **changes: Any) -> Task:
    return task(directory, **USUAL | SETTINGS.get(name, {}) | changes)


class Trained(NamedTuple):
    """The trained model of a method, and its file."""

    method: str
    predictor: NetworkPredictor
    file: Path


@pytest.fixture(scope="module", params=METHODS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    name, folder = request.param, tmp_path_factory.mktemp("trained")
    predictor = fit(task_of(name, folder), name)
    predictor.save(folder / "model.safetensors")
    return Trained(name, predictor, folder / "model.safetensors")


def test_it_learns_the_colours(trained: Trained) -> None:
    assert max(h["f1"] for h in trained.predictor.card.history) > 0.8


def test_a_loaded_model_has_the_same_logits_card_and_file(trained: Trained, tmp_path: Path) -> None:
    images = task_of(trained.method, tmp_path).validation.images(np.arange(24))
    again = registry().methods[trained.method].load_predictor(trained.file, "cpu")
    np.testing.assert_array_equal(again.logits(images), trained.predictor.logits(images))
    assert again.card == trained.predictor.card
    assert again.card.classes == CLASSES
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == trained.file.read_bytes()
    other = METHODS[METHODS.index(trained.method) - 1]
    with pytest.raises(DataError, match=f"model of method '{trained.method}', not '{other}'"):
        registry().methods[other].load_predictor(trained.file, "cpu")


def test_an_interrupted_training_ends_with_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    asked = task_of(trained.method, tmp_path, workers=2)
    for epochs in (1, 2):
        torch.manual_seed(epochs)  # whatever was drawn before
        with pytest.raises(KeyboardInterrupt):
            fit(replace(asked, progress=stop_after(epochs)), trained.method)
    assert saved(asked, trained.method) == trained.file.read_bytes()


@pytest.mark.parametrize("name", METHODS)
def test_few_classes_and_images_can_be_trained(name: str, tmp_path: Path) -> None:
    for case, (classes, labels) in {
        "two classes and a remaining image": (2, [0, 1] * 4 + [0]),
        "one class alone": (3, [1] * 8),
        "a class without images": (3, [0, 1] * 4),
    }.items():
        asked = task_of(name, tmp_path / case, classes=tuple("abc"[:classes]), epochs=1)
        examples = painted(labels, 3, classes, asked.image_size)
        predictor = fit(replace(asked, train=examples, validation=examples), name)
        assert math.isfinite(predictor.card.history[0]["loss"]), case
        logits = predictor.logits(examples.images(np.arange(5)))
        assert logits.shape == (5, classes), case
        assert np.isfinite(logits).all(), case
