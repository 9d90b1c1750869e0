"""The short form of kills and power cuts; ``nox -s campaign`` has the long one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks and mounts of Linux")
@pytest.mark.parametrize("part", ["kills", "power_cuts"])
def test_nothing_is_lost(part):
    # in a process of its own: this one has threads, which a fork would not take along
    done = subprocess.run(
        [sys.executable, "-m", f"campaign.{part}"],
        cwd=TESTS,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])},
        text=True,
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "nothing can be mounted" in done.stdout:
        pytest.skip("no disk can be mounted here")
    assert "bytes lost 0" in done.stdout or "unhealed 0" in done.stdout
