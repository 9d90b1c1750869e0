"""Kills at random moments and at every rename: rerun, the command ends with the same bytes."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from campaign.crashes import WORK, Attempt, Ended, differences, finished, made_in, prepare, readable

RANDOM = 200  # kills at random moments
FAULTS = ("kill before", "kill after", "full disk")  # at each rename

Report = tuple[int, list[str]]


def campaign(
    seed: int,
    say: Callable[[str], object],
    kills: int = RANDOM,
    every: int = 1,
    names: Sequence[str] = tuple(WORK),
) -> tuple[str, list[str]]:
    """Return the line of the table and the findings; ``every`` third rename or so is tried."""
    prepare(names)
    folder = Path(tempfile.mkdtemp(prefix="ferc-kills-"))
    try:
        whole = {name: undisturbed(folder / name, name) for name in names}
        at_random, found = random_kills(folder, whole, kills, random.Random(seed), say)
        at_renames, more = faults_at_renames(folder, whole, every, say)
    finally:
        shutil.rmtree(folder)
    lost = len(found) + len(more)
    line = f"kills {at_random} at random moments, {at_renames} faults at renames: bytes lost {lost}"
    return line, found + more


def undisturbed(folder: Path, name: str) -> tuple[dict[str, str], float]:
    """Return what work makes that nothing disturbs, and the seconds that it takes."""
    folder.mkdir()
    done = finished(folder, WORK[name])
    if done.code != 0:
        raise RuntimeError(f"{name} does not work at all: {done.said}")
    return made_in(folder), done.seconds


def random_kills(
    folder: Path,
    whole: dict[str, tuple[dict[str, str], float]],
    kills: int,
    rng: random.Random,
    say: Callable[[str], object],
) -> Report:
    """Kill each kind of work in turn, several times before it may end."""
    done, findings = 0, []
    for name in itertools.cycle(whole):
        if done >= kills:
            return done, findings
        expected, seconds = whole[name]
        place = folder / f"random-{done}"
        place.mkdir()
        for _ in range(min(5, kills - done)):
            attempt = Attempt(place, WORK[name])
            time.sleep(rng.uniform(0, seconds))
            attempt.kill()
            attempt.wait()
            done += 1
        findings += ending(place, name, expected, f"{name}, killed at random")
        shutil.rmtree(place)
        say(f"kills: {done} of {kills}")
    raise AssertionError("unreachable")


def ending(place: Path, name: str, expected: dict[str, str], what: str) -> list[str]:
    """Resume work to its end and return what is wrong with it then."""
    end = finished(place, WORK[name])
    if end.code != 0:
        return [f"{what}: it ended with {end.code}: {readable(end.said)}"]
    other = differences(expected, made_in(place))
    return [f"{what}: {len(other)} files differ, such as {other[0]}"] if other else []


def faults_at_renames(
    folder: Path,
    whole: dict[str, tuple[dict[str, str], float]],
    every: int,
    say: Callable[[str], object],
) -> Report:
    """Kill the work, or fill the disk, at each of its renames."""
    done, findings = 0, []
    for name, (expected, _) in whole.items():
        for fault in FAULTS:
            for at in itertools.count(0, every):
                place = folder / "renames"
                place.mkdir()
                end = Attempt(place, WORK[name], lambda f=fault, n=at: inject(f, n)).wait()
                if end.code == 0:  # it has no further rename
                    shutil.rmtree(place)
                    break
                done += 1
                what = f"{name}, {fault} at rename {at}"
                findings += stopped_badly(end, fault, what)
                findings += ending(place, name, expected, what)
                shutil.rmtree(place)
            say(f"kills: {fault} at every rename of {name}: {done} so far")
    return done, findings


def stopped_badly(end: Ended, fault: str, what: str) -> Iterator[str]:
    """Yield what is wrong with the end of work that met a fault."""
    if fault == "full disk":
        if end.code != 1 or "the disk is full" not in end.said or "Traceback" in end.said:
            yield f"{what}: it ended with {end.code}: {readable(end.said)}"
    elif end.code != -signal.SIGKILL:
        yield f"{what}: it was not killed, but ended with {end.code}: {readable(end.said)}"


def inject(fault: str, at: int) -> None:
    """Let the rename of this number, counted from 0, meet a fault."""
    replace, numbers = os.replace, itertools.count()

    def faulty(source: Any, target: Any, **more: Any) -> None:
        due = next(numbers) == at
        if due and fault == "full disk":
            raise OSError(errno.ENOSPC, "No space left on device")
        if due and fault == "kill before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target, **more)
        if due and fault == "kill after":
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = faulty


if __name__ == "__main__":  # a short form: few kills, of work that begins soon
    line, found = campaign(0, print, kills=2, every=12, names=("run",))
    print("\n".join([*found, line]))
    raise SystemExit(bool(found))
