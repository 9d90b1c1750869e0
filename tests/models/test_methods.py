"""What every method that trains promises, whatever it does inside."""

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
from ferc_core.errors import DataError, UnknownNameError
from ferc_core.task import Task
from ferc_models.saved.predictor import NetworkPredictor

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = sorted(name for name, method in registry().methods.items() if method.trains)
every_method = pytest.mark.parametrize("name", METHODS)

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
EPOCHS_TO_LEARN = {"rul": 10}  # 6 are enough for the others


def task_of(name: str, directory: Path, **changes: Any) -> Task:
    return task(directory, **SETTINGS.get(name, {}) | changes)


class Trained(NamedTuple):
    """The model of a method that has learned, and its file."""

    method: str
    predictor: NetworkPredictor
    file: Path


@pytest.fixture(scope="module", params=METHODS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    name, folder = request.param, tmp_path_factory.mktemp("trained")
    predictor = fit(task_of(name, folder, epochs=EPOCHS_TO_LEARN.get(name, 6)), name)
    predictor.save(folder / "model.safetensors")
    return Trained(name, predictor, folder / "model.safetensors")


def test_it_learns_the_colours(trained: Trained) -> None:
    assert max(h["f1"] for h in trained.predictor.card.history) > 0.9


def test_it_comes_back_from_its_file_with_the_same_logits(trained: Trained, tmp_path: Path) -> None:
    images = task_of(trained.method, tmp_path).validation.images(np.arange(24))
    again = registry().methods[trained.method].load_predictor(trained.file, "cpu")
    np.testing.assert_array_equal(again.logits(images), trained.predictor.logits(images))
    assert again.card == trained.predictor.card
    assert again.card.classes == CLASSES
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == trained.file.read_bytes()


def test_another_method_refuses_its_file(trained: Trained) -> None:
    other = METHODS[METHODS.index(trained.method) - 1]
    message = f"holds a model of method '{trained.method}', not '{other}'"
    with pytest.raises(DataError, match=message):
        registry().methods[other].load_predictor(trained.file, "cpu")


@every_method
def test_the_same_seed_gives_the_same_bytes_whatever_interrupts_and_another_one_others(
    name: str, tmp_path: Path
) -> None:
    whole = saved(task_of(name, tmp_path / "whole"), name)
    asked = task_of(name, tmp_path / "stopped", workers=2)
    for epochs in (1, 2):
        torch.manual_seed(epochs)  # whatever was drawn before
        with pytest.raises(KeyboardInterrupt):
            fit(replace(asked, progress=stop_after(epochs)), name)
    assert saved(asked, name) == whole
    assert saved(task_of(name, tmp_path / "other", seed=6), name) != whole


@every_method
@pytest.mark.parametrize(
    ("classes", "labels"),
    [(2, [0, 1] * 8 + [0]), (3, [1] * 12), (3, [0, 1] * 6)],
    ids=["two classes and an image left over", "one class alone", "a class without images"],
)
def test_few_classes_are_no_obstacle(
    name: str, tmp_path: Path, classes: int, labels: list[int]
) -> None:
    asked = task_of(name, tmp_path, classes=tuple("abc"[:classes]), batch_size=8, epochs=1)
    examples = painted(labels, 3, classes, asked.image_size)
    predictor = fit(replace(asked, train=examples, validation=examples), name)
    assert math.isfinite(predictor.card.history[0]["loss"])
    logits = predictor.logits(examples.images(np.arange(5)))
    assert logits.shape == (5, classes)
    assert np.isfinite(logits).all()


@every_method
def test_an_unknown_option_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=f"option of '{name}' 'depht'"):
        fit(task_of(name, tmp_path, options={"depht": 2}), name)
