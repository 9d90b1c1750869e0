"""The app: its commands by the plugin door, its one handler of errors, and its exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from itertools import takewhile
from types import FrameType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ferc_core.cli.options import HELP
from ferc_core.errors import FercError, PartsFailed, PluginError
from ferc_core.plugins.host import host
from ferc_core.spec import Command


class Commands(TyperGroup):
    """The registered commands; a module is imported when its command is called or helps."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: Stub(entry) for name, entry in host().commands.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, its module imported."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.imported() if isinstance(command, Stub) else command, rest


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
        command = typer.main.get_command(app)
        command.name = self.entry.name
        return command


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
        "143 terminated."
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


class Interrupted(BaseException):
    """A signal to stop; not an `Exception`, which a plugin's code might catch."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__()


def interrupt(number: int, frame: FrameType | None) -> None:
    """Acknowledge a signal at once and stop cleanly; a second one stops at once."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda again, _: os._exit(128 + again))
    sys.stderr.write("\nferc: stopping, which may take some seconds\n")
    sys.stderr.flush()
    raise Interrupted(number)


def main() -> None:
    """Run the command line; every error meant for the user ends as one sentence."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        app()
    except FercError as error:
        if debugging():
            causes = error.causes.values() if isinstance(error, PartsFailed) else [error]
            for cause in causes:
                traceback.print_exception(cause)
        typer.echo(f"ferc: {error}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debugging():
            traceback.print_exception(error)
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        typer.echo(f"ferc: {what}; 'ferc --debug ...' shows the traceback", err=True)
        sys.exit(1)
    except Interrupted as stop:
        what = "interrupted" if stop.exit_code == 128 + signal.SIGINT else "terminated"
        typer.echo(f"ferc: {what}; rerun the command to resume", err=True)
        sys.exit(stop.exit_code)


def debugging() -> bool:
    """Whether --debug stands before the command, or FERC_DEBUG is set."""
    before = takewhile(lambda argument: argument.startswith("-"), sys.argv[1:])
    return "--debug" in before or bool(os.environ.get("FERC_DEBUG"))
