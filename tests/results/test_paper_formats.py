"""A run compared with the paper as text, data and figures, and what is refused."""

from __future__ import annotations

import csv
import io
import json
import re

import cv2
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.paper import CELLS, rows, show, store

from ferc_core.errors import RequestError
from ferc_core.results.paper.compare import compare
from ferc_core.results.paper.figures import chart
from ferc_core.results.paper.values import ABLATION, FIGURES, METHODS, TABLES

LOSSES = [stage.loss for stage in ABLATION.values()]

# Formats


def test_json_is_tidy_with_nulls(tmp_path):
    run = store(tmp_path / "run", rows(methods=["baseline"], seeds=[0]))
    first, *others = json.loads(show(run, "--paper", "table1", "--format", "json"))
    assert first == {
        "table": 1,
        "dataset": "rafdb",
        "method": "baseline",
        "noise": 0,
        "metric": "f1",
        "stage": "pre",
        "run_mean": 50.0,
        "run_std": None,
        "seeds": 1,
        "n": 30,
        "paper": 72.6,
    }
    absent = others[-1]
    assert (absent["run_mean"], absent["seeds"], absent["n"]) == (None, 0, None)


@pytest.mark.parametrize("name", TABLES)
def test_markdown_has_the_same_columns_in_every_row(tmp_path, name):
    run = store(tmp_path / "run", rows())
    lines = show(run, "--paper", name, "--format", "markdown").splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert table[0].endswith("| seeds | N |")
    assert set(lines[len(table) :]) > {""}  # notes, after an empty line
    assert lines[len(table)] == ""


@pytest.mark.parametrize("name", TABLES)
def test_latex_is_escaped_and_complete(tmp_path, name):
    odd = r"a_b%c&d#e$f~g^h\i"
    run = store(tmp_path / "run", rows(methods=["baseline", odd]), rows("my_set"))
    text = show(run, "--paper", name, "--format", "latex")
    table, below = text.split(r"\end{tabular}")
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", table)[1]
    body = [line for line in table.splitlines() if line.endswith(r"\\")]
    assert body
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    code = text.replace(r"% \usepackage{booktabs}", "").replace(r"$\pm$", "")
    assert not re.search(r"(?<!\\)[%$#_]|±", code)
    assert not re.search(r"(?<!\\)&", below)
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert (r"a\_b\%c\&d\#e\$f\textasciitilde{}g\textasciicircum{}h\textbackslash{}i" in table) == (
        name in ("table1", "table3", "table4", "table5")
    )
    assert r"my\_set" in text


def test_programs_get_data_alone_on_standard_output(tmp_path, ferc):
    run = store(tmp_path / "run", rows(methods=["rul"]))
    done = ferc("results", run, "--paper", "table1", "--format", "csv")
    assert done.returncode == 0
    assert len(list(csv.DictReader(io.StringIO(done.stdout)))) == 40
    assert "ferc: note: Not in this run: datasets affectnet, affwild" in done.stderr


def test_a_table_is_written_where_out_says(tmp_path):
    run, file = store(tmp_path / "run", rows()), tmp_path / "deep" / "table.md"
    printed_here = show(run, "--paper", "table1", "--format", "markdown")
    assert show(run, "--paper", "table1", "--format", "markdown", "--out", file) == ""
    assert file.read_text(encoding="utf-8") == printed_here
    assert [path.name for path in file.parent.iterdir()] == ["table.md"]


# Wrong requests


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--paper", "tabel1"], "did you mean 'table1'?"),
        (["--paper", "figure7"], "did you mean 'figure"),
        (["--paper", "table1", "--paper-dataset", "raf-db"], "did you mean 'rafdb'?"),
        (["--paper", "table1", "--calibrator", "temprature"], "did you mean 'temperature'?"),
        (["--paper", "table1", "--by", "seed"], "leave out --by"),
        (["--paper", "figure5"], "name its file with --out FILE.svg, .png, .pdf, .html or .json"),
        (["--paper", "figure6", "--out", "a.jpg"], ".json, not a.jpg"),
        (["--paper", "table1", "--out", "a.gif"], "known are .csv, .html, .json, .md, .pdf"),
        (["--paper-dataset", "rafdb"], "--paper-dataset goes with --paper"),
    ],
)
def test_a_wrong_request_is_refused(tmp_path, arguments, message):
    run = store(tmp_path / "run", rows(calibrators=["none", "temperature"], methods=["rul"]))
    with pytest.raises(RequestError) as refused:
        show(run, *arguments)
    assert message in str(refused.value)
    assert refused.value.exit_code == 2


def test_an_unknown_table_ends_with_code_2_and_one_sentence(tmp_path, ferc):
    run = store(tmp_path / "run", rows(methods=["rul"]))
    assert "did you mean 'table1'?" in one_sentence(ferc("results", run, "--paper", "tabel1"), 2)


# Figures and tables as charts


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_drawn_with_every_number_and_the_papers_beside_it(tmp_path, name):
    run = store(tmp_path / "run", rows(losses=LOSSES, noise=[0.0, 0.1]))
    numbers = compare(pl.read_parquet(run / "results.parquet"), name)
    here = [number for number in numbers if number.mean is not None]
    drawn = [row for rows in chart(numbers, name).to_dict()["datasets"].values() for row in rows]
    assert sorted(row["mean"] for row in drawn) == sorted(number.mean for number in here)
    printed = [float(number.paper) for number in here if number.paper]
    assert sorted(row["paper"] for row in drawn if row["paper"] is not None) == sorted(printed)
    assert printed
    file = tmp_path / "table.png"
    assert "table.png is drawn" in show(run, "--paper", name, "--out", file)
    assert min(cv2.imread(str(file)).shape[:2]) > 200


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_in_both_colours(tmp_path, name):
    def value(method, loss, metric, **_):
        return 0.2 + 0.05 * METHODS.index(method) + (0.1 if loss == "ce" else 0)

    run = store(tmp_path / "run", rows(value=value), rows("affectnet", value=value))
    file = tmp_path / "figure.png"
    assert str(file) in show(run, "--paper", name, "--out", file)
    image = cv2.imread(str(file))
    assert image.shape[0] > 600
    assert image.shape[1] > 1000
    for colour in ((126, 24, 194), (177, 163, 15)):  # pre and post, as BGR
        assert (abs(image.astype(int) - colour).sum(axis=2) < 30).sum() > 100


@pytest.mark.parametrize(
    ("name", "suffix", "start"),
    [
        ("figure5", ".png", b"\x89PNG"),
        ("figure6", ".svg", b"<svg"),
        ("table4", ".html", b"<!DOCTYPE html>"),
    ],
)
def test_a_figure_has_the_same_bytes_each_time(tmp_path, name, suffix, start):
    run = store(tmp_path / "run", rows(methods=["baseline", "mine"], seeds=[0], cells=CELLS[:1]))
    files = [tmp_path / f"{i}{suffix}" for i in (1, 2)]
    for file in files:
        show(run, "--paper", name, "--out", file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes().startswith(start)


def test_a_figure_of_a_partial_run_is_drawn_and_an_empty_one_refused(tmp_path):
    clean = store(tmp_path / "clean", rows(cells=CELLS[:1], losses=["ce"], methods=["rul"]))
    assert "Not in this run" in show(clean, "--paper", "figure5", "--out", tmp_path / "a.png")
    nothing = store(tmp_path / "nothing", rows(losses=["focal"]))
    with pytest.raises(RequestError, match="there is nothing to draw"):
        show(nothing, "--paper", "figure5", "--out", tmp_path / "b.png")
    assert not (tmp_path / "b.png").exists()
