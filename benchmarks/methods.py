"""What a training step of each method costs.

    python benchmarks/methods.py [ROUNDS]

Milliseconds for one step (forward, backward, Adam) on a batch of 16 random images of 96x96 in 7
classes, on one thread; medians of interleaved rounds. "plain" is a step of the method's own network
with cross-entropy alone, so that its ratio says what the method adds; the other ratio is to
``baseline``.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from ferc_core import registry
from ferc_core.task import Examples, Task
from ferc_models.losses import build_loss
from ferc_models.recipe import Learner, Recipe
from ferc_models.training import Batch

SIDE, SIZE, CLASSES = 96, 16, 7


def task(backbone: str) -> Task:
    """Return a task of random images, each class among them."""
    rng = np.random.default_rng(0)
    labels = np.arange(SIZE) % CLASSES
    images = rng.integers(0, 256, (SIZE, SIDE, SIDE, 3), dtype=np.uint8)
    data = Examples(
        tuple(map(str, range(SIZE))), images.__getitem__, labels, np.eye(CLASSES)[labels]
    )
    return Task(
        classes=tuple("abcdefg"),
        train=data,
        validation=data,
        loss="ce",
        epochs=1,
        batch_size=SIZE,
        learning_rate=1e-4,
        image_size=SIDE,
        seed=0,
        directory=Path(tempfile.gettempdir()),
        backbone=backbone,
    )


class Step:
    """A training step that can be repeated."""

    def __init__(self, learner: Learner, plain: bool) -> None:
        self.learner = learner.train()
        trained = learner.network if plain else learner
        self.optimizer = torch.optim.Adam(trained.parameters(), lr=1e-4)
        labels = torch.arange(SIZE) % CLASSES
        images, targets = torch.randn(SIZE, 3, SIDE, SIDE), torch.eye(CLASSES)[labels]
        self.batch = Batch(1, np.arange(SIZE), images, targets, labels)
        self.loss = Learner.loss if plain else type(learner).loss
        self.milliseconds: list[float] = []

    def __call__(self) -> None:
        """Take a step and note its time."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        self.loss(self.learner, self.batch).backward()
        self.optimizer.step()
        self.milliseconds.append(1e3 * (time.perf_counter() - start))


def main(rounds: int) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    steps: dict[tuple[str, bool], Step] = {}
    for name, method in registry().methods.items():
        if not method.trains:
            continue
        recipe: Recipe = importlib.import_module(str(method.function).partition(":")[0]).RECIPE
        backbone = method.defaults.get("backbone", "resnet18")
        for plain in (False, True):
            network = recipe.network(backbone, CLASSES, SIDE)
            objective = build_loss("ce", CLASSES, np.full(CLASSES, 1 / CLASSES))
            steps[name, plain] = Step(recipe.learner(task(backbone), network, objective), plain)
    for _ in range(rounds + 1):
        for step in steps.values():
            step()
    taken = {key: median(step.milliseconds[1:]) for key, step in steps.items()}
    usual = taken["baseline", False]
    print(f"{'method':12}{'ms/step':>10}{'plain':>10}{'to plain':>10}{'to baseline':>13}")
    for name in dict.fromkeys(name for name, _ in steps):
        whole, plain = taken[name, False], taken[name, True]
        print(f"{name:12}{whole:10.1f}{plain:10.1f}{whole / plain:10.2f}{whole / usual:13.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
