"""Soft augmentation: training pictures are corrupted, and their labels softened with them.

Source: Liu et al. 2023, Soft Augmentation for Image Classification, arXiv:2211.04625, with FER-C's
corruptions and softening curve (eqs 9-11) in place of crops; the paper names it as future work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ferc_core.address import generator
from ferc_core.expr import parse_call
from ferc_core.plan import Plan
from ferc_core.plugins import registry
from ferc_core.suite import Cell, Corruptor, Images
from ferc_core.visibility import measure, normalise, sample_rows, yardstick
from ferc_core.watch import Watcher

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SoftAugmentation:
    """Corrupts a share of the training pictures, other ones and in other ways in every epoch."""

    share: float
    ids: tuple[str, ...]
    forms: tuple[Cell, ...]
    visible: Mapping[Cell, float]
    corruptor: Corruptor
    label_scheme: str
    seed: int

    def __call__(
        self, epoch: int, rows: npt.NDArray[np.int64], images: Images, targets: Array
    ) -> tuple[Images, Array]:
        """Return pictures [B, S, S, 3] and targets [B, K] of training ``rows`` [B] in an epoch."""
        images = images.copy()
        v = np.ones(len(rows))
        # every epoch has random fields of its own
        corruptor = replace(self.corruptor, seed=f"soft augmentation {self.seed} {epoch}")
        for i, row in enumerate(rows):
            sample = self.ids[row]
            rng = generator(corruptor.dataset, sample, "soft augmentation", epoch, self.seed)
            if rng.random() < self.share:
                cell = self.forms[rng.integers(len(self.forms))]
                images[i] = corruptor.one(images[i], sample, cell)
                v[i] = self.visible[cell]
        call = parse_call(self.label_scheme)
        soft: Array = registry().label_schemes[call.name](targets, v, **call.options)
        return images, soft


def soft_augmentation(plan: Plan, seed: int, watcher: Watcher) -> SoftAugmentation | None:
    """Return the soft augmentation that a plan asks for, if any."""
    config = plan.config
    if not config.soft_augmentation:
        return None
    return SoftAugmentation(
        share=config.soft_augmentation,
        ids=plan.pictures["train"].faces.ids,
        forms=plan.forms[1:],
        visible=training_visibilities(plan, watcher),
        corruptor=plan.corruptor,
        label_scheme=config.label_scheme,
        seed=seed,
    )


def training_visibilities(plan: Plan, watcher: Watcher) -> dict[Cell, float]:
    """Return the mean visibility of 100 training faces in each form (eq. 9)."""
    config, forms = plan.config, plan.benchmark_forms
    call = parse_call(config.visibility)
    entry = registry().visibilities[call.name]
    suite = replace(plan.suite, pictures=plan.pictures["train"])
    suite = suite.take(sample_rows(suite, "average"))
    with watcher.track("visibility of training faces", len(suite.ids) * len(forms)) as step:
        degradation = measure(
            suite, forms, lambda clean: entry.against(clean, **call.options), step
        )
    v = normalise(degradation, yardstick(forms), "average")[0]
    return dict(zip(forms, v.tolist(), strict=True))
