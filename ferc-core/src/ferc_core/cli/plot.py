"""``ferc plot``: a chart of runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.plugins.host import registry

app = o.new_app()


@app.command()
def plot(
    directory: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Run directories, or folders of several."),
    ],
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help='One of ferc list charts, perhaps with options: "reliability(cell=snow/3)".',
            autocompletion=lambda incomplete: o.completions("charts", incomplete),
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The file: .svg, .png, .pdf, .html or .json (Vega-Lite)."
        ),
    ],
    quiet: o.Quiet = False,
    plugin: o.PluginFiles = None,
) -> None:
    """Draw a chart of a run directory, or of several side by side; needs no model.

    Nothing is downloaded, and a page opens anywhere without a network.

        ferc plot my-run severity --out severity.svg
        ferc plot my-run "heatmap(metric=soft_ece, calibrator=temperature)" --out cells.png
        ferc plot my-run other-run "reliability(cell=corrupted, form=corp)" --out reliability.pdf
    """
    o.begin(plugin)
    chosen = registry().charts.choose(kind)
    from ferc_core.drawing.files import check_suffix, save
    from ferc_core.results.run import Run

    check_suffix(out)
    with o.showing(quiet):
        run = Run(*directory)
        save(run.chart(str(chosen)), out)
    o.echo(f"{out} is drawn: {chosen.entry.title or chosen.name}.")
    for note in o.footer(run.sources):
        o.echo(note, err=True)
    run.failures.raise_any()
