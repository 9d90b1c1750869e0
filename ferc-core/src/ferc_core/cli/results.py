"""``ferc results``: the scores of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli.options import PluginFiles
from ferc_core.cli.plugins import warn
from ferc_core.plugins import registry, use_plugin_files


def results(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    format: Annotated[
        str, typer.Option(metavar="NAME", help="table, json, csv, markdown, latex.")
    ] = "table",
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Means for each value of a column: corruption, severity, seed, ...; repeat it "
            "to combine. Default: clean beside corrupted.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Metrics to show with --by; see ferc list metrics."),
    ] = None,
    plugin: PluginFiles = None,
) -> None:
    """Show the scores of a run directory; needs no model.

    Tables for people are in percent (NLL in nats); json and csv give values from 0 to 1. A metric
    that was installed after the run is worked out from the stored predictions. All cells are in
    DIR/results.parquet.
    """
    use_plugin_files(plugin or [])
    warn()
    reporter = registry().reporters[format]
    from ferc_core.errors import RequestError
    from ferc_core.results import BY_METRICS, means, read_results, summary

    if metric and not by:
        raise RequestError("--metric goes with --by, for example --by corruption")
    frame = read_results(directory)
    shown = means(frame, by, metric or BY_METRICS) if by else summary(frame)
    typer.echo(reporter(shown))
