"""``ferc results``: the scores of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.plugins import registry, use_plugin_files


def results(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A run directory.")],
    format: o.Format = "table",
    by: o.By = None,
    metric: o.Metrics = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Show the scores of a run directory; needs no model.

    Tables for people are in percent (NLL in nats); json and csv give values from 0 to 1. A metric
    that was installed after the run is worked out from the stored predictions. All cells are in
    DIR/results.parquet.
    """
    use_plugin_files(plugin or [])
    warn()
    o.check_view(by, metric)
    reporter = registry().reporters[format]
    from ferc_core.results import read_results, view

    typer.echo(reporter(view(read_results(directory), by, metric)))
