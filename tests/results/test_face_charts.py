"""Charts of faces, labels and the valence-arousal plane, of a run on toy faces."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import SMALL, TWO

from ferc_core import open_run, registry
from ferc_core.experiment.calibration import softmax
from ferc_core.images.io import decode_image
from ferc_core.results.charts.faces import opened
from ferc_core.suite.cells import Cell
from ferc_core.testing import check_chart

KINDS = ("visibility", "labels", "corruptions", "valence-arousal")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run of two corruptions at two severities."""
    home = tmp_path_factory.mktemp("home")
    done = ferc_in(home)("run", *SMALL, *TWO, "--out", "run", "--quiet")
    assert done.returncode == 0, done.stderr
    return home / "run"


@pytest.fixture(scope="module")
def run(path):
    return open_run(path)


def values(chart: dict, *fields: str) -> list[tuple]:
    """Return the rows of data that a chart holds which have these fields."""
    return [
        tuple(row[field] for field in fields)
        for rows in chart["datasets"].values()
        for row in rows
        if all(field in row for field in fields)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_chart_is_drawn(run, kind):
    check_chart(registry().charts[kind], run)


def test_bars_are_the_soft_label_and_the_prediction(run):
    chart = run.chart("labels", corruption="snow", trial="softmax_regression ce").to_dict()
    rows = values(chart, "class", "of", "probability")
    labels = run.labels().filter(corruption="snow", severity=5)
    sample = labels["sample"][0]
    soft = labels["target"][0].to_list()
    assert [p for _, of, p in rows if of == "soft label"][-len(soft) :] == pytest.approx(soft)
    probs = softmax(run.logits(run.trials[0], "snow/5"))[0]
    assert [p for _, of, p in rows if of == "prediction"][-len(soft) :] == pytest.approx(
        list(probs)
    )
    assert sample == opened(run).splits.scored.ids[0]


def test_images_are_those_of_the_benchmark(run):
    bench = opened(run)
    chart = run.chart("corruptions", severity=5).to_dict()
    urls = [url for (url,) in values(chart, "url")]
    assert len(urls) == 3
    clean = bench.images()["scored"](range(1))[0]
    expected = bench.corruptor.one(clean, bench.splits.scored.ids[0], Cell("contrast", 5))
    found = [decode_image(b64decode(url.partition(",")[2]), Path("url")) for url in urls]
    assert any(np.array_equal(image, clean) for image in found)
    assert any(np.array_equal(image, expected) for image in found)


def test_the_softening_curve_is_that_of_the_labels(run):
    rows = values(run.chart("visibility").to_dict(), "corruption", "severity", "confidence")
    (found,) = {c for name, severity, c in rows if (name, severity) == ("snow", 5)}
    cell = run.labels().filter(corruption="snow", severity=5)
    assert found == pytest.approx(100 * cell["target"].list.max().to_numpy().mean())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("labels(face=nobody)", "unknown face 'nobody'"),
        ("labels(corruption=fog)", "unknown corruption 'fog'"),
        ("corruptions(severity=2)", "no cell of severity 2"),
        ("labels(trial=nothing)", "unknown trial 'nothing'"),
    ],
)
def test_what_cannot_be_shown_is_said(path, ferc, tmp_path, call, message):
    shown = ferc("plot", path, call, "--out", tmp_path / "a.svg")
    assert message in one_sentence(shown, 2)


def test_a_run_without_visibilities_has_no_curve(tmp_path, ferc):
    words = ("run", *SMALL, *TWO, "--label-scheme", "one-hot", "--out", "plain", "--quiet")
    assert ferc_in(tmp_path)(*words).returncode == 0
    shown = ferc("plot", tmp_path / "plain", "visibility", "--out", tmp_path / "a.svg")
    assert "have no visibility; rerun the ferc run" in one_sentence(shown, 2)
