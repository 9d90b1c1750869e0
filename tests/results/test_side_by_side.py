"""Several runs in one table and one set of intervals, and the scores of classes and groups."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import METHOD
from helpers.stored import LABELS, K, N, make_run, random_logits

from ferc_core import open_run
from ferc_core.base.files import digest_of, read_table, write_parquet
from ferc_core.base.tables import column
from ferc_core.errors import RequestError
from ferc_core.experiment.calibration import softmax

DATA = ("--dataset", "toyfaces(train=48,valid=24,test=24,size=40)", "--corruption", "contrast",
        "--corruption", "snow", "--severity", 1, "--severity", 5)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Runs that differ in their epochs, in visibility, and in the faces, and a table of scores."""
    folder = tmp_path_factory.mktemp("home")
    for name, *options in (
        ("one", "--epochs", 1),
        ("four", "--epochs", 4),
        ("ssim", "--epochs", 1, "--visibility", "ssim"),
        ("few", "--epochs", 1, "--limit", 8),
    ):
        done = ferc_in(folder)("run", *METHOD, *DATA, *options, "--out", name)
        assert done.returncode == 0, done.stderr
    labels = pl.read_parquet(folder / "one" / "labels.parquet")
    probs = np.random.default_rng(0).dirichlet(np.ones(8), len(labels))
    keys = labels.select("sample", "corruption", "severity")
    keys.with_columns(probs=column(probs)).write_parquet(folder / "mine.parquet")
    done = ferc_in(folder)("score", "mine.parquet", *DATA[:2], "--image-size", 32, "--out",
                           "scores.parquet")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def rows(home: Path, *arguments: object, code: int = 0) -> list[dict]:
    done = ferc_in(home)(*arguments, "--format", "json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_runs_of_different_epochs_are_told_apart(home):
    table = rows(home, "results", "one", "four")
    assert [row["epochs"] for row in table] == [1, 1, 4, 4]
    alone = {name: rows(home, "results", name) for name in ("one", "four")}
    for row in table:
        without = {k: v for k, v in row.items() if k != "epochs"}
        assert without in alone["one" if row["epochs"] == 1 else "four"]
    run = open_run(home / "one", home / "four")
    assert run.scores["epochs"].unique().to_list() == [1, 4]
    assert run.summary().frame.to_dicts() == table
    assert repr(run).endswith("'): 1 trial in 5 cells")


def test_runs_of_different_visibilities_are_told_apart(home):
    table = rows(home, "results", "one", "ssim")
    assert {row["visibility"] for row in table} == {"l2", "ssim"}
    tracked = rows(home, "results", "one", "ssim", "--by", "visibility")
    assert [row["visibility"] for row in tracked] == ["l2-average", "ssim-average"]


def test_a_run_and_a_table_of_scores_stand_side_by_side(home):
    table = rows(home, "results", "one", "scores.parquet")
    assert [row["method"] for row in table] == ["softmax_regression"] * 2 + ["mine"]
    twice = rows(home, "results", "one", "one/../one")
    assert len(twice) == 4
    assert len({row["run"] for row in twice}) == 2


def test_other_faces_cannot_be_compared(home):
    done = ferc_in(home)("results", "one", "few")
    assert "one and few cannot be compared" in one_sentence(done, 2)
    assert "limit 0 and 8" in done.stderr


def test_a_folder_of_runs_is_read_like_several(home, tmp_path):
    for name in ("one", "four"):
        (tmp_path / "all").mkdir(exist_ok=True)
        (tmp_path / "all" / name).mkdir()
        for file in ("results.parquet", "config.toml", "manifest.json", "labels.parquet"):
            (tmp_path / "all" / name / file).write_bytes((home / name / file).read_bytes())
    found = rows(tmp_path, "results", "all")
    assert sorted(map(str, found)) == sorted(map(str, rows(home, "results", "one", "four")))


def test_intervals_of_two_runs_are_paired_draw_by_draw(tmp_path):
    def logits(sharp):
        return lambda trial, cell: sharp * random_logits(trial, cell)

    one = make_run(tmp_path / "one", logits(1.0), losses=["ce"])
    two = make_run(tmp_path / "two", logits(3.0), losses=["ce"])
    for folder, epochs in ((one, 1), (two, 2)):
        (folder / "config.toml").write_text(f"epochs = {epochs}\n")
    both = open_run(one, two).intervals(resamples=50)
    assert set(both["epochs"]) == {1, 2}
    apart = both.filter(against="epochs 1")
    accuracy = apart.filter(metric="accuracy")
    assert accuracy["value"].to_list() == accuracy["low"].to_list() == [0.0, 0.0]  # the same order
    (ece,) = apart.filter(metric="ece", corruption="clean").iter_rows(named=True)
    values = both.filter(pl.col("against").is_null(), metric="ece", corruption="clean")["value"]
    assert ece["value"] == pytest.approx(values[1] - values[0])
    assert ece["low"] <= ece["value"] <= ece["high"]
    alone = open_run(one).intervals(resamples=50)
    mine = both.filter(pl.col("against").is_null(), epochs=1).drop("epochs")
    assert mine.equals(alone.filter(pl.col("against").is_null()))


def test_intervals_need_predictions(home):
    done = ferc_in(home)("intervals", "scores.parquet")
    assert "has scores alone, without labels.parquet and predictions" in one_sentence(done, 1)


# Filters


def test_filters_leave_what_is_asked_for(home):
    words = ("results", "one", "--by", "corruption")
    everything = rows(home, *words)
    kept = rows(home, *words, "--corruption", "snow", "--calibrator", "none")
    assert {row["corruption"] for row in kept} == {"clean", "snow"}
    assert all(row in everything for row in kept)
    severe = rows(home, "results", "one", "--by", "severity", "--where", "severity>=1")
    assert [row["severity"] for row in severe] == [1, 5, 1, 5]
    far = rows(home, "intervals", "one", "--resamples", 9, "--where", "severity=5",
               "--by", "severity")  # fmt: skip
    assert {row["severity"] for row in far} == {5}


def test_a_filter_may_leave_nothing_of_one_of_several_runs(home):
    kept = rows(home, "results", "one", "scores.parquet", "--method", "mine")
    assert [row["method"] for row in kept] == ["mine"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "softmx_regression"], "unknown method 'softmx_regression': did you mean"),
        (["--loss", "cee"], "unknown loss 'cee'"),
        (["--corruption", "fog"], "unknown corruption 'fog': known are clean, contrast, snow"),
        (["--where", "severity"], "write a comparison such as noise=0"),
        (["--where", "sevrity=1"], "unknown column 'sevrity': did you mean 'severity'"),
        (["--where", "severity=many"], "severity is a number"),
        (["--where", "method>a"], "method is a text; compare it with = or !="),
        (["--where", "severity>5"], "no score has severity>5; severity is 0, 1, 5"),
        (["--by", "age"], "unknown column 'age': known are"),
        (["--by", "visibility", "--by", "seed"], "--by visibility stands alone"),
        (["--fitted", "--by", "seed"], "--fitted is a table of its own"),
    ],
)
def test_a_wrong_request_is_refused(home, options, message):
    assert message in one_sentence(ferc_in(home)("results", "one", *options), 2)


# Views


@pytest.mark.parametrize("by", ["method", "calibrator", "seed"])
def test_clean_and_corrupted_are_never_averaged_together(home, by):
    scores = pl.read_parquet(home / "one" / "results.parquet").filter(metric="accuracy")
    for row in rows(home, "results", "one", "--by", by, "--metric", "accuracy"):
        clean = pl.col("corruption") == "clean"
        part = scores.filter(clean if row["images"] == "clean" else ~clean)
        part = part.filter(calibrator=row["calibrator"])
        assert row["accuracy"] == pytest.approx(part["value"].mean())


def test_corruptions_are_grouped(home):
    table = rows(home, "results", "one", "--by", "group", "--calibrator", "none")
    assert [row["group"] for row in table] == ["clean", "digital", "weather"]


def test_every_table_says_at_which_size_images_were_corrupted(home):
    done = ferc_in(home)("results", "one")
    assert "Images were corrupted at 32x32 pixels." in done.stderr


# Classes and groups of the faces


@pytest.fixture(scope="module")
def grouped(tmp_path_factory) -> Path:
    """A run whose faces have an age, which one of them lacks."""
    folder = make_run(tmp_path_factory.mktemp("grouped") / "run", losses=["ce"])
    frame, record = read_table(folder / "labels.parquet")
    ages = ["old" if i % 3 else "young" for i in range(N)]
    ages[0] = None
    frame = frame.with_columns(pl.Series("group.age", ages * 5))
    write_parquet(folder / "labels.parquet", frame, record)
    results, record = read_table(folder / "results.parquet")
    record |= {"ferc.labels": digest_of(folder / "labels.parquet")}
    write_parquet(folder / "results.parquet", results, record)
    return folder


def clean_probs(folder: Path) -> np.ndarray:
    (file,) = folder.glob("predictions/*/clean-0.parquet")
    return softmax(np.array(pl.read_parquet(file)["logits"].to_list()))


def test_scores_by_class_are_those_of_its_faces(grouped):
    metrics = ["accuracy", "f1", "nll"]
    table = open_run(grouped).means("class", metrics).frame.filter(images="clean")
    assert table["class"].to_list() == [f"class {k}" for k in range(K)] or len(table) == K
    probs = clean_probs(grouped)
    predicted = probs.argmax(axis=1)
    for k, row in enumerate(table.iter_rows(named=True)):
        of = k == LABELS
        assert row["n"] == of.sum()
        assert row["accuracy"] == pytest.approx(np.mean(predicted[of] == k))
        assert row["nll"] == pytest.approx(-np.log(probs[of, k]).mean())
        hits = np.sum((predicted == k) & of)
        precision, recall = hits / np.sum(predicted == k), hits / of.sum()
        assert row["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert table.filter(worst=True)["accuracy"].to_list() == [table["accuracy"].min()]


def test_scores_by_group_name_the_worst(grouped):
    table = open_run(grouped).means("age").frame.filter(images="clean")
    ages = np.array(["unknown", *("old" if i % 3 else "young" for i in range(1, N))])
    predicted = clean_probs(grouped).argmax(axis=1)
    assert table["age"].to_list() == ["old", "unknown", "young"]
    for row in table.iter_rows(named=True):
        of = ages == row["age"]
        assert row["n"] == of.sum()
        assert row["accuracy"] == pytest.approx(np.mean(predicted[of] == LABELS[of]))
        assert row["worst"] == (row["accuracy"] == table["accuracy"].min())
    with pytest.raises(RequestError, match=r"known are .*age"):
        open_run(grouped).means("gender")


def test_visibility_is_ranked_against_accuracy(home):
    (row,) = rows(home, "results", "one", "--by", "visibility")
    seen = pl.read_parquet(home / "one" / "visibility" / "l2-average.parquet")
    v = seen.group_by("corruption", "severity").agg(pl.col("visibility").mean())
    scores = pl.read_parquet(home / "one" / "results.parquet")
    accuracy = scores.filter(metric="accuracy", calibrator="none")
    both = accuracy.join(v, on=["corruption", "severity"]).filter(pl.col("severity") > 0)
    a, b = (both[name].rank().to_numpy() for name in ("visibility", "value"))
    assert row["cells"] == 4
    if np.std(b):
        assert row["rank_correlation"] == pytest.approx(np.corrcoef(a, b)[0, 1])


def test_intervals_of_several_runs_are_readable(home):
    done = ferc_in(home)("intervals", "one", "four", "--resamples", 9, "--format", "markdown")
    assert done.returncode == 0, done.stderr
    scores, differences = (table.splitlines()[0] for table in done.stdout.split("\n\n"))
    head = "| epochs | method | loss | calibrator | "
    assert scores == head + "images | metric | score | interval | N |"
    assert differences.startswith(head + "against | images | metric | difference | interval |")


def test_a_metric_on_request_is_computed_where_it_is_asked_for(home):
    stored = pl.read_parquet(home / "one" / "results.parquet")
    assert "ece_p" not in set(stored["metric"])
    table = rows(home, "results", "one", "four", "--by", "severity", "--metric", "ece_p")
    assert {row["epochs"] for row in table} == {1, 4}
    assert all(0 < row["ece_p"] <= 1 for row in table)
