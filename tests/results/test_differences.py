"""Subjects as the unit of draws, p-values of differences, and their correction."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.stored import N, make_run, predicting, random_logits
from scipy.stats import false_discovery_control, norm

from ferc_core import open_run
from ferc_core.results.bootstrap import Bootstrap, holm, p_value, pieces

SUBJECTS = [f"subject{i // 6}" for i in range(N)]  # of six images each


def of_subjects(names):
    return lambda _: {"group.subject": pl.Series(names, dtype=pl.String)}


def width(frame: pl.DataFrame) -> float:
    (row,) = frame.filter(corruption="clean", metric="accuracy", loss="ce").to_dicts()
    return row["high"] - row["low"]


def by_subject(trial, cell):
    """Logits that are right for all images of a subject, or for none."""
    return predicting(np.arange(N) // 6 % 2 == 0)


# Subjects


def test_subjects_are_drawn_with_all_their_images():
    subjects = np.arange(12) // 3
    counts = Bootstrap("toyfaces", subjects).counts(12, range(1, 101))
    assert counts.shape == (100, 12)
    for subject in range(4):
        assert (counts[:, subjects == subject] == counts[:, subjects == subject][:, :1]).all()
    assert (counts.sum(axis=1) == 12).all()  # all of three images
    uneven = Bootstrap("toyfaces", np.array([0, 0, 0, 1])).counts(4, range(1, 101))
    assert set(uneven.sum(axis=1)) == {2, 4, 6}


def test_images_of_one_subject_each_are_drawn_as_images_are():
    for draws in pieces(range(151)):
        alone = Bootstrap("toyfaces", np.arange(9)).counts(9, draws)
        assert (alone == Bootstrap("toyfaces").counts(9, draws)).all()


def test_intervals_are_wider_where_images_of_a_subject_resemble_each_other(tmp_path):
    """Ten subjects that are right or wrong as a whole are ten images, not sixty."""
    folder = make_run(tmp_path, by_subject, beside=of_subjects(SUBJECTS), losses=("ce",))
    run = open_run(folder)
    usual, images = run.intervals(resamples=400), run.intervals(resamples=400, unit="image")
    assert set(usual["unit"]) == {"subject"}
    assert set(images["unit"]) == {"image"}
    assert width(usual) / width(images) == pytest.approx(np.sqrt(6), rel=0.2)
    assert run.intervals(resamples=400, unit="subject").equals(usual)


@pytest.mark.parametrize(
    ("subjects", "why"),
    [
        (None, "the subjects of its images are not known"),
        ([f"s{i}" for i in range(N)], "every one of its images is of another subject"),
        ([None] * N, "every one of its images is of another subject"),
        (["one"] * N, "all of its images are of one subject"),
    ],
)
def test_subjects_that_are_not_worth_drawing(tmp_path, ferc, subjects, why):
    beside = of_subjects(subjects) if subjects else lambda _: {}
    folder = make_run(tmp_path / "run", beside=beside)
    shown = ferc("intervals", folder, "--unit", "subject")
    assert f"cannot be resampled by subject: {why}" in one_sentence(shown, 2)
    assert set(open_run(folder).intervals(resamples=2)["unit"]) == {"image"}


def test_unknown_units_are_refused(tmp_path, ferc):
    folder = make_run(tmp_path / "run")
    shown = ferc("intervals", folder, "--unit", "subjects")
    assert "did you mean 'subject'?" in one_sentence(shown, 2)


# p-values


@pytest.mark.parametrize("value", [0.0, 0.3, -2.5, 4.0])
def test_p_is_that_of_a_normal_distribution(value):
    draws = np.random.default_rng(0).normal(3, 2, 500)
    expected = 2 * norm.sf(abs(value) / draws.std(ddof=1))
    assert p_value(value, draws) == pytest.approx(expected)


def test_p_of_what_never_varies():
    assert np.isnan(p_value(0.0, np.zeros(5)))
    assert p_value(0.5, np.full(5, 0.5)) == 0
    assert np.isnan(p_value(0.5, np.array([0.5])))
    assert np.isnan(p_value(float("nan"), np.full(5, float("nan"))))


def test_holms_correction():
    """By hand, and never below that of Benjamini and Hochberg."""
    assert holm(np.array([0.02, 0.01, 0.5])).tolist() == pytest.approx([0.04, 0.03, 0.5])
    assert holm(np.array([0.4, np.nan, 0.3])).tolist() == pytest.approx(
        [0.6, np.nan, 0.6], nan_ok=True
    )
    p = np.random.default_rng(0).random(50) ** 3
    found = holm(p)
    assert (found >= false_discovery_control(p) - 1e-12).all()
    assert (np.diff(found[np.argsort(p)]) >= 0).all()
    assert holm(np.array([])).tolist() == []


def test_differences_have_p_and_scores_have_none(tmp_path, ferc):
    folder = make_run(tmp_path / "run", calibrators=("temperature",))
    shown = ferc("intervals", folder, "--resamples", 50, "--format", "json")
    rows = json.loads(shown.stdout)
    for row in rows:
        same = row["calibrator"] == "temperature" and row["metric"] in ("accuracy", "macro_f1")
        nothing = row["against"] is None or (same and row["against"] == "calibrator none")
        assert (row["p"] is None) == (row["p_holm"] is None) == nothing
    differences = [row for row in rows if row["p"] is not None]
    assert all(0 <= row["p"] <= row["p_holm"] <= 1 for row in differences)
    smallest = min(differences, key=lambda row: row["p"])
    assert smallest["p_holm"] == pytest.approx(min(1, smallest["p"] * len(differences)))
    shown = ferc("intervals", folder, "--resamples", 50, "--format", "markdown")
    scores, others = shown.stdout.split("\n\n")
    assert "| p | p (Holm) | N |" in others
    assert "Holm" not in scores


def test_a_difference_that_is_there_survives_and_one_of_chance_does_not(tmp_path):
    scale = {"ce": 1.0, "focal": 6.0}

    def logits(trial, cell):
        right = np.arange(N) % 5 > 0
        return predicting(right) * scale[trial.loss] + 0.1 * random_logits(trial, cell)

    frame = open_run(make_run(tmp_path, logits)).intervals(metrics=["nll", "accuracy"])
    found = frame.filter(against="loss ce", corruption="clean")
    p = dict(found.select("metric", "p_holm").iter_rows())
    assert p["nll"] < 0.01
    assert p["accuracy"] is None  # the same, draw by draw


def test_many_comparisons_are_said_before_they_are_made(tmp_path, ferc):
    corruptions = ["snow", "contrast", "fog", "frost", "jpeg_compression", "pixelate"]
    folder = make_run(
        tmp_path / "run", corruptions=corruptions, severities=(1, 2, 3, 4, 5),
        calibrators=("temperature",),
    )  # fmt: skip
    command = ("intervals", folder, "--by", "corruption", "--by", "severity", "--resamples", 1)
    metrics = ("accuracy", "nll", "brier", "ece", "kse", "soft_nll", "soft_ece", "soft_kse", "mce")
    many = ferc(*command, *(part for name in metrics for part in ("--metric", name)))
    assert many.returncode == 0, many.stderr
    # 31 cells, 9 metrics; focal against ce, twice, and a calibrator against none, twice
    assert f"{31 * 9 * 4:,} comparisons: corrected for their number" in many.stderr
    few = ferc(*command, "--metric", "nll")
    assert "comparisons" not in few.stderr
