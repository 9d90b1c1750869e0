"""How visible faces still are in each cell, and how far that softens their labels (figure 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.errors import RequestError

if TYPE_CHECKING:
    from ferc_core.results.run import Run


def visibility(run: Run) -> Any:
    """Return the mean visibility of every cell, and beside it the mean confidence of its soft
    labels: the softening curve of this dataset (paper, figure 4).
    """
    labels = run.labels()
    if "visibility" not in labels.columns or labels["visibility"].null_count():
        raise RequestError(
            f"the labels of {run.path} have no visibility; rerun the ferc run with "
            "--label-scheme ferc"
        )
    frame = (
        labels.with_columns(pl.col("target").list.max().alias("confidence"))
        .group_by("corruption", "severity", maintain_order=True)
        .agg(pl.col("visibility").mean(), pl.col("confidence").mean() * 100)
    )
    order = frame.sort("visibility")["corruption"].unique(maintain_order=True).to_list()
    shown = frame.filter(pl.col("severity") > 0)
    severity = alt.Color(
        "severity:O", scale=alt.Scale(scheme="plasma"), legend=alt.Legend(orient="bottom")
    )
    tips = theme.tips("corruption", "severity", visibility=".3f", confidence=".1f")
    whole = alt.Scale(domain=[0, 1])
    scatter = (
        alt.Chart(shown)
        .mark_circle(size=60, opacity=0.9)
        .encode(
            x=alt.X("visibility:Q", scale=whole, title="mean visibility"),
            y=alt.Y("corruption:N", sort=order, title=None),
            color=severity,
            tooltip=tips,
        )
        .properties(title="visibility of each cell", width=theme.WIDTH, height=alt.Step(15))
    )
    x = alt.X("visibility:Q", scale=whole, title="mean visibility")
    y = alt.Y("confidence:Q", title="mean confidence of the soft label (%)")
    curve = alt.Chart(frame.sort("visibility")).mark_line(color=theme.FAINT).encode(x=x, y=y)
    points = alt.Chart(shown).mark_circle(size=60).encode(x=x, y=y, color=severity, tooltip=tips)
    beside = (curve + points).properties(
        title="how far it softens labels", width=theme.WIDTH, height=15 * len(order)
    )
    return alt.hconcat(scatter, beside)
