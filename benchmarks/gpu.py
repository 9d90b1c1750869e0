"""How many images a second a GPU learns from and predicts, in each precision.

    python benchmarks/gpu.py [ROUNDS]

ResNet-18 on 224x224 images in batches of 256, by the training loop of all methods: as it is,
without the upload that overlaps with computing, and with torch.compile. The bare loop has its
images on the GPU, normalised beforehand, reads no loss between steps, and takes whatever algorithms
are fastest. Medians of interleaved epochs; validation and the writing of states are left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from ferc_core.base.memory import keep_freed_blocks
from ferc_core.task import PRECISIONS, Examples, Task
from ferc_models import training
from ferc_models.backbones import create_network
from ferc_models.images import normalise
from ferc_models.precision import computing_in, scaler_for
from ferc_models.saved.predictor import BATCH, Card, NetworkPredictor

BACKBONE, SIDE, SIZE, BATCHES, CLASSES = "resnet18", 224, 256, 8, 8
N = SIZE * BATCHES
EPOCHS = 2  # of which the first is not counted
WORKERS = min(8, os.cpu_count() or 1)
HEADINGS = ("precision", "bare", "trained", "no overlap", "compiled", "bare", "predicted")


def data() -> tuple[Examples, Examples]:
    """Return images of noise with labels, and a few of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.arange(N) % CLASSES
    ids = tuple(map(str, range(N)))
    targets = np.eye(CLASSES)[labels]
    read = images.__getitem__
    return Examples(ids, read, labels, targets), Examples(ids[:8], read, labels[:8], targets[:8])


def bare(network: nn.Module, images: torch.Tensor, labels: torch.Tensor, precision: str) -> float:
    """Learn some epochs and return how long one takes."""
    device = images.device
    network.to(device, memory_format=torch.channels_last).train()
    scaler = scaler_for(precision, device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True if scaler else None)
    for epoch in range(EPOCHS):
        if epoch == 1:
            torch.cuda.synchronize()
            start = time.perf_counter()
        for rows in torch.randperm(len(images)).to(device).split(SIZE):
            optimizer.zero_grad()
            with computing_in(precision, device):
                loss = nn.functional.cross_entropy(network(images[rows]), labels[rows])
            if scaler is None:
                loss.backward()
                optimizer.step()
            else:
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / (EPOCHS - 1)


def loss_of(network: nn.Module, batch: training.Batch) -> torch.Tensor:
    """Return the loss of a batch."""
    return nn.functional.cross_entropy(network(batch.images).float(), batch.targets)


def trained(examples: tuple[Examples, Examples], precision: str, compiled: bool) -> float:
    """Train, and return how long an epoch takes."""
    whole, taken = training.train_epoch, []

    def timed(*arguments: object) -> float:
        start = time.perf_counter()
        loss: float = whole(*arguments)
        taken.append(time.perf_counter() - start)
        return loss

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(training, "train_epoch", timed),
        patch.object(training, "save_state"),
        patch.object(training, "forget_compiled"),  # it is compiled in the first round only
    ):
        task = Task(
            classes=tuple("abcdefgh"), train=examples[0], validation=examples[1], loss="ce",
            epochs=EPOCHS, batch_size=SIZE, learning_rate=1e-4, image_size=SIDE, seed=0,
            directory=Path(folder), backbone=BACKBONE, device="cuda", workers=WORKERS,
            precision=precision, compile=compiled,
        )  # fmt: skip
        training.train(task, create_network(BACKBONE, CLASSES, SIDE), loss_of, method="bench")
    return median(taken[1:])


def bare_predictions(network: nn.Module, images: torch.Tensor, precision: str) -> float:
    """Predict images that are on the GPU, and return how long it takes."""
    start = time.perf_counter()
    with torch.inference_mode(), computing_in(precision, images.device):
        parts = [network(part) for part in images.split(BATCH)]
    torch.cat(parts).float().cpu()
    return time.perf_counter() - start


def predicted(model: NetworkPredictor, images: np.ndarray) -> float:
    """Predict images, and return how long it takes."""
    start = time.perf_counter()
    model.logits(images)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    """Print the table."""
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py needs a GPU, and torch finds none.")
    keep_freed_blocks()
    device = torch.device("cuda")
    examples = data()
    images = examples[0].images(np.arange(N))
    there = torch.cat([normalise(part, device) for part in np.split(images, BATCHES)])
    there = there.contiguous(memory_format=torch.channels_last)
    labels = torch.tensor(examples[0].labels, device=device)
    network = create_network(BACKBONE, CLASSES, SIDE)
    card = Card("bench", BACKBONE, tuple("abcdefgh"), SIDE)
    models = {
        name: NetworkPredictor(network, Card(**{**vars(card), "precision": name}), device)
        for name in PRECISIONS
    }

    def not_overlapped(precision: str) -> float:
        with patch.object(training.Batches, "look_ahead"):
            return trained(examples, precision, compiled=False)

    ways: tuple[Callable[[str], float], ...] = (
        lambda p: bare(create_network(BACKBONE, CLASSES, SIDE), there, labels, p),
        lambda p: trained(examples, p, compiled=False),
        not_overlapped,
        lambda p: trained(examples, p, compiled=True),
        lambda p: bare_predictions(network, there, p),
        lambda p: predicted(models[p], images),
    )
    taken: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(rounds + 1):
        for precision in PRECISIONS:
            for number, way in enumerate(ways):
                taken[precision, number].append(way(precision))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}; images/s\n")
    print(f"| {' | '.join(HEADINGS)} |")
    print(f"|{'-|' * len(HEADINGS)}")
    for precision in PRECISIONS:
        rates = [N / median(taken[precision, i][1:]) for i in range(len(ways))]
        print(f"| {precision} | {' | '.join(f'{rate:,.0f}' for rate in rates)} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
