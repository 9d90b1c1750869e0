"""A run as charts of the paper: figures 5 (F1 against KSE) and 6 (NLL), and its tables drawn.

The clean cell (in distribution) stands above the corrupted ones (out of distribution). Colours of
the figures are the paper's: magenta before calibrated training, cyan after. Bars are standard
deviations over seeds; the values that the paper prints stand beside the run's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from ferc_core.drawing import theme
from ferc_core.drawing.files import save
from ferc_core.errors import RequestError
from ferc_core.results.paper.compare import Number, plain, unique
from ferc_core.results.paper.tables import span
from ferc_core.results.paper.values import (
    CLEAN,
    DATASETS,
    FIGURES,
    LAYOUTS,
    METHODS,
    SCORES,
    Layout,
)

COLOURS = ("#c2187e", "#0fa3b1", "#7F7F7F", "#E69F00")  # of stages: pre and post, as in the paper
SHAPES = (*theme.SHAPES, "triangle-right", "triangle-left", "wedge", "stroke", "arrow")
RUN = "this run"
STEP = 13  # pixels for a stage of a method


def draw(numbers: Sequence[Number], name: str, path: Path, beside: str | None = None) -> None:
    """Draw a figure or a table of the paper into a file of a kind that charts have."""
    save(theme.themed(chart(numbers, name, beside)), path)


def chart(
    numbers: Sequence[Number], name: str, beside: str | None = None
) -> alt.VConcatChart | alt.HConcatChart:
    """Return a figure or a table of the paper as a chart.

    ``beside`` is the dataset of the paper that ``numbers`` were compared with, if one was named.
    Raises `RequestError` where the run has nothing to draw.
    """
    layout = LAYOUTS[name]
    drawn = [number for number in numbers if number.mean is not None]
    if not drawn:
        needs = "the loss " + " or ".join(stage.loss for stage in layout.stages.values())
        if layout.noise != (0,):
            needs += f", and {' or '.join(map(str, layout.noise))} % label noise"
        raise RequestError(f"there is nothing to draw: {name} needs a run with {needs}")
    methods = unique(number.place.row for number in sorted(drawn, key=rank))
    printed = f"paper, table {layout.printed}" + (f" ({DATASETS[beside]})" if beside else "")
    if all(number.paper is None for number in drawn):
        printed = ""
    single = name == "figure5" or len(layout.scores) == 1
    below = ["part"] if single else ["part", "dataset", "noise"]
    lines = []
    for _, row in groupby(drawn, key=lambda n: [getattr(n.place, axis) for axis in below]):
        panels = apart(list(row), "dataset" if single else "score")
        if name == "figure5":
            parts = [f1_against_kse(each, layout, methods) for each in panels]
        else:
            parts = [values(each, layout, methods, printed, name in FIGURES) for each in panels]
        lines.append(alt.hconcat(*parts, spacing=30))
    return alt.vconcat(*lines, spacing=30)


def apart(numbers: Sequence[Number], column: str) -> list[list[Number]]:
    """Return numbers by a column of their places, in order."""
    names = unique(getattr(number.place, column) for number in numbers)
    return [[n for n in numbers if getattr(n.place, column) == name] for name in names]


def titled(panel: Sequence[Number], of: str = "") -> alt.TitleParams:
    """Return what a panel shows, and of how many images and seeds."""
    place = panel[0].place
    kind = "clean (ID)" if place.part == CLEAN else "corrupted (OOD)"
    noise = f", {place.noise} % of labels flipped" if place.noise else ""
    images, seeds = span(n.images for n in panel), span(n.seeds for n in panel)
    return alt.TitleParams(
        f"{place.panel}, {kind}{noise}{of}", subtitle=f"N = {images} in a cell, seeds: {seeds}"
    )


def table_of(panel: Sequence[Number], layout: Layout) -> pl.DataFrame:
    """Return what is drawn of some numbers, a row for each."""
    rows = []
    for number in panel:
        assert number.mean is not None
        spread = number.deviation or 0.0
        stage = layout.stages[number.place.stage]
        rows.append(
            {
                "method": number.place.row,
                "stage": called(stage.title, stage.loss),
                "score": number.place.score,
                "mean": number.mean,
                "low": number.mean - spread,
                "high": number.mean + spread,
                "paper": None if number.paper is None else float(number.paper),
            }
        )
    return pl.DataFrame(rows, schema_overrides={"paper": pl.Float64}, infer_schema_length=None)


def called(title: str, loss: str) -> str:
    """Return a stage as the legend has it."""
    return title if title.lower() == loss else f"{title}: {loss}"


def stages(layout: Layout) -> alt.Color:
    """Return the colours of stages."""
    names = [called(stage.title, stage.loss) for stage in layout.stages.values()]
    scale = alt.Scale(domain=names, range=list(COLOURS[: len(names)]))
    return alt.Color("stage:N", scale=scale, legend=alt.Legend(title=None, orient="bottom"))


def f1_against_kse(panel: Sequence[Number], layout: Layout, methods: Sequence[str]) -> Any:
    """Return each method before and after calibrated training, joined by a line (figure 5)."""
    long = table_of(panel, layout)
    keys = ["method", "stage"]
    wide = long.filter(score="f1").join(long.filter(score="kse"), on=keys, suffix="_kse")
    x = alt.X("mean:Q", title="F1 (%), higher is better", scale=alt.Scale(zero=False, padding=12))
    y = alt.Y("mean_kse:Q", title="KSE (%), lower is better")
    ranges = [SHAPES[i % len(SHAPES)] for i in range(len(methods))]
    shape = alt.Shape(
        "method:N",
        scale=alt.Scale(domain=list(methods), range=ranges),
        legend=alt.Legend(title=None, orient="bottom", columns=4, symbolFillColor=theme.FAINT),
    )
    base, colour = alt.Chart(wide), stages(layout)
    tips = theme.tips("method", "stage", mean=".1f", mean_kse=".1f")
    across, down = alt.X("low:Q", title=""), alt.Y("low_kse:Q", title="")
    return alt.layer(
        base.mark_line(color="#b8b8b8", strokeWidth=1).encode(x=x, y=y, detail="method:N"),
        base.mark_rule().encode(x=across, x2="high:Q", y=y, color=colour),
        base.mark_rule().encode(x=x, y=down, y2="high_kse:Q", color=colour),
        base.mark_point(filled=True, size=70, opacity=0.95).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tips
        ),
    ).properties(width=theme.WIDTH, height=theme.HEIGHT, title=titled(panel))


def values(
    panel: Sequence[Number], layout: Layout, methods: Sequence[str], printed: str, bars: bool
) -> Any:
    """Return one score of each method and stage, as points or bars, and what the paper prints,
    which the legend calls ``printed``.
    """
    frame, score = table_of(panel, layout), SCORES[panel[0].place.score]
    there = [name for name in methods if name in frame["method"].to_list()]
    better = "higher" if panel[0].place.score in ("f1", "acc") else "lower"
    title = f"{score.title} ({'%' if score.percent else 'nats'}), {better} is better"
    order = [called(stage.title, stage.loss) for stage in layout.stages.values()]
    offset = alt.YOffset("stage:N", sort=order, scale=alt.Scale(paddingOuter=0.3))
    base = alt.Chart(frame).encode(y=alt.Y("method:N", sort=there, title=None), yOffset=offset)

    def x(column: str) -> alt.X:
        return alt.X(column, title=title, scale=alt.Scale(zero=bars))

    marks = {} if bars else {RUN: "circle"}
    marks |= {printed: "diamond"} if printed else {}
    shape = alt.Shape(
        "of:N",
        scale=alt.Scale(domain=list(marks), range=list(marks.values())),
        legend=alt.Legend(title=None, orient="bottom", symbolFillColor="white")
        if printed
        else None,
    )
    colour, tips = stages(layout), theme.tips("method", "stage", mean=".2f", paper=".2f")
    spread = base.mark_rule().encode(x=x("low:Q"), x2="high:Q")
    if bars:
        layers = [base.mark_bar().encode(x=x("mean:Q"), color=colour, tooltip=tips), spread]
    else:
        points = base.transform_calculate(of=alt.expr.toString(RUN))
        dots = points.mark_point(filled=True, size=60, opacity=1)
        layers = [spread, dots.encode(x=x("mean:Q"), color=colour, shape=shape, tooltip=tips)]
    if printed:
        papers = base.transform_filter("isValid(datum.paper)")
        papers = papers.transform_calculate(of=alt.expr.toString(printed))
        marked = papers.mark_point(size=45, fill="white", stroke="black", strokeWidth=1, opacity=1)
        layers.append(marked.encode(x=x("paper:Q"), shape=shape, tooltip=tips))
    return alt.layer(*layers).properties(
        width=theme.WIDTH,
        height=alt.Step(STEP),
        title=titled(panel, "" if len(layout.scores) == 1 else f": {score.title}"),
    )


def rank(number: Number) -> int:
    """Return the position of a method among the paper's; others follow."""
    method = plain(number.place.method)
    return METHODS.index(method) if method in METHODS else len(METHODS)
