"""Your own models in the benchmark: one model in every form, and the examples."""

from __future__ import annotations

import functools
import json
import runpy
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import polars as pl
import pytest
import torch
from helpers.commands import EXAMPLES, ferc_in
from helpers.networks import linear_onnx

from ferc_core.datasets.toyfaces import loader

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

SIDE = 32
KINDS = 8  # classes of the toy faces
DATA = ("--dataset", "toyfaces(train=8,valid=16,test=24)", "--image-size", SIDE)
CELLS = ("--corruption", "snow", "--corruption", "contrast", "--severity", 3)
LINEAR = f"""
import torch
from torch import nn
from ferc_core import hookimpl
from ferc_models.ready import ready_made

@hookimpl
def register_methods(register):
    def build(k):
        return nn.Sequential(nn.Flatten(), nn.Linear({3 * SIDE**2}, k))
    register(ready_made("linear", build, "linear.pth", normalise="unit"))
"""


ONNX = (
    "onnx(file=a.onnx,normalise=unit)",
    "onnx(file=b.onnx,layout=nhwc,normalise=unit,output=probs)",
)


def examples(*commands: tuple[str, ...]) -> None:
    """Run examples as scripts, in the working directory; each toy face is drawn once for all."""
    with mock.patch.object(loader, "draw_toy_face", functools.cache(loader.draw_toy_face)):
        for name, *arguments in commands:
            with mock.patch.object(sys, "argv", [name, *arguments]):
                runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with one linear model in all forms, the examples' models, a build and a run."""
    folder = tmp_path_factory.mktemp("home")
    ferc = ferc_in(folder)
    built = ferc("build", *DATA, *CELLS, "--out", "b")
    assert built.returncode == 0, built.stderr
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.05, (3 * SIDE**2, KINDS)).astype(np.float32)
    bias = rng.normal(0, 1, KINDS).astype(np.float32)
    keys = pl.read_parquet(folder / "b" / "labels.parquet").select(
        "sample", "corruption", "severity"
    )
    files = [folder / f"b/images/{cell}/{severity}/{s}.png" for s, cell, severity in keys.rows()]
    images = np.stack([cv2.imread(str(file))[..., ::-1] for file in files])
    logits = images.transpose(0, 3, 1, 2).reshape(len(images), -1) / 255 @ weights + bias
    keys.with_columns(logits=pl.Series(logits.tolist())).write_parquet(folder / "linear.parquet")
    with chdir(folder):
        torch.save(
            {"1.weight": torch.tensor(weights.T), "1.bias": torch.tensor(bias)}, "linear.pth"
        )
        Path("linear.py").write_text(LINEAR)
        linear_onnx(Path("a.onnx"), weights, bias)
        linear_onnx(Path("b.onnx"), weights, bias, layout="nhwc", answers=("probs",), batch=1)
        examples(("my_torch_model.py",), ("my_onnx_model.py",), ("my_predictions.py", "b"))
    methods = ("linear", *ONNX, "my-net", "onnx(file=my_model.onnx,normalise=unit)")
    files = ("--plugin", "linear.py", "--plugin", EXAMPLES / "my_torch_model.py")
    chosen = (part for method in methods for part in ("--method", method))
    run = ferc("run", *files, *chosen, *DATA, *CELLS, "--seed", 0, "--seed", 1, "--out", "run")
    assert run.returncode == 0, run.stderr
    return folder


def scores(home: Path, *command: object) -> list[dict[str, Any]]:
    """Return the scores that a command shows, by metric and cell."""
    shown = ferc_in(home)(*command, "--format", "json", "--by", "corruption")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)


def test_one_model_has_the_same_scores_in_every_form(home):
    inside = scores(home, "results", "run")
    (outside, *rest) = scores(home, "score", "linear.parquet", "--dataset", "b")
    assert len(rest) == 2  # clean, contrast, snow
    for expected in (outside, *rest):
        numbers = {k: v for k, v in expected.items() if isinstance(v, float)}
        assert len(numbers) >= 5
        for method in ("linear", *ONNX):
            (row,) = [
                row
                for row in inside
                if row["method"] == method
                and row["calibrator"] == "none"
                and row["corruption"] == expected["corruption"]
            ]
            for name, value in numbers.items():
                assert row[name] == pytest.approx(value, rel=1e-4, abs=1e-6), (method, name)


def test_a_ready_made_model_is_one_trial_and_is_calibrated(home):
    rows = pl.read_parquet(home / "run" / "results.parquet")
    models = rows.select("method", "loss", "seed", "calibrator").unique()
    assert len(models) == 5 * 2
    assert models["loss"].unique().to_list() == ["-"]
    assert models["calibrator"].unique().sort().to_list() == ["none", "temperature"]


def test_the_examples_are_better_than_chance(home):
    rows = pl.read_parquet(home / "run" / "results.parquet").filter(
        metric="accuracy", corruption="clean", calibrator="none"
    )
    accuracy = dict(rows.select("method", "value").iter_rows())
    assert accuracy["my-net"] > 2 / KINDS
    assert accuracy["onnx(file=my_model.onnx,normalise=unit)"] > 2 / KINDS
    (clean,) = [
        row
        for row in scores(home, "score", "predictions.parquet", "--dataset", "b")
        if row["corruption"] == "clean"
    ]
    assert clean["accuracy"] > 1.5 / KINDS
