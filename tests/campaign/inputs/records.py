"""Manifests, configurations and other records of run directories and builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import as_json, damaged, mangled, rewarp, warped

AGAIN = ("run", *stock.QUICK, *stock.SMALL, "--workers", 0, "--out", "run")


def read_run(dice: Dice, kept: bool = False) -> Asked:
    """Return a command that reads a run directory, or goes on in it; ``kept`` is its record."""
    command = dice.choice((
        ("results", "run"), ("results", "run", "--by", "corruption", "--format", "json"), AGAIN,
        AGAIN, ("run", "run", "--plugin", stock.EXAMPLES / "my_method.py", "--dry-run"),
        ("results", "run", "--paper", "table1"),
    ))  # fmt: skip
    if command is not AGAIN:
        return Asked(*command)
    # the metadata of tables say what the record said, of versions for example
    same = ("run/results.parquet", "run/results.parquet") if kept else None
    return Asked(*AGAIN, may_change=("run",), same=same)


def read_build(dice: Dice, name: str = "build") -> Asked:
    """Return a command that reads a build, or goes on in it."""
    command = dice.choice((
        ("verify", name), ("verify", name), ("verify", name, "--rebuild", 1),
        ("run", *stock.QUICK, "--dataset", name, "--image-size", 32, "--epochs", 1, *stock.CELLS,
         "--workers", 0, "--out", "out"),
        ("run", *stock.QUICK, "--dataset", name, "--epochs", 1, *stock.CELLS, "--dry-run"),
        ("score", "answers.parquet", "--dataset", name),
        ("build", *stock.SMALL_BUILD, "--out", name),
        ("score", "answers.parquet", "--dataset", name, "--label-scheme", "one-hot"),
    ))  # fmt: skip
    return Asked(*command, may_change=(name,) if command[0] == "build" else ())


@case(many=ENDLESS)
def manifest_of_a_run_warped(folder: Path, dice: Dice) -> Asked:
    rewarp(stock.copy("run", folder / "run") / "manifest.json", dice)
    return read_run(dice)


@case(many=ENDLESS)
def config_of_a_run_damaged(folder: Path, dice: Dice) -> Asked:
    path = stock.copy("run", folder / "run") / "config.toml"
    path.write_bytes(mangled(path.read_text(), dice))
    more = ("--dry-run", "--epochs", 1, "--limit", 8, "--image-size", 32, "--dataset", stock.TINY)
    return Asked("run", "run", "--plugin", stock.EXAMPLES / "my_method.py", *more)


@case(many=ENDLESS)
def manifest_of_a_build_warped(folder: Path, dice: Dice) -> Asked:
    rewarp(stock.copy("build", folder / "build") / "manifest.json", dice)
    stock.copy("answers", folder / "answers.parquet")
    return read_build(dice)


@case(many=ENDLESS)
def making_of_a_build_warped(folder: Path, dice: Dice) -> Asked:
    """What a build says it was made from is not obeyed."""
    path = stock.copy("build", folder / "build") / "manifest.json"
    manifest = json.loads(path.read_text())
    part = dice.choice(("making", "making", "counts", "classes", "versions", "files"))
    manifest[part] = warped(manifest[part], dice)
    path.write_bytes(as_json(manifest, dice).encode(errors="surrogatepass"))
    stock.copy("answers", folder / "answers.parquet")
    return read_build(dice)


ORDERS: tuple[tuple[str, Any], ...] = (
    ("pretrained", True), ("noise", [0.5]), ("weights", "evil.pth"), ("backbone", "hf-hub:evil/evil"),
    ("epochs", 10**9), ("threads", 10**6), ("data_root", "/"), ("out", "elsewhere"),
    ("build", "/etc"), ("executor", "processes"), ("methods", ["onnx(file=/dev/zero)"]),
    ("losses", ["evil"]), ("jobs", 10**6), ("gmm", "/etc/passwd"), ("dataset", "folder"),
    ("dataset", "toyfaces(train=100000000)"), ("dataset", "../../outside"), ("plugins", ["evil.py"]),
    ("cache", True), ("device", "cuda"), ("limit", 10**30), ("image_size", 10**6),
    ("calibrators", ["histogram(bins=1000000000000)"]), ("split", "../.."), ("format", "pickle"),
    ("format", 3), ("learning_rate", "nan"), ("corruptions", ["snow(x=1)"]), ("severities", [9]),
    ("suite_seed", 10**30), ("visibility", "ssim"), ("fusion", 7), ("label_scheme", "gmm"),
)  # fmt: skip


@case(many=len(ORDERS))
def manifest_that_gives_orders(folder: Path, dice: Dice) -> Asked:
    path = stock.copy("build", folder / "build") / "manifest.json"
    manifest = json.loads(path.read_text())
    name, value = dice.turn(ORDERS)
    manifest["making"][name] = value
    path.write_text(json.dumps(manifest))
    stock.copy("answers", folder / "answers.parquet")
    return read_build(dice)


FILES = (
    "../outside/mine", "/etc/passwd", "images/../../outside/mine", "", ".", "..", "a\x00b", "images",
    "x" * 5000, "~/x", "images/clean/0/\x1b[31m.png", "\udcff",
)  # fmt: skip


@case(many=len(FILES))
def manifest_that_names_foreign_files(folder: Path, dice: Dice) -> Asked:
    path = stock.copy("build", folder / "build") / "manifest.json"
    (folder.parent / "outside" / "mine").write_text("mine")
    manifest = json.loads(path.read_text())
    manifest["files"][dice.turn(FILES)] = "0" * 32
    path.write_text(json.dumps(manifest))
    stock.copy("answers", folder / "answers.parquet")
    return read_build(dice)


@case(many=10)
def record_of_another(folder: Path, dice: Dice) -> Asked:
    """Records that belong to something else, or to nothing."""
    content = dice.turn((b"{}", b"[]", b"null", b"3", b'""', b"", b"{" * 50_000, b"[" * 100_000,
                         b'{"making": {}, "files": {}, "counts": {}}', b"\xff\xfe{}"))  # fmt: skip
    if dice.random() < 0.5:
        (stock.copy("run", folder / "run") / "manifest.json").write_bytes(content)
        return read_run(dice)
    (stock.copy("build", folder / "build") / "manifest.json").write_bytes(content)
    stock.copy("answers", folder / "answers.parquet")
    return read_build(dice)


@case(many=ENDLESS)
def trials_of_a_run_warped(folder: Path, dice: Dice) -> Asked:
    """What a run says it trained."""
    path = stock.copy("run", folder / "run") / "manifest.json"
    manifest = json.loads(path.read_text())
    part = dice.choice(("trials", "trials", "making", "versions", "classes"))
    manifest[part] = warped(manifest[part], dice)
    path.write_bytes(as_json(manifest, dice).encode(errors="surrogatepass"))
    return read_run(dice)


@case(many=4)
def record_missing(folder: Path, dice: Dice) -> Asked:
    name = dice.turn(("manifest.json", "config.toml", "results.parquet", "labels.parquet"))
    (stock.copy("run", folder / "run") / name).unlink()
    return read_run(dice)


@case(many=ENDLESS)
def build_damaged(folder: Path, dice: Dice) -> Asked:
    """Files of a build, PNG or shards, cut, missing, or more than it had."""
    from campaign.inputs.data import files, spoil

    root = stock.copy(dice.choice(("build", "shards")), folder / "build")
    stock.copy("answers", folder / "answers.parquet")
    spoil(dice.choice(files(root)), dice)
    if dice.random() < 0.2:
        more = root / dice.choice(("x", ".lock", "images/x", ".building"))
        more.parent.mkdir(exist_ok=True)  # shards are in another folder
        more.write_bytes(dice.randbytes(9))
    return read_build(dice)


@case(many=ENDLESS)
def found_build_wrong(folder: Path, dice: Dice) -> Asked:
    """``verify`` finds every file whose bytes are others."""
    from campaign.inputs.data import files

    root = stock.copy(dice.choice(("build", "shards")), folder / "build")
    path = dice.choice([p for p in files(root) if p.name not in (".lock", "manifest.json")])
    content = path.read_bytes()
    other = damaged(content, dice)
    path.write_bytes(other if other != content else content + b"x")
    return Asked("verify", "build", expect="refused")
