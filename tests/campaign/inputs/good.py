"""Good inputs with unusual names: they are done, exit 0."""

from __future__ import annotations

import shutil
from pathlib import Path

from campaign import stock
from campaign.cases import Asked, Dice, case

NAMES = (
    "exp[lr=1]", "run*", "{a,b}", "a b", "caf\u00e9 \U0001f600", "a:b", "a'b", 'a"b', "a,b", "a=b",
    "a;b", "a(b)", "a&b", "$HOME", "%s", "#x", "~x", "a\\b", "?", "[!a]", "x" * 120, ".hidden", "+",
    "\u202eabc", "\u65e5\u672c\u8a9e", "a.b.c", "100%", "[red]x", "**", "@x",
)  # fmt: skip


@case(many=len(NAMES))
def run_of_any_name(folder: Path, dice: Dice) -> Asked:
    run = ("run", *stock.QUICK, *stock.SMALL, "--workers", 0, "--quiet")
    return Asked(*run, "--out", dice.turn(NAMES), expect="done")


@case(many=len(NAMES))
def results_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(NAMES)
    stock.copy("run", folder / name)
    stock.copy("run", folder / "run1")
    view = dice.choice(((), ("--by", "corruption"), ("--format", "json"), ("--out", f"{name}.csv")))
    return Asked("results", name, *view, expect="done")


@case(many=len(NAMES), quick=False)
def intervals_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(NAMES)
    stock.copy("run", folder / name)
    changes = (f"{name}/intervals.parquet", f"{name}/.lock")
    return Asked("intervals", name, "--resamples", 20, "--workers", 1, expect="done",
                 may_change=changes)  # fmt: skip


@case(many=len(NAMES))
def build_of_any_name(folder: Path, dice: Dice) -> Asked:
    """Made, checked or scored."""
    name = dice.turn(NAMES)
    kind = dice.choice(("build", "verify", "score", "run"))
    if kind == "build":
        return Asked("build", *stock.SMALL_BUILD, "--out", name, expect="done")
    stock.copy("build", folder / name)
    if kind == "verify":
        return Asked("verify", name, expect="done")
    if kind == "score":
        stock.copy("answers", folder / f"{name}.parquet")
        file = f"{name}.parquet"
        return Asked("score", file, "--dataset", f"./{name}", expect="done")
    return Asked("run", *stock.QUICK, "--dataset", f"./{name}", "--image-size", 32, "--epochs", 1,
                 *stock.CELLS, "--workers", 0, "--out", "out", expect="done")  # fmt: skip


@case(many=len(NAMES))
def data_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(NAMES)
    stock.copy(dice.choice(("faces", "table")), folder / name)
    return Asked("data", "check", "folder", "--data-root", name, expect="done")


RELEASES = (
    "affectnet",
    "affectnet8",
    "affwild2",
    "affwild1",
    "ferplus",
    "ferplus_folders",
    "rafdb",
)


@case(many=4 * len(RELEASES))
def known_dataset_of_any_name(folder: Path, dice: Dice) -> Asked:
    """Every release of the known datasets is opened in a folder of any name."""
    name, kind = dice.choice(NAMES), dice.turn(RELEASES)
    stock.copy(kind, folder / name)
    dataset = kind.rstrip("0123456789").removesuffix("_folders")
    few = "(few=keep)" if dataset == "affwild" else ""
    return Asked("data", "preview", f"{dataset}{few}", "--data-root", name, "--out", "x.png",
                 expect="done")  # fmt: skip


@case(many=len(NAMES))
def plugin_of_any_name(folder: Path, dice: Dice) -> Asked:
    path = folder / f"{dice.turn(NAMES)}.py"
    shutil.copy(stock.EXAMPLES / "my_loss.py", path)
    return Asked("list", "losses", "--plugin", path.name, expect="done")


@case(many=len(NAMES))
def image_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(NAMES)
    shutil.copy(stock.get("photos") / "face.png", folder / f"{name}.png")
    return Asked("corrupt", f"{name}.png", f"{name} out", *stock.CELLS, expect="done")


@case(many=len(NAMES), quick=False)
def config_of_any_name(folder: Path, dice: Dice) -> Asked:
    path = folder / f"{dice.turn(NAMES)}.toml"
    path.write_text('losses = ["ce"]\nepochs = 1\n')
    return Asked("run", path.name, *stock.QUICK, *stock.SMALL, "--dry-run", expect="done")


@case(many=len(NAMES), quick=False)
def mixture_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = f"{dice.turn(NAMES)}.json"
    stock.copy("mixture", folder / name)
    run = ("run", *stock.QUICK, *stock.SMALL, "--dry-run")
    return Asked(*run, "--gmm", name, expect="done")


@case(many=len(NAMES), quick=False)
def onnx_of_any_name(folder: Path, dice: Dice) -> Asked:
    name = f"{dice.turn(NAMES)}.onnx"
    stock.copy("network", folder / name)
    quote = "'" if '"' in name else '"'
    method = f"onnx(file={quote}{name}{quote})"
    return Asked(
        "run", *stock.SMALL, "--workers", 0, "--out", "out", "--method", method, expect="done"
    )


@case(many=10)
def picture_of_any_format(folder: Path, dice: Dice) -> Asked:
    names = ("face.png", "face.jpg", "face.bmp", "face.webp", "face.tif", "face.ppm", "grey.png",
             "deep.png", "grey.pgm", "alpha.png")  # fmt: skip
    stock.copy("photos", folder)
    return Asked("corrupt", dice.turn(names), "out", *stock.CELLS, expect="done")


@case(many=7)
def resumed(folder: Path, dice: Dice) -> Asked:
    """What is whole, and what is half done, is done at the end."""
    from campaign.inputs.models import TORCH_AGAIN
    from campaign.inputs.records import AGAIN

    kind = dice.turn(
        ("run", "cached_run", "torch_run", "begun_run", "build", "shards", "no scores")
    )
    if kind in ("build", "shards"):
        stock.copy(kind, folder / "build")
        more = ("--format", "parquet") if kind == "shards" else ()
        return Asked("build", *stock.SMALL_BUILD, *more, "--out", "build", expect="done",
                     may_change=("build",))  # fmt: skip
    root = stock.copy("run" if kind == "no scores" else kind, folder / "run")
    if kind == "no scores":
        (root / "results.parquet").unlink()
    again = TORCH_AGAIN if kind in ("torch_run", "begun_run") else AGAIN
    epochs = ("--epochs", 3) if kind == "begun_run" else ()
    thing = "torch_run" if kind == "torch_run" else "run"
    same = None if kind == "begun_run" else ("run/results.parquet", f"{thing}/results.parquet")
    return Asked(*again, *epochs, expect="done", may_change=("run",), same=same)


@case(many=2, quick=False)
def executors(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(("threads", "serial"))
    run = ("run", *stock.QUICK, *stock.SMALL, "--workers", 2, "--executor", name)
    return Asked(*run, "--out", "out", expect="done")
