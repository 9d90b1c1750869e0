"""Power cuts: a run on a disk of its own, the state of which is copied in the middle of a write.

The disk is a file with ext4 that is mounted. What the copy holds is what a cut would have left: the
memory of the system is not in it. The copy takes the place of the disk, and the run is resumed.
"""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from campaign.crashes import WORK, Attempt, empty_files, prepare
from campaign.kills import ending, undisturbed

CUTS = 40
SIZE = 48 << 20
# Names reach the disk each second and contents up to 30 seconds later, without the exceptions
# that ext4 makes for programs that do not sync.
OPTIONS = "loop,commit=1,noauto_da_alloc"
NAMED = 1.5  # seconds until all names are on the disk


def campaign(
    seed: int, say: Callable[[str], object], cuts: int = CUTS, names: Sequence[str] = tuple(WORK)
) -> tuple[str, list[str]]:
    """Return the line of the table and the findings."""
    folder = Path(tempfile.mkdtemp(prefix="ferc-cuts-"))
    try:
        if not can_mount(folder):
            return "power cuts: none, for nothing can be mounted here", []
        prepare(names)
        empty, total = unsynced(folder)
        say(f"power cuts: without syncing {empty} of {total} files would be empty after one")
        whole = {name: undisturbed(folder / f"whole-{name}", name) for name in names}
        rng, findings, left = random.Random(seed), [], 0
        for number in range(cuts):
            name = names[number % len(names)]
            expected, seconds = whole[name]
            wrong, lost = cut(folder, name, expected, rng.uniform(0.1, seconds))
            findings += wrong
            left += lost
            say(f"power cuts: {number + 1} of {cuts}")
    finally:
        shutil.rmtree(folder)
    line = (
        f"power cuts {cuts}: unhealed {len(findings)}; {left} files were empty after them and made "
        f"again; without syncing, {empty} of {total} after one"
    )
    return line, findings


def cut(folder: Path, name: str, expected: dict[str, str], after: float) -> tuple[list[str], int]:
    """Cut the power of some work, resume it, and return what is wrong and how many were empty."""
    disk, copy, place = folder / "disk.img", folder / "copy.img", folder / "mounted"
    new_disk(disk)
    with mounted(disk, place):
        attempt = Attempt(place, WORK[name])
        time.sleep(after)
        with suppress(ProcessLookupError):
            attempt.freeze()
        time.sleep(NAMED)
        snapshot(disk, copy)
        with suppress(ProcessLookupError):
            attempt.kill()
        attempt.wait()
    with mounted(copy, place):
        empty, _ = empty_files(place)
        return ending(place, name, expected, f"{name}, cut after {after:.2f} s"), empty


def unsynced(folder: Path) -> tuple[int, int]:
    """Return how many files are empty, of how many, after a cut when nothing is synced.

    Were it none, the campaign would prove nothing.
    """
    disk, copy, place = folder / "disk.img", folder / "copy.img", folder / "mounted"
    new_disk(disk)
    with mounted(disk, place):
        attempt = Attempt(place, WORK["run"], without_sync)
        attempt.wait()
        time.sleep(NAMED)
        snapshot(disk, copy)
    with mounted(copy, place):
        return empty_files(place)


def without_sync() -> None:
    """Let this process sync nothing."""
    from ferc_core.base import files

    files.sync = files.sync_all = lambda path: None
    os.fsync = lambda number: None


def new_disk(path: Path) -> None:
    """Make a file that is an empty disk."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-F", path], check=True, capture_output=True)


@contextmanager
def mounted(disk: Path, place: Path) -> Iterator[None]:
    """Mount a disk."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", OPTIONS, disk, place], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True, capture_output=True)


def snapshot(disk: Path, copy: Path) -> None:
    """Copy a disk in a moment in which nothing is written to it."""
    for _ in range(50):
        shutil.copyfile(disk, copy)
        if filecmp.cmp(disk, copy, shallow=False):
            return
    raise RuntimeError("the disk never stood still")


def can_mount(folder: Path) -> bool:
    """Whether a disk can be made and mounted here."""
    with suppress(OSError, subprocess.CalledProcessError):
        new_disk(folder / "disk.img")
        with mounted(folder / "disk.img", folder / "mounted"):
            return True
    return False


if __name__ == "__main__":  # a short form
    line, found = campaign(0, print, cuts=1, names=("run",))
    print("\n".join([*found, line]))
    raise SystemExit(bool(found))
