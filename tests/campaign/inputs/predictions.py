"""Predictions that some other program made, for ``ferc score``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import damaged, mangled, respoil, spoiled


def asked(folder: Path, name: str, **rest: Any) -> Asked:
    """Return the scoring of a file against the build."""
    stock.copy("build", folder / "build")
    return Asked("score", name, "--dataset", "build", **rest)


def wide(frame: Any) -> Any:
    """Return predictions with a column for each class."""
    import polars as pl

    lists = pl.col("logits").list
    return frame.select(
        "sample", "corruption", "severity", *(lists.get(k).alias(f"logit_{k}") for k in range(8))
    )


def answers() -> Any:
    """Return the good table."""
    import polars as pl

    return pl.read_parquet(stock.get("answers"))


@case(many=ENDLESS)
def predictions_spoiled(folder: Path, dice: Dice) -> Asked:
    respoil(stock.copy("answers", folder / "x.parquet"), dice)
    return asked(folder, "x.parquet")


@case(many=ENDLESS)
def predictions_in_columns_spoiled(folder: Path, dice: Dice) -> Asked:
    spoiled(wide(answers()), dice).write_parquet(folder / "x.parquet")
    return asked(folder, "x.parquet")


@case(many=ENDLESS)
def predictions_as_csv_badly_edited(folder: Path, dice: Dice) -> Asked:
    (folder / "x.csv").write_bytes(mangled(wide(answers()).write_csv(), dice))
    return asked(folder, "x.csv")


@case(many=ENDLESS)
def predictions_damaged(folder: Path, dice: Dice) -> Asked:
    (folder / "x.parquet").write_bytes(damaged(stock.get("answers").read_bytes(), dice))
    return asked(folder, "x.parquet")


@case(many=12)
def predictions_that_are_no_table(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("fifo", "folder", "empty", "zero", "link", "loop", "suffix", "none", "png",
                      "gz", "full", "url"))  # fmt: skip
    path = folder / dice.choice(("x.csv", "x.parquet"))
    given = path.name
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "empty":
        path.touch()
    elif kind == "link":
        path.symlink_to("nowhere.csv")
    elif kind == "zero":
        path.symlink_to("/dev/zero")
    elif kind == "full":
        path.symlink_to("/dev/full")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "png":
        path.write_bytes((stock.get("photos") / "face.png").read_bytes())
    elif kind == "url":
        given = "https://example.org/x.parquet"
    elif kind != "none":
        path = folder / ("x.csv.gz" if kind == "gz" else "x.xlsx")
        path.write_bytes(b"\x1f\x8b" + dice.randbytes(100))
        given = path.name
    return asked(folder, given)


@case(many=6, quick=False)
def table_of_many_columns_or_rows(folder: Path, dice: Dice) -> Asked:
    text = dice.turn((
        ",".join(f"c{n}" for n in range(200_000)) + "\n1\n",
        "sample,corruption,severity,logit_0,logit_1\n" + "a,clean,0,1,2\n" * 300_000,
        "sample,corruption,severity," + ",".join(f"logit_{n}" for n in range(5000)) + "\n"
        + ("a,clean,0" + ",1" * 5000 + "\n") * 20,
        '"' * 5_000_000, "a" * 20_000_000, "\n" * 3_000_000,
    ))  # fmt: skip
    (folder / "x.csv").write_text(text)
    return asked(folder, "x.csv", expect="refused")


@case(many=5)
def scores_that_cannot_be_stored(folder: Path, dice: Dice) -> Asked:
    stock.copy("answers", folder / "x.parquet")
    out = dice.turn(("x.csv", "no/x.parquet", "build", "build.parquet", "/dev/full"))
    (folder / "build.parquet").mkdir()
    stock.copy("build", folder / "build")
    return Asked("score", "x.parquet", "--dataset", "build", "--out", out)


@case
def code_in_a_table(folder: Path, dice: Dice) -> Asked:
    """Python objects in parquet are not brought to life."""
    import pickle

    import polars as pl

    load = pickle.dumps(Payload(folder.parent / "executed"))
    frame = answers().with_columns(logits=pl.Series([load] * len(answers())))
    frame.write_parquet(folder / "x.parquet")
    return asked(folder, "x.parquet", expect="refused")


class Payload:
    """An object that, brought to life from a pickle, leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)
