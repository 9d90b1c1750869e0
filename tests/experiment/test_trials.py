"""A grid of trainings: what runs side by side, what fails, what is done once."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ferc_core import registry
from ferc_core.data.splits import flip_labels
from ferc_core.errors import FercError, RequestError, RunError, UnknownNameError
from ferc_core.experiment.augment import soft_augmentation, training_visibilities
from ferc_core.experiment.benchmark import make_plan, runs_of
from ferc_core.experiment.config import Config, read_configs
from ferc_core.experiment.pipeline import run_benchmark, run_experiment
from ferc_core.plugins.host import use_plugin_files
from ferc_core.suite.corrupt import CLEAN

REPOSITORY = Path(__file__).resolve().parents[2]
TINY = "toyfaces(train=24,valid=16,test=8,size=40)"


class Silent:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def track(self, label: str, total: float) -> Iterator[object]:
        yield lambda step, note="": None

    def say(self, text: str) -> None:
        self.said.append(text)


def tiny(out: Path, **changes: object) -> Config:
    usual = {
        "dataset": TINY,
        "image_size": 32,
        "epochs": 1,
        "batch_size": 8,
        "losses": ("ce",),
        "corruptions": ("contrast",),
        "severities": (1, 5),
        "threads": 1,
        "workers": 0,
        "out": str(out),
    }
    return Config(**{**usual, **changes})


def files(folder: Path) -> dict[str, bytes]:
    parts = [*folder.glob("checkpoints/*"), *folder.rglob("*.parquet")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in parts if p.is_file()}


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A method whose trainings end as its option says."""
    monkeypatch.setenv("FERC_PLUGIN_FILES", "")
    path = tmp_path / "odd.py"
    path.write_text(
        "import os, signal\n"
        "import numpy as np\n"
        "from ferc_core import Method, hookimpl\n"
        "class Flat:\n"
        "    def __init__(self, fate, k): self.fate, self.k = fate, k\n"
        "    def logits(self, images):\n"
        "        if self.fate == 'mute': raise KeyError('no tongue')\n"
        "        return np.tile(np.arange(self.k, dtype=np.float32), (len(images), 1))\n"
        "    def save(self, path): path.write_text(f'{self.fate} {self.k}')\n"
        "def fit(task):\n"
        "    fate = task.options.get('fate', 'well')\n"
        "    if fate == 'bug': raise ZeroDivisionError('a bug\\nin a method')\n"
        "    if fate == 'killed': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return Flat(fate, len(task.classes))\n"
        "def load(path, device):\n"
        "    fate, k = path.read_text().split()\n"
        "    return Flat(fate, int(k))\n"
        "@hookimpl\n"
        "def register_methods(register):\n"
        "    register(Method('odd', fit, load=load))\n"
        "    register(Method('ready', fit, load=load, trains=False))\n"
    )
    use_plugin_files([path])
    yield
    monkeypatch.undo()
    use_plugin_files([])


def test_trainings_side_by_side_end_with_the_same_bytes(tmp_path):
    grid = {"losses": ("ce", "focal")}
    run_benchmark(tiny(tmp_path / "one", **grid), Silent())
    run_benchmark(tiny(tmp_path / "two", **grid, jobs=2), Silent())
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert len([name for name in one if name.startswith("checkpoints")]) == 2
    assert one == two


def test_what_fails_is_reported_and_does_not_stop_the_rest(tmp_path, plugin):
    methods = ("odd", "odd(fate=bug)", "odd(fate=mute)")
    outcome = run_benchmark(tiny(tmp_path / "run", methods=methods), Silent())
    assert outcome.failures == (
        "odd(fate=bug) ce, seed 0: ZeroDivisionError: a bug in a method",
        "odd(fate=mute) ce, seed 0: KeyError: 'no tongue'",
    )
    assert outcome.results["method"].unique().to_list() == ["odd"]
    assert not any("part" in path.name for path in (tmp_path / "run").rglob("*"))


def test_a_training_process_that_is_killed_does_not_stop_the_run(tmp_path, plugin):
    methods = ("odd", "odd(fate=killed)")
    config = tiny(tmp_path / "run", methods=methods, jobs=2)
    try:
        failures = "; ".join(run_benchmark(config, Silent()).failures)
    except FercError as error:  # where the other one was not yet done
        failures = str(error)
    assert "was killed, perhaps for want of memory" in failures
    again = run_benchmark(tiny(tmp_path / "run", methods=("odd",)), Silent())
    assert not again.failures


def test_nothing_that_can_be_scored_is_an_error_of_its_own_kind(tmp_path, plugin):
    with pytest.raises(RunError, match=r"^ZeroDivisionError: a bug in a method$"):
        run_benchmark(tiny(tmp_path / "run", methods=("odd(fate=bug)",)), Silent())
    with pytest.raises(RequestError, match=r"option 'gamma' must be 0 or at least 1"):
        run_benchmark(tiny(tmp_path / "other", losses=("focal(gamma=0.5)",)), Silent())


def test_a_diverging_training_is_named_and_does_not_stop_the_rest(tmp_path, plugin):
    config = tiny(
        tmp_path / "run",
        methods=("baseline", "odd"),
        epochs=3,
        learning_rate=1e30,
    )
    outcome = run_benchmark(config, Silent())
    (failure,) = outcome.failures
    assert re.match(r"baseline ce, seed 0: loss 'ce' became \w+ in epoch 1, batch \d", failure)
    assert set(outcome.results["method"]) == {"odd"}


def test_a_ready_made_model_is_there_once(tmp_path, plugin):
    config = tiny(tmp_path / "run", methods=("ready", "odd"), losses=("ce", "focal"), seeds=(0, 1))
    assert [str(run) for run in runs_of(config.resolved(registry()))] == [
        "ready",
        "odd ce, seed 0",
        "odd ce, seed 1",
        "odd focal, seed 0",
        "odd focal, seed 1",
    ]
    outcome = run_benchmark(config, Silent())
    assert outcome.results.filter(method="ready")["loss"].unique().to_list() == ["-"]
    again = run_benchmark(config, Silent())
    assert again.results.equals(outcome.results)


def test_several_datasets_go_into_folders_and_one_that_fails_does_not_stop_the_others(
    tmp_path, plugin
):
    path = tmp_path / "grid.toml"
    path.write_text(
        f'out = "{(tmp_path / "all").as_posix()}"\nmethods = ["odd"]\nlosses = ["ce"]\n'
        'corruptions = ["contrast"]\nseverities = [1]\nimage_size = 32\nworkers = 0\n'
        f'[[data]]\ndataset = "{TINY}"\nepochs = 2\n'
        '[[data]]\ndataset = "folder"\ndata_root = "nowhere"\n'
    )
    configs = read_configs(path, {"seeds": (3,)})
    assert [(c.epochs, c.seeds) for c in configs] == [(2, (3,)), (0, (3,))]
    outcome = run_experiment(configs, Silent())
    assert outcome.directory == tmp_path / "all"
    assert (tmp_path / "all/toyfaces/results.parquet").exists()
    (failure,) = outcome.failures
    assert failure.startswith("folder: ")
    assert "nowhere" in failure
    twice = (configs[0], configs[0])
    with pytest.raises(RequestError, match="'toyfaces' is there twice"):
        run_experiment(twice, Silent())
    path.write_text("[[data]]\ndatasett = 'a'\n")
    with pytest.raises(UnknownNameError, match="did you mean 'dataset'"):
        read_configs(path, {})
    path.write_text("data = 3\n")
    with pytest.raises(RequestError, match="tables"):
        read_configs(path, {})


def test_the_directory_keeps_the_number_of_threads_that_it_was_begun_with(tmp_path, plugin):
    run_benchmark(tiny(tmp_path / "run", methods=("odd",), threads=3), Silent())
    run_benchmark(tiny(tmp_path / "run", methods=("odd",), threads=0, seeds=(0, 1)), Silent())
    with pytest.raises(RequestError, match="threads 3, not 1"):
        run_benchmark(tiny(tmp_path / "run", methods=("odd",)), Silent())


# --- calibrators fitted on all forms --------------------------------------------------------------


def test_a_calibrator_of_all_forms_sees_validation_in_all_forms(tmp_path, plugin):
    plain = run_benchmark(tiny(tmp_path / "run", methods=("odd",)), Silent())
    assert len(list(tmp_path.glob("run/predictions/*/validation*"))) == 1
    more = tiny(tmp_path / "run", methods=("odd",), calibrators=("temperature", "multi-domain-ts"))
    outcome = run_benchmark(more, Silent())
    names = sorted(p.stem for p in tmp_path.glob("run/predictions/*/validation*"))
    assert names == ["validation", "validation-contrast-1", "validation-contrast-5"]
    assert len(pl.read_parquet(next(tmp_path.glob("run/predictions/*/validation-*")))) == 16
    assert "multi-domain-ts" in set(outcome.results["calibrator"])
    unchanged = outcome.results.filter(pl.col("calibrator") != "multi-domain-ts")
    assert unchanged.equals(plain.results)


# --- label noise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "changed"), [(0.1, 0.083), (0.2, 0.159), (0.3, 0.227)])
def test_the_authors_noise_changes_fewer_labels_than_it_says(rate, changed):
    labels = np.arange(40_000) % 8
    noisy = flip_labels(labels, rate, 8, seed=5, scheme="ferc")
    assert abs((noisy != labels).mean() - changed) < 0.004  # (1 - e^-rate) 7 / 8
    np.testing.assert_array_equal(noisy, flip_labels(labels, rate, 8, seed=6, scheme="ferc"))


def test_exact_noise_changes_exactly_its_share():
    labels = np.arange(1000) % 8
    noisy = flip_labels(labels, 0.1, 8, seed=5)
    assert (noisy != labels).sum() == 100
    assert (noisy != flip_labels(labels, 0.1, 8, seed=6)).any()


# --- soft augmentation ----------------------------------------------------------------------------


def augmentation(tmp_path: Path, share: float):
    config = tiny(tmp_path, soft_augmentation=share, corruptions=("contrast", "snow"))
    plan = make_plan(config.resolved(registry()))
    return plan, soft_augmentation(plan, 0, training_visibilities(plan, Silent()))


def test_corrupted_training_images_have_softer_labels(tmp_path):
    plan, augment = augmentation(tmp_path, 0.5)
    rows = np.arange(24)
    images, targets = plan.pictures["train"](rows), np.eye(8)[plan.pictures["train"].faces.labels]
    kept = images.copy()
    new, soft = augment(1, rows, images, targets)
    changed = (new != images).any(axis=(1, 2, 3))
    assert 4 <= changed.sum() <= 20
    np.testing.assert_array_equal(soft[~changed], targets[~changed])
    assert (soft[changed].max(axis=1) < 1).all()
    np.testing.assert_allclose(soft.sum(axis=1), 1)
    np.testing.assert_array_equal(images, kept)


def test_augmentation_depends_on_epoch_and_image_alone(tmp_path):
    plan, augment = augmentation(tmp_path, 0.5)
    images, targets = plan.pictures["train"](np.arange(24)), np.eye(8)[np.arange(24) % 8]
    new, soft = augment(1, np.arange(24), images, targets)
    back, backwards = augment(1, np.arange(24)[::-1], images[::-1], targets[::-1])
    np.testing.assert_array_equal(back[::-1], new)
    np.testing.assert_array_equal(backwards[::-1], soft)
    other, _ = augment(2, np.arange(24), images, targets)
    assert (other != new).any()
    assert augmentation(tmp_path, 0.0)[1] is None


def test_soft_augmentation_trains(tmp_path):
    config = tiny(tmp_path / "run", soft_augmentation=0.5, methods=("baseline",))
    outcome = run_benchmark(config, Silent())
    assert not outcome.failures
    judged = config.model_copy(update={"out": str(tmp_path / "other"), "visibility": "ssim"})
    run_benchmark(judged, Silent())
    first, second = (files(tmp_path / name) for name in ("run", "other"))
    model = "checkpoints/baseline-ce-noise0-seed0.safetensors"
    assert first[model] == second[model]  # another judgement is no other training
    plain = run_benchmark(tiny(tmp_path / "plain"), Silent())
    assert not outcome.results.equals(plain.results)
    with pytest.raises(RequestError, match="soft_augmentation must lie between 0 and 1"):
        tiny(tmp_path, soft_augmentation=1.5).resolved(registry())


# --- the paper's experiments ----------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples/paper").glob("*.toml")), ids=str)
def test_the_papers_configurations_name_what_there_is(path):
    for config in read_configs(path, {"dataset": "toyfaces"}):
        resolved = config.resolved(registry())
        runs = runs_of(resolved)
        expected = len(config.methods) * len(config.losses) * len(config.noise) * len(config.seeds)
        assert len(runs) == expected
        assert len(config.methods) == 5
        assert CLEAN not in resolved.corruptions


def test_training_processes_end_with_the_one_that_started_them(tmp_path, plugin):
    path = tmp_path / "slow.py"
    path.write_text(
        "import time\n"
        "from ferc_core import Method, hookimpl\n"
        "def fit(task):\n"
        "    task.directory.parent.mkdir(exist_ok=True)\n"
        "    while True:\n"
        "        (task.directory.parent / f'alive{task.seed}').touch()\n"
        "        time.sleep(0.05)\n"
        "@hookimpl\n"
        "def register_methods(register):\n"
        "    register(Method('slow', fit, load=fit))\n"
    )
    command = [
        sys.executable, "-m", "ferc_core.cli", "run", "--plugin", str(path), "--method", "slow",
        "--dataset", TINY, "--seed", "0", "--seed", "1", "--loss", "ce", "--jobs", "2",
        "--out", str(tmp_path / "run"),
    ]  # fmt: skip
    parent = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    signs = [tmp_path / "run/checkpoints" / f"alive{seed}" for seed in (0, 1)]
    try:
        wait_until(lambda: all(sign.exists() for sign in signs))
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: all(time.time() - sign.stat().st_mtime > 1 for sign in signs))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
