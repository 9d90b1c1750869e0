"""``ferc run``: the whole benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.cli import options as o
from ferc_core.experiment.config import SETTINGS

app = o.new_app()


@app.command()
@o.takes(*(name for name, setting in SETTINGS.items() if setting.option != ""))
def run(
    settings: dict[str, Any],
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG.toml|DIR",
            help="A configuration, or a run directory to run again; options override it.",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be trained and predicted, where, and how long it may take.",
        ),
    ] = False,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Run the whole benchmark: train, predict every cell, calibrate, score.

    Without arguments: drawn toy faces, a small backbone, all 17 corruptions at 5 severities, in
    minutes on a laptop. On your own images:

        ferc run --dataset folder --data-root PATH

    Options that take several values are repeated: --loss ce --loss maxent+mbls; every combination
    is trained. Any name takes options in parentheses. Stop it when you like; rerun the command to
    resume. What fails does not stop the rest. CONFIG.toml holds the same options under their
    names (methods, losses, ...), and may hold several datasets as `[[data]]` tables.
    """
    o.begin(plugin)
    from ferc_core.experiment import pipeline
    from ferc_core.experiment.config import read_configs
    from ferc_core.results.formats import table
    from ferc_core.results.reading import config_of, run_directories, sizes_of
    from ferc_core.results.tables import summary

    configs = read_configs(config, settings)
    with o.showing(quiet, log_file):
        if dry_run:
            from ferc_core.experiment.forecast import forecast

            for each in configs:
                o.echo(forecast(*pipeline.opened(each)))
            return
        outcome = pipeline.run_configs(configs)
    if outcome.results.is_empty():
        o.echo(
            f"part {configs[0].part} in {outcome.path} is done; without --part the rest is done "
            "and the run is scored"
        )
        outcome.failures.raise_any()
        return
    o.echo(table(summary(outcome.results)))
    o.echo(
        "Accuracy, F1, ECE and KSE in percent, NLL in nats; FER-C columns are means over the "
        "corrupted "
        "cells of N images each, judged against soft labels. "
        f"{sizes_of(map(config_of, run_directories(outcome.path)))}\n"
        f"Results are in {outcome.path}; "
        f"more views: ferc results {outcome.path} --by corruption"
    )
    for text in outcome.warnings:
        o.echo(f"ferc: warning: {text}", err=True)
    outcome.failures.raise_any()
