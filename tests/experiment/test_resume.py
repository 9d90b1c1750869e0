"""A run that is stopped anywhere, by whatever, ends when it is rerun as if nothing had happened.

A plugin file makes the process kill itself with SIGKILL right before a file would get its name,
that is, in the middle of a write; other signals come from outside, when the run has said what it
is at.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from helpers.commands import FERC, ferc_in, one_sentence, process_in
from helpers.runs import METHOD, SABOTAGE, contents

SMALL = (
    "run",
    "--dataset", "toyfaces(train=96,valid=16,test=16)",
    "--image-size", 32,
    "--corruption", "snow",
    "--corruption", "contrast",
    "--threads", 1,
    "--out", "run",
)  # fmt: skip
RUN = (*SMALL, "--backbone", "test_resnet", "--epochs", 4, "--batch-size", 32, "--loss", "ce")
LIGHT = (*SMALL, "--plugin", "light.py", *METHOD[:4], "--loss", "light")

# A loss whose name does not take seconds to import torch; the method does not look at it.
LOSS = """
from ferc_core import Loss, hookimpl
@hookimpl
def register_losses(register):
    register(Loss("light", lambda num_classes, class_prior: None))
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of Unix")


def undisturbed(folder: Path, *run: object) -> dict[str, str]:
    """Return the files of a run that nothing disturbs."""
    folder.mkdir()
    (folder / "light.py").write_text(LOSS)
    done = ferc_in(folder)(*run)
    assert done.returncode == 0, done.stderr
    return contents(folder / "run")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> dict[str, str]:
    """The files of a run that trains a network."""
    return undisturbed(tmp_path_factory.mktemp("trained") / "here", *RUN)


def signalled(folder: Path, run: tuple, number: signal.Signals, when: str) -> tuple[int, str]:
    """Signal a run when it says a line like ``when``; return its code and what it says then."""
    command = [*FERC, *map(str, run)]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(re.match(when, line) for line in process.stderr), "it ended before"
        process.send_signal(number)
        said = process.stderr.read()
    return process.returncode, said


def killed_before(folder: Path, run: tuple, target: str) -> None:
    """Let a run kill itself right before a file gets its name."""
    (folder / "sabotage.py").write_text(SABOTAGE)
    done = process_in(folder)(*run, "--plugin", "sabotage.py", DIE_AT=target, DIE_OF="kill")
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list((folder / "run").rglob(target))


def test_a_training_that_is_interrupted_is_resumed_and_ends_with_the_same_bytes(
    ferc, tmp_path, trained
):
    code, said = signalled(tmp_path, RUN, signal.SIGINT, r"train .*: 2/4 ")
    assert code == 130
    assert "ferc: stopping" in said
    assert said.endswith("ferc: interrupted; rerun the command to resume\n")
    assert "Traceback" not in said
    assert list((tmp_path / "run").glob("checkpoints/*.training/*"))

    done = ferc(*RUN)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == trained


def test_predictions_that_are_stopped_again_and_again_end_with_the_same_bytes(ferc, tmp_path):
    expected = undisturbed(tmp_path / "undisturbed", *LIGHT)
    (tmp_path / "light.py").write_text(LOSS)

    code, _ = signalled(tmp_path, LIGHT, signal.SIGKILL, r"train .*: 1/8 ")
    assert code == -signal.SIGKILL

    code, said = signalled(tmp_path, LIGHT, signal.SIGTERM, r"predict validation: done ")
    assert code == 143
    assert said.endswith("ferc: terminated; rerun the command to resume\n")
    assert "Traceback" not in said

    killed_before(tmp_path, LIGHT, "contrast-3.parquet")  # the predictions of a cell

    done = ferc(*LIGHT)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == expected


def test_a_full_disk_is_named_and_the_run_resumes(ferc, tmp_path, trained, monkeypatch):
    replace = os.replace

    def full(source: Path, name: Path) -> None:
        if str(name).endswith(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(source, name)

    for target in ("training.safetensors", "snow-3.parquet", "labels.parquet"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", full)
            message = one_sentence(ferc(*RUN), 1)
        assert "the disk is full" in message
        assert target in message
        assert not list((tmp_path / "run").rglob(target))
    done = ferc(*RUN)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == trained
