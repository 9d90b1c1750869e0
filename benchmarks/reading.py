"""How fast faces come from a data root: opening it, and reading with and without --cache.

    python benchmarks/reading.py [ROWS] [IMAGES]

A stand-in for AffectNet's manual release with ROWS rows is opened for the first time and from its
index. Of another one, with IMAGES different photographs of 420x420, all faces are brought to
224x224 in random batches, as a training does: from the files, and from the cache; in between the
cache is filled. The two ways of reading take turns, and the median of five epochs counts.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from ferc_core.base.parallel import threads
from ferc_core.datasets.affectnet import open_affectnet
from ferc_core.images.store import ImageStore
from ferc_core.testing.standins import write_affectnet

SIDE, BATCH, EPOCHS = 224, 64, 5
FACE = 280  # pixels; the frame around it makes photographs of 420
CORES = os.cpu_count() or 1


def seconds(work: Callable[[], object]) -> float:
    """Return how long a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def opening(folder: Path, rows: int) -> None:
    """Print how long opening takes."""
    write_affectnet(folder, train=rows, valid=max(8, rows // 70), distinct=20, side=48)
    size = (folder / "training.csv").stat().st_size >> 20
    first, *later = [seconds(lambda: open_affectnet(folder)) for _ in range(4)]
    print(f"opening {rows} training rows ({size} MB of CSV): first {first:.1f} s, ", end="")
    print(f"from the index {median(later):.1f} s")


def reading(folder: Path, count: int) -> None:
    """Print images per second from files and from the cache."""
    write_affectnet(folder, train=count, valid=8, side=FACE)
    faces = open_affectnet(folder).splits["train"]
    loose, kept = ImageStore(faces, SIDE), ImageStore(faces, SIDE, folder / "cache")
    filling = seconds(kept.keep)

    def epoch(images: ImageStore, seed: int) -> float:
        order = np.random.default_rng(seed).permutation(len(faces))
        batches = np.split(order, range(BATCH, len(order), BATCH))
        return seconds(lambda: [batch.sum() for batch in threads(images, batches, CORES)])

    turns = [(epoch(loose, i), epoch(kept, i)) for i in range(EPOCHS)]
    files, cached = (median(column) for column in zip(*turns, strict=True))
    print(f"{len(faces)} photographs, faces of {FACE}x{FACE} brought to {SIDE}x{SIDE}, ", end="")
    print(f"{CORES} cores, images per second:")
    for name, taken in (("files", files), ("filling the cache", filling), ("cache", cached)):
        print(f"{name:>20}{len(faces) / taken:10.0f}")
    print(f"the cache is {files / cached:.1f} times as fast")


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FERC_CACHE"] = f"{scratch}/index"
        opening(Path(scratch) / "rows", numbers[0] if numbers else 300_000)
        reading(Path(scratch) / "images", numbers[1] if len(numbers) > 1 else 1200)
