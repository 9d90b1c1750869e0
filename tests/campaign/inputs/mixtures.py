"""Files of a valence-arousal mixture."""

from __future__ import annotations

import os
from pathlib import Path

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import damaged, rewarp


def asked(dice: Dice) -> Asked:
    """Return a command that takes the file."""
    return Asked(*dice.choice((
        ("run", *stock.QUICK, *stock.SMALL, "--gmm", "gmm.json", "--dry-run"),
        ("run", *stock.QUICK, *stock.SMALL, "--gmm", "gmm.json", "--workers", 0, "--out", "out"),
        ("build", *stock.SMALL_BUILD, "--gmm", "gmm.json", "--out", "out"),
        ("data", "preview", stock.TINY, "--gmm", "gmm.json", "--out", "x.png"),
    )))  # fmt: skip


@case(many=ENDLESS)
def mixture_warped(folder: Path, dice: Dice) -> Asked:
    rewarp(stock.copy("mixture", folder / "gmm.json"), dice)
    return asked(dice)


@case(many=ENDLESS)
def mixture_damaged(folder: Path, dice: Dice) -> Asked:
    (folder / "gmm.json").write_bytes(damaged(stock.get("mixture").read_bytes(), dice))
    return asked(dice)


@case(many=6)
def mixture_that_is_no_file(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("fifo", "folder", "/dev/zero", "loop", "none", "/dev/full"))
    path = folder / "gmm.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to("gmm.json")
    elif kind != "none":
        path.symlink_to(kind)
    return asked(dice)


@case(many=6)
def mixture_that_cannot_be_stored(folder: Path, dice: Dice) -> Asked:
    """``gmm fit --out`` somewhere that is taken."""
    (folder / "taken.json").write_text("mine")
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to("taken.json")
    os.mkfifo(folder / "fifo.json")
    names = ("taken.json", "folder.json", "link.json", "fifo.json", "/dev/full", "x" * 300)
    return Asked("gmm", "fit", "--dataset", stock.TINY, "--out", dice.turn(names))
