"""Tables for a paper: what LaTeX reads itself, what is marked, and that a real LaTeX takes them."""

from __future__ import annotations

import shutil
import subprocess

import polars as pl
import pytest
from helpers.paper import rows, show, store

from ferc_core.results.latex import caption, latex, marked, with_notes
from ferc_core.results.paper.values import TABLES

LATEX = shutil.which("pdflatex")
DOCUMENT = r"""\documentclass{article}
\usepackage[a3paper,landscape,margin=1cm]{geometry}
\usepackage{booktabs}
\begin{document}
%s
\end{document}
"""
FRAME = pl.DataFrame(
    {
        "method": ["scn", "rul", "a_b%c&d#e$f~g^h\\i<j>[k]", "dmue"],
        "loss": ["ce", "ce", "focal", "ce"],
        "clean_accuracy": [0.512, 0.5124, 0.4, None],
        "clean_accuracy_sd": [0.01, 0.02, 0.03, None],
        "clean_ece": [0.30, 0.20, 0.10, float("nan")],
        "ferc_soft_nll": [1.0, 1.0, 1.0, 1.0],
        "seeds": [3, 3, 3, 3],
        "n": [400, 400, 400, 400],
    }
)
BOLD, LINE = r"\textbf", r"\underline"


def columns_of(frame: pl.DataFrame) -> list[str]:
    return [name for name in frame.columns if not name.endswith("_sd")]


def test_the_best_is_bold_and_the_second_underlined_as_they_are_shown():
    columns = columns_of(FRAME)
    found = {(i, columns[j]): mark for (i, j), mark in marked(FRAME, columns).items()}
    assert found == {
        (0, "clean_accuracy"): BOLD,  # 51.2 twice
        (1, "clean_accuracy"): BOLD,
        (2, "clean_accuracy"): LINE,
        (2, "clean_ece"): BOLD,  # lower is better
        (1, "clean_ece"): LINE,
    }  # nothing where all are equal


def test_rows_are_ranked_within_a_corruption_and_not_across():
    frame = pl.DataFrame(
        {
            "method": ["scn", "rul"] * 2,
            "corruption": ["snow", "snow", "contrast", "contrast"],
            "accuracy": [0.9, 0.8, 0.1, 0.2],
        }
    )
    found = marked(frame, frame.columns)
    assert {i: mark for (i, _), mark in found.items()} == {0: BOLD, 1: LINE, 2: LINE, 3: BOLD}


def test_the_caption_says_images_seeds_and_columns():
    text = caption(FRAME, columns_of(FRAME), ["n", "seeds"], True)
    assert text.startswith("N = 400 images in a cell, mean ± standard deviation over 3 seeds.")
    assert "Accuracy in percent, higher is better." in text
    assert "ECE in percent, lower is better." in text
    assert "Soft NLL in nats, lower is better." in text
    assert text.endswith("Bold is best, underlined is second.")


def test_what_has_one_value_stands_in_the_caption_alone():
    assert "seeds" in latex(FRAME).partition(r"\begin{tabular}")[0]
    assert "400" not in latex(FRAME).partition(r"\begin{tabular}")[2]
    several = FRAME.with_columns(n=pl.Series([400, 300, 400, 400]))
    assert "300" in latex(several).partition(r"\begin{tabular}")[2]


def test_names_are_escaped():
    text = latex(FRAME)
    odd = r"a\_b\%c\&d\#e\$f\textasciitilde{}g\textasciicircum{}h\textbackslash{}i\textless{}j"
    assert odd in text
    assert text.startswith("% \\usepackage{booktabs}\n\\begin{table}")
    assert r"\textbf{51.2 $\pm$ 1.0}" in text


@pytest.mark.skipif(not LATEX, reason="there is no pdflatex")
def test_a_real_latex_takes_every_table(tmp_path):
    run = store(tmp_path / "run", rows(methods=["baseline", "a_b%c"]), rows("my_set"))
    views = ((), ("--by", "corruption"), *(("--paper", name) for name in TABLES))
    tables = [show(run, *view, "--format", "latex") for view in views]
    tables += [latex(FRAME), with_notes(latex(FRAME), "", ["100 % of a_b & more"])]
    (tmp_path / "t.tex").write_text(DOCUMENT % "\n".join(tables), encoding="utf-8")
    done = subprocess.run(
        [LATEX, "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")
