"""Data folders: every dataset as its owners distribute it, then damaged."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, among, case
from campaign.damage import WORDS, damaged, mangled, respoil
from campaign.inputs.predictions import Payload

IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
TEXTS = (".csv", ".txt", ".lst")
# In stock, and the name of the dataset.
RELEASES = {
    "faces": "folder", "table": "folder", "affectnet": "affectnet", "affectnet8": "affectnet",
    "affwild2": "affwild(few=keep)", "affwild1": "affwild(few=keep)", "ferplus": "ferplus",
    "ferplus_folders": "ferplus", "rafdb": "rafdb",
}  # fmt: skip


def files(root: Path) -> list[Path]:
    """Return the files of a data folder; annotations come often, and images seldom."""
    found = sorted(path for path in root.rglob("*") if path.is_file())
    rest = [path for path in found if path.suffix not in IMAGES]
    return found if not rest else [*found, *rest * (len(found) // len(rest))]


def spoil(path: Path, dice: Dice) -> None:
    """Damage one file of a data folder."""
    kind = dice.choice(
        ("content",) * 8 + ("gone", "folder", "fifo", "link", "loop", "empty", "other")
    )
    if kind == "content" and path.is_file():
        if path.suffix == ".parquet":
            respoil(path, dice)
        elif path.suffix in TEXTS and dice.random() < 0.8:
            path.write_bytes(mangled(path.read_text(errors="replace"), dice))
        else:
            path.write_bytes(damaged(path.read_bytes(), dice))
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(dice.choice(("nowhere", "/dev/zero", "/dev/full", "/etc/passwd", "..")))
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "empty":
        path.touch()
    elif kind == "other":
        path.write_bytes((stock.get("photos") / "face.bmp").read_bytes())


def looked_at(name: str, root: str, dice: Dice) -> Asked:
    """Return a command that reads a data folder."""
    given = (name, "--data-root", root)
    named = ("--dataset", name, "--data-root", root)
    commands: tuple[tuple[object, ...], ...] = (
        ("data", "check", *given, "--workers", 1), ("data", "check", *given, "--json"),
        ("data", "preview", *given, "--out", "x.png"), ("gmm", "fit", *named, "--out", "gmm.json"),
        ("run", *named, *stock.QUICK, "--image-size", 32, *stock.CELLS, "--limit", 8, "--dry-run"),
        ("build", *named, "--image-size", 32, *stock.CELLS, "--limit", 4, "--executor", "serial",
         "--workers", 0, "--out", "out"),
        ("run", *named, *stock.QUICK, "--image-size", 32, *stock.CELLS, "--limit", 8,
         "--on-bad-image", "skip", "--workers", 0, "--epochs", 1, "--out", "out"),
    )  # fmt: skip
    return Asked(*dice.choice((commands[0], commands[0], *commands)))


@case(many=ENDLESS)
def data_folder_damaged(folder: Path, dice: Dice) -> Asked:
    """Any dataset with a few damaged files."""
    kind = dice.turn(list(RELEASES))
    root = stock.copy(kind, folder / "data")
    for path in among(files(root), dice, 3):
        spoil(path, dice)
    return looked_at(RELEASES[kind], "data", dice)


@case(many=ENDLESS)
def data_folder_rearranged(folder: Path, dice: Dice) -> Asked:
    """Any dataset with folders and files moved, renamed, or removed."""
    kind = dice.turn(list(RELEASES))
    root = stock.copy(kind, folder / "data")
    everything = sorted(root.rglob("*"))
    for path in among(everything, dice, 3):
        if not path.exists():
            continue
        other = dice.choice(everything)
        action = dice.choice(("move", "name", "gone", "twice", "link"))
        word = dice.choice([w for w in WORDS if w and "\0" not in w and "/" not in w])[:200]
        try:
            if action == "move" and other.is_dir():
                shutil.move(path, other / path.name)
            elif action == "name":
                path.rename(path.with_name(f"{word}{path.suffix}"))
            elif action == "gone":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            elif action == "twice" and path.is_file():
                shutil.copy(path, path.with_name(f"copy {path.name}"))
            elif action == "link":
                (path.parent / "link").symlink_to(dice.choice((".", "..", path.name, "/dev")))
        except (OSError, shutil.Error):
            continue
    return looked_at(RELEASES[kind], "data", dice)


@case(many=ENDLESS)
def labels_table_badly_edited(folder: Path, dice: Dice) -> Asked:
    root = stock.copy("table", folder / "data")
    path = root / "labels.csv"
    if dice.random() < 0.4:
        import polars as pl

        pl.read_csv(path).write_parquet(root / "labels.parquet")
        path.unlink()
        respoil(root / "labels.parquet", dice)
    else:
        path.write_bytes(mangled(path.read_text(), dice))
    return looked_at("folder", dice.choice(("data", "data/labels.csv", "data/")), dice)


@case(many=len(RELEASES) + 1)
def data_folder_of_another_dataset(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn([*RELEASES, "photos"])
    name = dice.choice(["affectnet", "affwild", "ferplus", "rafdb", "folder", "ferplus(mode=probability)",
                        "rafdb(part=ml)", "affectnet(classes=7)"])  # fmt: skip
    return looked_at(name, str(stock.get(kind)), dice)


@case(many=12)
def data_root_that_is_none(folder: Path, dice: Dice) -> Asked:
    os.mkfifo(folder / "fifo")
    (folder / "file").write_text("x")
    (folder / "empty").mkdir()
    (folder / "loop").symlink_to("loop")
    root = dice.turn(("fifo", "file", "empty", "loop", "nowhere", "/dev/null", "/dev/zero", "/proc/self",
                      "x" * 300, "x/" * 3000, "\udce9", "empty/../file/.."))  # fmt: skip
    name = dice.choice(list(RELEASES.values()))
    return looked_at(name, root, dice)


@case(many=2)
def code_in_an_annotation(folder: Path, dice: Dice) -> Asked:
    """Pickles in NumPy files are not brought to life."""
    import numpy as np

    root = stock.copy("affectnet8", folder / "data")
    mark = Payload(folder.parent / "executed")
    for path in sorted(root.rglob("*_exp.npy"))[:3]:
        np.save(path, np.array(mark, object), allow_pickle=True)
    return Asked(*looked_at("affectnet", "data", dice).arguments)


@case(many=4)
def code_in_a_data_folder(folder: Path, dice: Dice) -> Asked:
    """Files with the names of plugins and configurations are data here."""
    root = stock.copy("faces", folder / "data")
    code = f"open({str(folder.parent / 'executed')!r}, 'w').close()\n"
    for name in ("plugin.py", "conftest.py", "sitecustomize.py", "numpy.py", "torch.py", "ferc.py"):
        (folder / name).write_text(code)
        (root / name).write_text(code)
    return looked_at("folder", "data", dice)


@case(many=2)
def class_names_of_strangers(folder: Path, dice: Dice) -> Asked:
    """Names that terminals, tables and LaTeX would obey."""
    root = stock.copy("faces", folder / "data")
    names = ("\x1b[31mred", "a\nb", "[red]x", "\\input{x}", "=cmd|x", "a|b")
    for split in root.iterdir():
        for old, new in zip(("calm", "angry"), dice.sample(names, 2), strict=True):
            (split / old).rename(split / new)
    return looked_at("folder", "data", dice)


@case(many=3)
def names_that_are_not_text(folder: Path, dice: Dice) -> Asked:
    """File names that are not UTF-8."""
    root = stock.copy("faces", folder / "data")
    image = sorted(root.rglob("*.png"))[0]
    image.rename(image.with_name("\udce9\udcff.png"))
    return looked_at("folder", "data", dice)
