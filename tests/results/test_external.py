"""Predictions made elsewhere, scored against a build or a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from test_build import BUILD
from test_run import SMALL, TWO

from ferc_core import FercError
from ferc_core.results.external import read_predictions, score_predictions


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


def log(column: str = "probs") -> pl.Expr:
    """Return logits of probabilities."""
    return pl.col(column).list.eval(pl.element().clip(1e-9, 1).log())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop("severity"), "has no column 'severity'"),
        (lambda f: f.rename({"sample": "samples"}), "'sample'; did you mean 'samples'"),
        (lambda f: f.head(0), "has no rows"),
        (lambda f: f.drop("probs"), "must have one of"),
        (lambda f: f.with_columns(logits="probs"), "must have one of.*it has 2"),
        (lambda f: f.with_columns(prob_0=0.5, prob_1=0.5), "must have one of.*it has 2"),
        (lambda f: f.with_columns(probs=1.0), "must hold lists of numbers, not Float64"),
        (lambda f: f.with_columns(probs=pl.col("probs").cast(pl.List(pl.String))), "lists of num"),
        (lambda f: f.with_columns(probs=pl.lit("[0.5, 0.5]")), "a column for each class: prob_0"),
        (lambda f: f.with_columns(severity=pl.col("severity") + 0.5), "whole numbers, not Float64"),
        (lambda f: f.with_columns(severity=pl.lit("1")), "whole numbers, not String"),
        (lambda f: f.with_columns(corruption=pl.lit(3)), "'corruption' must hold text"),
        (lambda f: f.with_columns(sample=pl.lit(0.5)), "'sample' must hold text"),
        (lambda f: f.with_columns(corruption=pl.lit(None, pl.String)), "empty fields"),
        (lambda f: f.with_columns(probs=log()), "a negative probability"),
        (lambda f: f.with_columns(probs=pl.col("probs") * 1.002), "sum to 1.002, not 1"),
        (lambda f: f.with_columns(probs=log() * float("inf")), "no finite numbers"),
        (lambda f: f.with_columns(probs=pl.lit([0.5, None])), "no finite numbers"),
        (lambda f: f.with_columns(probs=pl.lit([1.0])), "one for each class"),
        (lambda f: f.with_columns(probs=pl.lit([0.25, 0.75])), "2 classes, the labels 8"),
        (lambda f: f.drop("probs").with_columns(logit_0=0.0, logit_2=1.0), "no 'logit_1'"),
        (lambda f: f.drop("probs").with_columns(prob_1=0.5, prob_2=0.5), "no 'prob_0'"),
        (lambda f: f.drop("probs").with_columns(prob_0=pl.lit("a"), prob_1=0.5), "hold numbers"),
        (lambda f: f[1:], "1 predictions are missing, such as sample 'test-00000' in clean/0"),
        (lambda f: pl.concat([f, f[:1]]), "'test-00000' in clean/0 twice"),
        (lambda f: f.with_columns(sample="x" + pl.col("sample")), "350 predictions have no label"),
        (lambda f: f.with_columns(severity=pl.col("severity") + 1), "350 predictions have no lab"),
        (lambda f: f.with_columns(corruption=pl.lit("fog")), "twice"),
    ],
)
def test_bad_tables_get_one_sentence(home, perfect, tmp_path, change, message):
    change(perfect).write_parquet(tmp_path / "bad.parquet")
    labels = pl.read_parquet(home / "b" / "labels.parquet")
    with pytest.raises(FercError, match=message) as refusal:
        score_predictions(read_predictions(tmp_path / "bad.parquet"), labels, "b", "bad")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "prob_0,prob_1\na,clean,zero,0.5,0.5",
            "'severity' holds 'zero', which is no whole",
        ),
        ("prob_0,prob_1\na,clean,0.5,0.5,0.5", "'severity' holds '0.5', which is no whole"),
        ("prob_0,prob_1\na,clean,0,half,0.5", "'prob_0' holds 'half', which is no number"),
        ("prob_0,prob_1\na,clean,0,,1", "sample 'a' in clean/0 has values that are no finite"),
        ("prob_0,prob_1\na,clean", "empty fields"),
        ("probs\na,clean,0,[0.5 0.5]", "a column for each class: prob_0"),
        ("label\na,clean,0,1", "must have one of"),
    ],
)
def test_bad_text_tables_get_one_sentence(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(f"sample,corruption,severity,{text}\n")
    with pytest.raises(FercError, match=message) as refusal:
        read_predictions(tmp_path / "bad.csv")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"sample;corruption;severity\na;b;0\n"])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_no_table_is_refused(tmp_path, content, suffix):
    (tmp_path / f"bad{suffix}").write_bytes(content)
    with pytest.raises(FercError, match=r"cannot be read as|has no column 'sample'"):
        read_predictions(tmp_path / f"bad{suffix}")


def test_the_command_refuses_in_one_sentence(home, perfect):
    perfect.with_columns(probs=pl.col("probs") * 0.5).write_parquet(home / "bad.parquet")
    refused = ferc_in(home)("score", "bad.parquet", "--dataset", "b")
    assert "sum to 0.5, not 1" in one_sentence(refused, 1)


def test_samples_of_a_text_table_keep_their_zeros_and_classes_their_numbers(tmp_path):
    (tmp_path / "m.csv").write_text(
        "prob_1,sample,prob_0,severity,corruption,note\n1,007,0,0,clean,x\n0.25,8,0.75,3,snow,y\n"
    )
    frame = read_predictions(tmp_path / "m.csv")
    assert frame.rows() == [("007", "clean", 0, [0.0, 1.0]), ("8", "snow", 3, [0.75, 0.25])]


def test_two_classes_are_scored_as_they_must_be(tmp_path):
    keys = {"sample": ["a", "b"], "corruption": ["clean"] * 2, "severity": [0, 0]}
    predictions = pl.DataFrame({**keys, "logit_0": [0, 0], "logit_1": [-5, 3]})
    predictions.write_parquet(tmp_path / "m.parquet")
    labels = pl.DataFrame({**keys, "label": [0, 0], "target": [[1.0, 0.0], [0.5, 0.5]]})
    scores = score_predictions(read_predictions(tmp_path / "m.parquet"), labels, "d", "m")
    values = dict(scores.select("metric", "value").iter_rows())
    assert values["accuracy"] == 0.5
    right, wrong = np.log1p(np.exp(-5)), np.log1p(np.exp(3))
    assert values["nll"] == pytest.approx((right + wrong) / 2)
    assert values["soft_nll"] == pytest.approx((right + (wrong + wrong - 3) / 2) / 2)


@pytest.mark.parametrize(("name", "message"), [("no.parquet", "does not exist"), ("b", "exist")])
def test_a_file_that_is_none_is_refused(home, name, message):
    assert message in one_sentence(ferc_in(home)("score", name, "--dataset", "b"), 2)
