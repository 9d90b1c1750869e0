"""The device that torch computes on, its generators, its threads, and reproducible arithmetic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from ferc_core.errors import RequestError


def choose_device(name: str) -> torch.device:
    """Return the device for "auto" (a GPU if there is one), "cpu" or "cuda".

    Raises `RequestError` for another name, and for "cuda" if torch finds no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise RequestError(f"device must be auto, cpu or cuda, not {name!r}")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise RequestError("device 'cuda' is not available: torch finds no GPU; use auto or cpu")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


@contextmanager
def seeded(*key: int) -> Iterator[None]:
    """Run a block with torch's generators seeded by ``key``; restore their state afterwards."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
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
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
