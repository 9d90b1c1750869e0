"""A toy task that small networks learn in seconds: which of the three channels is bright."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ferc_core import registry
from ferc_core.spec import resolve
from ferc_core.task import Epoch, Examples, Task
from ferc_models.images import normalise
from ferc_models.training import Batch

SIDE = 32
CLASSES = ("red", "green", "blue")


def painted(
    labels: Sequence[int] | npt.NDArray[np.int64], seed: int, classes: int = 3, side: int = SIDE
) -> Examples:
    """Return images of noise with one bright channel: the class."""
    rng, n = np.random.default_rng(seed), len(labels)
    images = rng.integers(0, 160, (n, side, side, 3), dtype=np.uint8)
    images[np.arange(n), :, :, labels] += 90
    ids = tuple(f"{seed}/{i}" for i in range(n))
    return Examples(ids, lambda rows: images[rows], np.array(labels), np.eye(classes)[labels])


def colours(n: int, seed: int, classes: int = 3, side: int = SIDE) -> Examples:
    """Images of all classes in turn."""
    return painted(np.arange(n) % classes, seed, classes, side)


def task(directory: Path, *, image_size: int = SIDE, **changes: Any) -> Task:
    usual = Task(
        classes=CLASSES,
        train=colours(48, 0, side=image_size),
        validation=colours(24, 1, side=image_size),
        loss="maxent+mbls",
        epochs=3,
        batch_size=16,
        learning_rate=3e-3,
        image_size=image_size,
        seed=5,
        directory=directory,
        backbone="test_byobnet",
        device="cpu",
    )
    return replace(usual, **changes)


def fit(asked: Task, method: str = "baseline") -> Any:
    return registry().methods[method].fit(asked)


def saved(asked: Task, method: str = "baseline") -> bytes:
    """The bytes of the trained model's file."""
    path = asked.directory / "model.safetensors"
    fit(asked, method).save(path)
    return path.read_bytes()


def stop_after(epochs: int) -> Callable[[Epoch], None]:
    """A `Task.progress` that presses Ctrl-C after this number of epochs."""

    def progress(at: Epoch) -> None:
        if at.number == epochs and at.validation_f1 is not None:
            raise KeyboardInterrupt

    return progress


def batch(asked: Task, rows: Sequence[int], epoch: int = 1, **changes: Any) -> Batch:
    """These rows of a task as the training loop hands them to a method."""
    chosen, train = np.array(rows), asked.train
    usual = Batch(
        epoch,
        chosen,
        normalise(train.images(chosen), torch.device("cpu")),
        torch.tensor(train.targets[chosen]).float(),
        torch.tensor(train.labels[chosen]),
    )
    return replace(usual, **changes)


def check(asked: Task, method: str = "baseline") -> None:
    """Check a task as a run does before anything long begins."""
    entry = registry().methods[method]
    assert entry.check is not None
    resolve(entry.check)(asked)


class Counter(nn.Module):
    """Is right at the validation of epochs 2 and 3 alone, by a buffer and not by learning.

    It tells the class by the brightest channel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> Tensor:
        sign = 1 if int(self.epoch) in (2, 3) else -1
        return sign * self.weight * images.mean(dim=(2, 3))
