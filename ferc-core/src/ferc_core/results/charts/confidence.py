"""How sure a model is where it is right, and where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.answers import pooled
from ferc_core.results.charts.data import calibrators_in, cells_asked, chosen_trials

if TYPE_CHECKING:
    from ferc_core.results.run import Run

BINS = 25


def confidence(run: Run, *, trial: str = "", calibrator: str = "none") -> Any:
    """Return histograms of the confidence on clean and on all corrupted images, right and wrong."""
    chosen, rows = calibrators_in(run, calibrator, several=False), []
    for cell, images in (("clean", "clean"), ("corrupted", "all corrupted")):
        found = pooled(run, cells_asked(run, cell), chosen, chosen_trials(run, trial))
        for (name, _), said in found.items():
            for answer, kept in (("right", said.right), ("wrong", ~said.right)):
                count, edges = np.histogram(said.confidence[kept], BINS, (0, 1))
                share = count / len(said.right)
                rows += [
                    (name, images, answer, low, high, 100 * part)
                    for low, high, part in zip(edges[:-1], edges[1:], share, strict=True)
                    if part
                ]
    names = ["trial", "images", "answer", "low", "high", "percent"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    scale = alt.Scale(domain=["right", "wrong"], range=[theme.RIGHT, theme.WRONG])
    bars = alt.Chart(frame).mark_rect(opacity=0.6).encode(
        x=alt.X("low:Q", title="confidence", scale=alt.Scale(domain=[0, 1])), x2=alt.X2("high:Q"),
        y=alt.Y("percent:Q", title="% of the images", stack=None), y2=alt.Y2Datum(0),
        color=alt.Color("answer:N", scale=scale, legend=alt.Legend(orient="bottom", title=None)),
        tooltip=theme.tips("trial", "images", "answer", percent=".1f"),
    )  # fmt: skip
    panel = bars.properties(width=theme.SMALL, height=120)
    order = ["clean", "all corrupted"]
    return panel.facet(
        row=alt.Row("trial:N", title=None, sort=chosen_trials(run, trial)),
        column=alt.Column("images:N", title=None, sort=order),
    )
