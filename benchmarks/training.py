"""How many images a second ``baseline`` learns from, against a bare PyTorch loop.

    python benchmarks/training.py [ROUNDS]

Both train the same network on the same images in the same batches, with Adam and cross-entropy, on
the threads of torch's choice. The bare loop has its tensors normalised beforehand. Medians of
interleaved epochs; the validation between epochs is left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn

from ferc_core.base.memory import keep_freed_blocks
from ferc_core.task import Examples, Task
from ferc_models import training
from ferc_models.backbones import create_network
from ferc_models.images import normalise
from ferc_models.methods import baseline

CLASSES = 8
CASES = (("test_resnet", 64, 1600, 64), ("resnet18", 96, 384, 64))  # backbone, side, images, batch


def bare(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, size: int) -> None:
    """Learn one epoch."""
    network.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-4)
    for rows in torch.randperm(len(images)).split(size):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()


def seconds(work: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(rounds: int) -> None:
    """Print the table."""
    keep_freed_blocks()
    print(f"{'':24}{'bare, images/s':>16}{'baseline':>10}{'ratio':>8}")
    epoch, taken = training.train_epoch, []

    def timed(*arguments):
        start = time.perf_counter()
        loss = epoch(*arguments)
        taken.append(time.perf_counter() - start)
        return loss

    training.train_epoch = timed
    for backbone, side, n, size in CASES:
        rng = np.random.default_rng(0)
        labels = np.arange(n) % CLASSES
        images = rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8)
        ids = tuple(map(str, range(n)))
        train = Examples(ids, images.__getitem__, labels, np.eye(CLASSES)[labels])
        few = Examples(ids[:8], images.__getitem__, labels[:8], np.eye(CLASSES)[labels[:8]])
        tensors = normalise(images, torch.device("cpu")), torch.tensor(labels)
        network = create_network(backbone, CLASSES, side)
        pairs = []
        for _ in range(rounds + 1):
            with tempfile.TemporaryDirectory() as folder:
                task = Task(
                    classes=tuple("abcdefgh"), train=train, validation=few, loss="ce", epochs=1,
                    batch_size=size, learning_rate=1e-4, image_size=side, seed=0,
                    directory=Path(folder), backbone=backbone, device="cpu",
                )  # fmt: skip
                baseline.fit(task)
            pairs.append((seconds(lambda: bare(network, *tensors, size)), taken.pop()))  # noqa: B023
        theirs, ours = (n / median(column) for column in zip(*pairs[1:], strict=True))
        ratio = median(plain / whole for plain, whole in pairs[1:])
        print(f"{backbone + f', {side} px':24}{theirs:16.0f}{ours:10.0f}{ratio:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
