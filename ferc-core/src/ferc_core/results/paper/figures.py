"""A run as the paper's figures 5 (F1 against KSE) and 6 (NLL), drawn by matplotlib.

One column for each dataset: the clean cell (in distribution) above the corrupted ones (out of
distribution). Colours are the paper's: magenta before calibrated training, cyan after.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferc_core.base.files import replacing
from ferc_core.errors import RequestError
from ferc_core.results.paper.compare import Number, plain, unique
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


def draw(numbers: Sequence[Number], name: str, path: Path, beside: str | None = None) -> None:
    """Draw a figure of the paper into a .png, .svg or .pdf file.

    ``beside`` is the dataset of the paper that ``numbers`` were compared with, if one was named.
    Raises `RequestError` where matplotlib is missing or the run has nothing to draw.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RequestError("figures need matplotlib: pip install 'ferc-core[plots]'") from error
    drawn = [number for number in numbers if number.mean is not None]
    if not drawn:
        losses = " or ".join(stage.loss for stage in PRE_POST.values())
        raise RequestError(f"there is nothing to draw: {name} needs a run with the loss {losses}")
    parts, datasets = (
        unique(getattr(c.place, axis) for c in drawn) for axis in ("part", "dataset")
    )
    methods = unique(number.place.row for number in sorted(drawn, key=rank))
    width, height = PANEL[0] * max(len(datasets), 1.5), PANEL[1] * len(parts) + 0.7
    with rc_context(SALT):
        figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
        grid = figure.subplots(len(parts), len(datasets), squeeze=False)
        for row, part in enumerate(parts):
            for column, dataset in enumerate(datasets):
                place = (dataset, part)
                panel = [n for n in numbers if (n.place.dataset, n.place.part) == place]
                draw_panel(grid[row, column], panel, name, methods)
        handles = legend(drawn, name, methods, beside)
        columns = min(len(handles), round(width / 1.5))
        figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
        with replacing(path) as temporary:
            suffix = path.suffix.lower()
            figure.savefig(temporary, format=suffix[1:], metadata=UNDATED[suffix])


def draw_panel(axes: Axes, panel: Sequence[Number], name: str, methods: Sequence[str]) -> None:
    """Draw one dataset, clean or corrupted."""
    drawn = [number for number in panel if number.mean is not None]
    place = panel[0].place
    kind = "clean (ID)" if place.part == CLEAN else "corrupted (OOD)"
    images, seeds = span(n.images for n in drawn), span(n.seeds for n in drawn)
    counts = f"N = {images} in a cell, seeds: {seeds}" if drawn else "not in this run"
    axes.set_title(f"{place.panel}, {kind}\n{counts}", fontsize=10)
    axes.grid(color=PALE, linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not drawn:
        axes.set_axis_off()
    elif name == "figure5":
        draw_f1_against_kse(axes, drawn, methods)
    else:
        draw_nll(axes, drawn, [m for m in methods if any(n.place.row == m for n in drawn)])


def draw_f1_against_kse(axes: Axes, drawn: Sequence[Number], methods: Sequence[str]) -> None:
    """Draw each method before and after, joined by a line; bars are standard deviations."""
    found = {(n.place.row, n.place.stage, n.place.score): n for n in drawn}
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
    axes.set_xlabel("F1 (%), higher is better")
    axes.set_ylabel("KSE (%), lower is better")
    axes.margins(0.12)
    axes.set_ylim(bottom=0)


def draw_nll(axes: Axes, drawn: Sequence[Number], methods: Sequence[str]) -> None:
    """Draw two bars for each method, and the value that the paper prints in table 5."""
    for number in drawn:
        if number.mean is None:
            continue
        side = -BAR / 2 if number.place.stage == "pre" else BAR / 2
        x = methods.index(number.place.row) + side
        axes.bar(
            x,
            number.mean,
            BAR,
            yerr=number.deviation,
            color=COLOURS[number.place.stage],
            error_kw={"elinewidth": 1, "capsize": 2},
        )
        if number.paper is not None:
            axes.plot(x, float(number.paper), **PAPER_MARK)
    axes.grid(visible=False, axis="x")
    axes.set_xticks(range(len(methods)), methods, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_ylabel("NLL (nats), lower is better")


def legend(
    drawn: Sequence[Number], name: str, methods: Sequence[str], beside: str | None
) -> list[Line2D]:
    """Return the meaning of colours and markers."""
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
    elif any(number.paper is not None for number in drawn):
        of = f" ({DATASETS[beside]})" if beside else ""
        handles.append(Line2D([], [], label=f"paper, table 5{of}", **PAPER_MARK))
    return handles


def rank(number: Number) -> int:
    """Return the position of a method among the paper's; others follow."""
    method = plain(number.place.method)
    return METHODS.index(method) if method in METHODS else len(METHODS)


def markers(methods: Sequence[str]) -> list[str]:
    """Return a marker for each method; they repeat after the last."""
    return [MARKERS[i % len(MARKERS)] for i in range(len(methods))]
