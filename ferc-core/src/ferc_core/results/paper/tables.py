"""A run beside a table of the paper, as text: wide for people, tidy for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from ferc_core.results.formats import footnotes
from ferc_core.results.paper.compare import Cell
from ferc_core.results.paper.values import LAYOUTS, SCORES, notes

ABSENT = "-"
WIDE_FORMATS = ("table", "markdown", "latex")
TIDY = {
    "table": pl.Int64,
    "dataset": pl.String,
    "method": pl.String,
    "noise": pl.Int64,
    "metric": pl.String,
    "stage": pl.String,
    "run_mean": pl.Float64,
    "run_std": pl.Float64,
    "seeds": pl.Int64,
    "n": pl.Int64,
    "paper": pl.Float64,
}


def text(
    cells: Sequence[Cell],
    name: str,
    format: str,
    reporter: Callable[[pl.DataFrame], str],
    remarks: Sequence[str],
) -> str:
    """Return a table of the paper in a format of ``ferc results``.

    Formats for people get a row for each method, with remarks and reading notes below; any other
    gets the tidy cells alone.
    """
    if format not in WIDE_FORMATS:
        return reporter(tidy(cells, name))
    stages = ", ".join(f"{s.title} = loss {s.loss}" for s in LAYOUTS[name].stages.values())
    legend = (
        "Run: mean ± standard deviation (n - 1) over seeds, the paper's value beside it; in "
        f"percent, NLL in nats; {stages}; N = images in a cell."
    )
    lines = [*remarks, legend, *notes(name)]
    return f"{reporter(wide(cells, name)).rstrip()}\n\n{footnotes(lines, format)}"


def tidy(cells: Iterable[Cell], name: str) -> pl.DataFrame:
    """Return a row for each cell, keyed as the paper's values are: for programs."""
    table = [
        {
            "table": LAYOUTS[name].printed,
            "dataset": c.place.dataset + c.place.part,
            "method": c.place.row,
            "noise": c.place.noise,
            "metric": c.place.score,
            "stage": c.place.stage,
            "run_mean": c.mean,
            "run_std": c.deviation,
            "seeds": c.seeds,
            "n": c.pictures,
            "paper": None if c.paper is None else float(c.paper),
        }
        for c in cells
    ]
    return pl.DataFrame(table, TIDY)


def wide(cells: Iterable[Cell], name: str) -> pl.DataFrame:
    """Return a row for each method with texts as people read them, runs and paper in turns."""
    layout = LAYOUTS[name]
    lines: dict[tuple[str, int, str], list[Cell]] = defaultdict(list)
    for c in cells:
        lines[c.place.panel, c.place.noise, c.place.row].append(c)
    table: list[dict[str, str]] = []
    for (panel, noise, row), line in lines.items():
        texts = {"dataset": panel, "noise": f"{noise} %", "method": row}
        if layout.noise == (0,):
            del texts["noise"]
        for c in line:
            head = f"{SCORES[c.place.score].title} {layout.stages[c.place.stage].title}"
            texts[head] = shown(c)
            texts[f"paper {head}"] = c.paper or ABSENT
        texts["seeds"] = span(c.seeds for c in line)
        texts["N"] = span(c.pictures for c in line)
        table.append(texts)
    return pl.DataFrame(table)


def shown(cell: Cell) -> str:
    """Return mean and standard deviation with about the paper's digits."""
    if cell.mean is None:
        return ABSENT
    digits = 1 if SCORES[cell.place.score].percent else 2
    deviation = "" if cell.deviation is None else f" ± {cell.deviation:.{digits}f}"
    return f"{cell.mean:.{digits}f}{deviation}"


def span(counts: Iterable[int | None]) -> str:
    """Return the one count that is everywhere, or the smallest and the largest."""
    some = sorted({count for count in counts if count})
    if not some:
        return ABSENT
    return str(some[0]) if len(some) == 1 else f"{some[0]}-{some[-1]}"
