"""Random faces in the cells of some corruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ferc_core import registry
from ferc_core.faces import FaceSplit
from ferc_core.images.store import ImageStore
from ferc_core.suite.cells import Cell, cells
from ferc_core.suite.corrupt import Corruptor, Suite

OFFICIAL = [name for name, c in registry().corruptions.items() if c.in_benchmark]
CELLS = cells(["gaussian_noise", "snow", "glass_blur", "elastic_transform"], [1, 5])


def faces(n: int = 5, side: int = 48) -> FaceSplit:
    """Return faces of noise."""
    images = np.random.default_rng(1).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    return FaceSplit(tuple(f"face{i}" for i in range(n)), np.zeros(n, int), images.__getitem__)


def corruptor(dataset: str = "test", names: Sequence[str] = OFFICIAL, seed: int = 0) -> Corruptor:
    """Return what corrupts images of a dataset."""
    chosen = {name: registry().corruptions.choose(name) for name in names}
    return Corruptor(dataset, chosen, "imagenet-c", seed)


def suite(split: FaceSplit, executor: str = "serial", workers: int = 1) -> Suite:
    """Return faces of 40x40 pixels in all cells."""
    run = registry().executors[executor]
    return Suite(ImageStore(split, 40), corruptor(), run, workers)


def fingerprints(made: Suite, asked: Sequence[Cell]) -> dict[tuple[Cell, int], str]:
    """Return a hash of every image by cell and row."""
    return {
        (cell, i): hashlib.sha256(image.tobytes()).hexdigest()
        for cell, place, images in made.chunks(asked)
        for i, image in zip(range(place.start, place.stop), images, strict=True)
    }
