"""Views of scores: the summary, means by column, spread over seeds, metrics that are new since."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
import statistics
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import EXAMPLES, one_sentence
from helpers.paper import rows, show, store
from helpers.stored import N, make_run

from ferc_core import open_run
from ferc_core.base.failures import Failures
from ferc_core.base.files import digest_of, write_parquet
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.results.side_by_side import opened, together
from ferc_core.results.tables import means, metrics_of, summary

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


def read_results(path: Path | str) -> pl.DataFrame:
    """Return the scores of a run directory, or of all in a folder."""
    return together(opened([path], Failures()))


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
    head = ["method", "loss", "calibrator", "seed", "images"]
    assert by_seed.columns == [*head, "accuracy", "n"]


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
        "--metric", "overconfidence", "--format", "json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    first = json.loads(result.stdout)[0]
    assert (first["severity"], first["seeds"], first["n"]) == (0, 2, N)
    assert -1 <= first["overconfidence"] <= 1
    assert first["overconfidence_sd"] > 0


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


def test_the_same_trial_in_two_directories_is_told_apart_by_their_names(tmp_path):
    for name in ("a", "b"):
        store(tmp_path / "all" / name, rows(methods=["rul"], losses=["ce"]))
    assert summary(read_results(tmp_path / "all"))["run"].to_list() == ["a", "b"]


def test_a_folder_without_results_and_a_missing_one_are_told_apart(tmp_path):
    with pytest.raises(RequestError, match="nowhere is not a run directory"):
        read_results(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no results yet"):
        read_results(tmp_path / "empty")


# What is read back is checked


def spoilt(frame: pl.DataFrame, **columns: object) -> pl.DataFrame:
    return frame.with_columns(**columns)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop("noise"), "lacks the column 'noise'"),
        (lambda t: t.drop("metric", "value"), "lacks the column 'metric'"),
        (lambda t: spoilt(t, severity=pl.lit("5")), "'severity' must hold whole numbers, not Str"),
        (lambda t: spoilt(t, severity=pl.lit(5.0)), "'severity' must hold whole numbers, not Flo"),
        (
            lambda t: spoilt(t, value=pl.lit(date(2026, 1, 1))),
            "'value' must hold numbers, not Date",
        ),
        (lambda t: spoilt(t, value=pl.lit(True)), "'value' must hold numbers, not Boolean"),
        (lambda t: spoilt(t, value=pl.lit("0.5")), "'value' must hold numbers, not String"),
        (lambda t: spoilt(t, value=[[0.5]] * len(t)), "'value' must hold numbers, not List"),
        (
            lambda t: spoilt(t, noise=pl.lit(date(2026, 1, 1))),
            "'noise' must hold numbers, not Date",
        ),
        (lambda t: spoilt(t, noise=float("nan")), "'noise' has a value that is not finite"),
        (lambda t: spoilt(t, noise=pl.lit(7.5)), r"'noise' has a value outside \[0, 1\]"),
        (lambda t: spoilt(t, seed=pl.lit(None, pl.Int64)), "'seed' has an empty field"),
        (lambda t: spoilt(t, seed=pl.lit(2**64 - 1, pl.UInt64)), "'seed' has numbers that are too"),
        (lambda t: spoilt(t, method=pl.lit(3)), "'method' must hold text, not Int32"),
        (lambda t: spoilt(t, method=pl.lit(b"x")), "'method' must hold text, not Binary"),
        (lambda t: spoilt(t, metric=pl.lit(None, pl.String)), "'metric' has an empty field"),
        (lambda t: spoilt(t, n=pl.lit(None)), "'n' must hold whole numbers, not Null"),
        (lambda t: t.clear(), "has no rows"),
        (lambda t: pl.concat([t, t.head(1)]), "has two rows with dataset rafdb, method baseline"),
        (lambda t: pl.DataFrame({"years": [4]}), "lacks the column 'dataset'"),
    ],
)
def test_a_table_that_is_none_of_scores_is_refused(ferc, tmp_path, spoil, message):
    table = rows(methods=("baseline",), seeds=(0,), metrics=("ece",))
    for command in ("results", "intervals"):
        store(tmp_path / command, table)
        (tmp_path / command / "labels.parquet").write_bytes(b"")
        spoil(table).write_parquet(tmp_path / command / "results.parquet")
        said = one_sentence(ferc(command, command), 1)
        assert f"{command}/results.parquet" in said
        assert re.search(message, said)
        with pytest.raises(DataError, match=message):
            _ = open_run(tmp_path / command).scores


def test_a_file_that_is_no_table_is_refused(ferc, tmp_path):
    whole = (store(tmp_path / "run", rows()) / "results.parquet").read_bytes()
    for content in (b"", whole[:100], whole[:-10], whole[100:], b"PAR1", b"text" * 100):
        (tmp_path / "run" / "results.parquet").write_bytes(content)
        assert "run/results.parquet cannot be read" in one_sentence(ferc("results", "run"), 1)


def test_narrow_numbers_names_and_further_columns_are_taken(tmp_path):
    table = rows(methods=("baseline",), seeds=(0,), metrics=("ece",))
    store(tmp_path, table)
    narrow = table.with_columns(
        pl.col("seed", "severity").cast(pl.Int16),
        pl.col("value").cast(pl.Float32),
        pl.col("method").cast(pl.Categorical),
        more=pl.lit(1),
    )
    narrow.write_parquet(tmp_path / "results.parquet")
    assert read_results(tmp_path).equals(table)


def test_a_name_with_brackets_or_stars_is_one_of_a_folder(ferc, tmp_path):
    for name in ("run", "run*", "exp[lr=1]", "{run}", "run?"):
        value = len(name) / 10
        store(tmp_path / name, rows(methods=("scn",), value=lambda value=value, **_: value))
    for name in ("run*", "exp[lr=1]", "{run}", "run?"):
        shown = ferc("results", name, "--format", "json")
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)[0]["clean_ece"] == pytest.approx(len(name) / 10)
    for name in ("*", "ru", "r[u]n"):
        one_sentence(ferc("results", name), 2)


def test_a_folder_of_runs_is_that_of_its_own_folders(ferc, tmp_path):
    store(tmp_path / "all/a", rows(methods=("scn",)))
    store(tmp_path / "elsewhere", rows(methods=("rul",)))
    store(tmp_path / "all/deep/er", rows(methods=("dmue",)))
    (tmp_path / "all/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "all/broken").symlink_to(tmp_path / "nowhere")
    (tmp_path / "all/file").write_text("x")
    shown = ferc("results", "all", "--format", "json")
    assert {row["method"] for row in json.loads(shown.stdout)} == {"scn"}
    assert "all/link is a link and left out; name what it leads to" in shown.stderr
    assert "broken" not in shown.stderr


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop("target"), "lacks the column 'target'"),
        (lambda t: spoilt(t, label=pl.lit("happy")), "'label' must hold whole numbers, not Str"),
        (lambda t: spoilt(t, target=pl.lit(0.5)), "'target' must hold lists of numbers, not Flo"),
        (lambda t: spoilt(t, severity=pl.lit(None, pl.Int64)), "'severity' has an empty field"),
        (
            lambda t: spoilt(t, target=pl.Series([[2.0, -1.0, 0.0]] * len(t))),
            "'s0' is no distribution",
        ),
        (lambda t: t.filter(pl.col("corruption") != "snow"), "there are no labels in snow/1"),
        (lambda t: pl.concat([t, t.head(1)]), "has 's0' twice in a cell"),
    ],
)
def test_labels_of_a_run_are_checked(ferc, seeds, tmp_path, spoil, message):
    run, scores = Path(shutil.copytree(seeds, tmp_path / "run")), read_results(seeds)
    spoil(pl.read_parquet(run / "labels.parquet")).write_parquet(run / "labels.parquet")
    record = {"ferc.labels": digest_of(run / "labels.parquet")}  # as a stranger would write it
    write_parquet(run / "results.parquet", scores, record)
    said = one_sentence(ferc("intervals", "run", "--resamples", 10), 1)
    assert re.search(message, said)
    if "no labels" not in message:
        assert "run/labels.parquet" in said
        with pytest.raises(DataError, match=message):
            open_run(run).labels()


@pytest.mark.parametrize("values", [(math.nan,), (math.inf, -math.inf), (None,), (1.7e308,)])
def test_undefined_scores_are_shown_and_drawn_as_missing(ferc, tmp_path, values):
    each = itertools.cycle(values)
    store(tmp_path / "run", rows(value=lambda **_: next(each)))
    for format in ("table", "json", "csv", "markdown", "latex"):
        assert ferc("results", "run", "--format", format).returncode == 0
    for name in ("table1", "table4", "table5"):
        shown = ferc("results", "run", "--paper", name)
        assert shown.returncode == 0, shown.stderr
        assert f"any number of {name}" in shown.stdout
    figure = ferc("results", "run", "--paper", "figure6", "--out", "f.svg")
    assert "there is nothing to draw" in one_sentence(figure, 2)
