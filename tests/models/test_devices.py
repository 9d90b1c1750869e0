"""Devices and threads: what is refused, what is left as it was, and what runs keep of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.colours import check, fit, task
from torch import nn

from ferc_core.errors import RequestError
from ferc_core.experiment.config import LATER, Config, configured
from ferc_core.experiment.records import refuse_other
from ferc_models.ready import ready_made
from ferc_models.runtime import choose_device, computing_threads, seeded, using

pytestmark = pytest.mark.usefixtures("one_thread")


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let torch find so many GPUs."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "count", "found"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:0", 1, "cuda:0"),
        ("cuda:7", 8, "cuda:7"),
    ],
)
def test_a_device_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, found: str
) -> None:
    with_gpus(monkeypatch, count)
    assert choose_device(name) == torch.device(found)


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("cuda", 0, "torch finds no GPU; use auto or cpu"),
        ("cuda:0", 0, "torch finds no GPU; use auto or cpu"),
        ("cuda:7", 1, "torch finds 1 GPU, cuda:0"),
        ("cuda:2", 2, "torch finds 2 GPUs, cuda:0 to cuda:1"),
    ],
)
def test_a_gpu_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, count: int, message: str
) -> None:
    with_gpus(monkeypatch, count)
    asked = task(tmp_path, device=name)
    ready = ready_made("mine", lambda k: nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, k)))
    for refuse in (check, fit, lambda each: ready.check_task(each)):
        with pytest.raises(RequestError) as caught:
            refuse(asked)
        assert str(caught.value) == f"device {name!r} is not available: {message}"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:01", "cuda:²", ""])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(RequestError):
        choose_device(name)
    with pytest.raises(RequestError, match="unknown device"):
        configured({"device": name})


def test_a_configuration_may_name_a_gpu() -> None:
    assert configured({"device": "cuda:3"}).device == "cuda:3"


def test_a_cpu_needs_nothing_to_be_used() -> None:
    with using(torch.device("cpu")):
        assert torch.zeros(1).device.type == "cpu"


def test_seeds_leave_the_generators_as_they_were() -> None:
    torch.manual_seed(4)
    before = torch.get_rng_state()
    with seeded(1, 2):
        drawn = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with seeded(1, 2):
        assert torch.equal(torch.rand(3), drawn)


# --- threads --------------------------------------------------------------------------------------


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of threads that torch is told."""
    numbers: list[int] = []
    change = torch.set_num_threads

    def tell(count: int) -> None:
        numbers.append(count)
        change(count)

    monkeypatch.setattr(torch, "set_num_threads", tell)
    return numbers


def test_torch_is_told_a_number_of_threads_where_it_changes(told: list[int]) -> None:
    for count, changes in {0: [], 1: [], 2: [2, 1]}.items():
        told.clear()
        with computing_threads(count):
            assert torch.get_num_threads() == (count or 1)
        assert told == changes


def test_a_model_predicts_with_its_number_of_threads(tmp_path: Path, told: list[int]) -> None:
    asked = task(tmp_path, epochs=1)
    images = asked.validation.images(np.arange(4))
    ready = ready_made("mine", lambda k: nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, k)))
    models: list[Any] = [fit(asked), ready.fit(asked)]
    for model in models:
        assert model.threads == 0
        told.clear()
        usual = model.logits(images)
        assert told == []
        model.threads = 2
        np.testing.assert_allclose(model.logits(images), usual, rtol=1e-5, atol=1e-6)
        assert told == [2, 1]
    told.clear()
    models[0].logits_and_features(images)
    assert told == [2, 1]


# --- what a run keeps of them ---------------------------------------------------------------------


def test_what_is_made_names_later_settings_only_where_they_are_not_the_usual_ones() -> None:
    assert LATER == {"precision": "fp32", "compile": False}
    assert not LATER.keys() & Config().making().keys()
    assert Config(precision="bf16", compile=True).making() == {
        **Config().making(),
        "precision": "bf16",
        "compile": True,
    }


def test_a_directory_of_another_precision_is_refused(tmp_path: Path) -> None:
    same = {"benchmark": "2", "versions": {}, "data": "x", "classes": []}
    usual, other = ({**same, "making": Config(precision=p).making()} for p in ("fp32", "bf16"))
    for old, new, message in (
        (usual, other, "precision 'fp32', not 'bf16'"),
        (other, usual, "precision 'bf16', not 'fp32'"),
    ):
        refuse_other(tmp_path, old, old)
        with pytest.raises(RequestError, match=message):
            refuse_other(tmp_path, old, new)


def test_a_ready_made_model_says_that_it_has_its_own_precision(tmp_path: Path) -> None:
    heard: list[str] = []
    ready = ready_made("mine", lambda k: nn.Sequential(nn.Flatten(), nn.Linear(32 * 32 * 3, k)))
    ready.fit(replace(task(tmp_path, precision="bf16"), say=heard.append))
    assert "--precision is ignored: it is for methods that are trained" in heard
