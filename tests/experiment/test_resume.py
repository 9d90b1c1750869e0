"""A run that is killed anywhere ends, when it is run again, as if nothing had happened.

The runs train a real network with torch. A plugin file makes the process kill itself with SIGKILL
right before a file would get its name, that is, in the middle of a write; other kills come from
outside, at whatever moment it is.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.commands import ferc_in, one_sentence
from test_run import contents

SABOTAGE = """
import errno, os, signal
replace, wanted = os.replace, os.environ["DIE_AT"]

def sabotaged(source, target):
    if str(target).endswith(wanted):
        if os.environ["DIE_OF"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device")
    replace(source, target)

os.replace = sabotaged
"""
RUN = (
    "run",
    "--dataset", "toyfaces(train=96,valid=48,test=32)",
    "--image-size", "32",
    "--backbone", "test_resnet",
    "--epochs", "3",
    "--batch-size", "32",
    "--loss", "ce",
    "--corruption", "snow",
    "--corruption", "contrast",
)  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, str]:
    """The files of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = ferc_in(folder)(*RUN, "--out", "run")
    assert done.returncode == 0, done.stderr
    return contents(folder / "run")


@pytest.mark.parametrize(
    ("cause", "target"),
    [
        ("kill", "training.safetensors"),  # the state after the first epoch
        ("kill", "seed0.safetensors"),  # the trained model
        ("kill", "validation.parquet"),
        ("kill", "snow-3.parquet"),  # the predictions of a cell
        ("kill", "labels.parquet"),
        ("kill", "results.parquet"),
        ("full disk", "training.safetensors"),
        ("full disk", "snow-3.parquet"),
    ],
)
def test_a_write_that_fails_is_repeated_and_the_end_is_the_same(
    ferc, tmp_path, undisturbed, target, cause
):
    (tmp_path / "sabotage.py").write_text(SABOTAGE)
    stopped = ferc(*RUN, "--out", "run", "--plugin", "sabotage.py", DIE_AT=target, DIE_OF=cause)
    if cause == "kill":
        assert stopped.returncode == -signal.SIGKILL
    else:
        message = one_sentence(stopped, 1)
        assert "the disk is full" in message
        assert target in message
    assert not list((tmp_path / "run").rglob(target))
    assert ferc(*RUN, "--out", "run").returncode == 0
    assert contents(tmp_path / "run") == undisturbed


def test_kills_at_any_moment_do_not_change_the_end(tmp_path, undisturbed):
    command = [sys.executable, "-m", "ferc_core.cli", *RUN, "--out", str(tmp_path / "run")]
    for seconds in (3.0, 4.5, 6.0):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
            time.sleep(seconds)
            run.send_signal(signal.SIGKILL)
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert contents(tmp_path / "run") == undisturbed


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_ctrl_c_stops_with_a_sentence_and_the_run_goes_on(tmp_path, undisturbed):
    command = [sys.executable, "-m", "ferc_core.cli", *RUN, "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        wait_for(tmp_path / "run" / "checkpoints", r".*\.training")
        run.send_signal(signal.SIGINT)
        _, errors = run.communicate()
    assert run.returncode == 1
    assert "the same command goes on from here" in errors
    assert "Traceback" not in errors
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert contents(tmp_path / "run") == undisturbed


def wait_for(folder: Path, pattern: str, seconds: float = 120) -> None:
    """Wait until a file or folder of such a name is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if folder.is_dir() and any(re.fullmatch(pattern, p.name) for p in folder.iterdir()):
            return
        time.sleep(0.05)
    raise AssertionError(f"nothing like {pattern} came into {folder}")
