"""Charts: what they draw are the numbers of the metrics, and every one is drawn."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from helpers.commands import one_sentence
from helpers.stored import LABELS, K, N, make_run

from ferc_core import open_run, registry
from ferc_core.base.failures import Failures
from ferc_core.errors import FercError
from ferc_core.results.charts import answers
from ferc_core.results.charts.answers import Answers, InCell
from ferc_core.results.charts.confusion import rates
from ferc_core.results.charts.data import cells_asked, predictions, trials_in
from ferc_core.results.charts.heatmap import every_cell
from ferc_core.results.charts.reliability import bin_table, outcomes, steps
from ferc_core.results.charts.risk import curve
from ferc_core.results.charts.severity import scores
from ferc_core.testing import check_chart

OF_FACES = ("visibility", "labels", "corruptions", "valence-arousal")  # need a dataset
KINDS = sorted({*registry().charts} - {*OF_FACES})
SIGNATURES = {
    ".svg": b"<svg", ".png": b"\x89PNG", ".pdf": b"%PDF", ".html": b"<!DOCTYPE html", ".json": b"{",
}  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run of two losses with two seeds."""
    return make_run(tmp_path_factory.mktemp("run"), calibrators=("temperature",), seeds=(0, 1))


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A run of one seed."""
    return make_run(tmp_path_factory.mktemp("single"), calibrators=("temperature",))


def case(run, cell: str = "clean", calibrator: str = "none"):
    """Return the predictions of the first trial."""
    trial = trials_in(run)[0]
    found = [each for _, each in predictions(run, cells_asked(run, cell), [calibrator], [trial])]
    arrays = {
        name: np.concatenate([getattr(each, name) for each in found])
        for name in ("probs", "hard", "soft")
    }
    return replace(found[0], **arrays)


def said(found) -> Answers:
    """Return what charts keep of predictions."""
    return Answers([InCell.of(found)])


def metric(name: str, found, target: str = "hard") -> float:
    return registry().metrics[name](found.probs, found.hard if target == "hard" else found.soft)


# The numbers


@pytest.mark.parametrize("target", ["hard", "soft"])
@pytest.mark.parametrize("cell", ["clean", "snow/5", "corrupted"])
def test_the_drawn_bins_are_those_of_the_ece(single, cell, target):
    found = case(open_run(single), cell)
    s, a = outcomes(said(found), target)
    bins = bin_table(s, a)
    drawn = (bins["gap"] * bins["images"]).sum() / len(s)
    name = "ece" if target == "hard" else "soft_ece"
    assert drawn == pytest.approx(metric(name, found, target), abs=1e-12)
    assert bins["images"].sum() == len(s)


def test_the_isotonic_line_is_that_of_the_decomposition(single):
    found = case(open_run(single), "corrupted")
    s, a = outcomes(said(found), "hard")
    order = np.argsort(s, kind="stable")
    fitted = steps(s[order], a[order])
    assert np.mean((fitted - a[order]) ** 2) == pytest.approx(metric("brier_refinement", found))
    assert (np.diff(fitted) >= 0).all()


def test_the_risk_coverage_curve_has_the_area_of_the_aurc(single):
    found = case(open_run(single))
    s, wrong = found.probs.max(axis=1), found.probs.argmax(axis=1) != found.hard
    points = curve(s, wrong.astype(float))
    assert len(points) == N  # all of them
    assert np.mean([risk for _, risk in points]) == pytest.approx(metric("aurc", found))
    assert points[-1][1] == pytest.approx(1 - metric("accuracy", found))


def test_the_confusion_has_the_recall_of_each_class(single):
    found = case(open_run(single))
    matrix = rates(said(found), K)
    assert matrix.sum(axis=1) == pytest.approx(np.full(K, 100))
    for k in range(K):
        recall = np.mean(found.probs[k == LABELS].argmax(axis=1) == k)
        assert matrix[k, k] == pytest.approx(100 * recall)


def test_cells_and_severities_are_those_of_the_tables(path):
    run = open_run(path)
    table = run.means(["corruption", "severity"], ["accuracy"]).frame
    (expected,) = table.filter(
        loss="focal", calibrator="none", corruption="snow", severity=5
    )["accuracy"]  # fmt: skip
    cells = every_cell(run, "accuracy").filter(
        trial="baseline focal", calibrator="none", corruption="snow", severity=5
    )
    assert cells["value"].to_list() == [pytest.approx(100 * expected)]
    with_, without = (scores(run, "accuracy", resamples) for resamples in (10, 0))
    keys = ["trial", "calibrator", "severity"]
    joined = with_.join(without, on=keys, suffix="_other")
    assert len(joined) == len(with_) == len(without)
    assert (joined["value"] - joined["value_other"]).abs().to_numpy().max() < 1e-9
    assert (with_["low"] <= with_["value"]).all()
    assert not (path / "intervals.parquet").exists()  # charts store nothing


def test_all_seeds_of_a_trial_are_drawn_together_and_read_once(path, monkeypatch):
    run = open_run(path)
    run.drawn(["accuracy"], 10)
    monkeypatch.setattr(answers, "cases_in", None)  # nothing is read again
    trial = trials_in(run)[0]
    for cell in ("clean", "corrupted"):
        asked = cells_asked(run, cell), ["temperature"], [trial]
        found = answers.pooled(run, *asked)[trial, "temperature"]
        expected = said(case(run, cell, "temperature"))
        assert len(found.hard) == 2 * N * len(asked[0])
        for name in ("predicted", "confidence", "hard", "soft"):
            assert sorted(getattr(found, name)) == sorted(getattr(expected, name))


# The charts


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_drawn(path, kind):
    check_chart(registry().charts[kind], open_run(path))


@pytest.mark.parametrize(
    "call",
    [
        "severity(metric=soft_ece, calibrator=all, resamples=0)",
        "heatmap(metric=nll, against=baseline ce)",
        "heatmap(metric=conformal_coverage)",
        "reliability(form=corp, cell=corrupted)",
        "reliability(target=soft, cell=snow/5, trial=focal, calibrator=temperature)",
        "confidence(trial=focal)",
        "tradeoff(x=accuracy, y=ece, soft=soft_ece)",
        "risk-coverage(calibrator=all)",
    ],
)
def test_options_stand_in_the_name(path, call):
    assert open_run(path).chart(call).to_dict()["config"]


def test_options_are_keywords_in_python(path):
    chart = open_run(path).chart("reliability", cell="snow/5", trial="focal").to_dict()
    assert "ECE" in json.dumps(chart)


def test_several_runs_are_told_apart(path, single):
    names = trials_in(open_run(path, single))
    assert len(set(names)) == len(names) == 4
    check_chart(registry().charts["severity"], open_run(path, single))


def test_a_trial_has_the_same_colour_in_every_chart(path):
    run = open_run(path)
    for kind in ("severity", "tradeoff", "nll", "risk-coverage", "classes"):
        text = json.dumps(run.chart(kind).to_dict())
        assert (
            '"domain": ["baseline ce", "baseline focal"], "range": ["#0072B2", "#D55E00"]' in text
        )


def test_a_plugin_brings_a_chart(path, ferc, tmp_path):
    (tmp_path / "own.py").write_text(
        "from ferc_core import Chart, hookimpl\n"
        "def draw(run, *, metric: str = 'accuracy'):\n"
        "    import altair as alt\n"
        "    frame = run.means('severity', metric).frame\n"
        "    return alt.Chart(frame).mark_bar().encode(x='severity:O', y=metric)\n"
        "def broken(run):\n"
        "    return 'no chart'\n"
        "@hookimpl\n"
        "def register_charts(register):\n"
        "    register(Chart('own', draw, title='My own'))\n"
        "    register(Chart('broken', broken))\n"
    )
    plugin = ("--plugin", tmp_path / "own.py")
    shown = ferc("plot", path, "own(metric=ece)", "--out", tmp_path / "own.svg", *plugin)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.endswith("own.svg is drawn: My own.\n")
    shown = ferc("plot", path, "broken", "--out", tmp_path / "broken.svg", *plugin)
    assert "chart 'broken' returned a str, no chart" in one_sentence(shown, 1)
    assert not (tmp_path / "broken.svg").exists()


# The command


@pytest.mark.parametrize("suffix", SIGNATURES)
def test_files_of_every_kind(path, ferc, tmp_path, suffix):
    out = tmp_path / f"figure{suffix}"
    shown = ferc("plot", path, "severity(resamples=20)", "--out", out)
    assert shown.returncode == 0, shown.stderr
    assert out.read_bytes().lstrip()[:20].startswith(SIGNATURES[suffix])
    again = tmp_path / f"again{suffix}"
    ferc("plot", path, "severity(resamples=20)", "--out", again)
    if suffix != ".pdf":
        assert again.read_bytes() == out.read_bytes()


def test_a_page_asks_no_other_host(path, ferc, tmp_path):
    out = tmp_path / "page.html"
    ferc("plot", path, "severity(resamples=0)", "--out", out)
    text = out.read_text()
    assert "<script src=" not in text
    assert "<link" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("severty", "--out", "a.svg"), "did you mean 'severity'?"),
        (("severity(metrc=ece)", "--out", "a.svg"), "did you mean 'metric'?"),
        (("severity(metric=eec)", "--out", "a.svg"), "did you mean 'ece'?"),
        (("severity(corruption=snwo)", "--out", "a.svg"), "did you mean 'snow'?"),
        (("severity(calibrator=spline)", "--out", "a.svg"), "unknown calibrator 'spline'"),
        (("reliability(trial=basline ce)", "--out", "a.svg"), "did you mean 'baseline ce'?"),
        (("reliability(cell=snow/4)", "--out", "a.svg"), "unknown cell 'snow/4'"),
        (("reliability(form=round)", "--out", "a.svg"), "unknown form 'round'"),
        (("reliability(bins=0)", "--out", "a.svg"), "bins must be at least 1"),
        (("heatmap(calibrator=all)", "--out", "a.svg"), "unknown calibrator 'all'"),
        (("heatmap(metric=disagreement)", "--out", "a.svg"), "which no chart shows"),
        (("severity", "--out", "a.gif"), "unknown kind of file '.gif'"),
        (("severity", "--out", "figure"), "unknown kind of file"),
    ],
)
def test_what_cannot_be_drawn_is_said(path, ferc, tmp_path, arguments, message):
    assert message in one_sentence(ferc("plot", path, *arguments), 2)


def test_what_is_no_run_is_said(ferc, tmp_path):
    (tmp_path / "empty").mkdir()
    out = ("--out", tmp_path / "a.svg")
    assert "has no results yet" in one_sentence(ferc("plot", tmp_path / "empty", "nll", *out), 1)
    missing = ferc("plot", tmp_path / "missing", "nll", *out)
    assert "is not a run directory" in one_sentence(missing, 2)


def test_names_are_text_and_not_markup(tmp_path, ferc):
    """Whatever a method is called."""
    folder = make_run(tmp_path / "run", losses=("<script>alert(1)</script>",))
    out = tmp_path / "page.html"
    shown = ferc("plot", folder, "severity(resamples=0)", "--out", out)
    assert shown.returncode == 0, shown.stderr
    assert "<script>alert(1)</script>" not in out.read_text()


def test_scores_alone_have_no_predictions(tmp_path, single):
    alone = tmp_path / "scores.parquet"
    pl.read_parquet(single / "results.parquet").write_parquet(alone)
    run = open_run(
        alone,
    )
    check_chart(registry().charts["nll"], run)
    with pytest.raises(FercError, match="has scores alone"):
        run.chart("reliability")
    assert isinstance(run.failures, Failures)
