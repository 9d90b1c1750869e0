"""The app: its commands by the plugin door, its one handler of errors, and its exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from itertools import takewhile
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ferc_core.base import console
from ferc_core.base.text import sentence
from ferc_core.base.values import check_value
from ferc_core.cli.options import HELP, echo, stop_cleanly
from ferc_core.errors import (
    FercError,
    PartsFailed,
    PluginError,
    RequestError,
    Stopped,
    StoreError,
    as_failure,
    described,
    is_out_of_files,
    is_out_of_memory,
)
from ferc_core.plugins.host import host, is_plugin_file
from ferc_core.spec import Command, blaming

# What an option may be wrong about when it names a path.
OF_A_PATH = (
    errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM,
    errno.ELOOP, errno.EROFS, errno.EEXIST, errno.ENXIO,
)  # fmt: skip
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]  # Typer's own, or click's in older versions
STOPPED_BY: dict[int, str] = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}
PLEASE_REPORT = "please report this; 'ferc --debug ...' shows the traceback"


class Commands(TyperGroup):
    """The registered commands; a module is imported when its command is called or helps."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: Stub(entry) for name, entry in host().commands.items()})

    def make_context(self, *args: Any, **more: Any) -> Any:
        """Read the options before the command."""
        with tidy_usage():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of the command and call it."""
        with tidy_usage():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, its module imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.imported() if isinstance(command, Stub) else command, rest


@contextmanager
def tidy_usage() -> Iterator[None]:
    """Bound the length of what the parser of the command line says, and escape what it quotes."""
    try:
        yield
    except USAGE_ERROR as error:
        error.message = sentence(error.message)
        raise


class Stub(TyperCommand):
    """The name and the summary of a command, for the list of all."""

    def __init__(self, entry: Command) -> None:
        super().__init__(entry.name, help=entry.summary, short_help=entry.summary)
        self.entry = entry

    def imported(self) -> Any:
        """Return the command itself."""
        app = self.entry.loaded
        if not isinstance(app, typer.Typer):
            raise PluginError(f"command {self.entry.name!r} is not a Typer app")
        with blaming(self.entry):
            command = typer.main.get_command(app)
        command.name = self.entry.name
        for each in (command, *getattr(command, "commands", {}).values()):
            each.callback = checked(each.callback)
        if not str(self.entry.function).startswith("ferc_core."):
            stop_cleanly()  # nobody knows what a plugin's command has begun
        return command


def checked(function: Any) -> Any:
    """Return the function of a command, which is given only what an option can be."""

    @wraps(function)
    def call(*args: Any, **values: Any) -> Any:
        for name, value in values.items():
            check_value(name.replace("_", " "), value)
        return function(*args, **values)

    return function and call


app = typer.Typer(
    name="ferc",
    cls=Commands,
    help=(
        "FER-C: how trustworthy is a facial-expression-recognition model?\n\n"
        "`ferc run` trains a model, shows it a test set in 17 corruptions at 5 severities, and "
        "reports how accuracy and calibration fall, judged against soft labels. Without "
        "arguments it does so on drawn faces, in minutes on a laptop, with no data and no "
        "download.\n\n"
        "Exit codes: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted, "
        "143 terminated, 141 nobody reads the output."
    ),
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # importing rich takes longer than all the rest
    pretty_exceptions_enable=False,
    context_settings=HELP,
)


def version(show: bool) -> None:
    """Print the version and stop."""
    if show:
        from importlib import metadata

        typer.echo(f"ferc-core {metadata.version('ferc-core')}")
        raise typer.Exit


@app.callback()
def options(
    show_version: bool = typer.Option(
        False, "--version", callback=version, is_eager=True, help="Print the version and stop."
    ),
    debug: bool = typer.Option(
        False, "--debug", help="Show the traceback of an error, a plugin's own included."
    ),
) -> None:
    """Options before the command."""


def run() -> None:
    """Run the command line; whatever happens, it ends with an exit code and at most a sentence.

    A closed pipe (``ferc ... | head -1``) ends it quietly with 141, as shells say it. The code of
    a command is its own by `typer.Exit`; ``sys.exit`` in a plugin is a fault of that plugin.
    """
    console.prepare()
    warnings.formatwarning = one_line
    code = ended(app)
    sys.exit(ended(sys.stdout.flush) or code)


def ended(work: Callable[[], object]) -> int:
    """Do some work and return the exit code; what it raises is said in one sentence."""
    try:
        work()
    except BaseException as error:
        try:
            return told(error)
        except Stopped as stop:  # nobody reads standard error
            return stop.exit_code
    return 0


def told(error: BaseException) -> int:
    """Say in a sentence why the command ended, and return its exit code."""
    if isinstance(error, SystemExit) and module_of(error).partition(".")[0] in ("typer", "click"):
        if error.code != 128 + signal.SIGINT:  # what Typer makes of a KeyboardInterrupt
            return error.code if isinstance(error.code, int) else int(error.code is not None)
        error = Stopped(signal.SIGINT)
    if isinstance(error, Stopped):
        if error.number in STOPPED_BY:
            say(f"{STOPPED_BY[error.number]}; rerun the command to resume")
        return error.exit_code
    known = understood(error)
    if debugging():
        causes = known.causes.values() if isinstance(known, PartsFailed) else [error]
        for cause in causes:
            echo("".join(traceback.format_exception(cause)), err=True)
    say(str(known) if known else f"{described(error)} ({place(error)}); {PLEASE_REPORT}")
    return known.exit_code if known else 1


def understood(error: BaseException) -> FercError | None:
    """Return an error that a user can do something about, None for any other."""
    if isinstance(error, FercError):
        return error
    if is_out_of_memory(error) or is_out_of_files(error):
        return as_failure(error)
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        return RequestError(f"{error.object!r} is not UTF-8, which tables are: rename it")
    if not isinstance(error, OSError):
        return None
    if error.filename is not None and error.errno in OF_A_PATH:
        return RequestError(f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("the disk is full: free some space and rerun the command to resume")
    return None


def place(error: BaseException) -> str:
    """Return file and line of the innermost frame in FER-C or in a plugin."""
    frames = [
        (str(frame.f_globals.get("__name__", "")), frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    ours = {"ferc_core", *(plugin.module.partition(".")[0] for plugin in host().plugins)}
    module, file, line = next(
        (f for f in reversed(frames) if f[0].partition(".")[0] in ours or is_plugin_file(f[0])),
        frames[-1],
    )
    folders = module.split(".")[:-1]
    return "/".join([*folders, Path(file).name]) + f":{line}"


def module_of(error: BaseException) -> str:
    """Return the name of the module that raised an error."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", ""))


def one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Return a warning of a library or a plugin as a line."""
    where = f"{Path(filename).name}:{lineno}"
    return f"ferc: warning: {sentence(f'{category.__name__}: {message} ({where})')}\n"


def say(text: str) -> None:
    """Say a sentence on standard error."""
    echo(f"ferc: {sentence(text)}", err=True)


def debugging() -> bool:
    """Whether --debug stands before the command, or FERC_DEBUG is set."""
    before = takewhile(lambda argument: argument.startswith("-"), sys.argv[1:])
    return "--debug" in before or bool(os.environ.get("FERC_DEBUG"))
