"""Ensembles over the seeds of a trial: rows of their own, made from stored logits alone."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.stored import LABELS, K, make_run
from scipy.stats import spearmanr

from ferc_core import open_run, registry
from ferc_core.base.files import read_table, write_parquet
from ferc_core.base.tables import column
from ferc_core.experiment.calibration import softmax
from ferc_core.suite.cells import CLEAN, Cell

SEEDS = (0, 1, 2)
VOTES = np.random.default_rng(3).multinomial(10, 0.6 * np.eye(K)[LABELS] + 0.4 / K) / 10


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run of two losses with three seeds, whose dataset has votes."""
    return make_run(
        tmp_path_factory.mktemp("run"), seeds=SEEDS, calibrators=("temperature",),
        beside=lambda _: {"distribution": column(VOTES)},
    )  # fmt: skip


def mean_probs(run, loss: str, cell: Cell = CLEAN) -> np.ndarray:
    trials = [trial for trial in run.trials if trial.loss == loss]
    return np.mean([softmax(run.logits(trial, cell)) for trial in trials], axis=0)


def test_an_ensemble_is_the_mean_of_probabilities(path):
    run = open_run(path)
    table = run.means("corruption", ["accuracy", "nll", "ece"], ensemble=True).frame
    for loss in ("ce", "focal"):
        (row,) = table.filter(
            method="ensemble(baseline)", loss=loss, calibrator="none", corruption="clean"
        ).to_dicts()
        for name in ("accuracy", "nll", "ece"):
            expected = registry().metrics[name](mean_probs(run, loss), LABELS)
            assert row[name] == pytest.approx(expected, abs=1e-12), name


def test_it_stands_beside_the_rows_of_its_members(path):
    run = open_run(path)
    alone, both = run.summary().frame, run.summary(ensemble=True).frame
    members = both.filter(pl.col("method") == "baseline")
    assert members.drop("seeds").equals(alone.drop("seeds"))
    added = both.filter(pl.col("method") == "ensemble(baseline)")
    assert added.select("loss", "calibrator").rows() == alone.select("loss", "calibrator").rows()
    assert (added["clean_nll"] <= members["clean_nll"]).all()  # for it is convex


def test_members_are_those_that_are_asked_for(path, ferc):
    shown = ferc(
        "results", path, "--ensemble", "--where", "seed<2", "--by", "corruption", "--metric", "nll",
        "--format", "json",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    run = open_run(path)
    trials = [t for t in run.trials if t.loss == "ce" and t.seed < 2]
    probs = np.mean([softmax(run.logits(trial)) for trial in trials], axis=0)
    (row,) = (
        r for r in json.loads(shown.stdout)
        if (r["method"], r["loss"], r["calibrator"], r["corruption"])
        == ("ensemble(baseline)", "ce", "none", "clean")
    )  # fmt: skip
    assert row["nll"] == pytest.approx(registry().metrics["nll"](probs, LABELS), abs=1e-12)


def test_disagreement_and_its_correlation_with_votes(path):
    run = open_run(path)
    names = ["disagreement", "disagreement_correlation"]
    table = run.means("corruption", names, ensemble=True).frame
    (row,) = table.filter(
        method="ensemble(baseline)", loss="ce", calibrator="none", corruption="clean"
    ).to_dicts()
    each = np.array([softmax(run.logits(trial)) for trial in run.trials if trial.loss == "ce"])

    def entropy(p):
        return -(p * np.log(np.maximum(p, 1e-300))).sum(axis=-1)

    information = entropy(each.mean(axis=0)) - entropy(each).mean(axis=0)
    assert row["disagreement"] == pytest.approx(information.mean())
    expected = spearmanr(information, entropy(VOTES)).statistic
    assert row["disagreement_correlation"] == pytest.approx(expected)
    assert table.filter(method="baseline")["disagreement"].null_count() == len(table) / 2


def test_by_class_and_group_there_are_ensembles_too(path):
    table = open_run(path).means("class", ["accuracy", "nll"], ensemble=True).frame
    assert set(table["method"]) == {"baseline", "ensemble(baseline)"}


def test_corruption_errors_of_ensembles(path, ferc):
    shown = ferc("results", path, "--ensemble", "--mce", "baseline ce", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    found = {(row["method"], row["loss"]): row["mce"] for row in json.loads(shown.stdout)}
    assert found["baseline", "ce"] == 1
    assert ("ensemble(baseline)", "focal") in found


def test_intervals_compare_an_ensemble_with_its_members(path, ferc):
    frame = open_run(path).intervals(
        metrics=["nll", "accuracy"], resamples=50, ensemble=True
    )  # fmt: skip
    of = {"loss": "focal", "calibrator": "none", "corruption": "clean", "metric": "nll"}
    ensemble, members = (
        frame.filter(pl.col("against").is_null(), method=method, **of)["value"][0]
        for method in ("ensemble(baseline)", "baseline")
    )
    (row,) = frame.filter(against="members", method="ensemble(baseline)", **of).to_dicts()
    assert row["value"] == pytest.approx(ensemble - members, abs=1e-12)
    assert row["low"] <= row["value"] <= row["high"] < 0  # the mean is better, by convexity
    assert row["p"] < 0.01
    shown = ferc(
        "intervals", path, "--ensemble", "--baseline", "ensemble(baseline) ce", "--resamples", 20,
        "--metric", "nll", "--format", "json",
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    against = {row["against"] for row in json.loads(shown.stdout)}
    assert against == {None, "ensemble(baseline) ce", "calibrator none", "members"}


@pytest.mark.parametrize("command", ["results", "intervals"])
def test_one_seed_makes_no_ensemble(tmp_path, ferc, command):
    make_run(tmp_path / "run")
    shown = ferc(command, tmp_path / "run", "--ensemble")
    assert "an ensemble takes several seeds" in one_sentence(shown, 2)
    assert not (tmp_path / "run" / "intervals.parquet").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--ensemble", "--by", "seed"), "an ensemble has no seed of its own"),
        (("--ensemble", "--fitted"), "--ensemble goes with tables of scores"),
        (("--ensemble", "--paper", "table1"), "--ensemble goes with tables of scores"),
        (("--by", "corruption", "--metric", "disagreement"), "add --ensemble"),
    ],
)
def test_what_an_ensemble_cannot_be_asked_for(path, ferc, options, message):
    shown = ferc("results", path, *options)
    assert message in one_sentence(shown, 2)


def test_a_calibrator_that_one_member_lacks_is_left_out(tmp_path):
    folder = make_run(tmp_path, seeds=(0, 1), losses=("ce",), calibrators=("temperature",))
    results, record = read_table(folder / "results.parquet")
    lost = (pl.col("seed") == 1) & (pl.col("calibrator") == "temperature")
    write_parquet(folder / "results.parquet", results.filter(~lost), record)
    table = open_run(folder).summary(ensemble=True).frame
    added = table.filter(method="ensemble(baseline)")
    assert added["calibrator"].to_list() == ["none"]
