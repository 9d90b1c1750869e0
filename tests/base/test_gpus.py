"""One GPU for each process, without torch and without a GPU."""

from __future__ import annotations

import os

import pytest

from ferc_core.base import gpus
from ferc_core.base.gpus import VISIBLE, see_one, visible


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with four GPUs, as its devices show them."""
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    monkeypatch.setattr(gpus, "DEVICES", tmp_path)
    monkeypatch.delenv(VISIBLE, raising=False)
    return monkeypatch


def seen_by(number: int) -> list[str]:
    """Return what the process of this number sees."""
    before = os.environ.get(VISIBLE)
    try:
        see_one(number)
        return visible()
    finally:
        os.environ.pop(VISIBLE, None)
        if before is not None:
            os.environ[VISIBLE] = before


def test_processes_get_the_gpus_in_turn(machine):
    assert visible() == ["0", "1", "2", "3"]
    assert [seen_by(number) for number in (0, 1, 2, 3, 4)] == [["0"], ["1"], ["2"], ["3"], ["0"]]


def test_only_those_that_a_batch_system_allows_are_given_out(machine):
    machine.setenv(VISIBLE, "2, GPU-8f2c,MIG-1")
    assert [seen_by(number) for number in (0, 1, 2)] == [["2"], ["GPU-8f2c"], ["MIG-1"]]


def test_without_a_choice_nothing_is_changed(machine):
    machine.setenv(VISIBLE, "")
    assert seen_by(1) == []
    machine.setenv(VISIBLE, "3")
    assert seen_by(1) == ["3"]
