"""Commands as a user types them, in this process or in one of their own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from ferc_core.cli.main import main
from ferc_core.plugins import host

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
SHARED = REPOSITORY.parent / "shared"
FERC = (sys.executable, "-m", "ferc_core.cli")

Done = subprocess.CompletedProcess[str]
Ferc = Callable[..., Done]


def ferc_in(folder: Path) -> Ferc:
    """Return a function that runs ``ferc ...`` in a folder, with code, output and errors.

    It runs in this process, which saves the imports, or in one of its own where the command is
    to find other packages (``path``) or another environment.
    """

    def run(*arguments: object, path: Path | None = None, **environment: str) -> Done:
        words = [str(argument) for argument in arguments]
        if path is None and not environment:
            return here(folder, words)
        if path is not None:
            environment["PYTHONPATH"] = str(path)
        return process(folder, words, environment)

    return run


def process_in(folder: Path) -> Ferc:
    """Return a function that runs ``ferc ...`` in a folder, always in a process of its own."""

    def run(*arguments: object, **environment: str) -> Done:
        return process(folder, [str(argument) for argument in arguments], environment)

    return run


def process(folder: Path, words: list[str], environment: dict[str, str]) -> Done:
    """Run a command in a process."""
    return subprocess.run(
        [*FERC, *words],
        cwd=folder,
        env=os.environ | environment,
        text=True,
        capture_output=True,
        timeout=300,
    )


def here(folder: Path, words: list[str]) -> Done:
    """Run a command in this process, which is afterwards as it was."""
    out, errors = io.StringIO(), io.StringIO()
    code = 0
    with (
        own_plugins(),
        kept_handlers(),
        chdir(folder),
        mock.patch.object(sys, "argv", ["ferc", *words]),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return subprocess.CompletedProcess(words, code, out.getvalue(), errors.getvalue())


@contextmanager
def own_plugins() -> Iterator[None]:
    """Forget afterwards which plugin files were used."""
    with mock.patch.object(host, "_host", None):
        yield


@contextmanager
def kept_handlers() -> Iterator[None]:
    """Restore what signals do."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def one_sentence(result: Done, code: int) -> str:
    """Return the message of a command that refused, after checking that it refused properly."""
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("ferc: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]
