"""What only a GPU can show; skipped where there is none.

    PYTHONPATH=tests python -m pytest -c /dev/null --noconftest tests/models/test_gpu.py

runs it on a machine that has torch and the packages, but not the tools of the tests. Tests of the
methods need timm and the plugins, the others do without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import CLASSES, SIDE, fit, saved, stop_after, task
from torch import Tensor, nn

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_models import training
from ferc_models.images import Uploads, normalise
from ferc_models.precision import check_precision
from ferc_models.runtime import choose_device, seeded
from ferc_models.saved.predictor import Card, NetworkPredictor
from ferc_models.saved.state import State
from ferc_models.training import Batch, Batches, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

METHODS = sorted(name for name, method in registry().methods.items() if method.trains)
LAST = f"cuda:{max(torch.cuda.device_count() - 1, 0)}"
PRECISIONS = ("fp32", "bf16", "fp16")
BACKBONES = {"swinv2_t": {"backbone": "", "image_size": 64, "options": {"size": "mini"}}}
needs_timm = pytest.mark.skipif(not METHODS, reason="the plugins are not installed here")


class Small(nn.Module):
    """A convolutional network with batch normalisation and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, stride=2, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.2),
        )
        self.head = nn.Linear(32, 3)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.layers(images))
        return logits


def loss_of(network: nn.Module, batch: Batch) -> Tensor:
    return nn.functional.cross_entropy(network(batch.images).float(), batch.targets)


def on_gpu(directory: Path, **changes: Any) -> Task:
    return task(directory, **{"device": "cuda:0", "batch_size": 20, "workers": 2, **changes})


def trained(directory: Path, **changes: Any) -> tuple[Small, State, bytes]:
    """The network of a training in batches of 20, 20 and 8, and its last state."""
    with seeded(0):
        network = Small()
    state = train(on_gpu(directory, **changes), network, loss_of, method="small")
    return network, state, (directory / "training.safetensors").read_bytes()


def of_method(method: str, directory: Path, **changes: Any) -> Task:
    own = BACKBONES.get(method, {"backbone": "test_resnet"})
    return on_gpu(directory, **{**own, "batch_size": 16, **changes})


# --- trainings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_resumed_training_ends_with_the_same_bytes(tmp_path: Path, precision: str) -> None:
    _, state, whole = trained(tmp_path / "whole", precision=precision)
    assert trained(tmp_path / "again", precision=precision)[2] == whole
    for epochs in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            trained(tmp_path / "stopped", precision=precision, progress=stop_after(epochs))
    assert trained(tmp_path / "stopped", precision=precision)[2] == whole
    assert state.history[-1]["loss"] < state.history[0]["loss"]
    assert (b"_growth_tracker" in whole) is (precision == "fp16")


def test_the_last_gpu_trains_like_the_first(tmp_path: Path) -> None:
    first = trained(tmp_path / "first")[2]
    assert trained(tmp_path / "last", device=LAST)[2] == first
    assert torch.cuda.current_device() == 0


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_gpu_learns_what_a_cpu_does(tmp_path: Path, precision: str) -> None:
    losses = []
    for device, chosen in (("cpu", "fp32"), ("cuda:0", precision)):
        with seeded(0):
            network = Small()
        network.layers[-1] = nn.Identity()  # their dropout differs
        asked = on_gpu(tmp_path / device, device=device, precision=chosen)
        state = train(asked, network, loss_of, method="small")
        losses.append([entry["loss"] for entry in state.history])
    assert losses[0] == pytest.approx(losses[1], rel=1e-2 if precision == "fp32" else 3e-2)


def test_generators_of_the_gpu_are_left_as_they_were(tmp_path: Path) -> None:
    torch.cuda.manual_seed_all(3)
    before = torch.cuda.get_rng_state_all()
    trained(tmp_path, epochs=1)
    assert all(map(torch.equal, torch.cuda.get_rng_state_all(), before))


def test_images_and_weights_lie_channels_last(tmp_path: Path) -> None:
    seen = []

    def look(network: nn.Module, batch: Batch) -> Tensor:
        seen.append((batch.images, network.layers[0].weight))
        assert batch.images.device == torch.device("cuda:0") == batch.targets.device
        return loss_of(network, batch)

    train(on_gpu(tmp_path, epochs=1), Small(), look, method="look")
    for tensor in (each for pair in seen for each in pair):
        assert tensor.is_contiguous(memory_format=torch.channels_last)


# --- predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_stored_model_predicts_the_same(tmp_path: Path, precision: str) -> None:
    network, state, _ = trained(tmp_path, precision=precision)
    card = Card("small", "", CLASSES, SIDE, precision=precision, history=tuple(state.history))
    device = choose_device(LAST)
    model = NetworkPredictor(network, card, device)
    images = task(tmp_path).validation.images(np.arange(24))
    many = np.concatenate([images] * 12)  # several batches
    logits, features = model.logits_and_features(many)
    assert logits.shape == (288, 3)
    assert features is not None
    assert features.shape == (288, 32)
    np.testing.assert_array_equal(model.logits(many), logits)
    exact = NetworkPredictor(network, replace(card, precision="fp32"), device).logits(many)
    np.testing.assert_allclose(logits, exact, atol=1e-4 if precision == "fp32" else 0.05)


@needs_timm
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_method_trains_and_predicts(method: str, precision: str, tmp_path: Path) -> None:
    whole, asked = (
        of_method(method, tmp_path / name, epochs=2, precision=precision)
        for name in ("whole", "stopped")
    )
    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, progress=stop_after(1)), method)
    assert saved(asked, method) == saved(whole, method)
    path = whole.directory / "model.safetensors"
    model = registry().methods[method].load_predictor(path, "cuda:0")
    assert isinstance(model, NetworkPredictor)
    assert model.card.precision == precision
    images = whole.validation.images(np.arange(24))
    assert np.isfinite(model.logits(images)).all()


# --- nothing waits for the GPU --------------------------------------------------------------------


@contextmanager
def without_waiting() -> Iterator[None]:
    """Run a block in which it is an error to wait for the GPU."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def never_waiting(monkeypatch: pytest.MonkeyPatch, after: int = 3) -> list[int]:
    """Let no step but the first few wait for the GPU, in which things are copied there once."""
    whole, steps = training.train_epoch, [0]

    def epoch_of(
        asked: Task,
        epoch: int,
        network: nn.Module,
        step: Callable[[Batch], Tensor],
        batches: Batches,
    ) -> float:
        def watched(batch: Batch) -> Tensor:
            steps[0] += 1
            if steps[0] <= after:
                return step(batch)
            with without_waiting():
                loss = step(batch)
                batches.look_ahead()
            return loss

        return whole(asked, epoch, network, watched, batches)

    monkeypatch.setattr(training, "train_epoch", epoch_of)
    return steps


@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_step_waits_for_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    steps = never_waiting(monkeypatch)
    trained(tmp_path, precision=precision)
    assert steps == [9]


@needs_timm
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_no_step_of_a_method_waits_for_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, precision: str
) -> None:
    steps, read, copies = never_waiting(monkeypatch), Tensor.cpu, [0]

    def cpu(tensor: Tensor, *arguments: Any, **options: Any) -> Tensor:
        """Copy to the CPU, which waits, and is counted."""
        watched = torch.cuda.get_sync_debug_mode()
        copies[0] += watched > 0
        torch.cuda.set_sync_debug_mode("default")
        try:
            return read(tensor, *arguments, **options)
        finally:
            torch.cuda.set_sync_debug_mode(watched)

    monkeypatch.setattr(Tensor, "cpu", cpu)
    options = {"relabel_epoch": 0, "margin_2": 0.01} if method == "scn" else {}
    own = BACKBONES.get(method, {"backbone": "test_resnet"}).get("options", {})
    asked = of_method(method, tmp_path, precision=precision, options={**own, **options})
    fit(asked, method)
    assert steps[0] == 9
    assert copies[0] == (6 if method == "dmue" else 0)  # its labels, at the beginning of a step


@needs_timm
@pytest.mark.parametrize("loss", registry().losses)
def test_no_loss_waits_for_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    never_waiting(monkeypatch)
    asked = of_method("baseline", tmp_path, loss=loss, epochs=2)
    if loss in ("cpc", "focal-adaptive"):  # they look whether targets are hard
        with pytest.raises(RuntimeError, match="synchroniz"):
            fit(asked)
    else:
        fit(asked)


def test_what_comes_next_is_copied_beside_the_computing() -> None:
    device = torch.device("cuda:0")
    arrays = [(np.full((512, 512, 3), i, np.uint8), np.arange(i, i + 3)) for i in range(6)]
    uploads = Uploads(iter(arrays), device)
    assert uploads.stream is not None
    found, busy = [], []
    for images, rows in uploads:
        torch.cuda._sleep(200_000_000)  # a tenth of a second
        uploads.look_ahead()
        found.append((images.clone(), rows.clone()))
        uploads.stream.synchronize()
        busy.append(not torch.cuda.current_stream().query())
    assert any(busy[:-1])  # what was copied did not wait for what was computed
    for (images, rows), (wanted, given) in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(images.cpu().numpy(), wanted)
        np.testing.assert_array_equal(rows.cpu().numpy(), given)


def test_arrays_of_any_layout_are_copied() -> None:
    images = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    images.setflags(write=False)
    for given in (images, images[:, ::-1], images[::-1, :, ::-1]):
        there, here = (normalise(given, torch.device(name)) for name in ("cuda:0", "cpu"))
        torch.testing.assert_close(there.cpu(), here)


# --- compiled networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_compiled_training_is_resumed(tmp_path: Path, precision: str) -> None:
    asked: dict[str, Any] = {"compile": True, "precision": precision}
    network, state, whole = trained(tmp_path / "whole", **asked)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "stopped", **asked, progress=stop_after(1))
    torch.compiler.reset()  # as in another process
    assert trained(tmp_path / "stopped", **asked)[2] == whole
    plain, _, _ = trained(tmp_path / "plain", precision=precision)
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert all(np.isfinite(entry["loss"]) for entry in state.history)


@needs_timm
@pytest.mark.parametrize("method", [name for name in METHODS if name != "swinv2_t"])
def test_a_compiled_method_trains(method: str, tmp_path: Path) -> None:
    made = fit(of_method(method, tmp_path, epochs=1, compile=True, precision="bf16"), method)
    assert np.isfinite(made.card.history[0]["loss"])


# --- refused --------------------------------------------------------------------------------------


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    count = torch.cuda.device_count()
    message = f"device 'cuda:{count}' is not available: torch finds {count} GPU"
    with pytest.raises(RequestError, match=re.escape(message)):
        trained(tmp_path, device=f"cuda:{count}")
    with pytest.raises(RequestError, match="not available"):
        choose_device("cuda:77")


def test_every_precision_is_for_this_gpu() -> None:
    for precision in PRECISIONS:
        check_precision(precision, torch.device("cuda:0"))
