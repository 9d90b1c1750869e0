"""A run compared with a table of the paper, as text: wide for people, tidy for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from ferc_core.results.latex import with_notes
from ferc_core.results.paper.compare import Number
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
    numbers: Sequence[Number],
    name: str,
    format: str,
    reporter: Callable[[pl.DataFrame], str],
    remarks: Sequence[str],
) -> str:
    """Return a table of the paper in a format of ``ferc results``.

    Formats for people get a row for each method, with remarks and reading notes below; others get
    the tidy numbers alone.
    """
    if format not in WIDE_FORMATS:
        return reporter(tidy(numbers, name))
    stages = ", ".join(f"{s.title} = loss {s.loss}" for s in LAYOUTS[name].stages.values())
    legend = (
        "Run: mean ± standard deviation (n - 1) over seeds, the paper's value beside it; in "
        f"percent, NLL in nats; {stages}; N = images in a cell."
    )
    table = reporter(wide(numbers, name)).rstrip()
    if format == "latex":
        said = f"The paper's {name.replace('table', 'table ')}. {legend}"
        return with_notes(table, said, [*remarks, *notes(name)])
    lines = [*remarks, legend, *notes(name)]
    return "\n".join([table, "", *(f"- {line}" for line in lines)])


def tidy(numbers: Iterable[Number], name: str) -> pl.DataFrame:
    """Return a row for each number, with the keys of the paper's values, for programs."""
    table = [
        {
            "table": LAYOUTS[name].printed,
            "dataset": n.place.dataset + n.place.part,
            "method": n.place.row,
            "noise": n.place.noise,
            "metric": n.place.score,
            "stage": n.place.stage,
            "run_mean": n.mean,
            "run_std": n.deviation,
            "seeds": n.seeds,
            "n": n.images,
            "paper": None if n.paper is None else float(n.paper),
        }
        for n in numbers
    ]
    return pl.DataFrame(table, TIDY)


def wide(numbers: Iterable[Number], name: str) -> pl.DataFrame:
    """Return a row of texts for each method, the columns of run and paper alternating."""
    layout = LAYOUTS[name]
    lines: dict[tuple[str, int, str], list[Number]] = defaultdict(list)
    for number in numbers:
        place = number.place
        lines[place.panel, place.noise, place.row].append(number)
    table: list[dict[str, str]] = []
    for (panel, noise, row), line in lines.items():
        texts = {"dataset": panel, "noise": f"{noise} %", "method": row}
        if layout.noise == (0,):
            del texts["noise"]
        for n in line:
            head = f"{SCORES[n.place.score].title} {layout.stages[n.place.stage].title}"
            texts[head] = shown(n)
            texts[f"paper {head}"] = n.paper or ABSENT
        texts["seeds"] = span(n.seeds for n in line)
        texts["N"] = span(n.images for n in line)
        table.append(texts)
    return pl.DataFrame(table)


def shown(number: Number) -> str:
    """Return mean and standard deviation with about as many digits as the paper prints."""
    if number.mean is None:
        return ABSENT
    digits = 1 if SCORES[number.place.score].percent else 2
    deviation = "" if number.deviation is None else f" ± {number.deviation:.{digits}f}"
    return f"{number.mean:.{digits}f}{deviation}"


def span(counts: Iterable[int | None]) -> str:
    """Return a count where it is the same throughout, else the smallest and the largest."""
    some = sorted({count for count in counts if count})
    if not some:
        return ABSENT
    return str(some[0]) if len(some) == 1 else f"{some[0]}-{some[-1]}"
