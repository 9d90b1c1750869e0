"""Trials against each other: F1 against a calibration error (figure 5), and NLL (figure 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.results.charts.data import axis_title, calibrators_in, metric_name, trials_in
from ferc_core.results.charts.heatmap import every_cell

if TYPE_CHECKING:
    from ferc_core.results.run import Run

PARTS = ("clean", "corrupted")


def tradeoff(
    run: Run,
    *,
    x: str = "macro_f1",
    y: str = "kse",
    soft: str = "soft_kse",
    calibrator: str = "all",
) -> Any:
    """Return a point for each trial and calibrator: F1 against KSE, clean and corrupted (figure 5).

    ``soft`` is what takes the place of ``y`` on corrupted images. Lower right is better.
    """
    chosen, panels = calibrators_in(run, calibrator), []
    for part, metric in zip(PARTS, (y, soft), strict=True):
        across, up = (parts(run, metric_name(run, name)).filter(part=part) for name in (x, metric))
        frame = across.join(up, on=["trial", "calibrator", "part"], suffix="_y")
        frame = frame.filter(pl.col("calibrator").is_in(chosen))
        wide = alt.Scale(zero=False, padding=18)
        points = (
            alt.Chart(frame)
            .mark_point(filled=True, size=110, opacity=0.9)
            .encode(
                x=alt.X("value:Q", title=axis_title(x), scale=wide),
                y=alt.Y("value_y:Q", title=axis_title(metric), scale=wide),
                color=theme.colours(trials_in(run), trials_in(run)),
                shape=theme.shapes(chosen),
                tooltip=theme.tips("trial", "calibrator", value=".2f", value_y=".2f"),
            )
        )
        title = "clean (in distribution)" if part == "clean" else "corrupted (out of distribution)"
        panels.append(points.properties(title=title, width=theme.WIDTH, height=theme.HEIGHT))
    return alt.hconcat(*panels)


def nll(run: Run, *, calibrator: str = "all") -> Any:
    """Return a bar for each trial and calibrator: NLL clean and corrupted (figure 6)."""
    chosen, panels = calibrators_in(run, calibrator), []
    for part, metric in zip(PARTS, ("nll", "soft_nll"), strict=True):
        frame = parts(run, metric).filter(part=part).filter(pl.col("calibrator").is_in(chosen))
        bars = (
            alt.Chart(frame)
            .mark_bar()
            .encode(
                x=alt.X("value:Q", title=axis_title(metric)),
                y=alt.Y("calibrator:N", sort=chosen, title=None),
                color=theme.colours(trials_in(run), trials_in(run)),
                tooltip=theme.tips("trial", "calibrator", value=".3f"),
            )
            .properties(width=theme.WIDTH, height=alt.Step(16))
            .facet(row=alt.Row("trial:N", title=None, sort=trials_in(run), header=alt.Header(
                labelAngle=0, labelAlign="left", labelLimit=160)), spacing=4)
        )  # fmt: skip
        panels.append(bars.properties(title=part))
    return alt.hconcat(*panels)


def parts(run: Run, metric: str) -> pl.DataFrame:
    """Return the mean score of each trial and calibrator on clean and on corrupted cells."""
    clean = pl.col("corruption") == "clean"
    part = pl.when(clean).then(pl.lit("clean")).otherwise(pl.lit("corrupted")).alias("part")
    frame = every_cell(run, metric).with_columns(part)
    keys = ["trial", "calibrator", "part"]
    return frame.group_by(keys, maintain_order=True).agg(pl.col("value").mean())
