"""Options and arguments of every command, with values that cannot be."""

from __future__ import annotations

import inspect
from functools import cache
from pathlib import Path
from typing import Any

import typer

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import NUMBERS, WORDS

# What each command needs to get as far as the option that is wrong.
RUN = ("run", *stock.QUICK, *stock.SMALL, "--workers", 0)
BASES: dict[str, tuple[object, ...]] = {
    "run": (*RUN, "--out", "out"),
    "build": ("build", *stock.SMALL_BUILD, "--out", "out"),
    "verify": ("verify", "build"),
    "score": ("score", "answers.parquet", "--dataset", "build"),
    "results": ("results", "run"),
    "intervals": ("intervals", "run", "--resamples", 20, "--workers", 1),
    "corrupt": ("corrupt", "face.png", "out", *stock.CELLS),
    "data check": ("data", "check", "folder", "--data-root", "faces"),
    "data preview": ("data", "preview", "folder", "--data-root", "faces", "--out", "x.png"),
    "gmm fit": ("gmm", "fit", "--dataset", stock.TINY, "--out", "gmm.json"),
    "list": ("list", "losses"),
    "plugins": ("plugins",),
}
NEEDS = {
    "verify": {"build": "build"},
    "score": {"build": "build", "answers": "answers.parquet"},
    "results": {"run": "run"},
    "intervals": {"run": "run"},
    "data check": {"faces": "faces"},
    "data preview": {"faces": "faces"},
}
LONG = ("epochs", "resamples")  # a large number of them is no fault, and takes long


@cache
def options() -> list[tuple[str, str]]:
    """Return every option of every command."""
    from ferc_core.plugins.host import host

    found = []
    for name, entry in host().commands.items():
        command: Any = typer.main.get_command(entry.loaded)
        parts = getattr(command, "commands", None) or {"": command}
        for part, leaf in parts.items():
            for parameter in leaf.params:
                long = [o for o in parameter.opts if o.startswith("--") and o != "--help"]
                if long and not getattr(parameter, "is_flag", False):
                    found.append((f"{name} {part}".strip(), long[0]))
    return found


def prepare(command: str, folder: Path) -> None:
    """Write what a command needs."""
    for name, to in NEEDS.get(command, {}).items():
        stock.copy(name, folder / to)
    if command == "corrupt":
        stock_photo = stock.get("photos") / "face.png"
        (folder / "face.png").write_bytes(stock_photo.read_bytes())


def text_of(value: object) -> str:
    """Return a value as an argument, in which there can be no zero."""
    return str(value).replace("\0", "\udcff")


@case(many=ENDLESS)
def option(folder: Path, dice: Dice) -> Asked:
    """Any option, with any value."""
    command, flag = dice.choice(options())
    prepare(command, folder)
    value = text_of(dice.choice((*WORDS, *map(repr_of, NUMBERS), "\udce9\udcff", "x\udce9.txt")))
    dry = ["--dry-run"] if command == "run" and flag[2:] in LONG else []
    base = BASES.get(command, tuple(command.split()))
    changes = ("out", "run/intervals.parquet", "x.png", "gmm.json", "run/.lock", "build/.lock")
    return Asked(*base, *dry, flag, value, may_change=changes, network=flag == "--backbone")


def repr_of(number: float) -> str:
    """Return a number as text; one of 400 digits, too."""
    return repr(number)


@case(many=3 * len(WORDS))
def argument(folder: Path, dice: Dice) -> Asked:
    """Arguments without a name."""
    value = text_of(dice.turn(WORDS))
    commands: tuple[tuple[object, ...], ...] = (
        ("run", value), ("run", value, "--dry-run"), ("verify", value), ("score", value),
        ("results", value), ("intervals", value), ("corrupt", value, "out"), ("list", value),
        ("corrupt", "face.png", value, *stock.CELLS), ("data", "check", value), (value,),
        ("data", "preview", value), ("plugins", value), ("data", value), ("gmm", value),
        ("build", value), ("--debug", value),
    )  # fmt: skip
    stock.copy("photos", folder)
    return Asked(*dice.choice(commands))


@case(many=30)
def option_without_value_or_unknown(folder: Path, dice: Dice) -> Asked:
    """The parser's own refusals."""
    command, flag = dice.choice(options())
    base = BASES.get(command, tuple(command.split()))
    wrong = dice.choice(([flag], [f"{flag}x", "1"], [f"-{flag[2]}", "1"], ["--", flag], ["\udce9"]))
    return Asked(*base, *wrong, expect="any", may_change=("out",))


@case
def seed_of_twenty_digits(folder: Path, dice: Dice) -> Asked:
    return Asked(*RUN, "--seed", "1" * 20, "--out", "out")


@case(many=3)
def suite_seed_too_large(folder: Path, dice: Dice) -> Asked:
    return Asked(*RUN, "--suite-seed", dice.turn(("1" * 20, 2**64, 2**63)), "--out", "out")


@case(many=4)
def numbers_of_nothing(folder: Path, dice: Dice) -> Asked:
    option = dice.turn(("--learning-rate", "--noise", "--fusion", "--soft-augmentation"))
    return Asked(*RUN, option, "nan", "--out", "out", expect="refused")


@case(many=3)
def numbers_without_end(folder: Path, dice: Dice) -> Asked:
    option = dice.turn(("--learning-rate", "--noise", "--fusion"))
    return Asked(*RUN, option, "inf", "--out", "out", expect="refused")


@case(many=6)
def sizes_too_large(folder: Path, dice: Dice) -> Asked:
    flag, value = dice.turn((
        ("--image-size", 100_000), ("--threads", 10**7), ("--batch-size", 10**15),
        ("--limit", 10**30), ("--jobs", 10**9), ("--workers", 10**9),
    ))  # fmt: skip
    base = ("run", *stock.TORCH) if flag in ("--threads", "--batch-size") else RUN
    return Asked(*base, flag, value, "--out", "out")


@case(many=4, quick=False)
def workers_of_a_build(folder: Path, dice: Dice) -> Asked:
    base = ("build", *stock.SMALL_BUILD, "--executor", dice.choice(("processes", "threads")))
    return Asked(*base, "--workers", dice.turn((10**6, 10**9, 10**20, 2**31)), "--out", "out")


CALLS = {
    "losses": "--loss", "corruptions": "--corruption", "calibrators": "--calibrator",
    "visibilities": "--visibility", "label_schemes": "--label-scheme", "methods": "--method",
    "datasets": "--dataset",
}  # fmt: skip


@cache
def calls() -> list[tuple[str, str, str]]:
    """Return flag, entry and option of everything that takes options in parentheses."""
    from ferc_core.plugins.host import registry

    found = []
    for kind, flag in CALLS.items():
        for name, entry in getattr(registry(), kind).items():
            known = list(own_options(entry))
            found += [(flag, name, known_one) for known_one in known or ["x"]]
    return found


def own_options(entry: Any) -> list[str]:
    """Return the options of an entry."""
    try:
        parameters = inspect.signature(entry.loaded).parameters.values()
    except (TypeError, ValueError, ImportError):
        return []
    return [p.name for p in parameters if p.default is not p.empty and p.name != "table"]


# The options of methods, which read them from their task.
METHOD_OPTIONS = (
    "size", "size", "margin", "beta", "ratio", "branches", "file", "layout", "normalise",
    "channels", "output", "x",
)  # fmt: skip


@case(many=ENDLESS)
def call(folder: Path, dice: Dice) -> Asked:
    """Any entry with any value of any of its options."""
    flag, name, option = dice.choice(calls())
    if flag == "--method":
        option = dice.choice(METHOD_OPTIONS)
    value = dice.choice((*map(repr_of, NUMBERS), *WORDS))
    if dice.random() < 0.3 and len(str(value)) < 400:
        value = f'"{value}"'
    text = text_of(f"{name}({option}={value})")
    if flag == "--dataset":
        root = () if name == "toyfaces" else ("--data-root", stock.get("faces"))
        # a dataset of any size is fine, and may take long
        return Asked("data", "check", text, *root, "--limit", 4)
    if flag in ("--loss", "--method"):
        return Asked("run", *stock.SMALL, "--batch-size", 8, "--workers", 0, "--dry-run", flag,
                     text)  # fmt: skip
    base = [v for n, v in enumerate(RUN) if not (flag == "--corruption" and is_corruption(n))]
    return Asked(*base, flag, text, "--out", "out")


def is_corruption(n: int) -> bool:
    """Whether an argument of RUN belongs to its --corruption."""
    return "--corruption" in RUN[max(0, n - 1) : n + 1]


@case(many=ENDLESS)
def expression(folder: Path, dice: Dice) -> Asked:
    """Names with options, as somebody who types leaves them."""
    good = dice.choice((
        "mbls(margin=8,reduction=sum)", "focal(gamma=2)+mbls", "maxent+mbls", 'onnx(file="a,b")',
        "label-smoothing(epsilon=0.1)", "ferc(exponent=4)", "snow", "toyfaces(train=8,size=40)",
    ))  # fmt: skip
    text = list(good)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(text) + 1)
        odd = dice.choice(
            [*"()=,+'\"[]{}*\\\n\t \x1b", "", "((", "=(", "١", "e400", "()", "9" * 40]
        )
        text[at : at + dice.randint(0, 2)] = [odd]
    flag = dice.choice(tuple(CALLS.values()))
    return Asked("run", *stock.SMALL, "--dry-run", flag, "".join(text))


@case(many=3)
def deep_expression(folder: Path, dice: Dice) -> Asked:
    text = dice.turn(("(" * 50_000, "ce+" * 300 + "ce", "mbls(" + "margin=1," * 10_000 + ")"))
    return Asked("run", *stock.SMALL, "--dry-run", "--loss", text)


@case(many=5, quick=False)
def bins_without_bound(folder: Path, dice: Dice) -> Asked:
    name = dice.turn((
        "histogram(bins=1000000000000)", "histogram(bins=99999999999999999999)",
        "spline(knots=1000000000)", "ada-ts(hidden=1000000000)", "isotonic(of=x)",
    ))  # fmt: skip
    return Asked(*RUN, "--calibrator", name, "--out", "out")
