"""``ferc report``: runs as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.errors import RequestError

app = o.new_app()


@app.command()
def report(
    directory: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Run directories, or folders of several."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page.")] = Path("report.html"),
    with_images: Annotated[
        bool,
        typer.Option(
            "--with-images",
            help="Show faces that the models fail on, of datasets that may not be passed on, too.",
        ),
    ] = False,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Write one page on a run, or on several side by side, for people who did not run it.

    The page holds all it shows: a verdict, the scores, charts with their numbers, faces that the
    models fail on, what was judged, and a glossary. It opens from a file, without a server and
    without a network. Images of faces are in it if the program made them, as it does the toy faces;
    others take --with-images and their data, and the page says so.

        ferc report my-run --out my-run.html
    """
    o.begin(plugin)
    if out.suffix.lower() != ".html":
        raise RequestError(f"the report is a page: use --out FILE.html, not {out}")
    from ferc_core.base.files import check_output
    from ferc_core.results.report.page import write_report
    from ferc_core.results.run import Run

    check_output(out)
    with o.showing(quiet, log_file):
        run = Run(*directory)
        write_report(run, out, with_images)
    o.echo(f"{out} is written.")
    run.failures.raise_any()
