"""How charts look: colours that colour-blind readers tell apart, sizes for a two-column paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

# Okabe and Ito 2008, Color Universal Design, without black and yellow; then two of Tol's.
PALETTE = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"),
    *("#882255", "#7F7F7F"),
)
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
RIGHT, WRONG = PALETTE[0], PALETTE[1]
INK, FAINT = "#222222", "#888888"
SEQUENTIAL, DIVERGING = "viridis", "blueorange"
WIDTH, HEIGHT = 280, 200  # of a panel, in pixels: a column of a paper is 84 mm, or 318 pixels
SMALL = 180  # of a square panel among several
FONT = "Helvetica, Arial, sans-serif"

CONFIG: dict[str, Any] = {
    "font": FONT,
    "background": "white",
    "axis": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal",
             "gridColor": "#e4e4e4", "domainColor": FAINT, "tickColor": FAINT},
    "legend": {"labelFontSize": 11, "titleFontSize": 11, "labelLimit": 320, "symbolStrokeWidth": 2},
    "title": {"fontSize": 13, "fontWeight": "bold", "anchor": "start", "subtitleFontSize": 11,
              "subtitleColor": "#555555"},
    "header": {"labelFontSize": 11, "titleFontSize": 11, "labelLimit": 260},
    "view": {"stroke": None},
    "text": {"color": INK},
    "point": {"size": 45},
}  # fmt: skip


def themed(chart: Any) -> Any:
    """Return a chart as it is drawn by itself."""
    return chart.configure(**CONFIG)


def tips(*names: str, **formats: str) -> list[alt.Tooltip]:
    """Return what is told of a mark under the pointer: columns, and numbers with their formats."""
    plain = [alt.Tooltip(name) for name in names]
    return [*plain, *(alt.Tooltip(f"{name}:Q", format=form) for name, form in formats.items())]


def colours(names: Sequence[str], shown: Sequence[str]) -> alt.Color:
    """Return the colours of those trials of a run that are shown: each has its own by its place
    among all ``names``; they repeat after the last.
    """
    there = [name for name in names if name in shown]
    range_ = [PALETTE[list(names).index(name) % len(PALETTE)] for name in there]
    legend = None
    if len(there) > 1:
        legend = alt.Legend(orient="bottom", columns=2, title=None, symbolOpacity=1)
    return alt.Color("trial:N", scale=alt.Scale(domain=there, range=range_), legend=legend)


def class_colours(classes: Sequence[str], column: str = "class:N") -> alt.Color:
    """Return the colours of the classes of a dataset, which charts name in place of a legend."""
    shades = [PALETTE[i % len(PALETTE)] for i in range(len(classes))]
    return alt.Color(column, scale=alt.Scale(domain=list(classes), range=shades), legend=None)


def dashes(calibrators: list[str]) -> alt.StrokeDash:
    """Return the dashes of calibrators: the first one is solid."""
    range_ = [DASHES[i % len(DASHES)] for i in range(len(calibrators))]
    legend = None
    if len(calibrators) > 1:
        # the fill is for lines with points, of which Vega-Lite draws no stroke
        legend = alt.Legend(orient="bottom", titleOrient="left", symbolType="stroke",
                            symbolSize=400, symbolStrokeColor=FAINT,
                            symbolFillColor=FAINT)  # fmt: skip
    scale = alt.Scale(domain=calibrators, range=range_)
    return alt.StrokeDash("calibrator:N", scale=scale, legend=legend)


def shapes(calibrators: list[str]) -> alt.Shape:
    """Return the shapes of points of calibrators."""
    range_ = [SHAPES[i % len(SHAPES)] for i in range(len(calibrators))]
    legend = alt.Legend(orient="bottom") if len(calibrators) > 1 else None
    return alt.Shape(
        "calibrator:N", scale=alt.Scale(domain=calibrators, range=range_), legend=legend
    )
