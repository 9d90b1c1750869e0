"""Plugin files of every kind, with every fault."""

from __future__ import annotations

import os
from pathlib import Path

from campaign import stock
from campaign.cases import Asked, Dice, case

HEAD = """\
import sys
import numpy as np
from ferc_core import *
from ferc_core import hookimpl
from ferc_core.spec import *
from ferc_core.faces import FaceSet, FaceSplit


class Silent(BaseException):
    pass


class Nameless(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


def forever(*a, **k):
    return forever(*a, **k)


"""
# What the function of an entry does in place of its work.
FAULTS = (
    'raise ValueError("bad")', "raise ValueError", "raise KeyError('x')", "sys.exit(0)",
    "sys.exit(3)", "sys.exit('goodbye')", "sys.exit()", "raise Silent('x')",
    "raise KeyboardInterrupt", "raise GeneratorExit", "raise StopIteration", "raise MemoryError",
    "raise RecursionError", "forever()", "raise Nameless", "raise ValueError('x' * 1_000_000)",
    "raise ValueError('a\\nb\\x1b[31mred\\x00')", "raise ValueError('\\udcff')",
    "raise AssertionError", "raise ImportError('no module named x')", "raise OSError(28, 'full')",
    "raise FileNotFoundError(2, 'No such file', 'x')", "raise RequestError('no')",
    "raise DataError('no')", "raise NotImplementedError", "raise TimeoutError", "raise EOFError",
    "raise BrokenPipeError(32, 'Broken pipe')", "raise ExceptionGroup('x', [ValueError('y')])",
    "import nothing_of_this_name", "return None", "return 'text'", "return 3", "return True",
    "return float('nan')", "return float('inf')", "return -1.0", "return []", "return {}",
    "return object()", "return lambda *a, **k: None", "return np.zeros(0)", "return np.zeros((2, 2))",
    "return np.full((1, 8), np.nan)", "return np.zeros((8, 8), object)", "return np.array('x')",
    "return (x for x in ())", "return iter(lambda: 1, 2)", "return print", "return 10 ** 400",
    "return 1j", "return b'x'", "return np.float64('nan')", "return a[0]", "return a",
    "return np.zeros((40, 40, 3), np.float32)", "return np.zeros((41, 40, 3), np.uint8)",
    "return np.zeros((10**6, 10**6))", "yield 1",
)  # fmt: skip
# How an entry of each kind is registered, and how it is used.
KINDS = {
    "corruptions": ('Corruption("mine", f)', ("--corruption", "mine")),
    "visibilities": ('Visibility("mine", f)', ("--visibility", "mine")),
    "label_schemes": ('LabelScheme("mine", f)', ("--label-scheme", "mine")),
    "datasets": ('DatasetSource("mine", f, needs_root=False)', ("--dataset", "mine")),
    "methods": ('Method("mine", f, load=f)', ("--method", "mine")),
    "losses": ('Loss("mine", f)', ("--loss", "mine")),
    "calibrators": ('Calibrator("mine", f)', ("--calibrator", "mine")),
    "metrics": ('Metric("mine", f)', ()),
    "executors": ('Executor("mine", f)', ("--executor", "mine", "--workers", 2)),
    "reporters": ('Reporter("mine", f)', ("--format", "mine")),
}
# Deeper functions: what the function of an entry returns, fails when it is called.
DEEPER = {
    "transform": ('Calibrator("mine", lambda logits, targets: f)', ("--calibrator", "mine")),
    "loss": ('Loss("mine", lambda k, prior: f)', ("--loss", "mine")),
    "prepare": ('Visibility("mine", lambda c, x: 0.5, prepare=f)', ("--visibility", "mine")),
    "check": ('Method("mine", lambda t: None, load=f, check=f)', ("--method", "mine")),
    "logits": (
        'Method("mine", lambda t: type("P", (), {"logits": f, "save": lambda s, p: '
        'p.write_bytes(b"x")})(), load=lambda p, d: type("P", (), {"logits": f})())',
        ("--method", "mine"),
    ),
    "save": (
        'Method("mine", lambda t: type("P", (), {"logits": lambda s, x: np.zeros((len(x), 8)), '
        '"save": f})(), load=lambda p, d: type("P", (), {"logits": lambda s, x: '
        "np.zeros((len(x), 8))})())",
        ("--method", "mine"),
    ),
    "resampled": ('Metric("mine", lambda p, t: 0.5, resampled=f)', ()),
    "read": (
        'DatasetSource("mine", lambda root: FaceSet("mine", ("a", "b"), {n: FaceSplit(tuple("abcd"), '
        'np.array([0, 1, 0, 1]), f) for n in ("train", "valid", "test")}), needs_root=False)',
        ("--dataset", "mine"),
    ),
}
ALL = {**KINDS, **DEEPER}
HOOKS = {"transform": "calibrators", "loss": "losses", "prepare": "visibilities", "check": "methods",
         "logits": "methods", "save": "methods", "resampled": "metrics", "read": "datasets"}  # fmt: skip
PAIRS = [(kind, fault) for fault in FAULTS for kind in ALL]


def plugin(kind: str, body: str) -> str:
    """Return a plugin file with an entry of a kind, whose function has this body."""
    entry, _ = ALL[kind]
    return (
        f"{HEAD}def f(*a):\n    {body}\n\n\n@hookimpl\n"
        f"def register_{HOOKS.get(kind, kind)}(register):\n    register({entry})\n"
    )


def use(folder: Path, kind: str) -> Asked:
    """Return a command that uses the entry."""
    mine = ("--plugin", "mine.py")
    if kind in ("reporters", "metrics"):
        stock.copy("run", folder / "run")
        show = (
            ("--format", "mine")
            if kind == "reporters"
            else ("--by", "corruption", "--metric", "mine")
        )
        return Asked("results", "run", *mine, *show)
    if kind == "resampled":
        stock.copy("run", folder / "run")
        return Asked("intervals", "run", "--resamples", 20, "--workers", 1, *mine, "--metric",
                     "mine", may_change=("run/intervals.parquet", "run/.lock"))  # fmt: skip
    if kind in ("losses", "loss"):
        return Asked("run", *stock.SMALL, "--batch-size", 8, "--threads", 1, "--workers", 0, *mine,
                     "--loss", "mine", "--out", "out")  # fmt: skip
    _, options = ALL[kind]
    quick = stock.QUICK if kind not in ("methods", "check", "logits", "save") else ("--loss", "ce")
    small = [*stock.SMALL, "--workers", 0]
    if kind == "corruptions":
        small = [v for v in small if v not in ("--corruption", "contrast")]
    return Asked("run", *quick, *small, *mine, *options, "--out", "out")


@case(many=len(PAIRS))
def fault_of_an_entry(folder: Path, dice: Dice) -> Asked:
    """Every fault in every kind."""
    # neighbours are of different kinds and of different faults
    kind, fault = PAIRS[dice.number * 37 % len(PAIRS)]
    (folder / "mine.py").write_text(plugin(kind, fault))
    return use(folder, kind)


ENTRIES = (
    "None", "'snow'", "3", "Corruption", "Corruption('a b', f)", "Corruption('', f)",
    "Corruption('a/b', f)", "Corruption('..', f)", "Corruption('a\\x1b[31m', f)",
    "Corruption('x' * 5000, f)", "Corruption('snow', f)", "Corruption(None, f)", "Corruption(3, f)",
    "Corruption('mine', None)", "Corruption('mine', 'nowhere:f')", "Corruption('mine', 'os')",
    "Corruption('mine', 'os:nothing')", "Corruption('mine', ':')", "Corruption('mine', f, group=3)",
    "Corruption('mine', f, summary=None)", "Corruption('mine', f, severity_tables=3)",
    "Corruption('mine', f, in_benchmark='yes')", "Metric('mine', f)", "Loss('mine', f)",
    "Corruption('clean', f)", "Corruption('mine*', f)", "Corruption('[a]', f)",
    "Corruption('mine(a=1)', f)", "Corruption('a+b', f)", "Corruption('Snow', f)",
)  # fmt: skip


@case(many=len(ENTRIES))
def odd_entry(folder: Path, dice: Dice) -> Asked:
    """What a hook may register by mistake."""
    entry = dice.turn(ENTRIES)
    (folder / "mine.py").write_text(
        f"{HEAD}def f(image, severity, rng):\n    return image\n\n\n@hookimpl\n"
        f"def register_corruptions(register):\n    register({entry})\n"
    )
    commands: tuple[tuple[object, ...], ...] = (
        ("list", "corruptions"), ("list", "corruptions", "--json"), ("plugins",),
        ("run", *stock.QUICK, *stock.SMALL, "--workers", 0, "--corruption", "mine", "--out", "out"),
    )  # fmt: skip
    return Asked(*dice.choice(commands), "--plugin", "mine.py")


FILES = (
    b"", b"\x00", b"x = (\n", b"\xff\xfe", "x = 'é'".encode("latin-1"), b"raise ValueError('a')\n",
    b"import sys; sys.exit(0)\n", b"import sys; sys.exit(4)\n", b"import sys; sys.exit('bye')\n",
    b"raise KeyboardInterrupt\n", b"raise BaseException('x')\n", b"raise SystemExit\n",
    b"import nothing_of_this_name\n", b"from ferc_core import nothing\n", b"(" * 10_000,
    b"x = " + b"1" * 10_000, b"def f(): return f()\nf()\n", b"1/0\n", b"# coding: nothing\n",
    b"from ferc_core import hookimpl\n@hookimpl\ndef register_corruption(register): pass\n",
    b"def register_corruptions(register): pass\n",
    b"from ferc_core import hookimpl\n@hookimpl\ndef register_corruptions(): pass\n",
    b"from ferc_core import hookimpl\n@hookimpl\ndef register_corruptions(a, b): pass\n",
    b"from ferc_core import hookimpl\n@hookimpl\ndef register_corruptions(register): 1/0\n",
    b"from ferc_core import hookimpl\n@hookimpl\nclass register_corruptions: pass\n",
    b"from ferc_core import hookimpl\nregister_corruptions = hookimpl(3)\n",
    b"from ferc_core import hookimpl\n@hookimpl\ndef register_corruptions(register): "
    b"raise SystemExit(0)\n",
    b"from ferc_core import hookimpl\n@hookimpl\nasync def register_corruptions(register): pass\n",
    b"from ferc_core import hookimpl\n@hookimpl(wrapper=True)\ndef register_losses(register): "
    b"yield\n",
    b"import this, antigravity_of_nothing\n", b"raise ValueError('\\udcff\\x1b[2J' * 3000)\n",
    b"__getattr__ = lambda name: 1/0\n", b"class A:\n  def __getattr__(self, n): 1/0\nx = A()\n",
)  # fmt: skip


@case(many=len(FILES))
def plugin_file_of_this_content(folder: Path, dice: Dice) -> Asked:
    (folder / "mine.py").write_bytes(dice.turn(FILES))
    commands: tuple[tuple[object, ...], ...] = (
        ("list", "losses"), ("plugins",), ("plugins", "--json"), ("results", "run"),
        ("data", "check", stock.TINY),
    )  # fmt: skip
    command = dice.choice(commands)
    if command[0] == "results":
        stock.copy("run", folder / "run")
    return Asked(*command, "--plugin", "mine.py")


@case(many=9)
def plugin_that_is_no_file(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("none", "folder", "fifo", "zero", "null", "suffix", "twice", "stdin", "long"))
    names = {"zero": "/dev/zero", "null": "/dev/null", "stdin": "/dev/stdin", "long": "x" * 5000}
    path = folder / "mine.py"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "suffix":
        path = folder / "mine.txt"
    if kind in ("suffix", "twice"):
        path.write_text("")
    given = names.get(kind, path.name)
    more = ("--plugin", given) if kind == "twice" else ()
    return Asked("list", "losses", "--plugin", given, *more)


@case(many=8)
def variables_of_plugins(folder: Path, dice: Dice) -> Asked:
    value = dice.turn(("", ",", "ferc-core", "nothing", "a,b", "x" * 5000, "*", "\x1b[31m"))
    name = dice.choice(("FERC_PLUGINS", "FERC_DISABLE_PLUGINS"))
    return Asked(*dice.choice((("list", "losses"), ("plugins",), ("run", "--dry-run", *stock.SMALL))),
                 environment={name: value})  # fmt: skip
