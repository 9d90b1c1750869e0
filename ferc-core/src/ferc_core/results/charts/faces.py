"""Faces of a run with what is said of them: soft labels, and what a model predicts.

The images are those of the benchmark, made anew from the data; so the data must be there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.drawing.tiles import tile
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.cases import labels_of
from ferc_core.experiment.config import read_config
from ferc_core.results.charts.data import calibrators_in, chosen_trials, predictions
from ferc_core.suite.cells import CLEAN, Cell

if TYPE_CHECKING:
    from ferc_core.results.run import Run

SIDE = 96  # pixels of a face
BAR = 9  # and of the bar of a class


def labels(
    run: Run,
    *,
    face: str = "",
    corruption: str = "",
    severity: int = 0,
    trial: str = "",
    calibrator: str = "none",
) -> Any:
    """Return a face in several cells with its soft label below (paper, figures 1, 3, 7 and 8).

    face:       the id of a sample; by default the first
    corruption: through all severities, by default the first one of the run
    severity:   through all corruptions at this severity, where it is above 0
    trial:      its prediction, of the first seed, stands beside the label
    """
    bench = opened(run)
    sample = face or bench.splits.scored.ids[0]
    if sample not in bench.splits.scored.ids:
        raise UnknownNameError("face", sample, bench.splits.scored.ids)
    cells = cells_shown(run, corruption, severity)
    shown = images_of(bench, sample, cells)
    known = labels_of(run.labels(), cells)
    said = predicted(run, cells, trial, calibrator, sample) if trial else {}
    panels: list[Any] = []
    for cell, image in zip(cells, shown, strict=True):
        row = known[cell].samples.index(sample)
        parts = {"soft label": known[cell].soft[row]}
        if cell in said:
            parts["prediction"] = said[cell]
        title = "clean" if cell == CLEAN else f"{cell.corruption} {cell.severity}"
        panels.append(
            alt.vconcat(
                tile(image, SIDE).properties(title=named(title)),
                bars(parts, bench.classes, not panels),
                spacing=2,
            )
        )
    return alt.concat(*panels, columns=6, spacing=6)


def corruptions(run: Run, *, face: str = "", severity: int = 0) -> Any:
    """Return a face under every corruption of the run at a severity, by default the middle one
    (paper, figure 2).
    """
    bench = opened(run)
    sample = face or bench.splits.scored.ids[0]
    if sample not in bench.splits.scored.ids:
        raise UnknownNameError("face", sample, bench.splits.scored.ids)
    there = sorted({cell.severity for cell in run.cells if cell != CLEAN}) or [0]
    cells = cells_shown(run, "", severity or there[len(there) // 2])
    panels = [
        tile(image, SIDE).properties(title=named("clean" if cell == CLEAN else cell.corruption))
        for cell, image in zip(cells, images_of(bench, sample, cells), strict=True)
    ]
    return alt.concat(*panels, columns=6, spacing=6)


def opened(run: Run) -> Benchmark:
    """Return the benchmark of a run; raises `FercError` where its data are not there."""
    if len(run.directories) != 1:
        raise RequestError("faces are shown of one run at a time")
    config = read_config(run.directories[0].config, {})
    return Benchmark.open(config, training=False)


def cells_shown(run: Run, corruption: str, severity: int) -> list[Cell]:
    """Return the clean cell, and a corruption at all severities, or all corruptions at one."""
    corrupted = [cell for cell in run.cells if cell != CLEAN]
    if severity:
        found = [cell for cell in corrupted if cell.severity == severity]
        if not found:
            there = sorted({cell.severity for cell in corrupted})
            raise RequestError(f"the run has no cell of severity {severity}, but {there}")
        return [CLEAN, *found]
    name = corruption or (corrupted[0].corruption if corrupted else "")
    found = sorted((c for c in corrupted if c.corruption == name), key=lambda c: c.severity)
    if not found:
        raise UnknownNameError("corruption", name, {cell.corruption for cell in corrupted})
    return [CLEAN, *found]


def images_of(bench: Benchmark, sample: str, cells: Sequence[Cell]) -> list[npt.NDArray[np.uint8]]:
    """Return the images of a face in some cells."""
    images = bench.images()["scored"]
    row = bench.splits.scored.ids.index(sample)
    (clean,) = images(range(len(images))[row : row + 1])
    make = bench.corruptor
    return [clean if cell == CLEAN else make.one(clean, sample, cell) for cell in cells]


def predicted(
    run: Run, cells: Sequence[Cell], trial: str, calibrator: str, sample: str
) -> dict[Cell, npt.NDArray[np.float64]]:
    """Return what the first seed of a trial predicts of a face in some cells."""
    (name, *_) = chosen_trials(run, trial)
    found: dict[Cell, npt.NDArray[np.float64]] = {}
    for _, case in predictions(run, cells, calibrators_in(run, calibrator, several=False), [name]):
        found.setdefault(case.cell, case.probs[list(case.samples).index(sample)])
    return found


def named(text: str) -> alt.TitleParams:
    """Return the title of an image."""
    return alt.TitleParams(text, fontSize=11, fontWeight="normal", limit=SIDE)


def bars(parts: dict[str, npt.NDArray[np.float64]], classes: Sequence[str], named: bool) -> Any:
    """Return distributions as bars, side by side; ``named`` says whether classes have names."""
    rows = [
        (name, part, float(value))
        for part, distribution in parts.items()
        for name, value in zip(classes, distribution, strict=True)
    ]
    frame = pl.DataFrame(rows, schema=["class", "of", "probability"], orient="row")
    colour = alt.Color(
        "of:N",
        scale=alt.Scale(domain=["soft label", "prediction"], range=[theme.RIGHT, theme.WRONG]),
        legend=alt.Legend(orient="bottom", title=None) if len(parts) > 1 and named else None,
    )
    axis = alt.Axis(labels=named, ticks=False, domain=False)
    return (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("probability:Q", scale=alt.Scale(domain=[0, 1]), title=None,
                    axis=alt.Axis(values=[0, 0.5, 1], format=".1f")),
            y=alt.Y("class:N", sort=list(classes), title=None, axis=axis),
            yOffset=alt.YOffset("of:N", sort=["soft label", "prediction"]),
            color=colour,
            tooltip=theme.tips("class", "of", probability=".3f"),
        )
        .properties(width=SIDE, height=alt.Step(BAR))
    )  # fmt: skip
