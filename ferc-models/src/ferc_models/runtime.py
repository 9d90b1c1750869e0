"""The device that torch computes on, its generators, its threads, and reproducible arithmetic."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import numpy as np
import torch

from ferc_core.errors import RequestError

NUMBERED = re.compile(r"cuda:(0|[1-9]\d{0,3})", re.ASCII)


def choose_device(name: str) -> torch.device:
    """Return the device for "auto" (a GPU if there is one), "cpu", "cuda", or a GPU as "cuda:1".

    Raises `RequestError` for another name, and for a GPU that torch does not find.
    """
    numbered = NUMBERED.fullmatch(name)
    if name not in ("auto", "cpu", "cuda") and not numbered:
        raise RequestError(f"device must be auto, cpu, cuda or cuda:N, not {name!r}")
    present = torch.cuda.is_available()
    if numbered or (name == "cuda" and not present):
        count = torch.cuda.device_count() if present else 0
        if not numbered or int(numbered[1]) >= count:
            raise RequestError(f"device {name!r} is not available: torch finds {gpus(count)}")
        return torch.device(name)
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def gpus(count: int) -> str:
    """Say how many GPUs there are, and what they are called.

    >>> gpus(0), gpus(1), gpus(8)
    ('no GPU; use auto or cpu', '1 GPU, cuda:0', '8 GPUs, cuda:0 to cuda:7')
    """
    if count < 2:
        return "1 GPU, cuda:0" if count else "no GPU; use auto or cpu"
    return f"{count} GPUs, cuda:0 to cuda:{count - 1}"


def using(device: torch.device) -> AbstractContextManager[Any]:
    """Return the context in which a GPU is the one that torch takes by default."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Run a block with torch's generators seeded by ``key``; restore their state afterwards."""
    # all GPUs, because torch seeds all of them
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
        yield


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Run a block with deterministic algorithms; on a GPU torch warns where it has none."""
    on_gpu = device.type == "cuda"
    if on_gpu:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS
    before = torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=on_gpu)
    # it would clear all memory first, in case something reads what it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        torch.utils.deterministic.fill_uninitialized_memory = filled


@contextmanager
def computing_threads(count: int) -> Iterator[None]:
    """Run a block with ``count`` threads of torch; 0 leaves their number unchanged."""
    before = torch.get_num_threads()
    if count in (0, before):
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
