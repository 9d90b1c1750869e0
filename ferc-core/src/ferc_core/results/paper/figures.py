"""A run drawn as the paper's figures 5 (F1 against KSE) and 6 (NLL), by matplotlib.

A column for each dataset; above the clean cell (in distribution), below the corrupted ones (out
of it). Colours are the paper's: magenta before calibrated training, cyan after.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferc_core.base.files import replacing
from ferc_core.errors import RequestError
from ferc_core.results.paper.compare import Cell, plain, unique
from ferc_core.results.paper.tables import span
from ferc_core.results.paper.values import CLEAN, DATASETS, METHODS, PRE_POST

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

COLOURS = {"pre": "#c2187e", "post": "#0fa3b1"}
MARKERS = "osD^v<>phd8H"  # one for each method
PALE = "#b8b8b8"
PANEL = (4.4, 3.4)  # inches
DPI = 150
BAR = 0.38  # width, of the 1 that a method has
# A file of the same numbers has the same bytes: no dates, and no random ids in SVG.
UNDATED: dict[str, dict[str, Any]] = {
    ".png": {},
    ".svg": {"Date": None},
    ".pdf": {"CreationDate": None},
}
SALT: Any = {"svg.hashsalt": "ferc"}
PAPER_MARK: dict[str, Any] = {
    "marker": "D",
    "markersize": 5,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "linestyle": "none",
}


def draw(cells: Sequence[Cell], name: str, path: Path, beside: str | None = None) -> None:
    """Draw a figure of the paper into a .png, .svg or .pdf file.

    ``beside`` is the dataset of the paper that ``cells`` were laid beside, if one was named.
    Raises `RequestError` where matplotlib is missing or the run has nothing to draw.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RequestError(
            "figures are drawn by matplotlib: pip install 'ferc-core[plots]'"
        ) from error
    drawn = [cell for cell in cells if cell.mean is not None]
    if not drawn:
        losses = " or ".join(stage.loss for stage in PRE_POST.values())
        raise RequestError(f"there is nothing to draw: {name} takes runs with the loss {losses}")
    parts, datasets = (
        unique(getattr(c.place, axis) for c in drawn) for axis in ("part", "dataset")
    )
    methods = unique(cell.place.row for cell in sorted(drawn, key=rank))
    width, height = PANEL[0] * max(len(datasets), 1.5), PANEL[1] * len(parts) + 0.7
    with rc_context(SALT):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        grid = figure.subplots(len(parts), len(datasets), squeeze=False)
        for row, part in enumerate(parts):
            for column, dataset in enumerate(datasets):
                panel = [c for c in cells if (c.place.dataset, c.place.part) == (dataset, part)]
                draw_panel(grid[row, column], panel, name, methods)
        handles = legend(drawn, name, methods, beside)
        columns = min(len(handles), round(width / 1.5))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
        with replacing(path) as temporary:
            suffix = path.suffix.lower()
            figure.savefig(temporary, format=suffix[1:], metadata=UNDATED[suffix])


def draw_panel(axes: Axes, panel: Sequence[Cell], name: str, methods: Sequence[str]) -> None:
    """Draw one dataset, clean or corrupted."""
    drawn = [cell for cell in panel if cell.mean is not None]
    place = panel[0].place
    kind = "clean (ID)" if place.part == CLEAN else "corrupted (OOD)"
    n, seeds = span(c.pictures for c in drawn), span(c.seeds for c in drawn)
    counts = f"N = {n} in a cell, seeds: {seeds}" if drawn else "not in this run"
    axes.set_title(f"{place.panel}, {kind}\n{counts}", fontsize=10)
    axes.grid(color=PALE, linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not drawn:
        axes.set_axis_off()
    elif name == "figure5":
        draw_f1_against_kse(axes, drawn, methods)
    else:
        draw_nll(axes, drawn, [m for m in methods if any(c.place.row == m for c in drawn)])


def draw_f1_against_kse(axes: Axes, drawn: Sequence[Cell], methods: Sequence[str]) -> None:
    """Draw each method before and after, joined by a line; bars are standard deviations."""
    found = {(c.place.row, c.place.stage, c.place.score): c for c in drawn}
    for method, marker in zip(methods, markers(methods), strict=True):
        joined = []
        for stage, colour in COLOURS.items():
            f1, kse = (found.get((method, stage, score)) for score in ("f1", "kse"))
            if f1 is None or kse is None or f1.mean is None or kse.mean is None:
                continue
            joined.append((f1.mean, kse.mean))
            axes.errorbar(
                f1.mean,
                kse.mean,
                xerr=f1.deviation,
                yerr=kse.deviation,
                marker=marker,
                color=colour,
                markersize=7,
                markeredgecolor="white",
                elinewidth=1,
                alpha=0.9,
            )
        axes.plot(*zip(*joined, strict=True), color=PALE, linewidth=1, zorder=1)
    axes.set_xlabel("F1 (%), more is better")
    axes.set_ylabel("KSE (%), less is better")
    axes.margins(0.12)
    axes.set_ylim(bottom=0)


def draw_nll(axes: Axes, drawn: Sequence[Cell], methods: Sequence[str]) -> None:
    """Draw two bars for each method, and the value that the paper prints in table 5."""
    for cell in drawn:
        if cell.mean is None:
            continue
        side = -BAR / 2 if cell.place.stage == "pre" else BAR / 2
        x = methods.index(cell.place.row) + side
        axes.bar(
            x,
            cell.mean,
            BAR,
            yerr=cell.deviation,
            color=COLOURS[cell.place.stage],
            error_kw={"elinewidth": 1, "capsize": 2},
        )
        if cell.paper is not None:
            axes.plot(x, float(cell.paper), **PAPER_MARK)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(range(len(methods)), methods, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_ylabel("NLL (nats), less is better")


def legend(
    drawn: Sequence[Cell], name: str, methods: Sequence[str], beside: str | None
) -> list[Line2D]:
    """Return what colours and markers stand for."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[stage], linewidth=6, label=f"{s.title}: {s.loss}")
        for stage, s in PRE_POST.items()
    ]
    if name == "figure5":
        handles += [
            Line2D([], [], marker=marker, color="dimgray", linestyle="none", label=method)
            for method, marker in zip(methods, markers(methods), strict=True)
        ]
    elif any(cell.paper is not None for cell in drawn):
        of = f" ({DATASETS[beside]})" if beside else ""
        handles.append(Line2D([], [], label=f"paper, table 5{of}", **PAPER_MARK))
    return handles


def rank(cell: Cell) -> int:
    """Return the place of a cell's method among the paper's; others follow."""
    method = plain(cell.place.method)
    return METHODS.index(method) if method in METHODS else len(METHODS)


def markers(methods: Sequence[str]) -> list[str]:
    """Return a marker for each method, over again after the last."""
    return [MARKERS[i % len(MARKERS)] for i in range(len(methods))]
