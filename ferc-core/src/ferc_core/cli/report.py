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
        typer.Argument(
            metavar="DIR...", help="Run directories, folders of several, or result cards."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file. Default: report.html; a card: result.json."),
    ] = None,
    card: Annotated[
        bool,
        typer.Option("--card", help="Write a card instead: all scores of one run, to pass on."),
    ] = False,
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

    A card is a JSON file with all scores and their intervals, settings, versions and hashes, but
    without images and predictions. Pages are made from cards alone, too.

        ferc report my-run --out my-run.html
        ferc report my-run --card --out my-run.json
        ferc report my-run.json your-run.json
    """
    o.begin(plugin)
    kind, suffix = ("card", ".json") if card else ("report", ".html")
    path = out or Path("result.json" if card else "report.html")
    if path.suffix.lower() != suffix:
        raise RequestError(f"the {kind} is a {suffix} file: use --out FILE{suffix}, not {path}")
    if card and with_images:
        raise RequestError("a card has no images: leave out --with-images")
    from ferc_core.base.failures import Failures
    from ferc_core.base.files import check_output
    from ferc_core.results.cards import check_single
    from ferc_core.results.report.page import by_version, write_report, write_result_card
    from ferc_core.results.run import Run

    check_output(path)
    failures = Failures()
    with o.showing(quiet, log_file):
        runs = [Run(*each, failures=failures) for each in by_version(directory).values()]
        if card:
            check_single(runs)
            write_result_card(runs[0], path)
        else:
            write_report(runs[0], path, with_images, runs[1:])
    o.echo(f"{path} is written.")
    failures.raise_any()
