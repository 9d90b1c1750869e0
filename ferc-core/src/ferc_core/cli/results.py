"""``ferc results``: the scores of a run directory, alone or beside the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import registry
from ferc_core.results.paper.values import DATASETS, FIGURE_FORMATS, FIGURES, LAYOUTS, TABLES, notes

PAPER = "The paper"

app = o.new_app()


@app.command()
def results(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A run directory, or a folder of several."),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="table (default), json, csv, markdown, latex.",
            autocompletion=lambda incomplete: o.completions("reporters", incomplete),
        ),
    ] = None,
    by: o.By = None,
    metric: o.Metrics = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write it to a file, whose suffix is that of the format: .txt, .json, .csv, .md, "
            ".tex; a figure as .png, .svg or .pdf.",
        ),
    ] = None,
    paper: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Show the run beside the paper: table1 to table6, or draw figure5 or figure6.",
            rich_help_panel=PAPER,
        ),
    ] = None,
    paper_dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The paper's dataset beside those that it lacks: affectnet, affwild or rafdb.",
            rich_help_panel=PAPER,
        ),
    ] = None,
    calibrator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Further rows with a post-hoc calibrator of the run.",
            rich_help_panel=PAPER,
        ),
    ] = None,
    quiet: o.Quiet = False,
    plugin: o.PluginFiles = None,
) -> None:
    """Show the scores of a run directory; needs no model.

    Tables for people are in percent (NLL in nats), with the standard deviation over seeds where
    there are several; json and csv give values from 0 to 1, but with --paper the paper's units. A
    metric that was installed after the run is computed from the stored predictions. All cells are
    in DIR/results.parquet.

        ferc results DIR --paper table1 --format latex
    """
    o.begin(plugin)
    o.check_view(by, metric)
    check_paper(paper, paper_dataset, calibrator, by, out)
    figure = paper in FIGURES
    format = "table" if figure else o.format_of(out, format)
    reporter = registry().reporters[format]
    from ferc_core.base.failures import Failures
    from ferc_core.base.files import check_output, write_text
    from ferc_core.results.tables import read_results, view

    failures = Failures()
    if out is not None:
        check_output(out)
    with o.showing(quiet):
        scores = read_results(directory, failures)
    if paper is None:
        text = reporter(view(scores, by, metric))
    else:
        from ferc_core.results.paper import figures, tables
        from ferc_core.results.paper.compare import compare
        from ferc_core.results.paper.remarks import remarks

        cells = compare(scores, paper, calibrator or [], paper_dataset)
        about = remarks(scores, cells, paper, paper_dataset)
        if figure and out is not None:
            figures.draw(cells, paper, out, paper_dataset)
            o.echo("\n".join([f"{out} is drawn.", *about, *notes(paper)]))
            return
        text = tables.text(cells, paper, format, reporter, about)
        if format not in tables.WIDE_FORMATS:  # nothing but data in what programs read
            for remark in about:
                o.echo(f"ferc: note: {remark}", err=True)
    if out is None:
        o.echo(text)
    else:
        write_text(out, text + "\n")
    failures.raise_any()


def check_paper(
    paper: str | None,
    paper_dataset: str | None,
    calibrator: list[str] | None,
    by: list[str] | None,
    out: Path | None,
) -> None:
    """Raise `RequestError` for names that the paper lacks and options that do not go together."""
    if paper is None:
        if paper_dataset or calibrator:
            option = "--paper-dataset" if paper_dataset else "--calibrator"
            raise RequestError(f"{option} goes with --paper, for example --paper table1")
        return
    if paper not in LAYOUTS:
        raise UnknownNameError("table or figure of the paper", paper, LAYOUTS)
    if paper_dataset and paper_dataset not in DATASETS:
        raise UnknownNameError("dataset of the paper", paper_dataset, DATASETS)
    if by:
        raise RequestError("--paper has its own columns: leave out --by")
    suffix = out.suffix.lower() if out else ""
    if paper in FIGURES and suffix not in FIGURE_FORMATS:
        raise RequestError(
            f"{paper} is a figure: name its file with --out FILE.png, .svg or .pdf"
            + (f", not {out}" if out else "")
        )
    if paper in TABLES and suffix in FIGURE_FORMATS:
        raise RequestError(f"{paper} is a table, not a figure; choose another file than {out}")
