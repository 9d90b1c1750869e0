"""Which class is taken for which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.answers import Answers, pooled
from ferc_core.results.charts.data import (
    calibrators_in,
    cells_asked,
    chosen_trials,
    classes_of,
)

if TYPE_CHECKING:
    from ferc_core.results.run import Run

CLEAN, CORRUPTED, CHANGE = "clean", "all corrupted", "change"


def confusion(run: Run, *, trial: str = "", calibrator: str = "none") -> Any:
    """Return for each trial how the faces of each class are classified, in percent: on clean
    images, on all corrupted ones, and what corruption changes.
    """
    chosen, classes = calibrators_in(run, calibrator, several=False), classes_of(run)
    trials, panels = chosen_trials(run, trial), []
    clean, corrupted = (
        pooled(run, cells_asked(run, cell), chosen, trials) for cell in ("clean", "corrupted")
    )
    for place, said in clean.items():
        before, after = (rates(each, len(classes)) for each in (said, corrupted[place]))
        for title, matrix in ((CLEAN, before), (CORRUPTED, after), (CHANGE, after - before)):
            panels.append(panel(matrix, classes, f"{place[0]}: {title}", title == CHANGE))
    return alt.concat(*panels, columns=3).resolve_scale(color="independent")


def rates(said: Answers, k: int) -> np.ndarray:
    """Return the percentage of the faces of each class that is predicted to be each, [K, K]."""
    counts = np.zeros((k, k))
    np.add.at(counts, (said.hard, said.predicted), 1)
    found: np.ndarray = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return found


def panel(matrix: np.ndarray, classes: list[str], title: str, change: bool) -> Any:
    """Return one matrix."""
    rows = [
        (classes[i], classes[j], float(matrix[i, j]))
        for i in range(len(classes))
        for j in range(len(classes))
    ]
    frame = pl.DataFrame(rows, schema=["label", "predicted", "percent"], orient="row")
    scale = alt.Scale(scheme="blues", domain=[0, 100])
    if change:
        scale = alt.Scale(scheme=theme.DIVERGING, domain=[-60, 60], domainMid=0, clamp=True)
    grid = alt.Chart(frame).encode(
        x=alt.X("predicted:N", sort=classes, title="predicted", axis=alt.Axis(labelAngle=-40)),
        y=alt.Y("label:N", sort=classes, title="annotated"),
    )
    cells = grid.mark_rect().encode(
        color=alt.Color("percent:Q", scale=scale, legend=None),
        tooltip=theme.tips("label", "predicted", percent=".1f"),
    )
    light = "abs(datum.percent) > 55" if not change else "abs(datum.percent) > 40"
    texts = grid.mark_text(fontSize=9).encode(
        text=alt.Text("percent:Q", format="+.0f" if change else ".0f"),
        color=alt.condition(light, alt.value("white"), alt.value("black")),
    )
    return (cells + texts).properties(title=title, width=alt.Step(24), height=alt.Step(20))
