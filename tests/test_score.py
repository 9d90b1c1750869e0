"""Predictions made elsewhere, scored against a build or a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import ferc_in, one_sentence
from test_build import BUILD
from test_experiment import SMALL, TWO


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with a small build and a small run."""
    folder = tmp_path_factory.mktemp("home")
    ferc = ferc_in(folder)
    assert ferc(*BUILD, "--out", "b").returncode == 0
    assert ferc("run", *SMALL, *TWO, "--out", "run").returncode == 0
    return folder


@pytest.fixture
def perfect(home) -> pl.DataFrame:
    """Predictions that say exactly the soft label."""
    return pl.read_parquet(home / "b" / "labels.parquet").select(
        "sample", "corruption", "severity", probs="target"
    )


def json_scores(home: Path, *arguments: object) -> list[dict]:
    result = ferc_in(home)("score", *arguments, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_a_model_that_says_the_soft_label_scores_as_it_must(home, perfect):
    perfect.write_parquet(home / "perfect.parquet")
    (row,) = json_scores(home, "perfect.parquet", "--dataset", "b")
    assert row["method"] == "perfect"
    labels = pl.read_parquet(home / "b" / "labels.parquet").filter(pl.col("severity") > 0)
    entropy = -np.sum(
        [(np.log(t) * t).sum() for t in map(np.array, labels["target"]) if (t > 0).all()]
    )
    assert row["ferc_soft_nll"] == pytest.approx(entropy / len(labels))


def test_lists_and_columns_logits_and_probabilities_say_the_same(home, perfect):
    probs = np.clip(np.array(perfect["probs"].to_list()), 1e-9, 1)
    probs /= probs.sum(axis=1, keepdims=True)
    keys = perfect.select("sample", "corruption", "severity")
    keys.with_columns(probs=pl.Series(probs.tolist())).write_parquet(home / "m.parquet")
    one = json_scores(home, "m.parquet", "--dataset", "b")
    keys.with_columns(logits=pl.Series((np.log(probs) + 7).tolist())).write_parquet(
        home / "m.parquet"
    )
    two = json_scores(home, "m.parquet", "--dataset", "b")
    columns = {f"prob_{k}": probs[:, k] for k in range(8)}
    keys.with_columns(**columns).sample(fraction=1, shuffle=True, seed=1).write_csv(home / "m.csv")
    three = json_scores(home, "m.csv", "--dataset", "b")
    for other in (two, three):
        for name, value in one[0].items():
            assert other[0][name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_our_own_predictions_score_the_same_from_outside(home):
    folder = home / "run" / "predictions" / "softmax_regression-ce-noise0-seed0"
    cells = [p for p in folder.glob("*.parquet") if p.name != "validation.parquet"]
    pl.concat(pl.read_parquet(p) for p in cells).write_parquet(home / "ours.parquet")
    (row,) = json_scores(
        home, "ours.parquet", "--dataset", "toyfaces(train=160,valid=80,test=40)",
        "--image-size", 32,
    )  # fmt: skip
    results = ferc_in(home)("results", "run", "--format", "json")
    inside = next(r for r in json.loads(results.stdout) if r["calibrator"] == "none")
    for name, value in inside.items():
        if isinstance(value, float):
            assert row[name] == pytest.approx(value, rel=1e-6)


def test_views_and_stored_scores(home, perfect):
    perfect.write_parquet(home / "perfect.parquet")
    rows = json_scores(
        home, "perfect.parquet", "--dataset", "b", "--by", "severity", "--metric", "accuracy",
        "--out", "scores.parquet",
    )  # fmt: skip
    assert [row["severity"] for row in rows] == [0, 1, 5]
    assert pl.read_parquet(home / "scores.parquet")["metric"].n_unique() > 10


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda f: f.drop("severity"), 2, "lacks: a column 'severity'"),
        (lambda f: f.drop("probs"), 1, "must have one of"),
        (lambda f: f.with_columns(logits="probs"), 1, "must have one of"),
        (lambda f: f.with_columns(probs=pl.lit(1.0)), 1, "must hold lists"),
        (lambda f: f.with_columns(probs=pl.col("probs").list.head(7)), 1, "7 classes"),
        (lambda f: f.with_columns(probs=pl.col("probs") * 0.5), 1, "sum"),
        (lambda f: f[1:], 1, "1 predictions are missing"),
        (lambda f: pl.concat([f, f[:1]]), 1, "twice"),
        (lambda f: f.with_columns(sample="x" + pl.col("sample")), 1, "have no label"),
        (lambda f: f.with_columns(corruption=pl.lit("fog")), 1, "twice"),
    ],
)
def test_bad_tables_get_one_sentence(home, perfect, change, code, message):
    change(perfect).write_parquet(home / "bad.parquet")
    assert message in one_sentence(ferc_in(home)("score", "bad.parquet", "--dataset", "b"), code)


@pytest.mark.parametrize(("name", "message"), [("no.parquet", "does not exist"), ("b", "exist")])
def test_a_file_that_is_none_is_refused(home, name, message):
    assert message in one_sentence(ferc_in(home)("score", name, "--dataset", "b"), 2)
