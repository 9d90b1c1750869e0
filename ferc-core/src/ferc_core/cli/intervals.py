"""``ferc intervals``: how sure the scores of runs are, and their differences."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferc_core.cli import options as o
from ferc_core.errors import RequestError
from ferc_core.plugins.host import registry

if TYPE_CHECKING:
    import polars as pl

MOST_WORKERS, MOST_RESAMPLES = 1024, 1_000_000
PEOPLE = ("table", "markdown", "latex")  # formats with rounded scores; others get every column

app = o.new_app()


@app.command()
def intervals(
    directory: Annotated[
        list[Path],
        typer.Argument(metavar="DIR...", help="Run directories, or folders of several."),
    ],
    resamples: Annotated[
        int | None,
        typer.Option(metavar="B", help="How often the images are drawn anew. Default: 1000."),
    ] = None,
    level: Annotated[
        float | None,
        typer.Option(
            metavar="P", help="Fraction of the draws that an interval spans. Default: 0.95."
        ),
    ] = None,
    format: o.Format = "table",
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="corruption|severity",
            help="Means for each value of a column; repeat it to combine. Default: clean beside "
            "corrupted.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Default: those of ferc results; see ferc list metrics.",
            autocompletion=lambda incomplete: o.completions("metrics", incomplete),
        ),
    ] = None,
    method: o.Methods = None,
    loss: o.Losses = None,
    corruption: o.Corruptions = None,
    calibrator: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Show this calibrator alone.")
    ] = None,
    where: o.Where = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="TRIAL",
            help='Compare every trial with this one, such as "baseline ce". Default: each loss '
            "with the first of its method.",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="subject|image",
            help="What is drawn. Default: subjects with all their images where they are known.",
        ),
    ] = None,
    ensemble: o.Ensemble = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes in parallel. Default: all cores.")
    ] = None,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Show the scores of runs with their intervals, and those of differences.

    A paired bootstrap: images are drawn with replacement, the same ones for every cell, method,
    loss, calibrator and seed; where subjects are known, subjects are drawn with all their images.
    Each loss is compared with the first, each calibrator with the plain softmax, an ensemble with
    its members, each run of several with the first. The p of a difference is shown as it is and
    corrected for the number of differences (Holm). All numbers of a run go to
    DIR/intervals.parquet; no model is needed.
    """
    o.begin(plugin)
    reporter = registry().reporters[format]
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise RequestError(f"workers must be between 1 and {MOST_WORKERS}, not {workers}")
    if resamples is not None and resamples > MOST_RESAMPLES:
        raise RequestError(f"resamples must be at most {MOST_RESAMPLES}, not {resamples}")
    from ferc_core.base.failures import Failures
    from ferc_core.base.parallel import processes
    from ferc_core.results.filters import Filters
    from ferc_core.results.intervals import make_intervals
    from ferc_core.results.requests import LEVEL, RESAMPLES, Request
    from ferc_core.results.side_by_side import opened

    request = Request(
        by or (),
        metric or (),
        RESAMPLES if resamples is None else resamples,
        LEVEL if level is None else level,
        Filters(method or (), loss or (), calibrator or (), corruption or (), where or ()),
        baseline or "",
        unit or "",
        ensemble,
    )
    request.check()
    work, failures = partial(processes, workers=workers or os.cpu_count() or 1), Failures()
    with o.showing(quiet, log_file):
        sources = opened(directory, failures)
        frame = make_intervals(sources, request, work, failures)
    if format not in PEOPLE:
        o.echo(reporter(frame))
    elif len(frame):
        scores = frame.filter(frame["against"].is_null())
        differences = frame.filter(frame["against"].is_not_null())
        o.echo(reporter(readable(scores, "score")))
        if len(differences):
            o.echo("\n" + reporter(readable(differences, "difference")))
        o.echo(
            f"Intervals span {100 * request.level:g} % of {request.resamples} draws of the N "
            f"images{drawn_of(frame)}; accuracy, F1, ECE and KSE in percent, NLL in nats; scores "
            f"are means over {seeds_of(frame)}. Corrupted: the mean over all cells.",
            err=True,
        )
    for note in o.footer(sources):
        o.echo(note, err=True)
    failures.raise_any()


def readable(frame: pl.DataFrame, value: str) -> pl.DataFrame:
    """Return scores as rows of text for people; ``value`` heads the column of the scores."""
    import polars as pl

    from ferc_core.results.formats import heading, shown
    from ferc_core.results.intervals import SCHEMA

    varying = [name for name in ("dataset", "noise") if frame[name].n_unique() > 1]
    apart = [name for name in frame.columns if name not in SCHEMA]
    differs = frame["against"].null_count() < len(frame)
    columns = (*varying, *apart, "method", "loss", "calibrator")

    def row(found: dict[str, Any]) -> dict[str, Any]:
        metric, severity = found["metric"], found["severity"]
        low, high = shown(metric, found["low"]), shown(metric, found["high"])
        return {
            **{name: found[name] for name in columns},
            **({"against": found["against"]} if found["against"] else {}),
            "images": found["corruption"] + (f"/{severity}" if severity else ""),
            "metric": heading(metric),
            value: shown(metric, found["value"]),
            "interval": f"{low} to {high}",
            **({"p": small(found["p"]), "p (Holm)": small(found["p_holm"])} if differs else {}),
            "n": found["n"],
        }

    return pl.DataFrame([row(found) for found in frame.iter_rows(named=True)])


def small(p: float | None) -> str:
    """Return a p-value as text.

    >>> small(0.0004), small(0.25)
    ('< 0.001', '0.250')
    """
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def drawn_of(frame: pl.DataFrame) -> str:
    """Say so where subjects are drawn."""
    return ", by subject" if "subject" in set(frame["unit"]) else ""


def seeds_of(frame: pl.DataFrame) -> str:
    """Say how many seeds are averaged."""
    counts = sorted(set(frame["seeds"]))
    return f"{' or '.join(map(str, counts))} seed{'s' if counts != [1] else ''}"
