"""A finished run from Python: ``ferc_core.open_run``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.stored import LABELS, SOFT, K, N, make_run, random_logits

import ferc_core as ferc
from ferc_core.base.tables import matrix
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.experiment.benchmark import Trial
from ferc_core.results.run import Table
from ferc_core.suite.cells import Cell


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


def test_a_run_knows_its_scores_trials_and_cells(path):
    run = ferc.open_run(str(path))
    assert run.scores.equals(pl.read_parquet(path / "results.parquet"))
    assert [str(trial) for trial in run.trials] == ["baseline ce, seed 0", "baseline focal, seed 0"]
    assert [str(cell) for cell in run.cells] == [
        "clean/0", "snow/1", "snow/5", "contrast/1", "contrast/5",
    ]  # fmt: skip
    assert "2 trials in 5 cells" in repr(run)


def test_tables_show_themselves_and_have_a_frame(path):
    run = ferc.open_run(path)
    assert run.summary().frame["loss"].to_list() == ["ce", "focal"]
    assert "clean" in str(run.summary())
    for by, metrics in (("severity", "nll"), (["severity"], ["nll"])):
        frame = run.means(by, metrics).frame
        assert frame.columns == ["method", "loss", "calibrator", "severity", "nll", "n"]
    name = "<b>&</b>"
    page = Table(pl.DataFrame({"method": [name], "accuracy": [0.5]}))._repr_html_()
    assert name not in page
    assert "&lt;b&gt;&amp;&lt;/b&gt;" in page


def test_intervals_are_those_of_the_command(path):
    run = ferc.open_run(path)
    frame = run.intervals("severity", "accuracy", resamples=20)
    assert set(frame["metric"]) == {"accuracy"}
    assert frame.equals(run.intervals(["severity"], ["accuracy"], resamples=20))
    assert (path / "intervals.parquet").exists()


def test_logits_and_labels_are_those_of_the_images(path):
    run = ferc.open_run(path)
    trial = run.trials[1]
    expected = random_logits(Trial("baseline", "focal"), Cell("snow", 5)).astype(np.float32)
    for name in (trial, str(trial), trial.name):
        for cell in (Cell("snow", 5), "snow/5", ("snow", 5)):
            np.testing.assert_array_equal(run.logits(name, cell), expected)
    assert run.logits(trial).shape == (N, K)
    labels = run.labels().filter(corruption="snow", severity=5)
    assert labels["label"].to_list() == LABELS.tolist()
    np.testing.assert_array_equal(matrix(labels["target"]), SOFT)


def test_unknown_trials_and_cells_are_refused(path, tmp_path):
    run = ferc.open_run(path)
    with pytest.raises(UnknownNameError, match="unknown trial 'baseline cee, seed 0': did you"):
        run.logits("baseline cee, seed 0")
    with pytest.raises(UnknownNameError, match="unknown cell 'snow/2': did you mean 'snow/"):
        run.logits(run.trials[0], "snow/2")
    for name in ("one", "two"):
        make_run(tmp_path / name, dataset=name, losses=("ce",), severities=(5,))
    both = ferc.open_run(tmp_path)
    assert set(both.scores["dataset"]) == {"one", "two"}
    with pytest.raises(RequestError, match="has several runs; open one of them"):
        both.labels()
    predictions = tmp_path / "one" / "predictions" / both.trials[0].name
    (predictions / "snow-5.parquet").unlink()
    with pytest.raises(DataError, match=r"one has no logits of baseline ce, seed 0 in snow/5"):
        ferc.open_run(tmp_path / "one").logits(both.trials[0], "snow/5")
