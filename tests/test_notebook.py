"""The notebook of the examples and the page on the Python API run as they stand."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from helpers.commands import EXAMPLES, REPOSITORY

NOTEBOOK = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")


def carry_out(sources: list[str]) -> tuple[dict[str, Any], list[Any]]:
    """Execute cells one after the other; return their names, and the value at the end of each."""
    names: dict[str, Any] = {"__name__": "notebook"}
    shown = []
    for number, source in enumerate(sources):
        body = ast.parse(source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        where = f"<cell {number}>"
        exec(compile(ast.Module(body, []), where, "exec"), names)
        value = last and eval(compile(ast.Expression(last.value), where, "eval"), names)
        shown.append(value)
    return names, shown


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, shown = carry_out(["".join(cell["source"]) for cell in CODE])
    assert shown[1] == (names["faces"].classes, {"train": 200, "valid": 48, "test": 48})
    assert shown[2]._repr_png_().startswith(b"\x89PNG")
    assert np.ptp(shown[2].pixels.reshape(64, 6, 64, 3), axis=1).max() > 100  # they do differ
    assert "nearest-mean" in shown[4]._repr_html_()
    assert shown[4].frame["clean_macro_f1"].min() > 0.2  # of eight classes
    assert {"accuracy", "ece", "soft_ece"} <= set(shown[5]["metric"])
    assert repr(shown[6]) == "Run('tiny-run'): 2 trials in 5 cells"
    assert shown[7].frame["loss"].unique().sort().to_list() == ["ce", "maxent+mbls"]
    assert shown[8].frame["severity"].unique().sort().to_list() == [0, 1, 5]
    scores = shown[9].filter(pl.col("against").is_null())
    assert (scores["low"] < scores["high"]).all()
    assert {path.name for path in tmp_path.iterdir()} == {"nearest-mean", "tiny-run"}


def test_the_notebook_is_stored_without_outputs():
    assert len(CODE) > 5
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)


def test_the_examples_of_the_python_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, _ = carry_out(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    assert names["snowy"].shape == names["face"].image.shape
    assert (names["snowy"] != names["other"]).any()
    assert {"ece", "soft_ece"} <= set(names["table"]["metric"])
    assert {path.name for path in Path(tmp_path).iterdir()} == {"mine-on-toyfaces", "small-run"}
    assert names["softer"].sum() == 1
