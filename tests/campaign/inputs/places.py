"""Where things are written: places that are taken, foreign, or no places at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from campaign import stock
from campaign.cases import Asked, Dice, case

RUN = ("run", *stock.QUICK, *stock.SMALL, "--workers", 0)
BUILD = ("build", *stock.SMALL_BUILD)
PLACES = (
    "/dev/null", "/dev/full", "/proc/self", "/sys/x", "file", "file/x", "loop", "dangling", "fifo",
    "fifo/x", "x" * 300, "x/" * 2500, "\udce9\udcff", "a\nb", "\x1b[31m", "link", ".", "..", "",
    "out/../out", "-", "~nobody_at_all/x",
)  # fmt: skip


@case(many=2 * len(PLACES))
def out_that_is_no_folder(folder: Path, dice: Dice) -> Asked:
    (folder / "file").write_text("mine")
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere/x")
    (folder / "link").symlink_to(folder.parent / "outside")
    (folder.parent / "outside" / "mine").write_text("mine")
    os.mkfifo(folder / "fifo")
    base = (RUN, BUILD)[dice.number // len(PLACES) % 2]
    return Asked(*base, "--out", dice.turn(PLACES))


FOREIGN = (
    "labels.parquet", "config.toml", "results.parquet", "x.txt", "checkpoints/x.pth",
    "images/clean/0/test-00000.png", ".lock", "cache/x", "predictions/x", "visibility.parquet",
    ".building", "intervals.parquet",
)  # fmt: skip


@case(many=2 * len(FOREIGN))
def out_with_foreign_files(folder: Path, dice: Dice) -> Asked:
    """A folder that holds anything of somebody else is refused."""
    path = folder / "own" / dice.turn(FOREIGN)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    base = (RUN, BUILD)[dice.number // len(FOREIGN) % 2]
    expect = "any" if path.name == ".lock" else "refused"
    changes = ("own/.lock",)
    return Asked(*base, "--out", "own", expect=expect, may_change=changes)


@case
def out_with_its_own_config(folder: Path, dice: Dice) -> Asked:
    """``ferc run own/config.toml --out own`` does not overwrite what it was given."""
    (folder / "own").mkdir()
    (folder / "own" / "config.toml").write_text("epochs = 1\n# mine\n")
    return Asked("run", "own/config.toml", *RUN[1:], "--out", "own", expect="refused")


TEMPORARY = (".intervals.parquet.part", ".results.parquet.part", ".manifest.json.part",
             ".config.toml.part", ".labels.parquet.part")  # fmt: skip


@case(many=2 * len(TEMPORARY), quick=False)
def link_in_place_of_a_temporary_file(folder: Path, dice: Dice) -> Asked:
    root = stock.copy("run", folder / "run")
    mine = folder.parent / "outside" / "mine"
    mine.write_text("mine")
    name = dice.turn(TEMPORARY)
    if dice.number >= len(TEMPORARY):
        name = name.removeprefix(".").removesuffix(".part")
        (root / name).unlink(missing_ok=True)
    (root / name).symlink_to(mine)
    if "intervals" in name:
        return Asked("intervals", "run", "--resamples", 20, "--workers", 1, may_change=("run",))
    return Asked(*RUN, "--out", "run", may_change=("run",))


LOCKS = ("fifo", "folder", "link", "loop", "text")


@case(many=2 * len(LOCKS))
def lock_that_is_none(folder: Path, dice: Dice) -> Asked:
    base = (RUN, BUILD)[dice.number // len(LOCKS) % 2]
    name = "run" if base is RUN else "build"
    lock = stock.copy(name, folder / name) / ".lock"
    lock.unlink(missing_ok=True)
    (folder.parent / "outside" / "mine").write_text("mine")
    kind = dice.turn(LOCKS)
    if kind == "fifo":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    elif kind == "text":
        lock.write_text("x")
    else:
        lock.symlink_to(".lock" if kind == "loop" else folder.parent / "outside" / "mine")
    return Asked(*base, "--out", name, may_change=(name,))


@case(many=8)
def log_file_anywhere(folder: Path, dice: Dice) -> Asked:
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    name = dice.turn(("fifo", "folder", "loop", "/dev/full", "no/x", "x" * 300, "", "/proc/self/x"))
    return Asked(*RUN, "--out", "out", "--log-file", name, "--dry-run")


@case(many=6)
def folder_of_a_run_that_is_none(folder: Path, dice: Dice) -> Asked:
    """What is read as a run directory or a build, and is none."""
    os.mkfifo(folder / "fifo")
    (folder / "empty").mkdir()
    (folder / "file").write_text("x")
    (folder / "loop").symlink_to("loop")
    place = dice.turn(("fifo", "empty", "file", "loop", "/proc/self", "/dev"))
    command = dice.choice((("results",), ("intervals",), ("verify",), ("run",)))
    return Asked(*command, place)


@case(many=3)
def pattern_that_is_no_name(folder: Path, dice: Dice) -> Asked:
    """A pattern is not answered with the folders that it would match."""
    for name in ("run1", "run2"):
        stock.copy("run", folder / name)
    return Asked("results", dice.turn(("run*", "run[12]", "run?")), expect="refused")


@case(many=4)
def links_in_a_build(folder: Path, dice: Dice) -> Asked:
    """A build is a folder of files: what is a link, a FIFO or a stranger is named."""
    root = stock.copy("build", folder / "build")
    path = root / "images" / "clean" / "0" / "test-00000.png"
    kind = dice.turn(("link", "fifo", "lock", "more"))
    if kind == "link":
        shutil.copy(path, folder.parent / "outside" / "x.png")
        path.unlink()
        path.symlink_to(folder.parent / "outside" / "x.png")
    elif kind == "fifo":
        os.mkfifo(path.with_name("more.png"))
    elif kind == "lock":
        (path.parent / ".lock").touch()
    else:
        (root / "images" / "more").mkdir()
        (root / "images" / "more" / "x").touch()
    return Asked("verify", "build", expect="refused")
