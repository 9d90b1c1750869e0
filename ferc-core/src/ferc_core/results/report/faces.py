"""Faces that a model fails on: wrong answers that it is surest of, and faces it seldom gets right.

Images are shown of datasets that the program makes itself; of others where the user asks for them,
since most faces may not be passed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ferc_core.base.files import read_json
from ferc_core.base.text import number
from ferc_core.drawing.tiles import address
from ferc_core.errors import FercError
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import read_config
from ferc_core.images.io import resize
from ferc_core.plugins.host import registry
from ferc_core.results.charts.answers import cases_of, in_cells
from ferc_core.results.charts.faces import images_of
from ferc_core.results.reading import Source, cells_of
from ferc_core.spec import UNCALIBRATED
from ferc_core.suite.cells import CLEAN, Cell

if TYPE_CHECKING:
    from ferc_core.results.run import Run

SHOWN = 8  # faces of a kind
TRIALS = 8  # whose faces are shown, at most
SIDE = 112  # pixels of an image, at most


@dataclass(frozen=True)
class Shown:
    """A face of the page: in which cell, what is said of it, and its image as an address."""

    sample: str
    cell: Cell
    said: str
    image: str = ""

    @property
    def where(self) -> str:
        """The cell in words."""
        return "" if self.cell == CLEAN else f" in {self.cell}"


@dataclass(frozen=True)
class Failed:
    """The faces that the first seed of a trial fails on; ``images`` names their dataset if they are
    shown.
    """

    trial: str
    sure: Sequence[Shown]
    seldom: Sequence[Shown]
    images: str = ""


@dataclass(frozen=True)
class Images:
    """The images of a run, where they may be shown."""

    source: Source
    asked: bool

    @cached_property
    def benchmark(self) -> Benchmark | None:
        """What makes them; None where they are not asked for, or are not there unasked."""
        try:
            config = read_config(self.source.directory.config, {})
            dataset = registry().datasets.choose(config.dataset).entry
            if dataset.needs_root and not self.asked:
                return None
            return Benchmark.open(config, training=False)
        except FercError:
            if self.asked:
                raise
            return None

    def shown(self, face: Shown) -> Shown:
        """Return a face with its image."""
        if self.benchmark is None or face.sample not in self.benchmark.splits.scored.ids:
            return face
        (image,) = images_of(self.benchmark, face.sample, [face.cell])
        return replace(face, image=address(resize(image, min(SIDE, len(image)))))


def failed(run: Run, with_images: bool) -> list[Failed]:
    """Return which faces the first trials fail on.

    Raises `FercError` where images are asked for that cannot be made.
    """
    found: list[Failed] = []
    for place, (source, frame) in enumerate(zip(run.sources, cases_of(run), strict=True)):
        if source.out is None or not source.out.labels.exists():
            continue  # scores alone
        images = Images(source, with_images)
        plain = frame.filter(calibrator=UNCALIBRATED)
        for (trial,), part in plain.group_by(["trial"], maintain_order=True):
            if len(found) < TRIALS:
                first = part.filter(seed=part["seed"][0]).drop("trial")
                found.append(of_trial(run, place, source, str(trial), first, images))
    return found


def of_trial(
    run: Run, place: int, source: Source, trial: str, frame: pl.DataFrame, images: Images
) -> Failed:
    """Return the faces that one model fails on."""
    cells, each = cells_of(frame), list(in_cells(run, place, source, frame))
    classes = read_json(source.directory.manifest)["classes"]
    samples, hard = each[0].samples, each[0].hard
    predicted = np.stack([said.predicted for said in each])  # [cells, N]
    wrong = predicted != hard
    sure = np.where(wrong, np.stack([said.confidence for said in each]), -1)
    surest = sure.argmax(axis=0)  # the cell of each face [N]
    most = sure.max(axis=0)
    seldom = wrong.sum(axis=0)

    def said_surely(i: int) -> Shown:
        cell, answer = surest[i], classes[predicted[surest[i], i]]
        said = f"annotated {classes[hard[i]]}, taken for {answer} with {100 * most[i]:.1f} %"
        return Shown(samples[i], cells[cell], said)

    def seldom_right(i: int) -> Shown:
        usual = np.bincount(predicted[wrong[:, i], i]).argmax()
        where = f"{seldom[i]} of {number(len(cells), 'cell')}"
        said = f"annotated {classes[hard[i]]}, wrong in {where}, mostly {classes[usual]}"
        return Shown(samples[i], CLEAN if CLEAN in cells else cells[0], said)

    first = [i for i in np.argsort(-most, kind="stable")[:SHOWN].tolist() if most[i] > 0]
    worst = np.lexsort([-most, -seldom])[:SHOWN].tolist()
    worst = [i for i in worst if seldom[i]]
    dataset = images.benchmark.faces.name if images.benchmark else ""
    return Failed(
        trial,
        [images.shown(said_surely(i)) for i in first],
        [images.shown(seldom_right(i)) for i in worst],
        dataset,
    )
