"""Commands as a user types them, in this process or in one of their own."""

from __future__ import annotations

import importlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from ferc_core.cli import app
from ferc_core.plugins import host

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "examples"
SHARED = REPOSITORY.parent / "shared"
FERC = (sys.executable, "-m", "ferc_core.cli")

Done = subprocess.CompletedProcess[str]
Ferc = Callable[..., Done]


def ferc_in(folder: Path) -> Ferc:
    """Return a function that runs ``ferc ...`` in a folder, with code, output and errors.

    It runs in this process, which saves the imports and is afterwards as it was. Packages are
    found in the folder ``path``, too, and variables are added to the environment.
    """

    def run(*arguments: object, path: Path | None = None, **environment: str) -> Done:
        out, errors = io.StringIO(), io.StringIO()
        code = 0
        with (
            packages_of(path),
            own_plugins(),
            kept_handlers(),
            chdir(folder),
            mock.patch.dict(os.environ, environment),
            mock.patch.object(sys, "argv", ["ferc", *map(str, arguments)]),
            redirect_stdout(out),
            redirect_stderr(errors),
        ):
            try:
                app.run()
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), errors.getvalue())

    return run


def process_in(folder: Path) -> Ferc:
    """Return a function that runs ``ferc ...`` in a folder and in a process of its own."""

    def run(*arguments: object, **environment: str) -> Done:
        return subprocess.run(
            [*FERC, *map(str, arguments)],
            cwd=folder,
            env=os.environ | environment,
            text=True,
            capture_output=True,
            timeout=300,
        )

    return run


@contextmanager
def packages_of(path: Path | None) -> Iterator[None]:
    """Let packages be found in a folder, too, and forget them afterwards."""
    if path is None:
        yield
        return
    with mock.patch.object(sys, "path", [str(path), *sys.path]):
        importlib.invalidate_caches()
        yield
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "-").parent == path:
            del sys.modules[name]


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
        with mock.patch.object(sys, "unraisablehook", sys.unraisablehook):
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
