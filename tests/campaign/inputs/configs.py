"""Configuration files."""

from __future__ import annotations

import os
from pathlib import Path

import tomli_w

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import NUMBERS, WORDS, damaged, mangled

GOOD = f"""\
dataset = "{stock.TINY}"
image_size = 32
epochs = 1
limit = 8
losses = ["ce"]
methods = ["softmax_regression"]
corruptions = ["contrast"]
severities = [1]
seeds = [0]
noise = [0.0]
learning_rate = 0.01
calibrators = ["temperature"]
workers = 0

[[data]]
split = "test"
"""
# Whatever the file says, it is tried with a few images.
SHORT = (
    "--plugin", stock.EXAMPLES / "my_method.py", "--limit", 8, "--epochs", 1, "--image-size", 32,
)  # fmt: skip


def asked(folder: Path, dice: Dice, content: bytes | str, **rest: object) -> Asked:
    """Return a run or a build with a configuration of this content."""
    path = folder / "run.toml"
    content = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(content)
    own = b"corruptions" in content or b"severities" in content
    if dice.random() < 0.15:
        small = ("--limit", 8, "--image-size", 32, "--dataset", stock.TINY, *stock.CELLS)
        build = ("--executor", "serial", "--workers", 0, "--out", "out")
        return Asked("build", "run.toml", *small, *build, **rest)
    cells = () if own else stock.CELLS  # all of them would take long
    return Asked("run", "run.toml", *SHORT, *cells, "--dry-run", **rest)


@case(many=ENDLESS)
def toml_badly_edited(folder: Path, dice: Dice) -> Asked:
    return asked(folder, dice, mangled(GOOD, dice))


@case(many=ENDLESS)
def toml_damaged(folder: Path, dice: Dice) -> Asked:
    return asked(folder, dice, damaged(GOOD.encode(), dice))


@case(many=ENDLESS)
def toml_of_odd_values(folder: Path, dice: Dice) -> Asked:
    """Settings with values of any type."""
    from ferc_core.experiment.config import SETTINGS

    numbers = [n for n in NUMBERS if isinstance(n, float) or abs(n) < 2**70]
    odd = [*WORDS, *numbers, True, [], {}, [[]], [1, "a"], {"a": 1}, ["ce", 3], [True]]
    values = {"dataset": stock.TINY}
    for name in dice.sample([*SETTINGS, "data", "x", "", "plugins"], dice.randint(1, 3)):
        if name in ("epochs", "out"):
            continue
        values[name] = dice.choice(odd)
    return asked(folder, dice, tomli_w.dumps(values).encode(errors="replace"))


@case(many=16)
def toml_of_the_list(folder: Path, dice: Dice) -> Asked:
    """What broke once."""
    text = dice.turn((
        f"epochs = {'1' * 5000}", "a = " + "[" * 20_000, "a = " + "{b=" * 5000, 'dataset = "\\u0000"',
        f"[{'a.' * 5000}a]", "seeds = [11111111111111111111]", "noise = [nan]", "noise = nan",
        "learning_rate = inf", "learning_rate = nan", "limit = 1_000_000_000_000_000_000_000",
        "severities = [1979-05-27]", "data = 3", "[[data]]\n[[data]]\n[[data.x]]",
        "data = []", "\ufeffepochs = 1",
    ))  # fmt: skip
    return asked(folder, dice, text)


@case(many=9)
def config_that_is_no_file(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("fifo", "folder", "full", "zero", "link", "loop", "stdin", "binary", "empty"))
    path = folder / "run.toml"
    given = {"full": "/dev/full", "zero": "/dev/zero", "stdin": "/dev/stdin"}.get(kind, "run.toml")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere")
    elif kind == "loop":
        path.symlink_to("run.toml")
    elif kind in ("binary", "empty"):
        path.write_bytes(dice.randbytes(3000) if kind == "binary" else b"")
    return Asked("run", given, *SHORT, "--dry-run")


@case
def config_with_a_plugin_file(folder: Path, dice: Dice) -> Asked:
    """A configuration does not name code."""
    (folder / "evil.py").write_text("open('../executed', 'w')\n")
    (folder / "run.toml").write_text('plugin = ["evil.py"]\nplugins = ["evil.py"]\n')
    return Asked("run", "run.toml", *SHORT, "--dry-run", expect="refused")
