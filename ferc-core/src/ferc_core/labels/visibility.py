"""How visible the face still is in each form: v in [0, 1], 1 = untouched (paper, eq. 9).

A visibility function measures a degradation d of each corrupted image. ``scope`` says what it
is divided by, and for whom the result holds:

    average   v = 1 - D / max D, with D the mean of d over a fixed sample of 100 faces:
              one value for each corruption and severity (the paper's text)
    image     v = 1 - d / max d over the forms of the same image
    dataset   v = 1 - d / max d over all images and forms

The maximum is always taken over all forms of the benchmark, so that v does not depend on which
corruptions a user selects; a form that is worse than all of them gets v = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from ferc_core.base.calls import parse_call
from ferc_core.base.seeds import rank
from ferc_core.plugins.host import registry
from ferc_core.suite.corrupt import Cell, Images, Suite

SAMPLE = 100  # faces behind the average (paper, Fig. 4)

Array = npt.NDArray[np.float64]


def sample_rows(suite: Suite, scope: str) -> npt.NDArray[np.int64]:
    """Return the rows to measure: all, or for ``average`` a fixed sample of 100."""
    rows = rank(suite.ids, "visibility")
    return np.sort(rows[:SAMPLE] if scope == "average" else rows)


def measure(
    suite: Suite,
    forms: Sequence[Cell],
    against: Callable[[Images], Callable[[Images], float]],
    advance: Callable[[int], None] = lambda _: None,
) -> Array:
    """Return the degradation of every sample in every form, [N, F].

    ``against(clean)`` returns what measures the forms of one image.
    """
    degradation = np.empty((len(suite.ids), len(forms)))
    column = {cell: j for j, cell in enumerate(forms)}
    measured, measures = slice(0), []
    for cell, place, images in suite.chunks(forms, all_forms_first=True):
        if place != measured:
            clean = suite.pictures(range(len(suite.ids))[place])
            measured, measures = place, [against(picture) for picture in clean]
        degradation[place, column[cell]] = [
            degradation_of(image) for degradation_of, image in zip(measures, images, strict=True)
        ]
        advance(len(images))
    return degradation


def normalise(degradation: Array, in_benchmark: npt.NDArray[np.bool_], scope: str) -> Array:
    """Return visibilities, same shape as ``degradation`` [N, F], or [1, F] for ``average``.

    ``in_benchmark`` marks the forms [F] whose worst one is the yardstick. Where every form leaves
    an image as it is, v = 1.
    """
    if scope == "average":
        degradation = degradation.mean(axis=0, keepdims=True)
    axis = 1 if scope == "image" else None
    worst = degradation[:, in_benchmark].max(axis=axis, keepdims=True)
    share = np.divide(degradation, worst, out=np.zeros_like(degradation), where=worst > 0)
    visible: Array = 1 - np.clip(share, 0, 1)
    return visible


def yardstick(forms: Sequence[Cell]) -> npt.NDArray[np.bool_]:
    """Mark the forms of the benchmark, or all where there is none; the worst one has v = 0."""
    corruptions = registry().corruptions
    official = np.array([corruptions[parse_call(c.corruption).name].in_benchmark for c in forms])
    return official if official.any() else np.ones(len(forms), bool)
