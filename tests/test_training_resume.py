"""Trainings give the same bytes, whatever stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training import Counter, colours, fit, one_thread, saved, task
from torch import Tensor, nn

from ferc_core.errors import DataError, RequestError
from ferc_core.task import Epoch
from ferc_models.training import Batch, train

__all__ = ["one_thread"]  # a fixture that works by being here


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    torch.set_num_threads(1)
    return saved(task(tmp_path_factory.mktemp("undisturbed")))


@pytest.mark.parametrize("workers", [0, 2])
def test_training_twice_gives_the_same_bytes(
    tmp_path: Path, undisturbed: bytes, workers: int
) -> None:
    torch.manual_seed(99)  # whatever was drawn before
    assert saved(task(tmp_path, workers=workers)) == undisturbed


def test_another_seed_gives_another_model(tmp_path: Path, undisturbed: bytes) -> None:
    assert saved(task(tmp_path, seed=6)) != undisturbed


def test_a_finished_training_is_not_repeated(tmp_path: Path, undisturbed: bytes) -> None:
    assert saved(task(tmp_path)) == undisturbed

    def refuse(_: Epoch) -> None:
        raise AssertionError("trained again")

    assert saved(task(tmp_path, progress=refuse)) == undisturbed


def stop_after(epochs: int) -> Callable[[Epoch], None]:
    def progress(at: Epoch) -> None:
        if at.number == epochs and at.validation_f1 is not None:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("options", [{}, {"augment": "flip"}])
@pytest.mark.parametrize("epochs", [1, 2])
def test_ctrl_c_between_epochs_changes_nothing(
    tmp_path: Path, epochs: int, options: dict[str, str]
) -> None:
    whole = saved(task(tmp_path / "whole", options=options))
    asked = task(tmp_path / "stopped", options=options)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, progress=stop_after(epochs)))
    assert saved(asked) == whole


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("reads", [1, 5, 6])
def test_a_break_within_an_epoch_changes_nothing(
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


def test_networks_that_draw_random_numbers_go_on_with_the_same_ones(tmp_path: Path) -> None:
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
sys.path.insert(0, sys.argv[1])
import torch
from test_training import fit, task
torch.set_num_threads(1)
fit(task(Path(sys.argv[2]), epochs=40, progress=lambda e: print(e.number, flush=True)))
"""


def test_resume_after_a_kill_gives_the_same_bytes(tmp_path: Path) -> None:
    whole, killed = task(tmp_path / "whole", epochs=40), task(tmp_path / "killed", epochs=40)
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(killed.directory)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for epoch in process.stdout:
            if int(epoch) == 5:
                break
        time.sleep(0.01)  # somewhere in epoch 6, or in the writing of its state
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert saved(killed) == saved(whole)


def test_a_state_that_was_being_written_when_the_blow_fell_is_no_hindrance(
    tmp_path: Path, undisturbed: bytes
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(task(tmp_path, progress=stop_after(1)))
    (tmp_path / ".training.safetensors.part").write_bytes(b"half a state")
    assert saved(task(tmp_path)) == undisturbed
    assert not (tmp_path / ".training.safetensors.part").exists()


def test_nothing_but_the_state_is_left_and_it_has_no_times_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fit(task(tmp_path / name))
        assert [p.name for p in (tmp_path / name).iterdir()] == ["training.safetensors"]
    a, b = ((tmp_path / n / "training.safetensors").read_bytes() for n in ("a", "b"))
    assert a == b


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"seed": 6}, "its seed is 5, not 6"),
        ({"epochs": 9}, "its epochs is 3, not 9"),
        ({"loss": "ce"}, r"its loss is 'maxent\+mbls', not 'ce'"),
        ({"backbone": "test_resnet"}, "its backbone is 'test_byobnet', not 'test_resnet'"),
        ({"learning_rate": 1e-3}, "its learning rate is 0.003, not 0.001"),
        ({"options": {"augment": "flip"}}, "its options is {}"),
        ({"train": colours(48, 3)}, "its training data is '48 pictures"),
        ({"validation": colours(30, 1)}, "its validation data is '24 pictures"),
    ],
)
def test_the_state_of_another_training_is_refused(
    tmp_path: Path, changes: dict[str, Any], difference: str
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(task(tmp_path, progress=stop_after(1)))
    with pytest.raises(RequestError, match=f"belongs to another training: {difference}"):
        fit(task(tmp_path, **changes))


def test_a_damaged_state_is_refused_with_a_way_out(tmp_path: Path) -> None:
    fit(task(tmp_path, epochs=1))
    state = tmp_path / "training.safetensors"
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"training.safetensors .*; delete it to train anew"):
        fit(task(tmp_path, epochs=1))


def test_training_leaves_torch_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(task(tmp_path, epochs=1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1
