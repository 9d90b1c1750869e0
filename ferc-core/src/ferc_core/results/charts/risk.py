"""Risk against coverage: what is gained where people take the least confident predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.answers import Answers, by_seed
from ferc_core.results.charts.data import (
    calibrators_in,
    cells_asked,
    chosen_trials,
    trials_in,
)

if TYPE_CHECKING:
    from ferc_core.results.run import Run

POINTS = 101


def risk_coverage(run: Run, *, trial: str = "", calibrator: str = "none") -> Any:
    """Return the error among the most confident images against their fraction, for each trial, on
    clean and on all corrupted images; the mean over seeds.
    """
    chosen, panels = calibrators_in(run, calibrator), []
    for cell, title in (("clean", "clean"), ("corrupted", "all corrupted images")):
        found = by_seed(run, cells_asked(run, cell), chosen, chosen_trials(run, trial))
        rows = []
        for (name, by), seeds in found.items():
            mean = np.mean([curve_of(said) for said in seeds], axis=0)
            rows += [(name, by, 100 * coverage, 100 * risk) for coverage, risk in mean]
        names = ["trial", "calibrator", "coverage", "risk"]
        frame = pl.DataFrame(rows, schema=names, orient="row")
        lines = (
            alt.Chart(frame)
            .mark_line(strokeWidth=2)
            .encode(
                x=alt.X("coverage:Q", title="coverage (% of the images, most confident first)"),
                y=alt.Y("risk:Q", title="risk (% wrong among them)", scale=alt.Scale(nice=True)),
                color=theme.colours(trials_in(run), chosen_trials(run, trial)),
                strokeDash=theme.dashes(chosen),
                tooltip=theme.tips("trial", "calibrator", coverage=".1f", risk=".1f"),
            )
        )
        panels.append(lines.properties(title=title, width=theme.WIDTH, height=theme.HEIGHT))
    return alt.hconcat(*panels)


def curve_of(said: Answers) -> np.ndarray:
    """Return the curve of a model, [points, 2]."""
    return np.array(curve(said.confidence, (~said.right).astype(np.float64)))


def curve(s: np.ndarray, wrong: np.ndarray) -> list[tuple[float, float]]:
    """Return pairs of coverage and risk; equal confidences are accepted in any order."""
    order = np.argsort(-s, kind="stable")
    starts = np.flatnonzero(np.diff(-s[order], prepend=-2))
    count = np.diff(starts, append=len(s))
    errors = np.cumsum(np.repeat(np.add.reduceat(wrong[order], starts) / count, count))
    n = np.unique(np.linspace(1, len(s), min(POINTS, len(s))).round().astype(int))
    return [(float(i / len(s)), float(errors[i - 1] / i)) for i in n]
