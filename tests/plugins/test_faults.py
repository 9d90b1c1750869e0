"""A fault of one entry costs its own numbers; it is named, and the exit code is 1."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from helpers.commands import EXAMPLES, one_sentence, own_plugins
from helpers.runs import OWN, SMALL, TRIAL, folder_of_faces

from ferc_core import score
from ferc_core.plugins.host import use_plugin_files

METRIC = """
from ferc_core import Calibrator, Metric, Reporter, hookimpl
def raises(probs, targets): raise ZeroDivisionError("nothing to\\nmeasure")
def picky(logits, targets):
    if len(logits) != 60: raise ValueError("not on this split")  # 60 rows probe it
    return lambda rows: abs(rows) / abs(rows).sum(axis=1, keepdims=True)
@hookimpl
def register_metrics(register):
    register(Metric("raises", raises))
    register(Metric("half", lambda probs, targets: 0.5))
@hookimpl
def register_calibrators(register):
    register(Calibrator("picky", picky))
@hookimpl
def register_reporters(register):
    register(Reporter("mute", lambda frame: 1 / 0))
"""


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A plugin file with a metric that raises, one that works, and other bad entries."""
    path = tmp_path / "bad.py"
    path.write_text(METRIC)
    return path


def check_named(done) -> None:
    """Check that the fault is named and the exit code is 1, without a traceback."""
    assert done.returncode == 1, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ferc: 1 part failed: metric raises: ZeroDivisionError: nothing to mea")
    assert "Traceback" not in done.stderr


def test_a_metric_that_raises_costs_a_run_its_own_numbers(ferc, tmp_path, bad):
    folder_of_faces(tmp_path / "faces")
    done = ferc("run", *OWN, "--label-scheme", "one-hot", "--plugin", bad, "--out", "run")
    check_named(done)
    assert "softmax_regression" in done.stdout
    metrics = set(pl.read_parquet(tmp_path / "run/results.parquet")["metric"])
    assert {"accuracy", "soft_ece", "half"} <= metrics
    assert "raises" not in metrics


def test_a_metric_that_raises_costs_results_its_own_numbers(ferc, run_copy, bad):
    assert run_copy.exists()
    view = ("--format", "json", "--by", "severity", "--metric", "half", "--metric", "ece")
    done = ferc("results", "run", "--plugin", bad, *view)
    check_named(done)
    rows = json.loads(done.stdout)
    assert {row["half"] for row in rows} == {0.5}
    plain = ferc("results", "run", "--format", "json", "--by", "severity", "--metric", "ece")
    ece = [row["ece"] for row in json.loads(plain.stdout)]
    assert [row["ece"] for row in rows] == ece


def test_a_metric_that_raises_costs_intervals_its_own_numbers(ferc, run_copy, bad):
    done = ferc("intervals", "run", "--plugin", bad, "--resamples", 20)
    check_named(done)
    assert "F1" in done.stdout
    asked = ferc("intervals", "run", "--plugin", bad, "--resamples", 20, "--metric", "raises")
    assert asked.returncode == 1
    assert "ZeroDivisionError" in asked.stderr.splitlines()[-1]


def test_a_metric_that_raises_costs_a_score_its_own_numbers(ferc, run_copy, bad):
    cells = [p for p in (run_copy / "predictions" / TRIAL).glob("[!v]*.parquet")]
    pl.concat(map(pl.read_parquet, cells)).write_parquet(run_copy.parent / "mine.parquet")
    faces = ("--dataset", SMALL[-1], "--image-size", 32, "--label-scheme", "one-hot")
    done = ferc("score", "mine.parquet", *faces, "--plugin", bad, "--out", "scores.parquet")
    check_named(done)
    metrics = set(pl.read_parquet(run_copy.parent / "scores.parquet")["metric"])
    assert {"accuracy", "half"} <= metrics
    assert "raises" not in metrics


def test_a_metric_that_raises_is_warned_of_in_python(bad):
    with own_plugins():
        use_plugin_files([bad])
        with pytest.warns(UserWarning, match="metric raises failed: ZeroDivisionError"):
            table = score([[0.9, 0.1], [0.2, 0.8]], labels=[0, 1])
    assert {"accuracy", "half"} <= set(table["metric"])
    assert "raises" not in set(table["metric"])


def test_a_calibrator_that_cannot_be_fitted_costs_its_own_rows(ferc, run_copy, bad):
    run = ("run", "run", *SMALL[:2], "--plugin", bad, "--calibrator", "picky")
    done = ferc(*run, "--calibrator", "temperature")
    assert done.returncode == 1
    assert "calibrator picky: ValueError: not on this split" in done.stderr.splitlines()[-1]
    scores = pl.read_parquet(run_copy / "results.parquet")
    assert set(scores["calibrator"]) == {"none", "temperature"}


def test_a_reporter_that_raises_gets_one_sentence(ferc, small_run, bad):
    done = ferc("results", small_run, "--plugin", bad, "--format", "mute")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("how", ["option", "environment"])
def test_debug_shows_the_traceback_of_a_plugin(ferc, run_copy, bad, how, monkeypatch):
    before = ("--debug",) if how == "option" else ()
    if how == "environment":
        monkeypatch.setenv("FERC_DEBUG", "1")
    done = ferc(*before, "results", "run", "--plugin", bad)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert f'File "{bad}", line 3, in raises' in done.stderr
    assert done.stderr.splitlines()[-1].startswith("ferc: 1 part failed: metric raises")


# What the entries of a plugin file do, what is asked of them, and what is said of it.
EXIT = "def f(*args, **more): sys.exit(4)"
EXITED = "it called sys.exit(4), which would have ended FER-C"
METHODS = "Method('bad', fit, load=lambda path, device: fit(None))"
FIT = """
class Model:
    def save(self, path): path.write_text("x")
    def logits(self, images): {does}
def fit(task): return Model()
"""
FITTED = """
def f(logits, targets):
    return lambda rows: np.full(rows.shape, 1 / rows.shape[1] if len(logits) == 60 else {value})
"""
LATE = """
class Odd(Exception):
    def __init__(self, one, two): self.function = lambda: one
def f(image, severity, rng):
    if image.shape[0] == 33: {does}
    return image
"""


@pytest.mark.parametrize(
    ("body", "kind", "entry", "options", "said"),
    [
        (EXIT, "corruptions", "Corruption('bad', f)", "--corruption bad", EXITED),
        (EXIT, "visibilities", "Visibility('bad', f)", "--visibility bad", EXITED),
        (EXIT, "label_schemes", "LabelScheme('bad', f)", "--label-scheme bad", EXITED),
        (EXIT, "datasets", "DatasetSource('bad', f, needs_root=False)", "--dataset bad", EXITED),
        (EXIT, "executors", "Executor('bad', f)", "--executor bad", EXITED),
        (EXIT, "metrics", "Metric('bad', f)", "", f"metric bad: {EXITED}"),
        (EXIT, "calibrators", "Calibrator('bad', f)", "--calibrator bad", EXITED),
        (EXIT, "methods", "Method('bad', f, load=f)", "--method bad", EXITED),
        (EXIT, "methods", "Method('bad', f, load=f, check=f)", "--method bad", EXITED),
        (FIT.format(does="sys.exit(4)"), "methods", METHODS, "--method bad", EXITED),
        (
            FIT.format(does="pass"),
            "methods",
            METHODS,
            "--method bad",
            "returned NoneType, not logit",
        ),
        (
            FIT.format(does="return np.full((len(images), 8), np.nan)"),
            "methods",
            METHODS,
            "--method bad",
            "bad ce, seed 0 returned logits that are not finite",
        ),
        (
            "def fit(task): return 3",
            "methods",
            METHODS,
            "--method bad",
            "method 'bad' returned a int, which lacks logits()",
        ),
        (
            FITTED.format(value="np.nan"),
            "calibrators",
            "Calibrator('bad', f)",
            "--calibrator bad",
            "calibrator bad: it returned rows that are not distributions",
        ),
        (
            "def f(clean, corrupted): return float('inf')",
            "visibilities",
            "Visibility('bad', f)",
            "--visibility bad",
            "visibility 'bad' returned inf",
        ),
        (
            "def f(root): return None",
            "datasets",
            "DatasetSource('bad', f, needs_root=False)",
            "--dataset bad",
            "dataset 'bad' is a NoneType, no FaceSet",
        ),
        (
            "def f(function, items, workers): return list(map(function, items))[1:]",
            "executors",
            "Executor('bad', f)",
            "--executor bad",
            "executor 'bad' does not give one result for each item",
        ),
        (
            LATE.format(does="raise Odd(1, 2)"),
            "corruptions",
            "Corruption('bad', f)",
            "--corruption bad --image-size 33 --executor processes --workers 1",
            "bad/1 failed with Odd",
        ),
        (
            LATE.format(does="sys.exit(4)"),
            "corruptions",
            "Corruption('bad', f)",
            "--corruption bad --image-size 33 --workers 2",
            f"bad/1 failed with {EXITED}",
        ),
    ],
)
def test_a_fault_at_run_time_has_one_sentence_with_the_name(
    ferc, tmp_path, body, kind, entry, options, said
):
    (tmp_path / "bad.py").write_text(
        f"import sys\nimport numpy as np\nfrom ferc_core import *\n{body}\n"
        f"@hookimpl\ndef register_{kind}(register): register({entry})\n"
    )
    usual = {
        "--dataset": "toyfaces(train=16,valid=8,test=8,size=40)",
        "--method": "softmax_regression",
        "--corruption": "contrast",
        "--calibrator": "vector",
    }
    words = options.split()
    more = [word for name, value in usual.items() if name not in words for word in (name, value)]
    done = ferc(
        "run", "-q", "--severity", 1, "--loss", "ce", "--image-size", 32, *more, *words,
        "--plugin", EXAMPLES / "my_method.py", "--plugin", "bad.py",
    )  # fmt: skip
    message = one_sentence(done, 1)
    assert said in message
    assert "bad" in message
    assert "please report" not in message


@pytest.mark.parametrize(
    ("does", "said"), [("sys.exit(4)", EXITED), ("return 3", "returned a int")]
)
def test_a_reporter_has_one_sentence_with_its_name(ferc, small_run, tmp_path, does, said):
    (tmp_path / "bad.py").write_text(
        "import sys\nfrom ferc_core import Reporter, hookimpl\n@hookimpl\n"
        f"def register_reporters(register): register(Reporter('bad', f))\ndef f(frame): {does}\n"
    )
    done = ferc("results", small_run, "--plugin", "bad.py", "--format", "bad")
    message = one_sentence(done, 1)
    assert "reporter 'bad'" in message
    assert said in message


def test_what_stops_a_script_is_a_fault_of_the_entry_in_python_too(tmp_path):
    (tmp_path / "bad.py").write_text(
        "import sys\nfrom ferc_core import Metric, hookimpl\ndef f(probs, targets): sys.exit(4)\n"
        "@hookimpl\ndef register_metrics(register): register(Metric('bad', f))\n"
    )
    with own_plugins():
        use_plugin_files([tmp_path / "bad.py"])
        with pytest.warns(UserWarning, match=f"metric bad failed: {re.escape(EXITED)}"):
            assert len(score([[0.9, 0.1]], labels=[0])) > 5
