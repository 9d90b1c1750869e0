"""Soft augmentation: training images are corrupted, and their labels softened with them.

Source: Liu et al. 2023, Soft Augmentation for Image Classification, arXiv:2211.04625, with FER-C's
corruptions and softening curve (eqs 9-11) in place of crops; the paper names it as future work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ferc_core.base.progress import Watcher
from ferc_core.base.seeds import generator
from ferc_core.experiment.benchmark import Plan
from ferc_core.labels.schemes import soften
from ferc_core.labels.visibility import measure, normalise, sample_rows, yardstick
from ferc_core.plugins.host import registry
from ferc_core.suite.corrupt import Cell, Corruptor, Images, cells

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftAugmentation:
    """Corrupts a share of the training images, other ones and in other ways in every epoch."""

    share: float
    ids: tuple[str, ...]
    visible: Mapping[Cell, float]
    corruptor: Corruptor
    seed: int

    def __call__(
        self, epoch: int, rows: npt.NDArray[np.int64], images: Images, targets: Array
    ) -> tuple[Images, Array]:
        """Return images [B, S, S, 3] and targets [B, K] of training ``rows`` [B] in an epoch."""
        images, forms = images.copy(), list(self.visible)
        v = np.ones(len(rows))
        # every epoch has random fields of its own
        corruptor = replace(self.corruptor, seed=f"soft augmentation {self.seed} {epoch}")
        for i, row in enumerate(rows):
            sample = self.ids[row]
            rng = generator(corruptor.dataset, sample, "soft augmentation", epoch, self.seed)
            if rng.random() < self.share:
                cell = forms[rng.integers(len(forms))]
                images[i] = corruptor.one(images[i], sample, cell)
                v[i] = self.visible[cell]
        return images, soften(targets, v)


def soft_augmentation(
    plan: Plan, seed: int, visible: Mapping[Cell, float]
) -> SoftAugmentation | None:
    """Return the soft augmentation that a plan asks for, if any."""
    if not plan.config.soft_augmentation:
        return None
    return SoftAugmentation(
        share=plan.config.soft_augmentation,
        ids=plan.pictures["train"].faces.ids,
        visible=visible,
        corruptor=plan.corruptor,
        seed=seed,
    )


def training_visibilities(plan: Plan, watcher: Watcher) -> dict[Cell, float]:
    """Return the mean visibility of 100 training faces in each form of the benchmark (eq. 9).

    By L2, whatever scores are judged by: judging differently must not change a training.
    """
    against = registry().visibilities["l2"].against
    forms = cells([name for name, c in registry().corruptions.items() if c.in_benchmark])
    suite = replace(plan.suite, pictures=plan.pictures["train"])
    suite = suite.take(sample_rows(suite, "average"))
    with watcher.track("visibility of training faces", len(suite.ids) * len(forms)) as step:
        degradation = measure(suite, forms, against, step)
    v = normalise(degradation, yardstick(forms), "average")[0]
    return dict(zip(forms, v.tolist(), strict=True))
