"""Views of scores: the summary, means by column, spread over seeds, metrics that are new since."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import EXAMPLES, one_sentence
from helpers.paper import rows, show, store
from helpers.stored import N, make_run

from ferc_core.base.failures import Failures
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.results.tables import means, metrics_of, read_results, summary

FAILING = """
from ferc_core import Metric, hookimpl

def failing(probs, targets):
    raise ValueError("always")

@hookimpl
def register_metrics(register):
    register(Metric("failing", failing))
"""


@pytest.fixture(scope="module")
def seeds(tmp_path_factory) -> Path:
    """A run of two losses and two seeds."""
    return make_run(tmp_path_factory.mktemp("seeds"), seeds=(0, 1))


def of_seed(frame: pl.DataFrame, seed: int, metric: str, **where: object) -> float:
    """The mean over the cells of one seed."""
    chosen = frame.filter(pl.col("corruption") != "clean", seed=seed, metric=metric, **where)
    return chosen["value"].mean()


# Several seeds


def test_the_summary_has_mean_spread_and_number_of_seeds(seeds):
    frame = read_results(seeds)
    table = summary(frame)
    assert table["seeds"].to_list() == [2, 2]
    assert table["n"].to_list() == [N, N]
    for row in table.iter_rows(named=True):
        for metric in metrics_of("corrupted"):
            values = [of_seed(frame, seed, metric, loss=row["loss"]) for seed in (0, 1)]
            assert row[f"ferc_{metric}"] == pytest.approx(statistics.mean(values))
            assert row[f"ferc_{metric}_sd"] == pytest.approx(statistics.stdev(values))


def test_every_format_shows_the_spread_over_seeds(seeds):
    table = summary(read_results(seeds))
    row = table.row(0, named=True)
    mean, sd = row["clean_macro_f1"], row["clean_macro_f1_sd"]
    assert f"{100 * mean:.1f} ± {100 * sd:.1f}" in show(seeds)
    assert rf"{100 * mean:.1f} $\pm$ {100 * sd:.1f}" in show(seeds, "--format", "latex")
    assert f"| {100 * mean:.1f} ± {100 * sd:.1f} |" in show(seeds, "--format", "markdown")
    (first, _) = json.loads(show(seeds, "--format", "json"))
    assert first == row
    heading = show(seeds, "--format", "markdown").splitlines()[0]
    assert heading.endswith("| seeds | N |")
    assert "sd" not in heading


def test_one_seed_has_no_spread_and_no_column_of_seeds(seeds):
    one = read_results(seeds).filter(seed=1)
    assert not [name for name in summary(one).columns if name.endswith("_sd")]
    assert "seeds" not in summary(one).columns
    by_seed = means(read_results(seeds), ["seed"], ["accuracy"])
    assert by_seed.columns == ["method", "loss", "calibrator", "seed", "accuracy", "n"]


def test_a_trial_with_fewer_seeds_counts_its_own(seeds):
    frame = read_results(seeds)
    left = frame.filter((pl.col("loss") == "ce") | (pl.col("seed") == 1))
    table = summary(left)
    assert table["seeds"].to_list() == [2, 1]
    assert table["clean_nll_sd"].is_null().to_list() == [False, True]


# Means by column


def test_means_are_over_the_other_columns(seeds):
    frame = read_results(seeds)
    table = means(frame, ["corruption", "loss"], ["accuracy"])
    (row,) = table.filter(corruption="snow", loss="focal").iter_rows(named=True)
    chosen = frame.filter(corruption="snow", loss="focal", metric="accuracy")
    assert row["accuracy"] == pytest.approx(chosen["value"].mean())
    assert (row["seeds"], row["n"]) == (2, N)
    assert table["corruption"].to_list()[:3] == ["clean", "snow", "contrast"]


@pytest.mark.parametrize(
    ("by", "metrics", "message"),
    [
        (["severty"], None, "unknown column 'severty': did you mean 'severity'?"),
        (["seed"], ["acuracy"], "unknown metric 'acuracy': did you mean 'accuracy'?"),
    ],
)
def test_unknown_columns_and_metrics_are_refused(seeds, by, metrics, message):
    with pytest.raises(UnknownNameError, match=message.replace("?", r"\?")):
        means(read_results(seeds), by, metrics)


# Metrics that are new since


def test_a_new_metric_is_computed_from_stored_predictions(ferc, seeds):
    result = ferc(
        "results", seeds, "--plugin", EXAMPLES / "my_metric.py", "--by", "severity",
        "--metric", "confidence", "--format", "json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    first = json.loads(result.stdout)[0]
    assert (first["severity"], first["seeds"], first["n"]) == (0, 2, N)
    assert 1 / 3 <= first["confidence"] <= 1
    assert first["confidence_sd"] > 0


def test_a_new_metric_that_fails_costs_nothing_else(ferc, seeds, tmp_path):
    (tmp_path / "failing.py").write_text(FAILING)
    result = ferc("results", seeds, "--plugin", "failing.py")
    message = one_sentence(result, 1)
    assert message == "ferc: 1 part failed: metric failing: ValueError: always"
    assert result.stdout == show(seeds)
    asked = ferc("results", seeds, "--plugin", "failing.py", "--by", "seed", "--metric", "failing")
    assert "unknown metric 'failing'" in one_sentence(asked, 2)


def test_what_is_there_is_shown_where_predictions_are_gone(ferc, seeds, tmp_path):
    copy = Path(shutil.copytree(seeds, tmp_path / "run"))
    shutil.rmtree(copy / "predictions")
    (tmp_path / "failing.py").write_text(FAILING)
    result = ferc("results", copy, "--plugin", "failing.py")
    assert "metrics failing: " in one_sentence(result, 1)
    assert result.stdout == show(seeds)


# Run directories


def test_results_are_read_by_str_and_path(seeds):
    assert read_results(str(seeds)).equals(read_results(seeds))


def test_a_table_without_a_column_of_the_contract_is_refused(tmp_path):
    store(tmp_path, rows().drop("noise"))
    with pytest.raises(DataError, match="lacks the column 'noise'"):
        read_results(tmp_path)


def test_a_folder_of_run_directories_is_read_as_one(tmp_path):
    store(tmp_path / "all" / "one", rows("rafdb"))
    store(tmp_path / "all" / "two", rows("affectnet"))
    (tmp_path / "all" / "unfinished").mkdir()
    table = summary(read_results(tmp_path / "all"))
    assert table["dataset"].unique(maintain_order=True).to_list() == ["rafdb", "affectnet"]
    store(tmp_path / "all", rows("ferplus"))  # its own results come first
    assert read_results(tmp_path / "all")["dataset"].unique().to_list() == ["ferplus"]


def test_the_same_trial_in_two_directories_is_refused_by_name(tmp_path):
    for name in ("a", "b"):
        store(tmp_path / "all" / name, rows(methods=["rul"], losses=["ce"]))
    with pytest.raises(
        RequestError, match=r"all/a and .*all/b both hold dataset rafdb, method rul"
    ):
        read_results(tmp_path / "all")


def test_a_folder_without_results_and_a_missing_one_are_told_apart(tmp_path):
    with pytest.raises(RequestError, match="nowhere is not a run directory"):
        read_results(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no results yet"):
        read_results(tmp_path / "empty", Failures())
