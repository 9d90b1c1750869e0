"""The formats of ``ferc results``: a table of scores as text.

Formats for people (table, markdown, latex) show scores in percent as the paper does, NLL in
nats, and a mean over seeds with its standard deviation; formats for programs (json, csv) give
the plain values.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from html import escape as xml
from typing import Any

import polars as pl
from polars import selectors

from ferc_core.base.text import in_cell
from ferc_core.plugins.host import registry
from ferc_core.results.tables import SPREAD
from ferc_core.spec import Metric

PREFIXES = {"clean_": "clean", "ferc_": "FER-C"}  # of the columns of a summary
NAMES = {"n": "N", "f1": "F1", "mce": "mCE", "relative_mce": "relative mCE"}
UNITS = {  # of no metric
    "f1": "fraction",
    "mce": "fraction",
    "relative_mce": "fraction",
    "rank_correlation": "plain",
    "confidence_correlation": "plain",
    "value": "plain",
}
NUMBERS = re.compile(r"[-\d.± %]*")  # texts to align as numbers: "55.2 ± 0.4", "-"


def table(frame: pl.DataFrame) -> str:
    """Return a table drawn for the terminal."""
    headings, rows = people(frame)
    # "clean F1" in two lines: the table stays narrow, and the halves are seen side by side.
    return drawn([name.replace(" ", "\n", 1) for name in headings], rows)


def drawn(
    headings: Sequence[str], rows: Iterable[Sequence[str]], sections: Sequence[int] = ()
) -> str:
    """Return rows of text drawn for the terminal; ``sections`` are rows with a rule below."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name, right in zip(headings, aligned_right(rows, len(headings)), strict=True):
        grid.add_column(name, justify="right" if right else "left")
    for number, row in enumerate(rows):
        # as text: rich would read [onnx] as a style
        grid.add_row(*(Text(in_cell(text)) for text in row), end_section=number in sections)
    buffer = io.StringIO()
    Console(file=buffer, width=1000).print(grid)  # as wide as it is: numbers are never cut
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def markdown(frame: pl.DataFrame) -> str:
    """Return a pipe table."""
    headings, rows = people(frame)
    rule = ["---:" if right else "---" for right in aligned_right(rows, len(headings))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def html(frame: pl.DataFrame) -> str:
    """Return a table for a notebook."""
    headings, rows = people(frame)
    right = aligned_right(rows, len(headings))
    styles = ["text-align: right" if each else "text-align: left" for each in right]

    def line(tag: str, texts: Sequence[str]) -> str:
        pairs = zip(styles, texts, strict=True)
        return "".join(f'<{tag} style="{style}">{xml(t)}</{tag}>' for style, t in pairs)

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{line('th', headings)}</tr></thead><tbody>{body}</tbody></table>"


def json_(frame: pl.DataFrame) -> str:
    """Return a list of objects; what is not a finite number is null."""
    numbers = selectors.float()
    finite = frame.with_columns(pl.when(numbers.is_finite()).then(numbers).name.keep())
    return json.dumps(finite.to_dicts(), indent=2, ensure_ascii=False, allow_nan=False)


def csv(frame: pl.DataFrame) -> str:
    """Return comma-separated values with a header."""
    return frame.write_csv().rstrip("\n")


def people(frame: pl.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of a table as people read them, a score with its spread in one."""
    spreads = {name + SPREAD for name in frame.columns}
    columns = [name for name in frame.columns if name not in spreads]
    rows = []
    for row in frame.iter_rows(named=True):
        texts = []
        for name in columns:
            spread = row.get(name + SPREAD)
            beside = "" if spread is None else f" ± {shown(name, spread)}"
            texts.append(in_cell(shown(name, row[name])) + beside)
        rows.append(texts)
    return [in_cell(heading(name)) for name in columns], rows


def aligned_right(rows: Sequence[Sequence[str]], width: int) -> list[bool]:
    """Say of each column whether it holds numbers."""
    return [all(NUMBERS.fullmatch(row[place]) for row in rows) for place in range(width)]


def heading(column: str) -> str:
    """Return what people call a column: ``ferc_soft_ece`` is "FER-C soft ECE"."""
    prefix, metric = parted(column)
    title = (metric.title or metric.name) if metric else NAMES.get(column, column)
    _, bracket, options = column.partition("(") if metric else ("", "", "")
    return f"{prefix} {title}{bracket}{options}".strip().replace("_", " ")


def shown(column: str, value: Any) -> str:
    """Return a score in its metric's unit with three or so digits, anything else as it is."""
    _, metric = parted(column)
    if isinstance(value, bool):
        return column if value else ""
    if not isinstance(value, float) or (metric is None and column not in UNITS):
        return "" if value is None else str(value)
    unit = UNITS[column] if metric is None else metric.unit
    return f"{100 * value:.1f}" if unit == "fraction" else f"{value:.3f}"


def parted(column: str) -> tuple[str, Metric | None]:
    """Return the prefix of a column in words, and the metric that it is of, if any."""
    metrics, name = registry().metrics, column.partition("(")[0]  # without its options
    for prefix, title in PREFIXES.items():
        if name.startswith(prefix) and name not in metrics:
            return title, metrics.get(name.removeprefix(prefix))
    return "", metrics.get(name)
