"""Predictions made elsewhere, scored against a build, a dataset or a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import OWN, TRIAL, folder_of_faces
from helpers.stored import K, make_run

from ferc_core import FercError, open_dataset, registry
from ferc_core.base.failures import Failures
from ferc_core.base.progress import Silent, watching
from ferc_core.base.tables import column, matrix
from ferc_core.results.external import Truth, score_predictions
from ferc_core.results.predictions import KEYS, read_predictions

METRICS = [registry().metrics.choose(n) for n, m in registry().metrics.items() if m.in_every_run]
DATA = ("--dataset", "folder", "--data-root", "faces", "--image-size", 32)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with faces, a run and a build of them, and the soft labels as predictions."""
    folder = tmp_path_factory.mktemp("home")
    folder_of_faces(folder / "faces")
    for name, *options in (("run", *OWN), ("build", *DATA, *OWN[-4:])):
        done = ferc_in(folder)(name, *options, "--out", name)
        assert done.returncode == 0, done.stderr
    labels = pl.read_parquet(folder / "build" / "labels.parquet")
    labels.select(*KEYS, probs="target").write_parquet(folder / "perfect.parquet")
    return folder


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> pl.DataFrame:
    """The labels of 60 images of 3 classes in 5 cells."""
    return pl.read_parquet(make_run(tmp_path_factory.mktemp("run")) / "labels.parquet")


@pytest.fixture
def perfect(labels) -> pl.DataFrame:
    """Predictions that are the soft labels."""
    return labels.select(*KEYS, probs="target")


def scored(path: Path, labels: pl.DataFrame) -> pl.DataFrame:
    """The scores of the predictions in a file."""
    failures = Failures()
    predictions = read_predictions(path)
    names = tuple("abcdefgh"[: len(labels["target"][0])])
    truth = Truth(labels, names)
    scores, _ = score_predictions(predictions, truth, METRICS, "d", path.stem, failures)
    failures.raise_any()
    return scores


def json_scores(home: Path, *arguments: object) -> list[dict]:
    result = ferc_in(home)("score", *arguments, "--format", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


# What is scored


def test_soft_labels_as_predictions_score_their_own_entropy(home):
    (row,) = json_scores(home, "perfect.parquet", "--dataset", "build")
    assert row["method"] == "perfect"
    labels = pl.read_parquet(home / "build" / "labels.parquet").filter(pl.col("severity") > 0)
    targets = matrix(labels["target"])
    entropy = -np.sum(targets * np.log(np.maximum(targets, 1e-300)))
    assert row["ferc_soft_nll"] == pytest.approx(entropy / len(labels))


def test_lists_and_columns_logits_and_probabilities_score_the_same(labels, tmp_path):
    probs = np.random.default_rng(0).dirichlet(np.ones(K), len(labels))
    keys = labels.select(KEYS)
    keys.with_columns(probs=column(probs)).write_parquet(tmp_path / "m.parquet")
    expected = scored(tmp_path / "m.parquet", labels)
    keys.with_columns(logits=column(np.log(probs) + 7)).write_parquet(tmp_path / "m.parquet")
    logits = scored(tmp_path / "m.parquet", labels)
    columns = {f"prob_{k}": probs[:, k] for k in range(K)}
    shuffled = keys.with_columns(**columns).sample(fraction=1, shuffle=True, seed=1)
    shuffled.write_csv(tmp_path / "m.csv")
    for other in (logits, scored(tmp_path / "m.csv", labels)):
        both = expected.join(other, on=["corruption", "severity", "metric"], suffix="_other")
        assert len(both) == len(expected) == len(other)
        np.testing.assert_allclose(both["value"], both["value_other"])


def test_the_predictions_of_a_run_score_the_same_from_outside(home):
    cells = (home / "run" / "predictions" / TRIAL).glob("*-[0-9].parquet")
    pl.concat(pl.read_parquet(p) for p in cells).write_parquet(home / "ours.parquet")
    json_scores(home, "ours.parquet", *DATA, "--out", "scores.parquet")
    outside = pl.read_parquet(home / "scores.parquet")
    inside = pl.read_parquet(home / "run" / "results.parquet").filter(calibrator="none")
    both = inside.join(outside, on=["corruption", "severity", "metric"], suffix="_outside")
    assert len(both) == len(inside) == len(outside)
    np.testing.assert_allclose(both["value"], both["value_outside"], rtol=1e-6)
    assert set(outside["loss"]) == {"-"}


def columns_of(labels: pl.DataFrame, names: Sequence[str], stem: str = "prob") -> pl.DataFrame:
    """Predictions of classes in an order of their own, and of one that the data lack."""
    probs = np.random.default_rng(0).dirichlet(np.ones(len(names)), len(labels))
    values = np.log(probs) if stem == "logit" else probs
    return labels.select(KEYS).with_columns(
        **{f"{stem}_{name}": values[:, k] for k, name in enumerate(names)}
    )


@pytest.mark.parametrize("stem", ["prob", "logit"])
def test_columns_by_name_are_matched_and_others_left_out(labels, tmp_path, stem):
    names = ["c", "boredom", "A", "b"]
    table = columns_of(labels, names, stem)
    table.write_csv(tmp_path / "m.csv")
    truth = Truth(labels, ("a", "b", "c"))
    failures = Failures()
    given = read_predictions(tmp_path / "m.csv")
    found, wrong = score_predictions(given, truth, METRICS, "d", "m", failures)
    probs = np.random.default_rng(0).dirichlet(np.ones(4), len(labels))
    kept = probs[:, [2, 3, 0]] / probs[:, [2, 3, 0]].sum(axis=1, keepdims=True)
    labels.select(KEYS).with_columns(probs=column(kept)).write_parquet(tmp_path / "m.parquet")
    both = scored(tmp_path / "m.parquet", labels)["value"]
    np.testing.assert_allclose(found["value"], both)
    lost = 100 * probs[:60, 1].mean()
    assert wrong[0] == (
        f"m: boredom left out, which the dataset lacks: {lost:.1f} % of the probability on clean "
        "faces"
    )


def test_classes_in_another_order_are_noticed(home):
    labels = pl.read_parquet(home / "build" / "labels.parquet")
    names = json.loads((home / "build" / "manifest.json").read_text())["classes"]
    targets = 0.9 * np.eye(len(names))[labels["label"]] + 0.1 / len(names)
    order = [1, 0, *range(2, len(names))]
    table = labels.select(KEYS).with_columns(
        **{f"prob_{names[place]}": targets[:, k] for k, place in enumerate(order)}
    )
    table.write_parquet(home / "swapped.parquet")
    done = ferc_in(home)("score", "swapped.parquet", "--dataset", "build", "--out", "s.parquet")
    assert done.returncode == 0, done.stderr
    assert "swapped: with its outputs in another order it would be right on 100.0 %" in done.stderr
    assert f"{names[0]} and {names[1]} seem to be swapped" in done.stderr


def test_some_classes_are_scored_as_by_hand(tmp_path):
    dataset = "toyfaces(train=8,valid=8,test=24,size=40)"
    faces = open_dataset(dataset)
    test, names = faces.splits["test"], faces.classes
    probs = np.random.default_rng(0).dirichlet(np.ones(8), 24)
    keys = {"sample": test.ids, "corruption": ["clean"] * 24, "severity": [0] * 24}
    columns = {f"prob_{name}": probs[:, k] for k, name in enumerate(names)}
    pl.DataFrame({**keys, **columns}).write_parquet(tmp_path / "all.parquet")
    asked = ("--classes", "happiness", "--classes", "upset=anger+sadness")
    words = ("--dataset", dataset, "--image-size", 32, "--label-scheme", "one-hot", *asked)
    done = ferc_in(tmp_path)("score", "all.parquet", *words, "--out", "two.parquet")
    assert done.returncode == 0, done.stderr
    happy, sad, anger = (names.index(name) for name in ("happy", "sad", "anger"))
    kept = np.isin(test.labels, [happy, sad, anger])
    assert f"{(~kept).sum()} predictions of faces of other classes left out" in done.stderr
    two = np.column_stack([probs[:, happy], probs[:, sad] + probs[:, anger]])[kept]
    two /= two.sum(axis=1, keepdims=True)
    truth = (test.labels[kept] != happy).astype(int)
    values = dict(pl.read_parquet(tmp_path / "two.parquet").select("metric", "value").iter_rows())
    assert values["accuracy"] == np.mean(two.argmax(axis=1) == truth)
    assert values["nll"] == pytest.approx(-np.log(two[np.arange(len(two)), truth]).mean())


def test_scores_are_viewed_by_column_and_stored_in_full(home):
    rows = json_scores(
        home, "perfect.parquet", "--dataset", "build", "--by", "severity", "--metric", "accuracy",
        "--out", "scores.parquet",
    )  # fmt: skip
    assert [row["severity"] for row in rows] == [0, 3]
    assert pl.read_parquet(home / "scores.parquet")["metric"].n_unique() == len(METRICS)


def test_two_classes_by_hand(tmp_path):
    keys = {"sample": ["a", "b"], "corruption": ["clean"] * 2, "severity": [0, 0]}
    predictions = pl.DataFrame({**keys, "logit_0": [0, 0], "logit_1": [-5, 3]})
    predictions.write_parquet(tmp_path / "m.parquet")
    labels = pl.DataFrame({**keys, "label": [0, 0], "target": [[1.0, 0.0], [0.5, 0.5]]})
    values = dict(scored(tmp_path / "m.parquet", labels).select("metric", "value").iter_rows())
    assert values["accuracy"] == 0.5
    right, wrong = np.log1p(np.exp(-5)), np.log1p(np.exp(3))
    assert values["nll"] == pytest.approx((right + wrong) / 2)
    assert values["soft_nll"] == pytest.approx((right + (wrong + wrong - 3) / 2) / 2)


def test_samples_of_a_text_table_keep_their_zeros_and_classes_their_numbers(tmp_path):
    (tmp_path / "m.csv").write_text(
        "prob_1,sample,prob_0,severity,corruption,note\n1,007,0,0,clean,x\n0.25,8,0.75,3,snow,y\n"
    )
    found = read_predictions(tmp_path / "m.csv")
    assert found.keys.rows() == [("007", "clean", 0), ("8", "snow", 3)]
    assert found.values.tolist() == [[0.0, 1.0], [0.75, 0.25]]


def test_probabilities_of_three_digits_are_renormalised_and_counted(labels, tmp_path):
    printed = np.random.default_rng(0).dirichlet(np.ones(8), len(labels)).round(3)
    off = np.abs(printed.sum(axis=1) - 1) > 1e-6
    assert printed.sum(axis=1).max() > 1.0015
    file = tmp_path / "printed.parquet"
    labels.select(KEYS).with_columns(probs=column(printed)).write_parquet(file)
    watcher = Lines()
    with watching(watcher):
        found = read_predictions(file).probs
    note = f"{file}: probabilities of {off.sum()} rows renormalised to sum to 1"
    assert watcher.lines == [note]
    np.testing.assert_allclose(found, printed / printed.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(found[~off], printed[~off])


class Lines(Silent):
    """Collects what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_metric_that_fails_costs_its_own_scores_only(home, failing_metric):
    score = ("score", "perfect.parquet", "--dataset", "build", "--plugin", failing_metric)
    result = ferc_in(home)(*score, "--by", "severity", "--metric", "accuracy")
    assert "metric failing: ValueError: always" in one_sentence(result, 1)
    assert "accuracy" in result.stdout


@pytest.fixture
def failing_metric(tmp_path) -> Path:
    """A plugin file with a metric that fails."""
    file = tmp_path / "failing.py"
    file.write_text(
        "from ferc_core import Metric, hookimpl\n\n\n"
        "def failing(probs, targets):\n    raise ValueError('always')\n\n\n"
        "@hookimpl\ndef register_metrics(register):\n    register(Metric('failing', failing))\n"
    )
    return file


# What is refused


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
        (lambda f: f.with_columns(probs=1.0), "must hold lists of numbers, not Float64"),
        (lambda f: f.with_columns(probs=pl.col("probs").cast(pl.List(pl.String))), "lists of num"),
        (lambda f: f.with_columns(severity=pl.col("severity") + 0.5), "whole numbers, not Float64"),
        (lambda f: f.with_columns(severity=pl.lit(2**63, pl.UInt64)), "'severity' holds 92233720"),
        (lambda f: f.with_columns(severity=pl.lit(b"1")), "whole numbers, not Binary"),
        (lambda f: f.with_columns(severity=pl.date(2020, 1, 1)), "whole numbers, not Date"),
        (lambda f: f.with_columns(corruption=pl.lit(3)), "'corruption' must hold text"),
        (lambda f: f.with_columns(sample=pl.lit(0.5)), "'sample' must hold text"),
        (lambda f: f.with_columns(corruption=pl.lit(None, pl.String)), "empty fields"),
        (lambda f: f.with_columns(probs=log()), "a negative probability"),
        (lambda f: f.with_columns(probs=pl.col("probs") * 1.02), "sum to 1.02, not 1"),
        (lambda f: f.with_columns(probs=log() * float("inf")), "values that are not finite"),
        (
            lambda f: f.with_columns(probs=pl.col("probs").list.head(pl.col("severity") + 1)),
            "differ",
        ),
        (lambda f: f.with_columns(probs=pl.lit([1.0])), "one for each class"),
        (lambda f: f.with_columns(probs=pl.lit([0.25, 0.75])), "2 classes, the labels 3"),
        (lambda f: f.drop("probs").with_columns(logit_0=0.0, logit_2=1.0), "no 'logit_1'"),
        (lambda f: columns_of(f, ["a", "b"]), "no output for c; judge it on the others with"),
        (lambda f: columns_of(f, ["a", "b", "d"]), "unknown class of bad 'd'"),
        (lambda f: columns_of(f, ["a", "A", "b"]), "two outputs for one class: 'a' and 'A'"),
        (lambda f: f.drop("probs").with_columns(prob_0=pl.lit("a"), prob_1=0.5), "hold numbers"),
        (lambda f: f[1:], "1 prediction is missing, such as sample 's0' in clean/0"),
        (lambda f: pl.concat([f, f[:1]]), "'s0' in clean/0 twice"),
        (lambda f: f.with_columns(sample="x" + pl.col("sample")), "300 predictions have no label"),
    ],
)
def test_bad_tables_are_refused_in_one_sentence(labels, perfect, tmp_path, change, message):
    change(perfect).write_parquet(tmp_path / "bad.parquet")
    with pytest.raises(FercError, match=message) as refusal:
        scored(tmp_path / "bad.parquet", labels)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prob_0,prob_1\na,clean,zero,0.5,0.5", "'severity' holds 'zero', which is not a whole"),
        ("prob_0,prob_1\na,clean,0.5,0.5,0.5", "'severity' holds '0.5', which is not a whole"),
        ("prob_0,prob_1\na,clean,0,half,0.5", "'prob_0' holds 'half', which is not a number"),
        ("prob_0,prob_1\na,clean,0,,1", "sample 'a' in clean/0 has values that are not finite"),
        ("prob_0,prob_1\na,clean", "empty fields"),
        ("probs\na,clean,0,[0.5 0.5]", "a column for each class: prob_0"),
        ("label\na,clean,0,1", "must have one of"),
        (f"prob_0,prob_1\na,clean,{10**30},1,0", "which is not a whole number"),
        ('prob_0,prob_1\n"a,clean,0,1,0', "cannot be read as a table: could not parse"),
    ],
)
def test_bad_text_tables_are_refused_in_one_sentence(tmp_path, text, message):
    (tmp_path / "bad.csv").write_text(f"sample,corruption,severity,{text}\n")
    with pytest.raises(FercError, match=message) as refusal:
        read_predictions(tmp_path / "bad.csv")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_files_that_are_not_tables_are_refused(tmp_path, suffix):
    for content in (b"", b"\xff\xfe\x00", b"sample;corruption;severity\na;b;0\n"):
        (tmp_path / f"bad{suffix}").write_bytes(content)
        with pytest.raises(FercError, match=r"cannot be read as|has no column 'sample'"):
            read_predictions(tmp_path / f"bad{suffix}")


def test_the_command_refuses_in_one_sentence(home):
    perfect = pl.read_parquet(home / "perfect.parquet")
    perfect.with_columns(probs=pl.col("probs") * 0.5).write_parquet(home / "bad.parquet")
    refused = ferc_in(home)("score", "bad.parquet", "--dataset", "build")
    assert "sum to 0.5, not 1" in one_sentence(refused, 1)
    for name, why in (("no.parquet", "it does not exist"), ("build", "it is a folder")):
        refused = ferc_in(home)("score", name, "--dataset", "build")
        assert f"cannot read {name}: {why}" in one_sentence(refused, 2)
    (home / "m.json").write_text("{}")
    refused = ferc_in(home)("score", "m.json", "--dataset", "build")
    assert "m.json must be a .parquet or a .csv file" in one_sentence(refused, 2)


# With faces to fit calibrators on


@pytest.fixture
def toys(tmp_path):
    """Tables of logits of toy faces that are too sure, and a command that scores them."""
    dataset = "toyfaces(train=24,valid=160,test=160,size=40)"
    faces = open_dataset(dataset)
    for part in ("valid", "test"):
        split, rng = faces.splits[part], np.random.default_rng(len(part))
        logits = 9 * np.eye(8)[np.where(rng.random(160) < 0.6, split.labels, 0)]
        table = pl.DataFrame(
            {
                "sample": split.ids,
                "corruption": ["clean"] * 160,
                "severity": [0] * 160,
                **{f"logit_{name}": logits[:, k] for k, name in enumerate(faces.classes)},
            }
        )
        table.write_csv(tmp_path / f"{part}.csv")

    def score(*options: object):
        words = ("test.csv", "--dataset", dataset, "--image-size", 32, "--label-scheme", "one-hot")
        return ferc_in(tmp_path)("score", *words, *options, "--out", "scores.parquet")

    return tmp_path, score


def test_calibrators_are_fitted_on_a_second_table(toys):
    folder, score = toys
    done = score("--validation", "valid.csv", "--calibrator", "temperature", "--calibrator", "none")
    assert done.returncode == 0, done.stderr
    scores = pl.read_parquet(folder / "scores.parquet").filter(metric="ece")
    ece = dict(scores.select("calibrator", "value").iter_rows())
    assert ece.keys() == {"none", "temperature"}
    assert ece["none"] > 0.25
    assert ece["temperature"] < 0.1


@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (("--calibrator", "temperature"), "add --validation FILE", 2),
        (("--validation", "test.csv"), "which is scored; calibrators are fitted on other faces", 1),
        (("--validation", "none.csv"), "cannot read none.csv: it does not exist", 2),
        (("--validation", "valid.csv", "--calibrator", "temprature"), "did you mean 'temp", 2),
        (("--validation", "strange.csv"), "which the dataset lacks", 1),
    ],
)
def test_what_calibrators_cannot_be_fitted_on_is_refused(toys, options, message, code):
    folder, score = toys
    table = pl.read_csv(folder / "valid.csv")
    table.with_columns(sample="x" + pl.col("sample")).write_csv(folder / "strange.csv")
    assert message in one_sentence(score(*options), code)
