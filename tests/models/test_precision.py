"""Precisions: what computes in 16 bits, what never does, and what files say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import Counter, check, fit, saved, stop_after, task
from torch import Tensor, nn

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_core.task import Task
from ferc_metrics.classification import macro_f1
from ferc_models.losses import build_loss
from ferc_models.losses.base import SoftTargetsError
from ferc_models.precision import computing_in, in_float32
from ferc_models.saved.predictor import NetworkPredictor
from ferc_models.training import Batch, train

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = sorted(name for name, method in registry().methods.items() if method.trains)
LOSSES = [
    *registry().losses,
    "ce(class_weights=balanced)",
    "maxent(constraint=both,target=local,strength=dual)",
    "cals-alm(penalty=p2)",
]
CPU = torch.device("cpu")


def small(method: str, directory: Path, **changes: Any) -> Task:
    """A task in bf16 of one epoch for any method."""
    own: dict[str, Any] = {"backbone": "test_resnet"}
    if method == "swinv2_t":
        own = {"backbone": "", "image_size": 64, "options": {"size": "mini"}}
    return task(directory, **{"epochs": 1, "precision": "bf16", **own, **changes})


def header(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    found: dict[str, Any] = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ferc"])
    return found


# --- trainings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_in_bf16_and_repeats_itself(method: str, tmp_path: Path) -> None:
    first = saved(small(method, tmp_path / "a"), method)
    assert saved(small(method, tmp_path / "b"), method) == first
    assert saved(small(method, tmp_path / "c", precision="fp32"), method) != first
    model = registry().methods[method].load_predictor(tmp_path / "a" / "model.safetensors", "cpu")
    assert isinstance(model, NetworkPredictor)
    assert all(np.isfinite(entry["loss"]) for entry in model.card.history)
    assert all(t.dtype != torch.bfloat16 for t in model.network.state_dict().values())


@pytest.mark.parametrize("method", METHODS)
def test_a_resumed_training_in_bf16_ends_with_the_same_bytes(method: str, tmp_path: Path) -> None:
    whole, asked = (small(method, tmp_path / name, epochs=2) for name in ("whole", "stopped"))
    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, progress=stop_after(1)), method)
    assert saved(asked, method) == saved(whole, method)


def test_the_state_of_another_precision_is_refused(tmp_path: Path) -> None:
    for other, asked in (("fp32", "bf16"), ("bf16", "fp32")):
        folder = tmp_path / other
        with pytest.raises(KeyboardInterrupt):
            fit(small("baseline", folder, precision=other, progress=stop_after(1)))
        with pytest.raises(RequestError, match=f"its precision is '{other}', not '{asked}'"):
            fit(small("baseline", folder, precision=asked))


def test_a_model_predicts_as_it_was_validated(tmp_path: Path) -> None:
    asked = small("baseline", tmp_path, epochs=2)
    fit(asked).save(tmp_path / "m.safetensors")
    again = registry().methods["baseline"].load_predictor(tmp_path / "m.safetensors", "cpu")
    assert isinstance(again, NetworkPredictor)
    assert again.card.precision == "bf16"
    images, labels = asked.validation.images(np.arange(24)), asked.validation.labels
    logits, features = again.logits_and_features(images)
    assert logits.dtype == np.float32
    assert features is not None
    assert features.dtype == np.float32
    probs = torch.softmax(torch.tensor(logits, dtype=torch.float64), dim=1).numpy()
    assert macro_f1(probs, labels) == max(entry["f1"] for entry in again.card.history)
    rounded = torch.tensor(logits).bfloat16().float().numpy()
    np.testing.assert_array_equal(logits, rounded)  # a linear layer in bf16 made them


def test_a_file_names_its_precision_unless_it_is_the_usual_one(tmp_path: Path) -> None:
    for precision, names in (("bf16", True), ("fp32", False)):
        asked = small("baseline", tmp_path / precision, precision=precision)
        saved(asked)
        for file in ("model.safetensors", "training.safetensors"):
            found = header(asked.directory / file)
            assert (found.get("task", found).get("precision") == precision) is names
            assert "scaler" not in found


# --- fp16, which needs a GPU ----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_fp16_on_a_cpu_is_refused_before_anything_begins(method: str, tmp_path: Path) -> None:
    asked = small(method, tmp_path, precision="fp16", device="cpu")
    for refuse in (check, fit):
        with pytest.raises(RequestError) as caught:
            refuse(asked, method)
        assert str(caught.value) == "precision 'fp16' needs a GPU; use bf16 or fp32"
    assert not list(tmp_path.iterdir())


def test_an_unknown_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="must be fp32 or bf16 or fp16, not 'fp8'"):
        check(small("baseline", tmp_path, precision="fp8"))


@pytest.fixture
def fp16_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fp16 compute on the CPU, where torch can do it slowly."""
    for module in ("training", "recipe", "saved.predictor"):
        monkeypatch.setattr(f"ferc_models.{module}.check_precision", lambda *_: None)


@pytest.mark.usefixtures("fp16_anywhere")
def test_a_resumed_training_in_fp16_goes_on_with_its_scale(tmp_path: Path) -> None:
    whole, asked = (
        small("baseline", tmp_path / name, epochs=3, precision="fp16")
        for name in ("whole", "stopped")
    )
    expected = saved(whole)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(asked, progress=stop_after(1)))
    state = header(asked.directory / "training.safetensors")
    assert state["scaler"]["_growth_tracker"] == 3  # steps
    assert saved(asked) == expected
    assert header(whole.directory / "training.safetensors")["scaler"]["_growth_tracker"] == 9


@pytest.mark.usefixtures("fp16_anywhere")
def test_a_gradient_that_does_not_fit_is_skipped(tmp_path: Path) -> None:
    def steep(network: nn.Module, batch: Batch) -> Tensor:
        network.epoch.fill_(2)
        return 1e35 * network.weight.square()  # infinite once it is scaled

    network = Counter()
    train(task(tmp_path, epochs=1, precision="fp16"), network, steep, method="steep")
    assert network.weight.item() == 1
    assert header(tmp_path / "training.safetensors")["scaler"]["scale"] == 65536 / 2**3


def test_a_model_in_fp16_is_refused_on_a_cpu(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    made = fit(small("baseline", tmp_path))
    NetworkPredictor(made.network, replace(made.card, precision="fp16"), CPU).save(path)
    with pytest.raises(RequestError, match=r"m\.safetensors cannot be used on this device: .*fp16"):
        registry().methods["baseline"].load_predictor(path, "cpu")


# --- losses -------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_losses_of_16_bit_logits_are_those_of_float32(loss: str, kind: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    objective = build_loss(loss, 5, np.array([0.4, 0.3, 0.1, 0.1, 0.1]))
    scores = (20 * torch.randn(16, 5, generator=draw)).to(kind)
    scores[0], scores[1] = torch.tensor([60.0, 0, 0, 0, -60]), torch.zeros(5)
    soft = torch.rand(16, 5, generator=draw).softmax(dim=1)
    for targets in (soft, torch.eye(5)[torch.arange(16) % 5]):
        logits = scores.clone().requires_grad_()
        try:
            with computing_in("bf16", CPU):
                value = objective(logits, targets)
        except SoftTargetsError:
            assert targets is soft
            continue
        value.backward()
        assert value.dtype == torch.float32
        assert torch.isfinite(value)
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()
        assert value.item() == objective(scores.float(), targets).item()


def test_a_function_in_float32_keeps_float64_and_whole_numbers() -> None:
    @in_float32
    def product(a: Tensor, b: Tensor) -> Tensor:
        return a @ b

    half, double = torch.eye(2).bfloat16(), torch.eye(2).double()
    with computing_in("bf16", CPU):
        assert product(half, half).dtype == torch.float32
        assert product(double, double).dtype == torch.float64
        assert product(torch.ones(2).long(), torch.ones(2).long()).dtype == torch.int64
        assert (torch.eye(2) @ torch.eye(2)).dtype == torch.bfloat16
