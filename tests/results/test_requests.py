"""What can be asked of the metrics of a run; what cannot is said before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.commands import one_sentence
from helpers.stored import LABELS, K, N, make_run
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from ferc_core import open_run, registry
from ferc_core.base.tables import column
from ferc_core.experiment.calibration import softmax
from ferc_core.suite.cells import CLEAN, Cell

SEEN = np.linspace(1, 0.2, N)
SNOW = Cell("snow", 5)
ONE_HOT = np.eye(K)[LABELS]


def visible(cell: Cell) -> dict[str, object]:
    """Visibilities that differ from image to image."""
    return {"visibility": np.ones(N) if cell == CLEAN else SEEN / cell.severity}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run whose labels know how visible images are."""
    return make_run(tmp_path_factory.mktemp("run"), calibrators=("temperature",), beside=visible)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A run whose labels are one class for each image."""
    return make_run(tmp_path_factory.mktemp("plain"), soft=ONE_HOT)


def value(path, name: str, calibrator: str = "none", cell: Cell = SNOW) -> float:
    """Return a metric of the first trial in a cell."""
    table = open_run(path).means(["corruption", "severity"], [name]).frame
    (row,) = table.filter(
        loss="ce", calibrator=calibrator, corruption=cell.corruption, severity=cell.severity
    ).to_dicts()
    return row[name]


def probs(path, cell: Cell) -> np.ndarray:
    """Return what the first trial predicts."""
    run = open_run(path)
    return softmax(run.logits(run.trials[0], cell))


# Metrics that need more than probabilities and labels


@pytest.mark.parametrize("level", [None, 0.5])
def test_conformal_sets_are_calibrated_on_validation(path, level):
    options = {} if level is None else {"level": level}
    shown = "conformal_coverage" + (f"(level={level})" if level else "")
    known = probs(path, CLEAN), LABELS  # the fixture validates on the clean images themselves
    metric = registry().metrics["conformal_coverage"]
    expected = metric(probs(path, SNOW), LABELS, validation=known, **options)
    assert value(path, shown) == pytest.approx(expected)
    assert value(path, shown, cell=CLEAN) >= (level or 0.9)


def test_conformal_sets_of_calibrated_probabilities_use_calibrated_validation(path):
    """Scaling by a temperature moves scores and threshold: coverage on validation stays."""
    assert value(path, "conformal_coverage", "temperature", CLEAN) >= 0.9
    one, other = (value(path, "conformal_size", name) for name in ("none", "temperature"))
    assert one != other


def test_clean_and_corrupted_images_are_told_apart(path):
    s = np.concatenate([probs(path, cell).max(axis=1) for cell in (CLEAN, SNOW)])
    expected = roc_auc_score(np.repeat([1, 0], N), s)
    assert value(path, "clean_auroc") == pytest.approx(expected)
    assert value(path, "clean_auroc", cell=CLEAN) == 0.5


def test_a_metric_that_begins_like_a_column_of_the_summary_keeps_its_title(path, ferc):
    command = ("results", path, "--by", "corruption", "--metric", "clean_auroc")
    shown = ferc(*command, "--format", "markdown").stdout
    assert "| images |" not in shown
    assert "| corruption | clean AUROC | N |" in shown
    assert "| clean | 50.0 |" in shown


def test_confidence_is_compared_with_visibility(path):
    expected = spearmanr(probs(path, SNOW).max(axis=1), SEEN).statistic
    assert value(path, "visibility_correlation") == pytest.approx(expected)
    assert np.isnan(value(path, "visibility_correlation", cell=CLEAN))


def test_they_have_intervals(path):
    names = ["conformal_coverage", "clean_auroc", "visibility_correlation"]
    frame = open_run(path).intervals(metrics=names, resamples=30).filter(corruption="corrupted")
    assert set(frame["metric"]) == set(names)
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()


def test_options_of_a_metric_stand_in_its_heading(path, ferc):
    shown = ferc(
        "results", path, "--by", "corruption", "--metric", "ece(bins=10)", "--metric", "ece",
        "--format", "markdown",
    )  # fmt: skip
    assert "| ECE(bins=10) | ECE |" in shown.stdout
    assert value(path, "ece(bins=10)") == registry().metrics["ece"](
        probs(path, SNOW), LABELS, bins=10
    )


# What cannot be asked


@pytest.mark.parametrize("command", ["results", "intervals"])
@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("conformal_coverage(level=0.0)", "level must be between 0 and 1, such as 0.9, not 0"),
        ("conformal_size(level=1.5)", "level must be between 0 and 1, such as 0.9, not 1.5"),
        ("conformal_size(levle=0.5)", "did you mean 'level'?"),
        ("conformal_size(validation=3)", "unknown option of 'conformal_size' 'validation'"),
        ("brier_calibration(view=side)", "view must be one of top, binary, not 'side'"),
        ("ece(bins=61)", "ece(bins=61) has more bins than there are images in a cell, 60"),
        ("ece_p(draws=0)", "draws must be a whole number"),
        ("disagreement", "compares the models of an ensemble: add --ensemble"),
        ("disagreement_correlation", "compares the models of an ensemble: add --ensemble"),
        ("dist_cee", "did you mean 'dist_ce'?"),
    ],
)
def test_metrics_that_cannot_be_are_refused_at_once(path, ferc, command, metric, message):
    by = ("--by", "corruption")
    assert message in one_sentence(ferc(command, path, *by, "--metric", metric), 2)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("dist_ce", "takes soft labels, and those of"),
        ("soft_ece", "takes soft labels, and those of"),
        ("visibility_correlation", "takes visibilities, and the labels of"),
    ],
)
def test_what_the_labels_of_a_run_lack_is_said(plain, ferc, metric, message):
    for command in ("results", "intervals"):
        shown = ferc(command, plain, "--by", "corruption", "--metric", metric)
        assert message in one_sentence(shown, 2)
    assert not (plain / "intervals.parquet").exists()


def test_votes_that_a_dataset_lacks_are_said(tmp_path, ferc):
    folder = make_run(tmp_path / "run", seeds=(0, 1))
    shown = ferc(
        "results", folder, "--ensemble", "--by", "corruption", "--metric",
        "disagreement_correlation",
    )  # fmt: skip
    assert "takes the label distributions of a dataset" in one_sentence(shown, 2)


def test_runs_beside_each_other_need_what_a_metric_takes_only_once(path, plain, tmp_path):
    """Where one run has no visibilities its field is empty."""
    run = open_run(path, plain)
    table = run.means(["corruption"], ["visibility_correlation"]).frame
    told = table.filter(corruption="snow")["visibility_correlation"]
    assert 0 < told.null_count() < len(told)


def test_distributions_are_kept_with_the_labels(tmp_path):
    votes = np.random.default_rng(0).dirichlet(np.ones(K), N)
    folder = make_run(
        tmp_path, seeds=(0, 1), beside=lambda _: {"distribution": column(votes)}, losses=("ce",)
    )
    assert open_run(folder).labels()["distribution"][0].to_list() == votes[0].tolist()
