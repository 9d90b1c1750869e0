"""Trainings of compiled networks, on the CPU: the same bytes every time, and plain models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.colours import stop_after, task
from torch import Tensor, nn

from ferc_core.errors import RequestError, RunError
from ferc_models.compiling import compiled, is_of_compiler
from ferc_models.saved.state import State
from ferc_models.training import Batch, train

pytestmark = [
    pytest.mark.usefixtures("one_thread", "scratch_cache"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="there is no compiler here"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of torch's own code
]


@pytest.fixture(scope="module")
def scratch_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Let torch keep what it compiles in a scratch folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        yield


class Small(nn.Module):
    """A network that compiles in seconds; it counts how often its own code runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.mean(dim=(2, 3)))
        return logits


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(network(batch.images), batch.targets)


def trained(directory: Path, **changes: Any) -> tuple[Small, State, bytes]:
    """The network of a training in batches of 20, 20 and 8, and its last state."""
    network = Small()
    asked = task(directory, **{"batch_size": 20, "compile": True, **changes})
    state = train(asked, network, loss_of, method="small")
    return network, state, (directory / "training.safetensors").read_bytes()


def test_a_compiled_training_repeats_itself_and_is_resumed(tmp_path: Path) -> None:
    for precision in ("fp32", "bf16"):
        folder = tmp_path / precision
        network, state, content = trained(folder / "whole", precision=precision)
        assert trained(folder / "again", precision=precision)[2] == content
        with pytest.raises(KeyboardInterrupt):
            trained(folder / "stopped", precision=precision, progress=stop_after(1))
        torch.compiler.reset()  # as in another process
        assert trained(folder / "stopped", precision=precision)[2] == content
        plain, usual, _ = trained(folder / "plain", precision=precision, compile=False)
        assert network.state_dict().keys() == plain.state_dict().keys()
        assert network._compiled_call_impl is None  # it predicts without
        losses = [[entry["loss"] for entry in each.history] for each in (state, usual)]
        assert losses[0] == pytest.approx(losses[1], rel=2e-2)


def test_the_state_of_a_training_without_is_another_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, compile=False, progress=stop_after(1))
    with pytest.raises(RequestError, match="its compile is False, not True"):
        trained(tmp_path)


def test_a_missing_compiler_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torch._inductor import config

    torch.compiler.reset()
    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(config, "force_disable_caches", True)
    with pytest.raises(RunError) as caught:
        trained(tmp_path, batch_size=24)
    said = str(caught.value)
    assert said.startswith("torch.compile cannot be used here: ")
    assert said.endswith("; leave out --compile")
    assert "\n" not in said
    assert len(said) < 300


def test_a_platform_without_it_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RuntimeError("torch.compile is not supported on Python 3.99+")

    monkeypatch.setattr(torch, "compile", refuse)
    message = "cannot be used here: torch.compile is not supported on Python 3.99"
    with pytest.raises(RunError, match=message), compiled([nn.Linear(1, 1)]):
        raise AssertionError("not reached")


def test_other_errors_are_not_those_of_the_compiler() -> None:
    assert not is_of_compiler(RuntimeError("out of memory"))
    with pytest.raises(ZeroDivisionError), compiled([nn.Linear(1, 1)]):
        _ = 1 / 0
