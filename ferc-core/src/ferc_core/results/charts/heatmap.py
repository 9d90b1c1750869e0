"""Scores of every cell: corruption by severity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.data import (
    apart_in,
    axis_title,
    calibrators_in,
    chosen_trials,
    kept,
    metric_name,
    named,
    scale_of,
)
from ferc_core.results.reading import with_metrics
from ferc_core.results.side_by_side import together

if TYPE_CHECKING:
    from ferc_core.results.run import Run

STEP = 18  # pixels of a cell from top to bottom
BROAD = 34  # and from left to right


def heatmap(
    run: Run,
    *,
    metric: str = "accuracy",
    calibrator: str = "none",
    trial: str = "",
    against: str = "",
) -> Any:
    """Return a panel for each trial with a score in every cell, seeds averaged.

    Of ``against``, a trial, the differences to it.
    """
    name = metric_name(run, metric)
    chosen = calibrators_in(run, calibrator, several=False)
    frame = every_cell(run, name).filter(pl.col("calibrator").is_in(chosen))
    shown = chosen_trials(run, trial)
    if against:
        (base, *_) = chosen_trials(run, against)
        known = frame.filter(trial=base).select("corruption", "severity", other="value")
        shown = [each for each in shown if each != base]
        frame = frame.join(known, on=["corruption", "severity"]).with_columns(
            pl.col("value") - pl.col("other")
        )
    frame = frame.filter(pl.col("trial").is_in(shown)).select(
        "trial", "corruption", "severity", "value"
    )
    order = run.scores["corruption"].unique(maintain_order=True).to_list()
    largest = float(frame["value"].abs().to_numpy().max()) if len(frame) else 1.0
    scale = alt.Scale(scheme=theme.SEQUENTIAL)
    if against:
        scale = alt.Scale(scheme=theme.DIVERGING, domain=[-largest, largest], domainMid=0)
    title = f"less that of {base}: {axis_title(name)}" if against else axis_title(name)
    value = alt.Color(
        "value:Q", scale=scale, legend=alt.Legend(title=title, titleLimit=400, orient="bottom")
    )
    grid = alt.Chart(frame).encode(
        x=alt.X("severity:O", title="severity", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("corruption:N", sort=order, title=None),
    )
    middle = float(frame["value"].to_numpy().mean()) if len(frame) else 0.0
    light = f"datum.value < {middle}" if not against else f"abs(datum.value) > {0.6 * largest}"
    cells = grid.mark_rect().encode(
        color=value,
        tooltip=theme.tips("trial", "corruption", "severity", value=".2f"),
    )
    texts = grid.mark_text(fontSize=9).encode(
        text=alt.Text("value:Q", format=".0f" if scale_of(name) == 100 else ".2f"),
        color=alt.condition(light, alt.value("white"), alt.value("black")),
    )
    panel = (cells + texts).properties(width=alt.Step(BROAD), height=alt.Step(STEP))
    return panel.facet(facet=alt.Facet("trial:N", title=None, sort=shown), columns=2)


@kept
def every_cell(run: Run, metric: str) -> pl.DataFrame:
    """Return a score of every trial, calibrator and cell in the units of tables, seeds averaged."""
    sources = [with_metrics(source, [metric], run.failures) for source in run.sources]
    frame = named(together(sources).filter(metric=metric), apart_in(run))
    keys = ["trial", "calibrator", "corruption", "severity"]
    return frame.group_by(keys, maintain_order=True).agg(pl.col("value").mean() * scale_of(metric))
