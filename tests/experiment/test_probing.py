"""What cannot end well is refused in seconds: before a training, before a directory is made."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.commands import one_sentence
from helpers.runs import METHOD, OWN, TINY, folder_of_faces

BAD = """
import numpy as np
from ferc_core import Calibrator, Corruption, LabelScheme, Visibility, hookimpl

def float64(image, severity, rng): return image / 2
def raises(image, severity, rng): raise ValueError("no such\\nweather")
def doubled(targets, visibility): return 2 * targets
def flat(logits, targets): return lambda rows: rows[:, :1]
def words(clean, corrupted): return "much"

@hookimpl
def register_corruptions(register):
    register(Corruption("float64", float64))
    register(Corruption("raises", raises))
    register(Corruption("absent", "no_such_module:rain"))
@hookimpl
def register_label_schemes(register):
    register(LabelScheme("doubled", doubled))
@hookimpl
def register_calibrators(register):
    register(Calibrator("flat", flat))
@hookimpl
def register_visibilities(register):
    register(Visibility("words", words))
"""


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A plugin file whose entries break their promises."""
    path = tmp_path / "bad.py"
    path.write_text(BAD)
    folder_of_faces(tmp_path / "faces")
    return path


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--corruption", "float64"), 1, "corruption 'float64' returned float64 (64, 64, 3)"),
        (("--corruption", "raises"), 1, "ValueError: no such weather"),
        (("--corruption", "absent"), 1, "No module named 'no_such_module'"),
        (("--label-scheme", "doubled"), 1, "label scheme doubled returned rows that are not"),
        (("--calibrator", "flat"), 1, "calibrator flat returned [60, 1] for [60, 2]"),
        (("--visibility", "words"), 1, "visibility words failed on a small sample: ValueError"),
        (("--label-scheme", "dataset"), 2, "needs label distributions"),
        (("--label-scheme", "gmm"), 2, "needs valence and arousal"),
        (("--label-scheme", "ferc(exponent=0)"), 2, "exponent must be above 0, not 0"),
        (("--label-scheme", "ferc(exponent=two)"), 2, "'exponent' of 'ferc' must be a number"),
        (("--label-scheme", "label-smoothing(epsilon=2)"), 2, "epsilon must be between 0 and 1"),
    ],
)
def test_an_entry_that_cannot_serve_is_refused_before_anything_is_made(
    ferc, tmp_path, bad, options, code, message
):
    for command in (("run", *OWN), ("build", *OWN[6:])):
        if command[0] == "build" and "--calibrator" in options:
            continue
        done = ferc(*command, "--plugin", bad, *options, "--out", "out")
        assert message in one_sentence(done, code)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--method", "mek", "--loss", "cpc"), "cpc"),
        (("--method", "swinv2_t", "--backbone", "resnet50"), "resnet50"),
        (("--method", "baseline", "--backbone", "no_such_net"), "no_such_net"),
        (("--method", "baseline", "--weights", "absent.pth"), "absent.pth"),
        (("--method", "baseline(depth=3)"), "depth"),
        (("--method", "baseline", "--loss", "focal(gamma=0.5)"), "gamma"),
    ],
)
def test_a_method_refuses_what_it_cannot_train_before_it_begins(ferc, tmp_path, options, message):
    loss = () if "--loss" in options else ("--loss", "ce")
    tiny = ("--dataset", TINY, "--image-size", 32, "--corruption", "contrast", "--out", "out")
    done = ferc("run", *tiny, *loss, *METHOD[:2], "--method", "softmax_regression", *options)
    assert message in one_sentence(done, 2)
    assert not [line for line in done.stderr.splitlines() if line.startswith(("train ", "read "))]
    assert not list((tmp_path / "out").rglob("*.safetensors"))
