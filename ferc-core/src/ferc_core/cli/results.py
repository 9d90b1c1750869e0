"""``ferc results``: the scores of a run directory, alone or beside the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import registry, use_plugin_files
from ferc_core.results.paper.values import DATASETS, FIGURE_FORMATS, FIGURES, LAYOUTS, TABLES, notes


def results(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A run directory, or a folder of several."),
    ],
    format: o.Format = "table",
    by: o.By = None,
    metric: o.Metrics = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it there; a figure as .png, .svg or .pdf."),
    ] = None,
    paper: o.Paper = None,
    paper_dataset: o.PaperDataset = None,
    calibrator: o.PaperCalibrator = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Show the scores of a run directory; needs no model.

    Tables for people are in percent (NLL in nats); json and csv give values from 0 to 1, but with
    --paper the paper's units. A metric that was installed after the run is worked out from the
    stored predictions. All cells are in DIR/results.parquet.

        ferc results DIR --paper table1 --format latex
    """
    use_plugin_files(plugin or [])
    warn()
    o.check_view(by, metric)
    check_paper(paper, paper_dataset, calibrator, by, out)
    reporter = registry().reporters[format]
    from ferc_core.base.files import write_text
    from ferc_core.results.tables import read_results, view

    scores = read_results(directory)
    if paper is None:
        text = reporter(view(scores, by, metric))
    else:
        from ferc_core.results.paper import figures, tables
        from ferc_core.results.paper.compare import compare
        from ferc_core.results.paper.remarks import remarks

        cells = compare(scores, paper, calibrator or [], paper_dataset)
        about = remarks(scores, cells, paper, paper_dataset)
        if paper in FIGURES and out is not None:
            figures.draw(cells, paper, out, paper_dataset)
            typer.echo("\n".join([f"{out} is drawn.", *about, *notes(paper)]))
            return
        text = tables.text(cells, paper, format, reporter, about)
        if format not in tables.WIDE_FORMATS:  # nothing but data in what programs read
            for remark in about:
                typer.echo(f"ferc: note: {remark}", err=True)
    if out is None:
        typer.echo(text)
    else:
        write_text(out, text + "\n")


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
            f"{paper} is an image: give its file with --out FILE.png, .svg or .pdf"
            + (f", not {out}" if out else "")
        )
    if paper in TABLES and suffix in FIGURE_FORMATS:
        raise RequestError(f"{paper} is a text, not an image: give another file than {out}")
