"""Trainings give the same bytes, whatever stops them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.colours import Counter, colours, fit, saved, stop_after, task
from safetensors.torch import load, save
from torch import Tensor, nn

from ferc_core.base.progress import Silent, watching
from ferc_core.errors import RequestError
from ferc_core.task import Epoch
from ferc_models.training import Batch, train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return saved(task(tmp_path_factory.mktemp("undisturbed")))


def test_reading_threads_change_nothing_and_the_seed_does(
    tmp_path: Path, undisturbed: bytes
) -> None:
    assert saved(task(tmp_path / "threads", workers=2)) == undisturbed
    assert saved(task(tmp_path / "seed", seed=6)) != undisturbed


def test_a_finished_training_is_not_repeated(tmp_path: Path, undisturbed: bytes) -> None:
    assert saved(task(tmp_path)) == undisturbed

    def refuse(_: Epoch) -> None:
        raise AssertionError("trained again")

    assert saved(task(tmp_path, progress=refuse)) == undisturbed


def test_a_resumed_training_augments_images_in_the_same_way(tmp_path: Path) -> None:
    whole, asked = (task(tmp_path / n, options={"augment": "flip"}) for n in ("whole", "stopped"))
    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, progress=stop_after(2)))
    assert saved(asked) == saved(whole)


@pytest.mark.parametrize(("reads", "workers"), [(1, 2), (5, 0)])
def test_an_interruption_within_an_epoch_changes_nothing(
    tmp_path: Path, undisturbed: bytes, reads: int, workers: int
) -> None:
    asked, done = task(tmp_path, workers=workers), []

    def break_off(rows: Any) -> Any:
        done.append(rows)
        if len(done) == reads:
            raise KeyboardInterrupt
        return asked.train.images(rows)

    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, train=replace(asked.train, images=break_off)))
    assert saved(asked) == undisturbed


def test_a_resumed_training_draws_the_same_random_numbers(tmp_path: Path) -> None:
    def dropout(network: nn.Module, batch: Batch) -> Tensor:
        kept = nn.functional.dropout(batch.images, 0.5)
        return (network.weight * kept).mean().square()

    def run(directory: Path, **changes: Any) -> Any:
        network = Counter()
        train(task(directory, **changes), network, dropout, method="dropout")
        return network.weight.item()

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", progress=stop_after(1))
    torch.rand(7)
    assert run(tmp_path / "stopped") == whole


KILLED = """
import sys
from pathlib import Path
sys.modules["accelerate"] = None  # importing it fails: its global state is shared with other users
sys.path.insert(0, sys.argv[1])
import torch
from helpers.colours import fit, task
torch.set_num_threads(1)
fit(task(Path(sys.argv[2]), epochs=5, progress=lambda e: print(e.number, flush=True)))
"""


def test_a_killed_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = task(tmp_path / "whole", epochs=5), task(tmp_path / "killed", epochs=5)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parents[1]), str(killed.directory)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for epoch in process.stdout:
            if int(epoch) == 1:
                break
        time.sleep(0.01)  # somewhere in epoch 2, or in the writing of its state
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert saved(killed) == saved(whole)


def test_interrupted_state_write_is_ignored(tmp_path: Path, undisturbed: bytes) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(task(tmp_path, progress=stop_after(1)))
    (tmp_path / f".{'0' * 16}.part").write_bytes(b"half a state")
    assert saved(task(tmp_path)) == undisturbed


def test_a_training_leaves_nothing_but_its_state_which_is_reproducible(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fit(task(tmp_path / name, epochs=1))
        assert [p.name for p in (tmp_path / name).iterdir()] == ["training.safetensors"]
    a, b = ((tmp_path / n / "training.safetensors").read_bytes() for n in ("a", "b"))
    assert a == b


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that was stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        fit(task(folder, progress=stop_after(1)))
    return folder


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 6}, "its seed is 5, not 6"),
        ({"loss": "ce"}, r"its loss is 'maxent\+mbls', not 'ce'"),
        ({"options": {"augment": "flip"}}, "its options is {}"),
        ({"train": colours(48, 3)}, "its training data is '48 images"),
    ],
)
def test_the_state_of_another_training_is_refused(
    stopped: Path, changes: dict[str, Any], difference: str
) -> None:
    with pytest.raises(RequestError, match=f"belongs to another training: {difference}"):
        fit(task(stopped, **changes))


class Told(Silent):
    """A watcher that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def header_changed(content: bytes, **changes: Any) -> bytes:
    """The state with another header."""
    tensors = load(content)
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ferc"])
    return save(tensors, {"ferc": json.dumps(header | changes)})


def without(content: bytes, name: str, *, flat: bool = False) -> bytes:
    """The state without its tensors of a name, or with flat ones."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])["__metadata__"]
    tensors = load(content)
    kept = {k: v.flatten().clone() if name in k else v for k, v in tensors.items()}
    return save(kept if flat else {k: v for k, v in tensors.items() if name not in k}, header)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: b"", id="empty"),
        pytest.param(lambda content: content[:5], id="cut in its size"),
        pytest.param(lambda content: content[:-10], id="cut short"),
        pytest.param(lambda content: b"\0" * len(content), id="zeros, as after a power cut"),
        pytest.param(lambda content: save(load(content)), id="no header"),
        pytest.param(lambda content: header_changed(content, history=[]), id="no epochs"),
        pytest.param(lambda content: header_changed(content, history=[{}]), id="no scores"),
        pytest.param(lambda content: header_changed(content, best_f1=None), id="no best score"),
        pytest.param(lambda content: header_changed(content, task=None), id="no task"),
        pytest.param(lambda content: without(content, "network."), id="no network"),
        pytest.param(lambda content: without(content, "best."), id="no best network"),
        pytest.param(lambda content: without(content, "exp_avg_sq"), id="half an optimiser"),
        pytest.param(lambda content: without(content, "exp_avg", flat=True), id="flat moments"),
        pytest.param(lambda content: without(content, "weight", flat=True), id="flat weights"),
    ],
)
def test_a_training_with_a_damaged_state_starts_over(
    tmp_path: Path, stopped: Path, undisturbed: bytes, damage: Any
) -> None:
    state = tmp_path / "training.safetensors"
    state.write_bytes(damage((stopped / "training.safetensors").read_bytes()))
    told = Told()
    with watching(told):
        assert saved(task(tmp_path)) == undisturbed
    assert len(told.lines) == 1
    assert str(state) in told.lines[0]
    assert told.lines[0].endswith("; the training starts over")


def test_training_restores_the_state_of_torch(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(task(tmp_path, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1
