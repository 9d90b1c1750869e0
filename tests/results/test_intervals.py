"""Intervals of the scores of a run directory and of their differences, and the command."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, FERC, one_sentence
from helpers.stored import N, make_run, predicting, random_logits

from ferc_core.base.failures import Failures
from ferc_core.base.files import read_table, write_parquet
from ferc_core.base.parallel import processes, threads
from ferc_core.cli.intervals import PEOPLE, readable
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment.benchmark import Trial
from ferc_core.plugins.host import registry
from ferc_core.results.intervals import FILE, make_intervals
from ferc_core.results.requests import Request
from ferc_core.results.side_by_side import opened
from ferc_core.results.tables import summary

ONE = Trial("baseline", "ce")
# Fails where an image is drawn twice, so in the bootstrap alone.
FRAGILE = """
import numpy as np
from ferc_core import Metric, hookimpl

def fragile(probs, targets):
    if len(np.unique(probs, axis=0)) < len(probs):
        raise ValueError("an image twice")
    return 0.5

@hookimpl
def register_metrics(register):
    register(Metric("fragile", fragile))
"""


def intervals(folder: Path, work: Callable = map, **request: object) -> pl.DataFrame:
    """Return the intervals of a run directory, from 200 draws unless asked otherwise."""
    failures = Failures()
    sources = opened([folder], failures)
    frame = make_intervals(sources, Request(**{"resamples": 200, **request}), work, failures)
    failures.raise_any()
    return frame


def scores(frame: pl.DataFrame, **where: object) -> pl.DataFrame:
    """Return the rows of scores themselves, without differences."""
    return frame.filter(pl.col("against").is_null(), **where)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run directory, of two losses."""
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def run_copy(run, tmp_path):
    """A copy for a test of its own."""
    return Path(shutil.copytree(run, tmp_path / "run", ignore=lambda *_: (".lock", FILE)))


# Pairing


def test_values_are_those_of_the_results(run):
    frame = intervals(run, resamples=20)
    table = summary(pl.read_parquet(run / "results.parquet"))
    for row in scores(frame).iter_rows(named=True):
        prefix = "clean_" if row["corruption"] == "clean" else "ferc_"
        (value,) = table.filter(loss=row["loss"])[prefix + row["metric"]]
        assert row["value"] == pytest.approx(value, abs=1e-12)
        assert row["low"] <= row["high"]
    assert len(scores(frame)) == 2 * 10
    assert frame.select("n", "seeds", "resamples", "level").unique().rows() == [(N, 1, 20, 0.95)]


def test_every_cell_is_judged_on_the_same_images(tmp_path):
    """One severity hits where the other misses: half of any draw is right, if it is the same."""
    right = np.arange(N) % 3 == 0
    folder = make_run(tmp_path, lambda trial, cell: predicting(right == (cell.severity == 5)))
    mean = scores(intervals(folder, metrics=("accuracy",)), corruption="corrupted")
    for row in mean.select("value", "low", "high").rows():
        assert row == pytest.approx((0.5, 0.5, 0.5), abs=1e-12)
    each = scores(intervals(folder, metrics=("accuracy",), by=("severity",)), severity=5)
    assert (each["high"] - each["low"] > 0.1).all()


def test_seeds_are_averaged_on_the_same_images(tmp_path):
    right = np.arange(N) % 3 == 0
    folder = make_run(
        tmp_path, lambda trial, cell: predicting(right == (trial.seed == 0)), seeds=(0, 1)
    )
    frame = scores(intervals(folder, metrics=("accuracy",)))
    assert frame.select("value", "low", "high", "seeds").unique().rows() == [(0.5, 0.5, 0.5, 2)]


def test_identical_trials_do_not_differ_at_all(tmp_path):
    folder = make_run(tmp_path, lambda trial, cell: random_logits(ONE, cell))
    frame = intervals(folder, resamples=50)
    differences = frame.filter(against="loss ce")
    assert len(differences) == 10
    assert differences.select("value", "low", "high").unique().rows() == [(0.0, 0.0, 0.0)]
    assert (scores(frame)["low"] < scores(frame)["high"]).all()


def test_a_difference_in_confidence_alone_leaves_accuracy_alone(tmp_path):
    """Every draw has the same hits, so a difference of accuracy would be one of the draws."""
    scale = {"ce": 1.0, "focal": 3.0}
    folder = make_run(tmp_path, lambda trial, cell: random_logits(ONE, cell) * scale[trial.loss])
    frame = intervals(folder, metrics=("accuracy", "nll"))
    accuracy, nll = (frame.filter(against="loss ce", metric=m) for m in ("accuracy", "nll"))
    assert accuracy.select("value", "low", "high").unique().rows() == [(0.0, 0.0, 0.0)]
    assert (nll["low"] < nll["high"]).all()


def test_every_score_and_difference_lies_in_its_interval(tmp_path):
    frame = intervals(make_run(tmp_path, calibrators=("temperature",)), by=("severity",))
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert (scores(frame)["low"] >= 0).all()


def test_losses_are_compared_with_the_first_and_calibrators_with_none(tmp_path):
    folder = make_run(tmp_path, calibrators=("temperature",), losses=("focal", "ce"))
    frame = intervals(folder, resamples=20)
    found = frame.select("loss", "calibrator", "against").unique(maintain_order=True).rows()
    assert found == [
        ("focal", "none", None),
        ("focal", "temperature", None),
        ("focal", "temperature", "calibrator none"),
        ("ce", "none", None),
        ("ce", "none", "loss focal"),
        ("ce", "temperature", None),
        ("ce", "temperature", "loss focal"),
        ("ce", "temperature", "calibrator none"),
    ]
    one, other = (
        scores(frame, loss="ce", calibrator=name, metric="nll")["value"][0]
        for name in ("temperature", "none")
    )
    (difference,) = frame.filter(
        loss="ce", calibrator="temperature", against="calibrator none", metric="nll"
    )["value"]
    assert difference == pytest.approx(one - other)


def test_differences_are_taken_where_both_have_the_seed(tmp_path):
    folder = make_run(tmp_path, seeds=(0, 1))
    results, record = read_table(folder / "results.parquet")
    failed = (pl.col("loss") == "focal") & (pl.col("seed") == 0)
    write_parquet(folder / "results.parquet", results.filter(~failed), record)
    frame = intervals(folder, metrics=("accuracy",))
    assert scores(frame, corruption="clean")["seeds"].to_list() == [2, 1]
    (row,) = frame.filter(against="loss ce", corruption="clean").iter_rows(named=True)
    known = results.filter(corruption="clean", metric="accuracy", seed=1)
    ce, focal = (known.filter(loss=loss)["value"][0] for loss in ("ce", "focal"))
    assert row["seeds"] == 1
    assert row["value"] == pytest.approx(focal - ce)


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ((), [("clean", 0), ("corrupted", None)]),
        (("corruption",), [("clean", 0), ("snow", None), ("contrast", None)]),
        (("severity",), [("clean", 0), ("corrupted", 1), ("corrupted", 5)]),
        (
            ("severity", "corruption"),
            [("clean", 0), ("snow", 1), ("snow", 5), ("contrast", 1), ("contrast", 5)],
        ),
    ],
)
def test_cells_are_grouped_as_asked(run, by, groups):
    frame = intervals(run, by=by, resamples=2)
    assert frame.select("corruption", "severity").unique(maintain_order=True).rows() == groups


# What must not matter, and what is stored


def test_workers_and_executors_do_not_change_a_byte(run_copy):
    files = []
    for work in (map, partial(threads, workers=3), partial(processes, workers=2)):
        intervals(run_copy, work, resamples=20)
        files.append((run_copy / FILE).read_bytes())
        (run_copy / FILE).unlink()
    assert files[0] == files[1] == files[2]


def test_the_order_of_trials_and_cells_does_not_matter(run, tmp_path):
    one = intervals(run, resamples=20)
    other = intervals(
        make_run(tmp_path, losses=("focal", "ce"), corruptions=("contrast", "snow")),
        resamples=20,
    )
    keys = ["loss", "corruption", "metric"]
    for a, b in zip(scores(one).sort(keys).rows(), scores(other).sort(keys).rows(), strict=True):
        assert a == pytest.approx(b, abs=1e-12)


def test_the_same_request_is_answered_from_the_file(run_copy):
    def none(*_: object):
        raise AssertionError("computed again")

    frame = intervals(run_copy, resamples=5)
    assert pl.read_parquet(run_copy / FILE).equals(frame)
    assert intervals(run_copy, none, resamples=5).equals(frame)
    with pytest.raises(AssertionError, match="computed again"):
        intervals(run_copy, none, resamples=6)
    make_run(run_copy, losses=("ce",))  # other results
    assert set(intervals(run_copy, resamples=5)["loss"]) == {"ce"}


@pytest.mark.parametrize(
    "change",
    [pl.lit("wide").alias("low"), pl.lit(None).alias("metric"), pl.lit("x").alias("severity")],
)
def test_a_stored_answer_that_is_none_is_made_again(run_copy, change):
    made = intervals(run_copy, resamples=20)
    stored, record = read_table(run_copy / FILE)
    kept = {name: value for name, value in record.items() if name.startswith("ferc.")}
    for spoilt in (stored.with_columns(change), stored.drop("value")):
        write_parquet(run_copy / FILE, spoilt, kept)
        assert intervals(run_copy, resamples=20).equals(made)
        assert read_table(run_copy / FILE)[0].equals(made)


# Wrong requests


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"resamples": 0}, "resamples must be at least 1, not 0"),
        ({"level": 0}, "level must be between 0 and 1, such as 0.95, not 0"),
        ({"level": 95}, "not 95"),
        ({"level": float("nan")}, "not nan"),
        ({"metrics": ("soft_ec",)}, "unknown metric 'soft_ec': did you mean 'soft_ece'?"),
        ({"by": ("severty",)}, "unknown column 'severty': did you mean 'severity'?"),
        ({"by": ("loss",)}, "known are corruption, severity"),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(run_copy, request_, message):
    with pytest.raises(RequestError) as caught:
        intervals(run_copy, **request_)
    assert message in str(caught.value)
    assert not (run_copy / FILE).exists()


def test_directories_without_results_or_predictions_are_refused(run_copy, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no results yet"):
        intervals(tmp_path / "empty")
    (run_copy / "labels.parquet").unlink()
    with pytest.raises(DataError, match=r"has scores alone, without labels"):
        intervals(run_copy)


def test_directories_side_by_side_are_answered_together(tmp_path):
    for name, dataset in (("one", "toyfaces"), ("two", "ferplus")):
        make_run(tmp_path / name, dataset=dataset, severities=(5,))
    frame = intervals(tmp_path, resamples=5)
    assert set(frame["dataset"]) == {"toyfaces", "ferplus"}
    alone, beside = intervals(tmp_path / "two", resamples=5), frame.filter(dataset="ferplus")
    assert alone.drop("p_holm").equals(beside.drop("p_holm"))
    assert (beside["p_holm"] >= alone["p_holm"]).all()  # of twice as many comparisons
    assert "dataset" in readable(frame, "score").columns


# The command


def test_the_command_shows_scores_differences_and_n(ferc, run_copy):
    command = ("intervals", run_copy, "--resamples", 20, "--workers", 1, "--format")
    shown = {name: ferc(*command, name) for name in ("table", "markdown", "json")}
    assert all(result.returncode == 0 for result in shown.values()), shown
    rows = json.loads(shown["json"].stdout)
    assert rows == pl.read_parquet(run_copy / FILE).to_dicts()
    (row,) = (
        r for r in rows if (r["against"], r["metric"], r["corruption"])
        == ("loss ce", "soft_ece", "corrupted")
    )  # fmt: skip
    interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f}"
    assert f"| soft ECE | {100 * row['value']:.1f} | {interval} | " in shown["markdown"].stdout
    assert f"| {N} |" in shown["markdown"].stdout
    assert interval in shown["table"].stdout
    assert "95 % of 20 draws of the N images" in shown["table"].stderr


def test_every_reporter_shows_them(run):
    frame = intervals(run, resamples=5)
    for name, reporter in registry().reporters.items():
        text = reporter(frame if name not in PEOPLE else readable(frame, "score"))
        assert len(text.splitlines()) >= len(frame), name


def test_an_own_metric_gets_an_interval(ferc, run_copy):
    result = ferc(
        "intervals", run_copy, "--plugin", EXAMPLES / "my_metric.py", "--metric", "overconfidence",
        "--resamples", 20, "--level", 0.5, "--format", "json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    row = json.loads(result.stdout)[0]
    assert row["low"] < row["value"] < row["high"]
    assert row["level"] == 0.5


def test_a_metric_that_fails_costs_its_own_intervals_only(ferc, run_copy, tmp_path):
    (tmp_path / "fragile.py").write_text(FRAGILE)
    command = ("intervals", run_copy, "--plugin", "fragile.py", "--resamples", 5, "--workers", 1)
    result = ferc(*command, "--metric", "fragile", "--metric", "accuracy")
    failure = "metric fragile: ValueError: an image twice"
    assert one_sentence(result, 1) == f"ferc: 1 part failed: {failure}"
    assert "accuracy" in result.stdout
    assert "fragile" not in result.stdout
    alone = ferc(*command, "--metric", "fragile")
    assert failure in one_sentence(alone, 1)
    again = ferc(*command, "--metric", "fragile", "--metric", "accuracy")
    assert failure in one_sentence(again, 1)  # not answered from the file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere is not a run directory"),
        ([".", "--resamples", 0], "resamples must be at least 1, not 0"),
        ([".", "--workers", -1], "workers must be between 1 and 1024, not -1"),
    ],
)
def test_a_wrong_command_gets_one_sentence_and_code_2(ferc, arguments, message):
    assert message in one_sentence(ferc("intervals", *arguments), 2)


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_ctrl_c_is_acknowledged_and_stores_nothing(run_copy):
    with subprocess.Popen(
        [*FERC, "intervals", str(run_copy), "--resamples", "100000", "--workers", "2"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as job:
        while job.poll() is None and not (run_copy / ".lock").exists():
            time.sleep(0.05)
        time.sleep(1)  # the workers are there, or on their way
        os.killpg(job.pid, signal.SIGINT)  # as the terminal does
        try:
            _, errors = job.communicate(timeout=60)
        finally:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
    assert job.returncode == 130, errors
    assert "ferc: stopping" in errors
    assert "ferc: interrupted; rerun the command to resume" in errors
    assert not (run_copy / FILE).exists()


def test_every_trial_is_compared_with_a_baseline(tmp_path):
    """Also one of another method, draw by draw; the sign is that of the trial less the baseline."""
    run = make_run(tmp_path / "run", losses=["ce", "focal", "poly"])
    usual = intervals(run, metrics=["accuracy"])
    chosen = intervals(run, metrics=["accuracy"], baseline="baseline focal")
    assert set(usual["against"].drop_nulls()) == {"loss ce"}
    assert set(chosen["against"].drop_nulls()) == {"baseline focal"}
    apart = chosen.filter(against="baseline focal", corruption="clean")
    assert apart["loss"].to_list() == ["ce", "poly"]
    values = dict(scores(chosen, corruption="clean").select("loss", "value").iter_rows())
    for loss, difference in apart.select("loss", "value").iter_rows():
        assert difference == pytest.approx(values[loss] - values["focal"])
    reverse = usual.filter(against="loss ce", loss="focal", corruption="clean")
    forward = apart.filter(loss="ce")
    assert forward["low"][0] == pytest.approx(-reverse["high"][0])


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ("baseline cee", "unknown baseline trial 'baseline cee': did you mean 'baseline ce'"),
        ("baseline", "'baseline' names several trials; choose one of 'baseline ce', 'baseline fo"),
    ],
)
def test_a_baseline_that_is_none_is_refused(tmp_path, baseline, message):
    run = make_run(tmp_path / "run")
    with pytest.raises(RequestError, match=message):
        intervals(run, baseline=baseline)
