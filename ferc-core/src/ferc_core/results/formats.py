"""The formats of ``ferc results``: a table of scores as text.

Formats for people (table, markdown, latex) show scores in percent as the paper does, NLL in
nats; formats for programs (json, csv) give the plain values.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable
from typing import Any

import polars as pl

PLAIN_UNIT = ("nll", "soft_nll")  # in nats, not a share
NAMES = {"macro_f1": "F1", "soft_nll": "soft NLL", "nll": "NLL", "ferc": "FER-C", "n": "N"}
ACRONYMS = ("ece", "mce", "kse", "nll")
NUMBERS = re.compile(r"[-\d.± %]*")  # texts to align as numbers: "55.2 ± 0.4", "-"
LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


def table(frame: pl.DataFrame) -> str:
    """Return a table drawn for the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in frame.columns:
        # "clean F1" in two lines: the table stays narrow, and the halves are seen side by side.
        drawn.add_column(
            heading(name).replace(" ", "\n", 1),
            justify="right" if is_number(frame[name]) else "left",
        )
    for row in cells(frame):
        drawn.add_row(*map(Text, row))  # as text: rich would read [onnx] as a style
    buffer = io.StringIO()
    Console(file=buffer, width=1000).print(drawn)  # as wide as it is: numbers are never cut
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def markdown(frame: pl.DataFrame) -> str:
    """Return a pipe table."""
    rule = ["---:" if is_number(frame[name]) else "---" for name in frame.columns]
    rows = [[heading(name) for name in frame.columns], rule, *cells(frame)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def latex(frame: pl.DataFrame) -> str:
    """Return a booktabs table; a comment says which package it takes."""
    align = "".join("r" if is_number(frame[name]) else "l" for name in frame.columns)
    rows = [" & ".join(escape(cell) for cell in row) + r" \\" for row in cells(frame)]
    head = " & ".join(escape(heading(name)) for name in frame.columns) + r" \\"
    package = r"% \usepackage{booktabs}"
    lines = [package, rf"\begin{{tabular}}{{{align}}}", r"\toprule", head, r"\midrule", *rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def json_(frame: pl.DataFrame) -> str:
    """Return a list of objects."""
    return json.dumps(frame.to_dicts(), indent=2, ensure_ascii=False)


def csv(frame: pl.DataFrame) -> str:
    """Return comma-separated values with a header."""
    return frame.write_csv().rstrip("\n")


def footnotes(lines: Iterable[str], format: str) -> str:
    """Return lines to stand below a table of a format."""
    if format == "latex":
        return "\n".join(rf"\par{{\footnotesize {escape(line)}\par}}" for line in lines)
    return "\n".join(f"- {line}" for line in lines)


def heading(column: str) -> str:
    """Return what people call a column: ``ferc_soft_ece`` is "FER-C soft ECE"."""
    for prefix in ("clean", "ferc"):
        if column.startswith(f"{prefix}_"):
            return f"{NAMES.get(prefix, prefix)} {heading(column.removeprefix(prefix + '_'))}"
    if column in NAMES:
        return NAMES[column]
    return " ".join(w.upper() if w in ACRONYMS else w for w in column.split("_"))


def cells(frame: pl.DataFrame) -> list[list[str]]:
    """Return the rows of a table as people read them."""
    return [
        [shown(name, value) for name, value in zip(frame.columns, row, strict=True)]
        for row in frame.iter_rows()
    ]


def shown(column: str, value: Any) -> str:
    """Return a score in percent or nats with three or so digits, anything else as it is."""
    if not isinstance(value, float) or column == "noise":
        return "" if value is None else str(value)
    if column.removeprefix("clean_").removeprefix("ferc_") in PLAIN_UNIT:
        return f"{value:.3f}"
    return f"{100 * value:.1f}"


def is_number(column: pl.Series) -> bool:
    """Say whether a column holds numbers, or texts of them."""
    if column.dtype == pl.String:
        return all(NUMBERS.fullmatch(text) for text in column.drop_nulls())
    return column.dtype.is_numeric()


def escape(text: str) -> str:
    """Return a text with LaTeX's special characters escaped."""
    return "".join(LATEX.get(character, character) for character in text)
