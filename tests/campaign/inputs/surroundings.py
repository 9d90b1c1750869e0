"""What is around a command: its outputs, signals, limits and variables."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

from campaign import stock
from campaign.cases import Asked, Dice, case

RUN = ("run", *stock.QUICK, *stock.SMALL, "--workers", 0, "--out", "out")
SHOWING: tuple[tuple[object, ...], ...] = (
    ("--help",), ("list", "losses"), ("list", "losses", "--json"), ("plugins",), ("--version",),
    ("data", "check", stock.TINY), ("results", "run"), ("run", "--help"), RUN,
    ("verify", "build"), ("results", "nowhere"), ("run", *stock.SMALL, "--dry-run"),
)  # fmt: skip


def showing(folder: Path, dice: Dice, **rest: Any) -> Asked:
    """Return a command that shows something."""
    stock.copy("run", folder / "run")
    stock.copy("build", folder / "build")
    return Asked(*dice.turn(SHOWING), **rest)


@case(many=len(SHOWING))
def stdout_on_a_full_disk(folder: Path, dice: Dice) -> Asked:
    return showing(folder, dice, stdout="full", expect="refused")


@case(many=len(SHOWING))
def stdout_closed(folder: Path, dice: Dice) -> Asked:
    return showing(folder, dice, stdout="closed")


@case(many=len(SHOWING))
def stdout_into_a_pipe_that_nobody_reads(folder: Path, dice: Dice) -> Asked:
    return showing(folder, dice, stdout="pipe")


@case(many=2 * len(SHOWING))
def stderr_gone(folder: Path, dice: Dice) -> Asked:
    kind = ("full", "closed")[dice.number // len(SHOWING) % 2]
    return showing(folder, dice, stderr=kind)


@case(many=6, quick=False)
def outputs_gone_in_a_process(folder: Path, dice: Dice) -> Asked:
    """The same in a new interpreter, which flushes at its end."""
    stock.copy("run", folder / "run")
    stdout, command = dice.turn((
        ("full", ("list", "losses")), ("pipe", ("list", "losses")), ("closed", ("list", "losses")),
        ("full", ("results", "run")), ("pipe", ("--help",)), ("full", ("--version",)),
    ))  # fmt: skip
    expect = "refused" if stdout == "full" else "any"
    return Asked(*command, stdout=stdout, process=True, expect=expect)


ENCODINGS = ("cp1252", "ascii", "latin-1", "cp437", "utf-16", "shift_jis")


@case(many=2 * len(ENCODINGS))
def console_of_another_encoding(folder: Path, dice: Dice) -> Asked:
    """What a console cannot show is shown in another way, and is no error."""
    stock.copy("run", folder / "run")
    command = (("results", "run"), ("data", "check", stock.TINY))[dice.number // len(ENCODINGS) % 2]
    return Asked(*command, encoding=dice.turn(ENCODINGS), expect="done")


@case(many=4, quick=False)
def locale_of_another_encoding(folder: Path, dice: Dice) -> Asked:
    """A new interpreter in the locale C without the mode of UTF-8, and names that it cannot say."""
    stock.copy("run", folder / "l\u00e4uft \U0001f600")
    variables = dice.turn((
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None},
        {"LC_ALL": "C"}, {"LC_ALL": "nothing.of.this"}, {"PYTHONIOENCODING": "cp1252"},
    ))  # fmt: skip
    expect = "any" if "PYTHONUTF8" in variables else "done"  # a sentence will do there
    return Asked(
        "results", "l\u00e4uft \U0001f600", process=True, environment=variables, expect=expect
    )


MOMENTS = tuple(0.1 + 0.02 * n for n in range(50))  # an interpreter begins in 0.1 s


@case(many=len(MOMENTS), quick=False)
def interrupted_early(folder: Path, dice: Dice) -> Asked:
    """Ctrl-C in the first second, in which everything is imported."""
    command = dice.choice(
        (RUN, ("--help",), ("list", "losses"), ("run", *stock.SMALL, "--dry-run"))
    )
    number = dice.choice((signal.SIGINT, signal.SIGINT, signal.SIGTERM))
    return Asked(*command, process=True, signal=(number, dice.turn(MOMENTS)))


@case(many=len(MOMENTS))
def interrupted_at_work(folder: Path, dice: Dice) -> Asked:
    number = dice.choice((signal.SIGINT, signal.SIGTERM))
    command = dice.choice((RUN, RUN, ("build", *stock.SMALL_BUILD, "--out", "out")))
    return Asked(*command, signal=(number, dice.turn(MOMENTS)))


@case(many=3, quick=False)
def interrupted_with_processes(folder: Path, dice: Dice) -> Asked:
    build = [v for v in stock.SMALL_BUILD if v not in ("--executor", "serial", "--workers", 0)]
    command = ("build", *build, "--executor", "processes", "--workers", 2, "--out", "out")
    return Asked(*command, process=True, signal=(signal.SIGINT, (2.0, 3.5, 5.0)[dice.number % 3]))


@case(many=4)
def hung_up(folder: Path, dice: Dice) -> Asked:
    number = dice.turn((signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE))
    return Asked(*RUN, signal=(number, 0.3))


@case(many=8, quick=False)
def little_address_space(folder: Path, dice: Dice) -> Asked:
    """``ulimit -v``: a sentence, and no hang."""
    memory = dice.turn((3000, 2000, 1500, 1000, 700, 500, 300, 150)) << 20
    command = dice.choice((
        ("build", *stock.SMALL_BUILD, "--out", "out"), RUN, ("data", "check", stock.TINY),
    ))  # fmt: skip
    return Asked(*command, process=True, memory=memory)


@case(many=6, quick=False)
def few_open_files(folder: Path, dice: Dice) -> Asked:
    command = dice.choice((RUN, ("build", *stock.SMALL_BUILD, "--out", "out")))
    return Asked(*command, files=dice.turn((8, 10, 12, 16, 24, 40)))


@case(many=6)
def small_files_only(folder: Path, dice: Dice) -> Asked:
    """``ulimit -f``, which is a full disk as far as a process can tell."""
    command = dice.choice((RUN, ("build", *stock.SMALL_BUILD, "--out", "out")))
    return Asked(*command, size=dice.turn((1, 100, 500, 1000, 1500, 3000)), expect="refused")


VARIABLES: tuple[dict[str, str | None], ...] = (
    {"COLUMNS": "0"}, {"COLUMNS": "-5"}, {"COLUMNS": "x"}, {"COLUMNS": "1"}, {"COLUMNS": "9" * 20},
    {"TERM": "nothing"}, {"TERM": ""}, {"HOME": None}, {"HOME": "/nowhere"}, {"HOME": ""},
    {"TMPDIR": "/nowhere"}, {"PATH": None}, {"PATH": ""}, {"USER": None}, {"LANG": "x"},
    {"TZ": "nothing/nowhere"}, {"OMP_NUM_THREADS": "x"}, {"OMP_NUM_THREADS": "-1"},
    {"FERC_DEBUG": ""}, {"POLARS_MAX_THREADS": "x"}, {"FERC_CACHE": ""}, {"LINES": "0"},
    {"PYTHONWARNINGS": "error"}, {"_TYPER_COMPLETE_ARGS": "x"}, {"_FERC_COMPLETE": "x"},
)  # fmt: skip


@case(many=len(VARIABLES))
def variables_of_strangers(folder: Path, dice: Dice) -> Asked:
    return showing(folder, dice, environment=dice.turn(VARIABLES))


@case(many=4, quick=False)
def worker_killed_by_the_system(folder: Path, dice: Dice) -> Asked:
    """A worker that is killed is named."""
    (folder / "mine.py").write_text(
        "import os\nfrom ferc_core import Corruption, hookimpl\n\n\n"
        "def f(image, severity, rng):\n"
        "    if os.getpid() != int(open('main').read()):\n        os.kill(os.getpid(), 9)\n"
        "    return image\n\n\n"
        "if not os.path.exists('main'):\n    open('main', 'w').write(str(os.getpid()))\n\n\n"
        "@hookimpl\ndef register_corruptions(register):\n    register(Corruption('mine', f))\n"
    )
    small = ("--dataset", stock.TINY, "--image-size", 32, "--corruption", "mine", "--severity", 1)
    many = ("--executor", "processes", "--workers", 2, "--out", "out", "--plugin", "mine.py")
    command = (("build",), ("run", *stock.QUICK, "--epochs", 1))[dice.number % 2]
    return Asked(*command, *small, *many, expect="refused")
