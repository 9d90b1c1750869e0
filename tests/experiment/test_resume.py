"""A run that is stopped anywhere, by whatever, ends when it is rerun as if nothing had happened.

The runs train a real network with torch. A plugin file makes the process kill itself with SIGKILL
right before a file would get its name, that is, in the middle of a write; other signals come from
outside, when the run has said what it is at.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from helpers.commands import FERC, ferc_in, one_sentence
from helpers.runs import SABOTAGE, contents

RUN = (
    "run",
    "--dataset", "toyfaces(train=96,valid=16,test=16)",
    "--image-size", "32",
    "--backbone", "test_resnet",
    "--epochs", "4",
    "--batch-size", "32",
    "--threads", "1",
    "--loss", "ce",
    "--corruption", "snow",
    "--corruption", "contrast",
    "--out", "run",
)  # fmt: skip

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, str]:
    """The files of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    done = ferc_in(folder)(*RUN)
    assert done.returncode == 0, done.stderr
    return contents(folder / "run")


def signalled(folder: Path, number: signal.Signals, when: str) -> tuple[int, str]:
    """Signal a run when it says a line like ``when``; return its code and what it says then."""
    with subprocess.Popen([*FERC, *RUN], cwd=folder, stderr=subprocess.PIPE, text=True) as run:
        assert run.stderr is not None
        assert any(re.match(when, line) for line in run.stderr), "it ended before"
        run.send_signal(number)
        said = run.stderr.read()
    return run.returncode, said


def killed_before(folder: Path, target: str) -> None:
    """Let a run kill itself right before a file gets its name."""
    (folder / "sabotage.py").write_text(SABOTAGE)
    run = ferc_in(folder)(*RUN, "--plugin", "sabotage.py", DIE_AT=target, DIE_OF="kill")
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert not list((folder / "run").rglob(target))


def test_a_run_that_is_stopped_again_and_again_ends_with_the_same_bytes(
    ferc, tmp_path, undisturbed
):
    killed_before(tmp_path, "training.safetensors")  # the state after the first epoch

    code, said = signalled(tmp_path, signal.SIGINT, r"train .*: 1/4 ")
    assert code == 130
    assert "ferc: stopping" in said
    assert said.endswith("ferc: interrupted; rerun the command to resume\n")
    assert "Traceback" not in said
    assert list((tmp_path / "run").glob("checkpoints/*.training/*"))

    code, said = signalled(tmp_path, signal.SIGTERM, r"train .*: done ")
    assert code == 143
    assert said.endswith("ferc: terminated; rerun the command to resume\n")
    assert "Traceback" not in said

    code, said = signalled(tmp_path, signal.SIGKILL, r"predict validation: done ")
    assert code == -signal.SIGKILL
    assert "Results are in" not in said

    killed_before(tmp_path, "contrast-3.parquet")  # the predictions of a cell
    killed_before(tmp_path, "results.parquet")

    done = ferc(*RUN)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == undisturbed


@pytest.mark.parametrize("target", ["training.safetensors", "snow-3.parquet", "labels.parquet"])
def test_a_full_disk_is_named_and_the_run_resumes(ferc, tmp_path, undisturbed, monkeypatch, target):
    replace = os.replace

    def full(source: Path, name: Path) -> None:
        if str(name).endswith(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, name)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        message = one_sentence(ferc(*RUN), 1)
    assert "the disk is full" in message
    assert target in message
    assert not list((tmp_path / "run").rglob(target))
    done = ferc(*RUN)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == undisturbed
