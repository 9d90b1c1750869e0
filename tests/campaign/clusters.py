"""Kills of workers, and of the process that gives them work: rerun, the command ends with the same
bytes as one process that nothing disturbs.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from helpers.commands import FERC
from helpers.processes import workers_of
from helpers.runs import contents

KILLS = 30  # of workers, in each kind of work
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
LONGEST = 1800  # seconds that work may take

BUILD = (
    "build", "--dataset", "toyfaces(train=24,valid=16,test=640)", "--image-size", "48",
    "--corruption", "snow", "--corruption", "jpeg_compression", "--corruption", "spatter",
)  # fmt: skip
GRID = (
    "run", "--dataset", "toyfaces(train=256,valid=64,test=64)", "--corruption", "snow",
    "--seed", "0", "--seed", "1", "--seed", "2", "--epochs", "6", "--threads", "1",
)  # fmt: skip
WORK = {"build": BUILD, "run": GRID}
LAST = {"build": "manifest.json", "run": "results.parquet"}  # what is written when all is done


def campaign(
    seed: int, say: Callable[[str], object], kills: int = KILLS, work: Sequence[str] = tuple(WORK)
) -> tuple[str, list[str]]:
    """Return the line of the table and the findings."""
    folder, rng, findings = Path(tempfile.mkdtemp(prefix="ferc-clusters-")), random.Random(seed), []
    try:
        for name in work:
            alone = folder / f"{name}-alone"
            run([*WORK[name], "--out", str(alone)])
            for how in ("dask", "processes", "parts"):
                place = folder / f"{name}-{how}"
                disturbed(place, name, how, kills, rng)
                if contents(place) != contents(alone):
                    findings.append(f"{name} by {how}: other bytes than those of one process")
                say(f"workers: {name} by {how}, {kills} killed")
    finally:
        shutil.rmtree(folder)
    return f"kills of workers {kills} in each of {3 * len(work)} ways", findings


def commands(name: str, how: str, place: Path) -> list[list[str]]:
    """Return the commands that do the work at the same time."""
    words = [*WORK[name], "--out", str(place)]
    if how == "dask":
        return [[*words, "--executor", "dask", "--workers", "4"]]
    if how == "parts":
        return [[*words, "--part", f"{i}/4"] for i in (1, 2, 3, 4)]
    jobs = ["--jobs", "4"] if name == "run" else []
    return [[*words, *jobs, "--executor", "processes", "--workers", "4"]]


def disturbed(place: Path, name: str, how: str, kills: int, rng: random.Random) -> None:
    """Do work in a folder while its processes are killed, and once, in the middle, those that give
    them work; then let it end.
    """
    first = kills
    while kills > 0:
        if (place / LAST[name]).exists():
            shutil.rmtree(place)  # it was done before the last kill: once more
        with running(commands(name, how, place)) as jobs:
            while kills > 0 and any(job.poll() is None for job in jobs):
                time.sleep(rng.uniform(0.5, 4))
                parents = [job.pid for job in jobs if job.poll() is None]
                workers = [worker for parent in parents for worker in workers_of(parent)]
                if kills == first // 2 or not workers:
                    workers = parents
                for victim in rng.sample(workers, min(1, len(workers))):
                    with suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
                        kills -= 1
            for job in jobs if kills else ():
                job.wait(LONGEST)
    for command in commands(name, how, place):
        run(command)
    run([*WORK[name], "--out", str(place)])


@contextmanager
def running(words: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Run commands at the same time, at most until the end of the block."""
    jobs = [subprocess.Popen([*FERC, *each], **QUIET) for each in words]  # type: ignore[call-overload]
    try:
        yield jobs
    finally:
        for job in jobs:
            job.kill()
            job.communicate()


def run(words: Sequence[str]) -> None:
    """Run a command to its end; raises `RuntimeError` where it fails."""
    done = subprocess.run([*FERC, *words], capture_output=True, text=True, timeout=LONGEST)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
