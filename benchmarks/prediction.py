"""What the prediction phase of a run takes beside the time inside the model.

    python benchmarks/prediction.py [ROUNDS]

A model that is there already is evaluated on toy faces in all 86 cells. The phase corrupts images,
shows them to the model, and stores the logits; a line has its seconds, those inside the model, and
their ratio, medians of the rounds. Networks are on random weights: that costs nothing else.
"""

from __future__ import annotations

import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from torch import nn

import ferc_core
from ferc_core.experiment import pipeline
from ferc_core.images.store import keep
from ferc_models.backbones import create_network
from ferc_models.saved.predictor import network_logits

CPU = torch.device("cpu")


class Block(nn.Module):
    """Two separable convolutions and a pooling, beside a strided one."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()

        def separable(a: int, b: int) -> list[nn.Module]:
            depth = nn.Conv2d(a, a, 3, padding=1, groups=a, bias=False)
            return [depth, nn.Conv2d(a, b, 1, bias=False), nn.BatchNorm2d(b)]

        self.deep = nn.Sequential(
            *separable(into, out), nn.ReLU(), *separable(out, out), nn.MaxPool2d(3, 2, 1)
        )
        self.short = nn.Sequential(nn.Conv2d(into, out, 1, 2, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of both."""
        return self.deep(x) + self.short(x)


def mini_xception(classes: int) -> nn.Module:
    """Return the network of Arriaga, Valdenegro-Toro and Ploeger 2019 (arXiv:1710.07557)."""
    stem = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)]
    widths = (8, 16, 32, 64, 128)
    blocks = [Block(a, b) for a, b in pairwise(widths)]
    head = [nn.Conv2d(128, classes, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*stem, nn.BatchNorm2d(8), nn.ReLU(), *blocks, *head)


class Timed:
    """A model that adds up the seconds inside it."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.to(memory_format=torch.channels_last).eval()
        self.seconds = 0.0

    def logits(self, images):
        """Return logits [B, 8]."""
        start = time.perf_counter()
        found = network_logits(self.network, images, CPU)
        self.seconds += time.perf_counter() - start
        return found


def measured(network: nn.Module, side: int, faces: int) -> tuple[float, float]:
    """Return the seconds of the phase, and of them those inside the model."""
    model, phase = Timed(network), [0.0]
    predict = pipeline.predict_missing

    def timed(bench, images, *others):
        keep(list(images.values()))  # drawing the toy faces is no part of it
        before, start = model.seconds, time.perf_counter()
        predict(bench, images, *others)
        phase[:] = time.perf_counter() - start, model.seconds - before

    dataset = ferc_core.open_dataset("toyfaces", train=8, valid=8, test=faces, size=side)
    pipeline.predict_missing = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            settings = {"calibrators": "none", "image_size": side, "label_scheme": "one-hot"}
            ferc_core.evaluate(model, dataset, out=out, quiet=True, **settings)
    finally:
        pipeline.predict_missing = predict
    return phase[0], phase[1]


def main(rounds: int) -> None:
    """Print the table."""
    cases = (
        ("mini-Xception, 48 px", lambda: mini_xception(8), 48, 500),
        ("mini-Xception, 64 px", lambda: mini_xception(8), 64, 500),
        ("ResNet-18, 224 px", lambda: create_network("resnet18", 8, 224), 224, 8),
    )
    print(f"{'':22}{'phase s':>10}{'model s':>10}{'ratio':>8}")
    measured(mini_xception(8), 48, 8)  # loops are loaded and tables made at first use
    for name, network, side, faces in cases:
        taken = [measured(network(), side, faces) for _ in range(rounds)]
        phase, inside = (median(column) for column in zip(*taken, strict=True))
        ratio = median(p / m for p, m in taken)
        print(f"{name:22}{phase:10.1f}{inside:10.1f}{ratio:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
