"""The memory of a run does not grow with what it has to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import FERC
from helpers.runs import METHOD
from helpers.suites import faces

from ferc_core.images.store import ImageStore


@pytest.mark.skipif(sys.platform != "linux", reason="measures as Linux does")
def test_sixty_four_trials_take_hardly_more_memory_than_four(tmp_path):
    few, many = (peak(tmp_path / str(n), n) for n in (4, 64))
    assert many < 1.2 * few


def peak(out: Path, trials: int) -> int:
    """Return the most memory that a run of so many trials has, in KiB."""
    seeds = [word for seed in range(trials) for word in ("--seed", seed)]
    data = ("--dataset", "toyfaces(train=24,valid=16,test=32)", "--epochs", 1, "--threads", 1)
    cells = ("--corruption", "contrast", "--severity", 1, "--severity", 5)
    how = ("--workers", 0, "--calibrator", "none", "--quiet", "--out", out)
    words = ("run", *METHOD, *data, *cells, *seeds, *how)
    job = subprocess.Popen([*FERC, *map(str, words)], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    assert job.returncode == 0
    return used.ru_maxrss


def test_images_of_the_cache_are_read_and_not_mapped(tmp_path):
    store = ImageStore(faces(40, 64), 256, tmp_path)
    store.keep()
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    rows = np.array([3, 0, 39, 3])
    np.testing.assert_array_equal(store(rows), np.stack([store.read(int(i)) for i in rows]))
