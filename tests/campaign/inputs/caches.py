"""What is kept in caches, which anybody may damage, and which may be in the way."""

from __future__ import annotations

import os
from pathlib import Path

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import respoil
from campaign.inputs.data import spoil
from campaign.inputs.records import AGAIN


@case(many=ENDLESS)
def index_damaged(folder: Path, dice: Dice) -> Asked:
    """The index of a dataset is made again where it is not what it was."""
    cache = stock.copy("index", folder.parent / "cache")
    for path in sorted(cache.rglob("*.parquet")):
        spoil(path, dice) if dice.random() < 0.5 else respoil(path, dice)
    return Asked("gmm", "fit", "--dataset", "affectnet", "--data-root", stock.get("affectnet"),
                 "--out", "gmm.json")  # fmt: skip


@case(many=10)
def cache_that_cannot_be_used(folder: Path, dice: Dice) -> Asked:
    """A cache that is no folder does not stop the work."""
    (folder / "file").write_text("mine")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    value = dice.turn(("file", "loop", "fifo", "/dev/null", "/proc/self", "", "x" * 300, "~", "a\nb",
                       "nowhere/deep/er"))  # fmt: skip
    root = stock.get("affectnet")
    return Asked("gmm", "fit", "--dataset", "affectnet", "--data-root", root, "--out", "gmm.json",
                 environment={"FERC_CACHE": value}, expect="done")  # fmt: skip


@case(many=4)
def cache_full_of_links(folder: Path, dice: Dice) -> Asked:
    """A link in the place of an index is not followed into a foreign file."""
    cache = stock.copy("index", folder.parent / "cache")
    mine = folder.parent / "outside" / "mine"
    mine.write_text("mine")
    for path in sorted(cache.rglob("*.parquet")):
        path.unlink()
        name = (path.name, f".{path.name}.part")[dice.number % 2]
        path.with_name(name).symlink_to(mine)
    return Asked("gmm", "fit", "--dataset", "affectnet", "--data-root", stock.get("affectnet"),
                 "--out", "gmm.json")  # fmt: skip


@case(many=ENDLESS, quick=False)
def images_kept_by_a_run_damaged(folder: Path, dice: Dice) -> Asked:
    root = stock.copy("cached_run", folder / "run")
    for path in root.glob("predictions/*/*"):
        path.unlink()
    for path in sorted((root / "cache").rglob("*")):
        if dice.random() < 0.5:
            spoil(path, dice)
    return Asked(*AGAIN, "--cache", may_change=("run",))


# Absolute ones, for others stand for the cache of whoever runs the campaign.
HOMES = ("/proc/nowhere/at/all", "/proc/" + "x" * 300, "/dev/null", "/proc/self", "/proc/\udcff")


@case(many=len(HOMES))
def caches_of_the_user(folder: Path, dice: Dice) -> Asked:
    """A home that cannot be written to does not stop the work."""
    name = dice.choice(("HOME", "XDG_CACHE_HOME", "TMPDIR"))
    return Asked("gmm", "fit", "--dataset", "affectnet", "--data-root", stock.get("affectnet"),
                 "--out", "gmm.json", environment={"FERC_CACHE": None, name: dice.turn(HOMES)})  # fmt: skip
