"""The app: its commands, its one handler of errors, and its exit codes."""

from __future__ import annotations

import os
import sys

import typer

from ferc_core.cli import build, corrupt, data, gmm, intervals, plugins, results, run, score
from ferc_core.errors import FercError

app = typer.Typer(
    name="ferc",
    help=(
        "FER-C: how trustworthy is a facial-expression-recognition model?\n\n"
        "`ferc run` trains a model, shows it a test set in 17 corruptions at 5 severities, and "
        "reports how accuracy and calibration fall, judged against soft labels. Without "
        "arguments it does so on drawn faces, in minutes on a laptop, with no data and no "
        "download.\n\n"
        "Exit codes: 0 done, 1 the work failed, 2 the request was wrong."
    ),
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
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
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Options before the command."""
    if debug:
        os.environ["FERC_DEBUG"] = "1"


app.command("run")(run.run)
app.command("build")(build.build)
app.command("verify")(build.verify)
app.command("score")(score.score)
app.command("results")(results.results)
app.command("intervals")(intervals.intervals)
app.command("corrupt")(corrupt.corrupt)
app.add_typer(data.app, name="data")
app.add_typer(gmm.app, name="gmm")
app.command("list")(plugins.list_kind)
app.command("plugins")(plugins.plugins)


def main() -> None:
    """Run the command line; every error meant for the user ends as one sentence."""
    try:
        app()
    except FercError as error:
        if os.environ.get("FERC_DEBUG"):
            raise
        typer.echo(f"ferc: {error}", err=True)
        sys.exit(error.exit_code)
