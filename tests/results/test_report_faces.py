"""The faces of a report that models fail on: which they are, and when their images are shown."""

from __future__ import annotations

import re
import shutil
from base64 import b64decode

import numpy as np
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import OWN, SMALL, TWO, folder_of_faces

from ferc_core import open_run
from ferc_core.experiment.calibration import softmax
from ferc_core.images.io import decode_image
from ferc_core.results.charts.faces import images_of, opened
from ferc_core.results.report.faces import SHOWN, failed
from ferc_core.suite.cells import CLEAN


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on toy faces of two corruptions at two severities."""
    home = tmp_path_factory.mktemp("home")
    done = ferc_in(home)("run", *SMALL, *TWO, "--out", "run", "--quiet")
    assert done.returncode == 0, done.stderr
    return open_run(home / "run")


def test_they_are_the_surest_errors_and_the_faces_that_are_wrong_most_often(run):
    (trial,) = run.trials
    labels = run.labels().filter(corruption="clean")
    hard, samples = labels["label"].to_numpy(), labels["sample"].to_list()
    probs = np.stack([softmax(run.logits(trial, cell)) for cell in run.cells])
    wrong = probs.argmax(axis=2) != hard
    sure = np.where(wrong, probs.max(axis=2), 0).max(axis=0)
    (found,) = failed(run, False)
    assert found.trial == trial.name.replace("-noise0-seed0", "").replace("-", " ")
    assert len(found.sure) == len(found.seldom) == SHOWN
    told = [float(re.search(r"with ([\d.]+) %", face.said)[1]) for face in found.sure]
    assert told == pytest.approx(sorted(100 * sure, reverse=True)[:SHOWN], abs=0.06)
    for face, percent in zip(found.sure, told, strict=True):
        i, cell = samples.index(face.sample), run.cells.index(face.cell)
        assert wrong[cell, i]
        assert 100 * probs[cell, i].max() == pytest.approx(percent, abs=0.06)
    counts = wrong.sum(axis=0)
    shown = [counts[samples.index(face.sample)] for face in found.seldom]
    assert shown == sorted(counts, reverse=True)[:SHOWN]
    for face, count in zip(found.seldom, shown, strict=True):
        assert f"wrong in {count} of 5 cells" in face.said
        assert face.cell == CLEAN


def test_images_of_toy_faces_are_those_of_their_cells(run):
    (found,) = failed(run, False)
    assert found.images == "toyfaces"
    for face in (found.sure[0], found.seldom[0]):
        image = decode_image(b64decode(face.image.partition(",")[2]), "it")
        (expected,) = images_of(opened(run), face.sample, [face.cell])
        assert np.array_equal(image, expected)


@pytest.fixture(scope="module")
def licensed(tmp_path_factory):
    """A run on a folder of somebody's faces, and where it was made."""
    home = tmp_path_factory.mktemp("home")
    folder_of_faces(home / "faces", 30)
    done = ferc_in(home)("run", *OWN, "--noise", 0.8, "--out", "run", "--quiet")
    assert done.returncode == 0, done.stderr
    return home


def test_other_images_are_shown_only_where_they_are_asked_for(licensed):
    ferc = ferc_in(licensed)
    for more, images in (((), False), (("--with-images",), True)):
        done = ferc("report", "run", "--out", "r.html", *more)
        assert done.returncode == 0, done.stderr
        text = (licensed / "r.html").read_text()
        assert ('<img src="data:image/png' in text) == images
        assert ("It shows faces of folder: see its licence" in text) == images
        assert ("No faces are in it." in text) != images
        assert "Faces it fails on" in text


def test_images_that_are_asked_for_and_not_there_are_missed_in_one_sentence(licensed):
    shutil.move(licensed / "faces", licensed / "elsewhere")
    ferc = ferc_in(licensed)
    assert "faces" in one_sentence(ferc("report", "run", "--with-images", "--quiet"), 2)
    assert not (licensed / "report.html").exists()
    assert ferc("report", "run").returncode == 0
