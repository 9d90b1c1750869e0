"""How visible the face still is in each cell: v in [0, 1], 1 = untouched (paper, eq. 9).

A visibility function measures a degradation d of each corrupted image. ``scope`` is the
normalisation that makes a visibility of it:

    average   v = 1 - D / max D, with D the mean of d over a fixed sample of 100 faces:
              one value for each corruption and severity (the paper's text)
    image     v = 1 - d / max d over the cells of the same image
    dataset   v = 1 - d / max d over all images and cells

The maximum is always taken over all cells of the benchmark, so that v does not depend on which
corruptions a user selects; a cell that is worse than all of them gets v = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ferc_core.base.progress import Advance, ignore
from ferc_core.base.seeds import rank
from ferc_core.images.store import Images
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Visibility
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.corrupt import Chunk, Suite

BLOCK = 16  # images that are measured at a time, in all cells
SAMPLE = 100  # faces behind the average (paper, Fig. 4)

Array = npt.NDArray[np.float64]


def sample_rows(ids: tuple[str, ...], scope: str) -> npt.NDArray[np.int64]:
    """Return the rows to measure: all, or for ``average`` a fixed sample of 100."""
    rows = rank(ids, "visibility")
    return np.sort(rows[:SAMPLE] if scope == "average" else rows)


@dataclass(frozen=True)
class Measure:
    """Measures the degradation of some images in every cell; picklable."""

    corruptor: Callable[[Chunk], Images]
    cells: tuple[Cell, ...]
    visibility: Chosen[Visibility]

    def __call__(self, clean: Chunk) -> Array:
        """Return the degradation of B images in C cells, [B, C]."""
        options, against = self.visibility.call.options, self.visibility.entry.against
        measures = [against(image, **options) for image in clean.images]
        columns = []
        for cell in self.cells:
            images = self.corruptor(replace(clean, cell=cell))
            pairs = zip(measures, images, strict=True)
            columns.append([degradation_of(image) for degradation_of, image in pairs])
        return np.array(columns).T


def measure(
    suite: Suite,
    cells: Sequence[Cell],
    visibility: Chosen[Visibility],
    executor: Callable[..., Iterator[Array]],
    advance: Advance = ignore,
) -> Array:
    """Return the degradation of every sample in every cell, [N, C]."""
    n, rows = len(suite.ids), []
    places = (slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK))
    work = (Chunk(CLEAN, suite.ids[place], suite.images(range(n)[place])) for place in places)
    for found in executor(Measure(suite.corruptor, tuple(cells), visibility), work, suite.workers):
        rows.append(found)
        advance(found.size)
    return np.concatenate(rows) if rows else np.empty((0, len(cells)))


def normalise(degradation: Array, in_benchmark: npt.NDArray[np.bool_], scope: str) -> Array:
    """Return visibilities, same shape as ``degradation`` [N, C], or [1, C] for ``average``.

    ``in_benchmark`` marks the cells [C] that the maximum is taken over. Where every cell leaves
    an image as it is, v = 1.
    """
    if scope == "average":
        degradation = degradation.mean(axis=0, keepdims=True)
    axis = 1 if scope == "image" else None
    worst = degradation[:, in_benchmark].max(axis=axis, keepdims=True)
    relative = np.divide(degradation, worst, out=np.zeros_like(degradation), where=worst > 0)
    visible: Array = 1 - np.clip(relative, 0, 1)
    return visible
