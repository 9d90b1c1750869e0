"""``ferc verify``: is a build sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.cli import options as o

app = o.new_app()


@app.command()
@o.takes("data_root")
def verify(
    settings: dict[str, Any],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A build.")],
    rebuild: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Also make N random images again and compare."),
    ] = 0,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Which images --rebuild chooses.")
    ] = 0,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Check a build: every file and count against its manifest.

    Names what is missing, changed or does not belong there. Exit code 1 when anything is.
    """
    o.begin(plugin)
    from ferc_core.experiment import verify as checks
    from ferc_core.suite.layout import open_build

    with o.showing(quiet, log_file):
        found = open_build(directory)
        problems = checks.verify(found)
        if rebuild:
            problems += checks.rebuild(found, rebuild, settings.get("data_root", ""), seed)
    for problem in problems:
        o.echo(problem)
    if problems:
        raise typer.Exit(1)
    again = f", and {rebuild} images made again are the same" if rebuild else ""
    o.echo(f"{directory} is sound: {len(found.manifest['files'])} files{again}")
