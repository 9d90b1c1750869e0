"""A run or a build by threads, processes, parts or Dask: the same bytes, whoever dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from helpers.commands import FERC, one_sentence
from helpers.processes import workers_of
from helpers.runs import METHOD, TWO, contents, folder_of_faces

pytest.importorskip("distributed")

GRID = (
    "run", *METHOD, *TWO, "--dataset", "toyfaces(train=64,valid=32,test=30)", "--seed", 0,
    "--seed", 1, "--loss", "ce", "--loss", "maxent+mbls", "--threads", 1,
)  # fmt: skip
BUILD = (
    "build", *TWO, "--dataset", "toyfaces(train=24,valid=16,test=300)", "--image-size", 32,
    "--visibility", "ssim",
)  # fmt: skip
LOCAL = ("--executor", "dask", "--workers", 4)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, dict[str, str]]:
    """What one process makes of the grid and of the build."""
    folder = tmp_path_factory.mktemp("alone")
    made = {}
    for name, command in (("run", GRID), ("build", BUILD)):
        finished(folder, *command, "--executor", "threads", "--workers", 2, "--out", name)
        made[name] = contents(folder / name)
    return made


def finished(folder: Path, *command: object) -> str:
    """Run a command to its end and return what it said."""
    words = [*FERC, *map(str, command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize(("kind", "command"), [("run", GRID), ("build", BUILD)])
def test_parts_that_run_at_once_make_the_whole(tmp_path, alone, kind, command):
    """Four parts and, beside them, a call for everything, which waits for what they are about."""
    words = [*FERC, *map(str, (*command, "--executor", "serial", "--out", "out"))]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    shares = [("--part", f"{i}/4") for i in (1, 2, 3, 4)]
    jobs = [subprocess.Popen([*words, *s], cwd=tmp_path, **quiet) for s in (*shares, ())]
    for job in jobs:
        _, said = job.communicate(timeout=300)
        assert job.returncode == 0, said
    assert contents(tmp_path / "out") == alone[kind]
    assert not (tmp_path / "out" / ".claims").exists()


def test_a_part_does_its_share_and_says_that_it_is_no_more(ferc, tmp_path):
    done = ferc(*GRID, "--part", "2/3", "--out", "out")
    assert "part 2/3 in out is done" in done.stdout
    said = done.stderr
    assert "trainings: 4, of which 1 to do" in said
    assert len(list((tmp_path / "out" / "checkpoints").glob("*.safetensors"))) == 1
    assert not (tmp_path / "out" / "results.parquet").exists()
    again = ferc("run", "out", *METHOD[:2]).stderr  # the whole, whatever part was asked for
    assert "trainings: 4, of which 3 to do" in again
    assert (tmp_path / "out" / "results.parquet").exists()


def test_two_grids_with_different_settings_in_one_directory_are_refused(ferc, tmp_path):
    command = [*FERC, *map(str, GRID), "--out", "out", "--epochs", "200"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        while not (tmp_path / "out" / "manifest.json").exists():
            assert job.poll() is None
            time.sleep(0.05)
        other = ferc(*GRID, "--out", "out", "--image-size", 48)
        job.send_signal(signal.SIGTERM)
        _, said = job.communicate(timeout=60)
    assert "out was made with epochs 200" in one_sentence(other, 2)
    assert job.returncode == 143
    assert "Traceback" not in said


@pytest.mark.parametrize("part", ["5/4", "0/4", "a", "1/4/2", "-1/4"])
def test_a_part_that_cannot_be_is_refused(ferc, part):
    for command in ("run", "build"):
        message = one_sentence(ferc(command, f"--part={part}"), 2)
        assert f"part must be I/N with I from 1 to N, as in 2/4, not '{part}'" in message


# Kills


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
def test_killed_workers_cost_time_and_nothing_else(tmp_path, alone):
    """`nox -s campaign` kills 30 at random moments, and those that give them work, too."""
    words = [*FERC, *map(str, (*GRID, *LOCAL, "--out", "out"))]
    rng = random.Random(0)
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as job:
        for _ in range(3):
            time.sleep(rng.uniform(1, 3))
            for victim in rng.sample(there := workers_of(job.pid), min(1, len(there))):
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
        _, said = job.communicate(timeout=300)
    assert "Traceback" not in said
    finished(tmp_path, *GRID, *LOCAL, "--out", "out")
    assert contents(tmp_path / "out") == alone["run"]


# A scheduler that runs already


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    """Start a Dask scheduler and return its address."""
    file = folder / "scheduler.json"
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with started(*words, "--scheduler-file", str(file)):
        address = ""
        while not address:
            time.sleep(0.1)
            with suppress(OSError, ValueError, KeyError):
                address = json.loads(file.read_text())["address"]
        yield address


@contextmanager
def started(*words: str, before: tuple[str, ...] = (), **more: object) -> Iterator[None]:
    """Run a command of Dask until the end of the block."""
    command = [*before, sys.executable, "-m", "dask", *words]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet, **more) as process:  # type: ignore[call-overload]
        try:
            yield
        finally:
            process.terminate()


def worker_of(address: str) -> tuple[str, ...]:
    """Return the command of a worker."""
    return ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")


def test_workers_of_a_scheduler_may_run_in_any_folder(tmp_path, alone):
    (tmp_path / "elsewhere").mkdir()
    with scheduler(tmp_path) as address, started(*worker_of(address), cwd=tmp_path / "elsewhere"):
        for kind, command in (("run", GRID), ("build", BUILD)):
            how = ("--executor", f"dask(scheduler={address})", "--out", kind)
            finished(tmp_path, *command, *how)
            assert contents(tmp_path / kind) == alone[kind]


def test_a_scheduler_that_is_not_there_is_refused_at_once(ferc, tmp_path, monkeypatch):
    monkeypatch.setattr("ferc_core.base.cluster.PATIENCE", 1)
    found = ferc(*GRID, "--executor", "dask(scheduler=tcp://127.0.0.1:1)", "--out", "out")
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:1'" in one_sentence(found, 2)
    assert not (tmp_path / "out").exists()


def test_a_worker_that_cannot_do_the_work_is_named(ferc, tmp_path):
    folder_of_faces(tmp_path / "faces")
    timm = tmp_path / "other" / "timm-0.0.1.dist-info"
    timm.mkdir(parents=True)
    (timm / "METADATA").write_text("Metadata-Version: 2.1\nName: timm\nVersion: 0.0.1\n")
    cases = [
        ({"PYTHONPATH": str(timm.parent)}, GRID, "it has timm 0.0.1, not"),
        ({"FERC_DISABLE_PLUGINS": "ferc-corruptions"}, GRID, "no visibility is installed"),
    ]
    for number, (environment, command, sentence) in enumerate(cases):
        (tmp_path / str(number)).mkdir()
        with (
            scheduler(tmp_path / str(number)) as address,
            started(*worker_of(address), env={**os.environ, **environment}),
        ):
            found = ferc(*command, "--executor", f"dask(scheduler={address})", "--out", "out")
        message = one_sentence(found, 2)
        assert "worker tcp://127.0.0.1:" in message
        assert sentence in message
        assert not (tmp_path / "out" / "predictions").exists()


def unshared(folder: Path) -> tuple[str, ...]:
    """Return what gives a command an empty folder of its own in place of this one."""
    return ("unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=64k none {folder} && exec \"$@\"",
            "sh")  # fmt: skip


def can_unshare() -> bool:
    """Say whether this process may have file systems of its own."""
    with suppress(OSError):
        tried = subprocess.run([*unshared(Path("/mnt")), "true"], capture_output=True)
        return tried.returncode == 0
    return False


@pytest.mark.skipif(not can_unshare(), reason="needs the right to mount")
@pytest.mark.parametrize(
    ("hidden", "code", "sentence"),
    [
        ("out", 2, "workers need storage that all of them share"),
        ("faces", 2, "faces/<class>"),
        ("out/images/snow", 1, "the disk is full"),
    ],
)
def test_a_worker_that_sees_other_files_is_named(ferc, tmp_path, hidden, code, sentence):
    folder_of_faces(tmp_path / "faces", 200 if code == 1 else 6)
    own = ("--dataset", "folder", "--data-root", "faces", "--image-size", 64, *TWO)
    if code == 1:
        finished(tmp_path, "build", *own, "--executor", "serial", "--part", "1/9", "--out", "out")
    (tmp_path / hidden).mkdir(parents=True, exist_ok=True)
    with (
        scheduler(tmp_path) as address,
        started(*worker_of(address), before=unshared(tmp_path / hidden)),
    ):
        found = ferc("build", *own, "--executor", f"dask(scheduler={address})", "--out", "out")
    message = one_sentence(found, code)
    assert sentence in message
    assert "worker tcp://127.0.0.1:" in message
    assert not (tmp_path / "out" / "manifest.json").exists()
