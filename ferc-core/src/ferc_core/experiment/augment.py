"""Soft augmentation: training images are corrupted, and their labels softened with them.

Source: Liu et al. 2023, Soft Augmentation for Image Classification, arXiv:2211.04625, with FER-C's
corruptions and softening curve (eqs 9-11) in place of crops; the paper names it as future work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ferc_core.base.progress import track
from ferc_core.base.seeds import generator
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import Config
from ferc_core.images.store import Images, ImageStore
from ferc_core.labels.schemes import soften
from ferc_core.labels.visibility import measure, normalise, sample_rows
from ferc_core.plugins.host import registry
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Corruptor

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftAugmentation:
    """Corrupts a fraction of the training images, different ones in different cells each epoch."""

    fraction: float
    ids: tuple[str, ...]
    visible: Mapping[Cell, float]
    corruptor: Corruptor
    seed: int

    def __call__(
        self, epoch: int, rows: npt.NDArray[np.int64], images: Images, targets: Array
    ) -> tuple[Images, Array]:
        """Return images [B, S, S, 3] and targets [B, K] of training ``rows`` [B] in an epoch."""
        images, cells = images.copy(), list(self.visible)
        v = np.ones(len(rows))
        # every epoch has random fields of its own
        corruptor = replace(self.corruptor, seed=f"soft augmentation {self.seed} {epoch}")
        for i, row in enumerate(rows):
            sample = self.ids[row]
            rng = generator(corruptor.dataset, sample, "soft augmentation", epoch, self.seed)
            if rng.random() < self.fraction:
                cell = cells[rng.integers(len(cells))]
                images[i] = corruptor.one(images[i], sample, cell)
                v[i] = self.visible[cell]
        return images, soften(targets, v)


def soft_augmentation(
    bench: Benchmark, ids: tuple[str, ...], seed: int, visible: Mapping[Cell, float]
) -> SoftAugmentation:
    """Return the soft augmentation that a benchmark asks for."""
    return SoftAugmentation(
        fraction=bench.config.soft_augmentation,
        ids=ids,
        visible=visible,
        corruptor=bench.corruptor,
        seed=seed,
    )


def training_visibilities(bench: Benchmark, images: ImageStore) -> dict[Cell, float]:
    """Return the mean visibility of 100 training faces in each cell of the benchmark (eq. 9).

    By the default visibility, whatever scores are judged by: judging differently must not change
    a training.
    """
    visibility = registry().visibilities.choose(Config.model_fields["visibility"].default)
    cells = bench.entries.benchmark_cells
    suite = bench.suite(images)
    suite = suite.take(sample_rows(suite.ids, "average"))
    with track("visibility of training faces", len(suite.ids) * len(cells)) as step:
        degradation = measure(suite, cells, visibility, bench.entries.executor, step)
    v = normalise(degradation, np.ones(len(cells), bool), "average")[0]
    return dict(zip(cells, v.tolist(), strict=True))
