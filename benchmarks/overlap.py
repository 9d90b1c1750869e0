"""What corruption costs beside a model: in turn with it, and on a core of its own.

    python benchmarks/overlap.py [FACES]

The 17 corruptions of 224x224 images go through a small network on one thread, as in ``ferc run``
without a build. Milliseconds per image, medians of interleaved rounds; needs two cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from statistics import median

import cv2
import numpy as np
import torch

from ferc_core import registry
from ferc_core.faces import FaceSplit
from ferc_core.images.store import ImageStore
from ferc_core.suite.cells import cells
from ferc_core.suite.corrupt import Corruptor, Suite
from ferc_core.suite.gallery import chosen_corruptions
from ferc_core.testing import sample_image
from ferc_models.backbones import create_network
from ferc_models.saved.predictor import network_logits

SIDE = 224
BACKBONE = "test_resnet"
ROUNDS = 3


def milliseconds(work: Iterable[object], images: int) -> float:
    """Return how long an image takes."""
    start = time.perf_counter()
    for _ in work:
        pass
    return 1e3 * (time.perf_counter() - start) / images


def main(count: int) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = create_network(BACKBONE, 7, SIDE).eval()
    images = np.stack([np.roll(sample_image(SIDE, SIDE), i, axis=1) for i in range(count)])
    faces = FaceSplit(tuple(map(str, range(count))), np.zeros(count, int), images.__getitem__)
    corruptions = chosen_corruptions(())  # those of the benchmark
    chosen = cells(corruptions, [3])
    corruptor = Corruptor("bench", corruptions, "imagenet-c", 0)
    engine = registry().executors["threads"]
    in_turn, beside = (Suite(ImageStore(faces, SIDE), corruptor, engine, n) for n in (0, 1))
    cpu = torch.device("cpu")

    ways = {
        "corruption alone": lambda: in_turn.chunks(chosen),
        "model alone": lambda: (network_logits(network, images, cpu) for _ in chosen),
        "in turn": lambda: (network_logits(network, x, cpu) for _, _, x in in_turn.chunks(chosen)),
        "overlapped": lambda: (
            network_logits(network, x, cpu) for _, _, x in beside.chunks(chosen)
        ),
    }
    taken = [
        [milliseconds(way(), count * len(chosen)) for way in ways.values()] for _ in range(ROUNDS)
    ]
    for name, column in zip(ways, zip(*taken, strict=True), strict=True):
        print(f"{name:20}{median(column):8.3f} ms/image")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 32)
