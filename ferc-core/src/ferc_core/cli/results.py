"""``ferc results``: the scores of runs, alone, side by side, or beside the paper's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import registry
from ferc_core.results.paper.values import DATASETS, FIGURES, LAYOUTS
from ferc_core.results.paper.values import notes as paper_notes

PAPER = "The paper"
TABLE_IMAGES = (".svg", ".png", ".pdf", ".html")  # a table as JSON is its numbers

app = o.new_app()


@app.command()
def results(
    directory: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR...",
            help="Run directories, folders of several, or files of ferc score --out.",
        ),
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
    method: o.Methods = None,
    loss: o.Losses = None,
    corruption: o.Corruptions = None,
    calibrator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Show this calibrator alone; with --paper, further rows with it.",
        ),
    ] = None,
    where: o.Where = None,
    fitted: Annotated[
        bool,
        typer.Option(
            "--fitted", help="Show what calibrators were fitted to: temperatures and the like."
        ),
    ] = False,
    mce: Annotated[
        str | None,
        typer.Option(
            metavar="TRIAL",
            help='Show mCE and relative mCE against a baseline trial, such as "baseline ce".',
        ),
    ] = None,
    ensemble: o.Ensemble = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write it to a file, whose suffix is that of the format: .txt, .json, .csv, .md, "
            ".tex; with --paper drawn as .svg, .png, .pdf or .html.",
        ),
    ] = None,
    paper: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Show the run beside the paper: table1 to table6 (drawn, where --out is an "
            "image), figure5 or figure6.",
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
    quiet: o.Quiet = False,
    plugin: o.PluginFiles = None,
) -> None:
    """Show the scores of a run directory, or of several side by side; needs no model.

    Runs are told apart by what differs between their configurations. `--by class` and `--by age`
    (any group that the dataset knows) score the faces of each class and group, `--by group` the
    groups of corruptions, and `--by visibility` says how well visibility tracks accuracy. Clean and
    corrupted images are never averaged together.

    Tables for people are in percent (NLL in nats), with the standard deviation over seeds where
    there are several; json and csv give values from 0 to 1, but with --paper the paper's units. A
    metric that was installed after the run is computed from the stored predictions. All cells are
    in DIR/results.parquet.

        ferc results DIR OTHER --by corruption --where "severity>=3"
        ferc results DIR --paper table1 --format latex
    """
    o.begin(plugin)
    o.check_view(by, metric)
    check_paper(paper, paper_dataset, by, out)
    alone = "--fitted" if fitted else "--mce" if mce else ""
    if (fitted and mce) or (alone and (paper or by or metric)):
        raise RequestError(f"{alone} is a table of its own: leave out the other ones")
    if ensemble and (fitted or paper):
        raise RequestError("--ensemble goes with tables of scores: leave out --fitted and --paper")
    drawn = out is not None and is_drawn(paper, out)
    format = "table" if drawn else o.format_of(out, format, TABLE_IMAGES if paper else ())
    reporter = registry().reporters[format]
    from ferc_core.base.failures import Failures
    from ferc_core.base.files import check_output, write_text
    from ferc_core.results.asked import Asked
    from ferc_core.results.filters import Filters
    from ferc_core.results.reading import parameters_in, with_ensembles
    from ferc_core.results.robustness import corruption_errors
    from ferc_core.results.side_by_side import filtered, opened, together

    chosen = () if paper else calibrator or ()
    filters = Filters(method or (), loss or (), chosen, corruption or (), where or ())
    failures = Failures()
    if out is not None:
        check_output(out)
    with o.showing(quiet):
        sources = opened(directory, failures)
        sources = filtered(sources, filters)
        if fitted:
            table = parameters_in(sources)
        elif mce:
            if ensemble:
                sources = [with_ensembles(source, failures) for source in sources]
            table = corruption_errors(together(sources), mce)
        elif paper is None:
            table = Asked(by or (), metric or (), ensemble=ensemble).table(sources, failures)
    notes = o.footer(sources)
    if paper is None:
        text = reporter(table)
    else:
        from ferc_core.results.paper import figures, tables
        from ferc_core.results.paper.compare import compare
        from ferc_core.results.paper.remarks import remarks

        cells = compare(together(sources), paper, calibrator or [], paper_dataset)
        about = remarks(together(sources), cells, paper, paper_dataset)
        if drawn and out is not None:
            figures.draw(cells, paper, out, paper_dataset)
            o.echo("\n".join([f"{out} is drawn.", *about, *paper_notes(paper)]))
            return
        text = tables.text(cells, paper, format, reporter, about)
        if format not in tables.WIDE_FORMATS:  # nothing but data in what programs read
            for remark in about:
                o.echo(f"ferc: note: {remark}", err=True)
    if out is None:
        o.echo(text)
    else:
        write_text(out, text + "\n")
    if paper is None:
        for note in notes:
            o.echo(note, err=True)
    failures.raise_any()


def check_paper(
    paper: str | None,
    paper_dataset: str | None,
    by: list[str] | None,
    out: Path | None,
) -> None:
    """Raise `RequestError` for names that the paper lacks and options that do not go together."""
    if paper is None:
        if paper_dataset:
            raise RequestError("--paper-dataset goes with --paper, for example --paper table1")
        return
    if paper not in LAYOUTS:
        raise UnknownNameError("table or figure of the paper", paper, LAYOUTS)
    if paper_dataset and paper_dataset not in DATASETS:
        raise UnknownNameError("dataset of the paper", paper_dataset, DATASETS)
    if by:
        raise RequestError("--paper has its own columns: leave out --by")
    if paper in FIGURES and (out is None or not is_drawn(paper, out)):
        from ferc_core.drawing.files import SUFFIXES

        *some, last = SUFFIXES
        raise RequestError(
            f"{paper} is a figure: name its file with --out FILE{', '.join(some)} or {last}"
            + (f", not {out}" if out else "")
        )


def is_drawn(paper: str | None, out: Path) -> bool:
    """Whether a file of a table or figure of the paper is a chart; tables have a JSON of theirs."""
    from ferc_core.drawing.files import SUFFIXES

    suffixes = SUFFIXES if paper in FIGURES else TABLE_IMAGES if paper else ()
    return out.suffix.lower() in suffixes
