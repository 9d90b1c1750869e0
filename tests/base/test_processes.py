"""Processes that are killed, or have no memory: a sentence, and nobody is waited for."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.commands import FERC, one_sentence

from ferc_core import registry
from ferc_core.errors import BadImageError, LostError, RunError

processes, threads = (registry().executors[name] for name in ("processes", "threads"))

KILLED = (
    "a worker process was killed by signal 9; perhaps memory ran out; rerun with fewer --workers "
    "to resume"
)


CAPTURED = {"text": True, "capture_output": True, "timeout": 60}


class Late:
    """Kills the process that sends it, in the middle of what is sent before and after it."""

    def __reduce__(self):
        os.write(sending(), b"\0\0\0\x10half")
        os.kill(os.getpid(), signal.SIGKILL)


def sending() -> int:
    """The pipe of this process to the one that gives it work."""
    return max(
        int(name)
        for name in os.listdir("/proc/self/fd")
        if os.path.islink(f"/proc/self/fd/{name}")
        and os.readlink(f"/proc/self/fd/{name}").startswith("socket")
    )


class Terminated:
    """Terminates the process at the end of its own life, where Python drops all errors."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def work(item: str) -> object:
    """Do as the item says."""
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "kill while it sends":
        return [np.zeros(1 << 20), Late()]
    if item == "terminate unheard":
        Terminated()
        time.sleep(60)
    if item == "bad":
        raise BadImageError("image a.png is damaged")
    if item == "bug":
        raise ZeroDivisionError("a bug")
    if item == "memory":
        np.empty(1 << 60, np.uint8)
    if item == "unsendable":
        return lambda: None
    return item


@pytest.mark.parametrize("how", ["kill", "kill while it sends"])
def test_a_process_that_is_killed_is_named_and_not_waited_for(how):
    begun = time.monotonic()
    with pytest.raises(RunError, match=re.escape(KILLED)):
        list(processes(work, ["a", "b", how, *"cdefgh"], 2))
    assert time.monotonic() - begun < 20


def test_what_a_killed_process_was_about_is_lost_and_nothing_else():
    one, other, *rest = processes.attempts(work, ["a", "kill", *"cd"], 2)
    assert (one, *rest) == ("a", "c", "d")
    assert isinstance(other, LostError)


def test_a_process_hears_that_it_is_terminated_where_python_drops_all_errors(capfd):
    begun = time.monotonic()
    with pytest.raises(RunError, match="a worker process ended"):
        list(processes(work, ["terminate unheard"], 1))
    assert time.monotonic() - begun < 20
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        ("bad", BadImageError, r"image a\.png is damaged"),
        ("bug", RunError, "ZeroDivisionError: a bug"),
        ("memory", RunError, "memory ran out .*; use fewer --workers"),
        ("unsendable", RunError, "pickle"),
    ],
)
def test_errors_in_processes_are_sentences(item, kind, message):
    with pytest.raises(kind, match=message):
        list(processes(work, ["a", item, "b"], 1))


def test_threads_that_lack_memory_say_so():
    with pytest.raises(RunError, match=r"memory ran out .*; use fewer --workers"):
        list(threads(work, ["a", "memory"], 2))


def test_a_small_address_space_is_refused_and_not_waited_in(tmp_path):
    limited = f"ulimit -v 1500000 && exec {shlex.join(FERC)} build --out out"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, **CAPTURED)
    assert "raise it with ulimit -v" in one_sentence(done, 2)


# A real build is ended in every way

SLOW = """
import time
from ferc_core import Corruption, hookimpl
def slow(image, severity, rng):
    time.sleep(0.05)
    return image
@hookimpl
def register_corruptions(register):
    register(Corruption("slow", slow))
"""


def children_of(parent: int) -> list[int]:
    """Return the processes that a process has started and that are alive."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(folder.name))
    return found


def gone(processes: list[int]) -> bool:
    """Whether processes end within two seconds."""
    last = time.monotonic() + 2
    while any(Path(f"/proc/{each}").exists() for each in processes):
        if time.monotonic() > last:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="children are found in /proc")
@pytest.mark.parametrize(
    ("victim", "number", "code", "said"),
    [
        ("parent", signal.SIGINT, 130, "ferc: interrupted; rerun the command to resume"),
        ("parent", signal.SIGKILL, -9, ""),
        ("worker", signal.SIGKILL, 1, f"ferc: {KILLED}"),
    ],
)
def test_a_build_that_is_ended_leaves_no_process_behind(tmp_path, victim, number, code, said):
    (tmp_path / "slow.py").write_text(SLOW)
    words = "build --dataset toyfaces(train=8,valid=8,test=256) --corruption slow --severity 1"
    words += " --label-scheme one-hot --workers 2 --plugin slow.py --out out"
    command = [*FERC, *words.split()]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while len(workers := children_of(process.pid)) < 3:  # two, and the tracker of resources
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)  # one of them is at work, or about to begin
        os.kill(process.pid if victim == "parent" else max(workers), number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert gone(workers)
    assert said in errors
    assert "Traceback" not in errors
    assert "leaked" not in errors


def deaf(item: int) -> bool:
    """Whether this thread never hears Ctrl-C."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_is_for_the_process_that_started_the_others():
    assert list(processes(deaf, [0], 1)) == [True]
    assert not deaf(0)
