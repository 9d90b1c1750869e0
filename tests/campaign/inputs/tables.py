"""Tables of run directories: results, labels, predictions, visibilities, intervals."""

from __future__ import annotations

from pathlib import Path

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import respoil
from campaign.inputs.data import spoil
from campaign.inputs.records import AGAIN, read_run

NAMES = ("results.parquet", "pooled.parquet", "labels.parquet", "visibility/l2-average.parquet",
         *(f"predictions/{stock.TRIAL}/{name}.parquet" for name in
           ("clean-0", "contrast-1", "validation")))  # fmt: skip


@case(many=ENDLESS)
def table_of_a_run_spoiled(folder: Path, dice: Dice) -> Asked:
    respoil(stock.copy("run", folder / "run") / dice.turn(NAMES), dice)
    return read_run(dice, kept=True)


@case(many=ENDLESS)
def file_of_a_run_damaged(folder: Path, dice: Dice) -> Asked:
    root = stock.copy("run", folder / "run")
    spoil(root / dice.turn(NAMES), dice)
    return read_run(dice, kept=True)


@case(many=ENDLESS, quick=False)
def intervals_of_a_spoiled_run(folder: Path, dice: Dice) -> Asked:
    respoil(stock.copy("run", folder / "run") / dice.turn(NAMES), dice)
    return Asked("intervals", "run", "--resamples", 20, "--workers", 1,
                 may_change=("run/intervals.parquet", "run/.lock"))  # fmt: skip


@case(many=6)
def predictions_in_another_order(folder: Path, dice: Dice) -> Asked:
    """Rows that moved do not change scores silently: they are noticed, or made again."""
    import polars as pl

    root = stock.copy("run", folder / "run")
    path = root / dice.turn(NAMES[-3:])
    frame = pl.read_parquet(path)
    record = {k: v for k, v in pl.read_parquet_metadata(path).items() if k != "ARROW:schema"}
    frame.reverse().write_parquet(path, metadata=record)
    for name in ("results.parquet", "pooled.parquet"):
        (root / name).unlink()
    same = ("run/results.parquet", "run/results.parquet")
    return Asked(*AGAIN, may_change=("run",), same=same)


@case(many=7)
def files_of_two_trials_swapped(folder: Path, dice: Dice) -> Asked:
    """Files under each other's names are noticed, or made again; scores are as before."""
    root = stock.copy("two_trials", folder / "run")
    first, second = sorted((root / "predictions").iterdir())
    checkpoints = sorted(path for path in (root / "checkpoints").iterdir() if path.is_file())
    one, other = dice.turn((
        (first / "clean-0.parquet", second / "clean-0.parquet"),
        (first / "contrast-1.parquet", second / "contrast-1.parquet"),
        (first / "validation.parquet", second / "validation.parquet"),
        (first / "clean-0.parquet", first / "contrast-1.parquet"),
        (first / "validation.parquet", first / "contrast-1.parquet"),
        (first, second), (checkpoints[0], checkpoints[-1]),
    ))  # fmt: skip
    one.rename(root / "between")
    other.rename(one)
    (root / "between").rename(other)
    for path in root.glob("*.parquet"):
        path.unlink()
    if one.suffix == ".safetensors":
        for path in root.glob("predictions/*/*"):
            path.unlink()
    same = ("run/results.parquet", "two_trials/results.parquet")
    return Asked(*AGAIN, *stock.NOISES, may_change=("run",), same=same)


@case(many=4)
def several_runs_in_a_folder(folder: Path, dice: Dice) -> Asked:
    """A folder of runs of which one is no longer whole."""
    for name in ("a", "b"):
        stock.copy("run", folder / "runs" / name)
    broken = (
        folder / "runs" / "b" / dice.turn(("results.parquet", "manifest.json", "config.toml", "x"))
    )
    broken.write_bytes(b"")
    return Asked("results", "runs", *dice.choice(((), ("--by", "corruption"))))


@case(many=8)
def results_that_cannot_be_stored(folder: Path, dice: Dice) -> Asked:
    stock.copy("run", folder / "run")
    (folder / "x.csv").mkdir()
    (folder / "link.md").symlink_to("/dev/full")
    out = dice.turn(("x.csv", "no/x.csv", "x", "x.xyz", "link.md", "/dev/full", "run", "x" * 300))
    return Asked("results", "run", "--out", out)


@case
def code_in_a_table_of_a_run(folder: Path, dice: Dice) -> Asked:
    """A pickle is no table, whatever its name."""
    import pickle

    from campaign.inputs.predictions import Payload

    root = stock.copy("run", folder / "run")
    load = pickle.dumps(Payload(folder.parent / "executed"))
    for path in root.rglob("*.parquet"):
        path.write_bytes(load)
    return read_run(dice, kept=True)
