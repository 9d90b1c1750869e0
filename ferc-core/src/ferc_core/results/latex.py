"""Tables of scores for a paper: booktabs, the best score bold and the second underlined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import polars as pl

from ferc_core.base.text import number
from ferc_core.experiment.config import SETTINGS
from ferc_core.results.formats import aligned_right, heading, parted, people, shown
from ferc_core.results.tables import SPREAD

SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
TOLD = ("n", "seeds")  # columns that the caption tells where they have one value
# What is compared, not what it is compared within: rows of one corruption are ranked together.
COMPARED = {"method", "loss", "calibrator", "noise", "run", "n", *SETTINGS} - {"dataset"}
UNITS = {"fraction": "in percent", "nats": "in nats", "plain": "as they are"}
MARKS = (r"\textbf", r"\underline")  # of the best and the second


def latex(frame: pl.DataFrame) -> str:
    """Return a table with its caption; a comment says which package it takes."""
    told = [name for name in TOLD if name in frame.columns and is_one(frame[name])]
    table = frame.drop(told)
    headings, rows = people(table)
    columns = [name for name in table.columns if not is_spread(table, name)]
    marks = marked(table, columns)
    align = "".join("r" if right else "l" for right in aligned_right(rows, len(headings)))
    body = [
        line(f"{marks[i, j]}{{{escape(text)}}}" if (i, j) in marks else escape(text)
             for j, text in enumerate(row))
        for i, row in enumerate(rows)
    ]  # fmt: skip
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption(frame, columns, told, bool(marks)))}}}",
            r"\smallskip\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            *heads(columns, headings),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def is_one(column: pl.Series) -> bool:
    """Whether a column is one whole number throughout."""
    return column.dtype.is_integer() and column.n_unique() == 1


def with_notes(text: str, said: str, lines: Sequence[str]) -> str:
    """Return such a table of texts, which has no caption of its own, with one and lines below."""
    text = text.replace(r"\caption{}", rf"\caption{{{escape(said)}}}")
    notes = "\n".join(rf"\par{{\footnotesize {escape(each)}\par}}" for each in lines)
    return text.replace("\n\\end{table}", f"\n\n\\raggedright\n{notes}\n\\end{{table}}")


def line(texts: Iterator[str]) -> str:
    """Return a row of a table."""
    return " & ".join(texts) + r" \\"


def heads(columns: Sequence[str], headings: Sequence[str]) -> list[str]:
    """Return the headings: "clean" and "FER-C" once, above those of their columns."""
    prefixes = [parted(name)[0] for name in columns]
    if not any(prefixes):
        return [line(map(escape, headings))]
    groups = [(prefix, len(list(group))) for prefix, group in groupby(prefixes)]
    above, rules, place = [], [], 1
    for prefix, width in groups:
        above.append("&" * (width - 1))
        if prefix:
            above[-1] = rf"\multicolumn{{{width}}}{{c}}{{{escape(prefix)}}}"
            rules.append(rf"\cmidrule(lr){{{place}-{place + width - 1}}}")
        place += width
    below = (h.removeprefix(f"{p} ") for p, h in zip(prefixes, headings, strict=True))
    return [" & ".join(above) + r" \\", "".join(rules), line(map(escape, below))]


def is_spread(frame: pl.DataFrame, name: str) -> bool:
    """Whether a column is the spread of another."""
    return name.endswith(SPREAD) and name.removesuffix(SPREAD) in frame.columns


def marked(frame: pl.DataFrame, columns: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return the marks of scores by row and column: of the best and the second as they are shown,
    among rows that differ in what is compared alone.
    """
    metrics = {name: metric for name in columns if (metric := parted(name)[1])}
    within = [n for n in columns if n not in metrics and n not in COMPARED]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, key in enumerate(frame.select(within).iter_rows() if within else [()] * len(frame)):
        groups.setdefault(key, []).append(i)
    found: dict[tuple[int, int], str] = {}
    for j, name in enumerate(columns):
        if name not in metrics:
            continue
        texts = [shown(name, value) for value in frame[name]]
        sign = 1 if metrics[name].higher_is_better else -1
        for rows in groups.values():
            scores = {i: sign * float(texts[i]) for i in rows if is_number(texts[i])}
            ranked = sorted(set(scores.values()), reverse=True)
            if len(ranked) < 2:
                continue
            for mark, best in zip(MARKS, ranked, strict=False):
                found |= {(i, j): mark for i, score in scores.items() if score == best}
    return found


def is_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def caption(frame: pl.DataFrame, columns: Sequence[str], told: Sequence[str], marks: bool) -> str:
    """Return what a reader must know: numbers of images and seeds, and what the columns are."""
    parts = []
    if "n" in told:
        parts.append(f"N = {frame['n'][0]:,} images in a cell")
    spread = any(is_spread(frame, name) for name in frame.columns)
    if "seeds" in told and spread:
        seeds = number(int(frame["seeds"][0]), "seed")
        parts.append(f"mean ± standard deviation over {seeds}")
    elif "seeds" in told:
        parts.append(number(int(frame["seeds"][0]), "seed"))
    elif spread:
        parts.append("mean ± standard deviation over seeds")
    sentences = [", ".join(parts)] if parts else []
    sorts: dict[str, list[str]] = {}
    for name in columns:
        prefix, metric = parted(name)
        if metric:
            better = "higher" if metric.higher_is_better else "lower"
            title = heading(name).removeprefix(f"{prefix} ")
            sorts.setdefault(f"{UNITS[metric.unit]}, {better} is better", []).append(title)
    sentences += [f"{', '.join(dict.fromkeys(names))} {what}" for what, names in sorts.items()]
    if any(parted(name)[0] == "FER-C" for name in columns):
        sentences.append(
            "clean: against annotated classes; FER-C: the mean over all corrupted cells, "
            "calibration against soft labels"
        )
    if marks:
        sentences.append("bold is best, underlined is second")
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in sentences)


def escape(text: str) -> str:
    """Return a text with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(character, character) for character in text)
