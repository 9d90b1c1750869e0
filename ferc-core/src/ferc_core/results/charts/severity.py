"""Scores against severity, with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.errors import UnknownNameError
from ferc_core.results.charts.data import (
    apart_in,
    axis_title,
    calibrators_in,
    metric_name,
    named,
    scale_of,
    trials_in,
)
from ferc_core.suite.cells import CLEAN

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def severity(
    run: Run,
    *,
    metric: str = "accuracy",
    calibrator: str = "none",
    corruption: str = "",
    resamples: int = 200,
) -> Any:
    """Return a line for each trial: the mean over corruptions at each severity, 0 being clean, or
    one ``corruption``.

    Bands are 95 % intervals of ``resamples`` draws; there are none where it is 0.
    """
    name = metric_name(run, metric)
    chosen = calibrators_in(run, calibrator)
    frame = scores(run, name, resamples, corruption).filter(pl.col("calibrator").is_in(chosen))
    ends = [name for name in ("low", "high") if name in frame.columns]
    frame = frame.select("trial", "calibrator", "severity", "value", *ends)
    colour = theme.colours(trials_in(run), trials_in(run))
    x = alt.X("severity:O", title="severity (0: clean)", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title=axis_title(name), scale=alt.Scale(zero=False, nice=True))
    base = alt.Chart(frame).encode(x=x, color=colour)
    tips = theme.tips("trial", "calibrator", "severity", value=".2f")
    line = base.mark_line(point=True).encode(y=y, strokeDash=theme.dashes(chosen), tooltip=tips)
    layers = [line]
    if "low" in frame.columns:
        band = base.mark_area(opacity=0.15, stroke=None).encode(
            y=alt.Y("low:Q", title=axis_title(name), scale=alt.Scale(zero=False)),
            y2=alt.Y2("high:Q"),
            detail=alt.Detail("calibrator:N"),
        )
        layers.insert(0, band)
    return alt.layer(*layers).properties(width=theme.WIDTH, height=theme.HEIGHT)


def scores(run: Run, metric: str, resamples: int, corruption: str = "") -> pl.DataFrame:
    """Return scores by severity, in the units of tables, with their intervals where asked for."""
    by = ["corruption", "severity"] if corruption else ["severity"]
    if corruption and any(source.card for source in run.sources):
        resamples = 0  # a card has no interval of a single corruption
    if resamples:
        frame = run.estimates(by, [metric], resamples, differences=False)
        frame = frame.with_columns(pl.col("value", "low", "high") * scale_of(metric))
    else:
        frame = run.means(by, [metric]).frame
        frame = frame.rename({metric: "value"}).with_columns(pl.col("value") * scale_of(metric))
        for name in ("dataset", "noise"):
            if name not in frame.columns:
                frame = frame.with_columns(pl.lit(run.scores[name][0]).alias(name))
    if corruption:
        there = sorted({cell.corruption for cell in run.cells if cell != CLEAN})
        if corruption not in there:
            raise UnknownNameError("corruption", corruption, there)
        frame = frame.filter(pl.col("corruption").is_in([CLEAN.corruption, corruption]))
    return named(frame, apart_in(run))
