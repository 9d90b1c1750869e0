"""Trials: which there are, what runs in parallel, what fails, what is done once."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers.commands import EXAMPLES, FERC, own_plugins
from helpers.runs import OWN, TINY, folder_of_faces, run_tiny, tiny

from ferc_core.data.noise import flip_labels
from ferc_core.errors import RequestError, RunError
from ferc_core.experiment import pipeline
from ferc_core.experiment.benchmark import Benchmark
from ferc_core.experiment.config import read_configs
from ferc_core.plugins.host import use_plugin_files

# Methods whose trainings end as their option says.
ODD = """
import os, signal, time
import numpy as np
from ferc_core import Loss, Method, hookimpl
class Flat:
    def __init__(self, fate, k): self.fate, self.k = fate, k
    def logits(self, images):
        if self.fate == 'mute': raise KeyError('no tongue')
        return np.tile(np.arange(self.k, dtype=np.float32), (len(images), 1))
    def save(self, path): path.write_text(f'{self.fate} {self.k}')
def fit(task):
    fate = task.options.get('fate', 'well')
    run = task.directory.parent.parent
    if fate == 'bug': raise ZeroDivisionError('a bug\\nin a method')
    if fate == 'killed':
        while not list(run.glob('checkpoints/odd-light*.safetensors')): time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    while fate == 'endless':
        run.joinpath('checkpoints').mkdir(exist_ok=True)
        run.joinpath(f'alive{task.seed}').touch()
        time.sleep(0.05)
    return Flat(fate, len(task.classes))
def load(path, device):
    fate, k = path.read_text().split()
    return Flat(fate, int(k))
@hookimpl
def register_methods(register):
    register(Method('odd', fit, load=load))
    register(Method('ready', fit, load=load, trains=False))
@hookimpl
def register_losses(register):
    register(Loss('light', lambda num_classes, class_prior: None))  # needs no torch
"""


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Path]:
    """Use the odd methods."""
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    with own_plugins():
        use_plugin_files([path])
        yield path


def files(folder: Path) -> dict[str, bytes]:
    parts = [*folder.glob("checkpoints/*"), *folder.rglob("*.parquet")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in parts if p.is_file()}


def test_trials_in_parallel_end_with_the_same_bytes(tmp_path, odd):
    use_plugin_files([EXAMPLES / "my_method.py"])
    grid = {"methods": "softmax_regression", "losses": ("light", "ce"), "noise": 0.5}
    run_tiny(tmp_path / "one", **grid, label_scheme="one-hot")
    run_tiny(tmp_path / "two", **grid, label_scheme="one-hot", jobs=2)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert len([name for name in one if name.endswith(".safetensors")]) == 2
    assert one == two


def test_a_trial_that_fails_is_named_and_does_not_stop_the_others(tmp_path, odd):
    methods = ("odd", "odd(fate=bug)", "odd(fate=mute)")
    outcome = run_tiny(tmp_path / "run", methods=methods)
    assert {part: str(cause) for part, cause in outcome.failures.causes.items()} == {
        "odd(fate=bug) ce, seed 0": "ZeroDivisionError: a bug in a method",
        "odd(fate=mute) ce, seed 0": "KeyError: 'no tongue'",
    }
    assert outcome.results["method"].unique().to_list() == ["odd"]
    assert not any("part" in path.name for path in (tmp_path / "run").rglob("*"))


def test_a_training_process_that_is_killed_costs_its_own_trial(tmp_path, odd):
    settings = {"losses": "light", "label_scheme": "one-hot", "jobs": 2}
    outcome = run_tiny(tmp_path / "run", methods=("odd(fate=killed)", "odd"), **settings)
    ((part, cause),) = outcome.failures.causes.items()
    assert part == "odd(fate=killed) light, seed 0"
    assert str(cause) == (
        "a worker process was killed by signal 9; perhaps memory ran out; rerun with fewer --jobs "
        "to resume"
    )
    assert set(outcome.results["method"]) == {"odd"}


def test_where_nothing_can_be_scored_the_cause_is_raised(tmp_path, odd):
    with pytest.raises(RunError, match=r"seed 0: ZeroDivisionError: a bug in a method$"):
        run_tiny(tmp_path / "run", methods="odd(fate=bug)")
    with pytest.raises(RequestError, match=r"option 'gamma' must be 0 or at least 1"):
        run_tiny(tmp_path / "other", losses="focal(gamma=0.5)")


def test_a_training_that_diverges_is_named(tmp_path, odd):
    outcome = run_tiny(tmp_path / "run", methods=("baseline", "odd"), epochs=3, learning_rate=1e30)
    ((part, cause),) = outcome.failures.causes.items()
    assert part == "baseline ce, seed 0"
    assert re.match(r"loss 'ce' became \w+ in epoch 1, batch \d", str(cause))
    assert set(outcome.results["method"]) == {"odd"}


def test_a_ready_made_model_is_there_once_whatever_losses_and_seeds(tmp_path, odd):
    settings = {"methods": ("ready", "odd"), "losses": ("ce", "focal"), "seeds": (0, 1)}
    bench = Benchmark.open(tiny(tmp_path / "run", **settings))
    assert [str(trial) for trial in bench.trials] == [
        "ready",
        "odd ce, seed 0",
        "odd ce, seed 1",
        "odd focal, seed 0",
        "odd focal, seed 1",
    ]
    outcome = run_tiny(tmp_path / "run", **settings)
    assert outcome.results.filter(method="ready")["loss"].unique().to_list() == ["-"]
    assert run_tiny(tmp_path / "run", **settings).results.equals(outcome.results)


def test_a_run_of_a_ready_made_model_does_not_speak_of_trainings(ferc, odd):
    quick = ("--corruption", "contrast", "--label-scheme", "one-hot", "--out", "run")
    done = ferc("run", "--plugin", odd, "--method", "ready", "--dataset", TINY, *quick)
    assert done.returncode == 0, done.stderr
    assert "ready-made models: ready" in done.stderr
    for word in ("training", "epoch", "weights", "objective"):
        assert word not in done.stderr


def test_an_error_of_a_ready_made_model_is_said_once(ferc, odd):
    done = ferc("run", "--plugin", odd, "--method", "ready(fate=bug)", "--dataset", TINY,
                "--out", "run")  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("a bug in a method") == 1


def test_the_objective_of_a_sum_of_losses_is_shown_and_recorded(tmp_path, ferc, odd):
    done = ferc("run", "--plugin", odd, "--method", "odd", "--dataset", TINY, "--corruption",
                "contrast", "--label-scheme", "one-hot", "--out", "run",
                "--loss", "maxent+mbls", "--loss", "mbls + maxent + focal")  # fmt: skip
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    objectives = {trial["loss"]: trial["objective"] for trial in manifest["trials"].values()}
    assert len(objectives) == 2
    for loss, objective in objectives.items():
        assert f"objective {loss} = {objective}" in done.stderr
        assert "weight=1" in objective
        assert "reduction=sum" in objective


def test_several_datasets_go_into_folders_and_one_that_fails_does_not_stop_the_others(
    tmp_path, odd
):
    path = tmp_path / "grid.toml"
    path.write_text(
        f'out = "{(tmp_path / "all").as_posix()}"\nmethods = ["odd"]\nlosses = ["ce"]\n'
        'corruptions = ["contrast"]\nseverities = [1]\nimage_size = 32\nworkers = 0\n'
        f'[[data]]\ndataset = "{TINY}"\n[[data]]\ndataset = "folder"\ndata_root = "nowhere"\n'
    )
    configs = read_configs(path, {"label_scheme": "one-hot"})
    outcome = pipeline.run_configs(configs)
    assert outcome.path == tmp_path / "all"
    assert (tmp_path / "all/toyfaces/results.parquet").exists()
    ((part, cause),) = outcome.failures.causes.items()
    assert part == "folder"
    assert "nowhere" in str(cause)
    with pytest.raises(RequestError, match="'toyfaces' is there twice"):
        pipeline.run_configs([configs[0], configs[0]])


def test_a_directory_keeps_the_number_of_threads_that_it_was_begun_with(tmp_path, odd):
    settings = {"methods": "odd", "label_scheme": "one-hot"}
    run_tiny(tmp_path / "run", **settings, threads=3)
    run_tiny(tmp_path / "run", **settings, threads=0, seeds=(0, 1))
    with pytest.raises(RequestError, match="threads 3, not 1"):
        run_tiny(tmp_path / "run", **settings)


def test_noise_and_seeds_make_trials_of_their_own(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces", n=10)
    result = ferc("run", *OWN, "--noise", 0, "--noise", 1, "--seed", 0, "--seed", 1,
                  "--label-scheme", "one-hot", "--out", "noisy")  # fmt: skip
    assert result.returncode == 0, result.stderr
    frame = pl.read_parquet(tmp_path / "noisy" / "results.parquet")
    accuracy = frame.filter(metric="accuracy", corruption="clean", calibrator="none")
    right, flipped = accuracy.filter(noise=0)["value"], accuracy.filter(noise=1)["value"]
    assert right.to_list() == [1, 1]
    assert flipped.to_list() == [0, 0]


def test_what_another_call_scored_is_still_there_and_named(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    own = ("run", *OWN, "--label-scheme", "one-hot", "--out", "run")
    assert ferc(*own, "--loss", "focal", "--loss", "mbls").returncode == 0
    before = pl.read_parquet(tmp_path / "run/results.parquet")
    added = ferc(*own, "--seed", 1)  # OWN has --loss ce
    assert added.returncode == 0, added.stderr
    (note,) = [line for line in added.stderr.splitlines() if "not part of this call" in line]
    for loss in ("ce", "focal", "mbls"):
        assert f"softmax_regression {loss}, seed 0" in note
    after = pl.read_parquet(tmp_path / "run/results.parquet")
    assert after.filter(seed=0).sort(pl.all()).equals(before.sort(pl.all()))
    assert after.filter(seed=1)["loss"].unique().to_list() == ["ce"]
    wider = ferc(*own, "--seed", 1, "--corruption", "fog")  # which the others have not predicted
    (note,) = [
        line for line in wider.stderr.splitlines() if "left out, lacking predictions" in line
    ]
    assert "softmax_regression focal, seed 0" in note
    assert set(pl.read_parquet(tmp_path / "run/results.parquet")["seed"]) == {1}


def test_a_calibrator_of_all_cells_sees_the_validation_split_in_all_cells(tmp_path, odd):
    plain = run_tiny(tmp_path / "run", methods="odd")
    assert len(list(tmp_path.glob("run/predictions/*/validation*"))) == 1
    outcome = run_tiny(
        tmp_path / "run", methods="odd", calibrators=("temperature", "multi-domain-ts")
    )
    names = sorted(p.stem for p in tmp_path.glob("run/predictions/*/validation*"))
    assert names == ["validation", "validation-contrast-1", "validation-contrast-5"]
    assert len(pl.read_parquet(next(tmp_path.glob("run/predictions/*/validation-*")))) == 16
    assert "multi-domain-ts" in set(outcome.results["calibrator"])
    unchanged = outcome.results.filter(pl.col("calibrator") != "multi-domain-ts")
    assert unchanged.equals(plain.results)


def test_training_processes_end_with_the_one_that_started_them(tmp_path, odd):
    command = [
        *FERC, "run", "--plugin", odd, "--method", "odd(fate=endless)", "--dataset", TINY,
        "--seed", "0", "--seed", "1", "--loss", "light", "--jobs", "2", "--out", tmp_path / "run",
    ]  # fmt: skip
    parent = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    signs = [tmp_path / "run" / f"alive{seed}" for seed in (0, 1)]
    try:
        wait_until(lambda: all(sign.exists() for sign in signs))
        assert parent.poll() is None
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: all(time.time() - sign.stat().st_mtime > 1 for sign in signs))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(("rate", "changed"), [(0.1, 0.083), (0.3, 0.227)])
def test_the_authors_noise_changes_fewer_labels_than_it_says(rate, changed):
    labels = np.arange(40_000) % 8
    noisy = flip_labels(labels, rate, 8, seed=5, scheme="ferc")
    assert abs((noisy != labels).mean() - changed) < 0.004  # (1 - e^-rate) 7 / 8
    np.testing.assert_array_equal(noisy, flip_labels(labels, rate, 8, seed=6, scheme="ferc"))
