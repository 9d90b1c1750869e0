"""``ferc build`` and ``ferc verify``: FER-C on disk."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.plugins.host import use_plugin_files


class Format(StrEnum):
    """How images are stored."""

    png = "png"
    parquet = "parquet"


def build(
    config: o.Config = None,
    dataset: o.Dataset = None,
    data_root: o.DataRoot = None,
    split: o.Split = None,
    limit: o.Limit = None,
    on_bad_image: o.OnBadImage = None,
    image_size: o.ImageSize = None,
    corruption: o.Corruption = None,
    severity: o.Severity = None,
    severity_table: o.SeverityTable = None,
    suite_seed: o.SuiteSeed = None,
    visibility: o.Visibility = None,
    visibility_scope: o.VisibilityScope = None,
    label_scheme: o.LabelScheme = None,
    fusion: o.Fusion = None,
    gmm: o.Gmm = None,
    workers: o.Workers = None,
    executor: o.Executor = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the build. Default: ferc-builds/DATASET.",
            rich_help_panel=o.RESOURCES,
        ),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            help="png: a file for each image. parquet: shards that Hugging Face datasets reads.",
            rich_help_panel=o.IMAGES,
        ),
    ] = Format.png,
    plugin: o.PluginFiles = None,
) -> None:
    """Write FER-C to disk: every corrupted image, soft labels, visibilities and a manifest.

    Images are lossless and can be made again to the bit; `ferc verify` proves that a copy is
    sound. Work is spread over processes. Stop it when you like; the same command goes on.
    """
    given = {k: v for k, v in locals().items() if k != "format"}
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.cli.bars import interruptible
    from ferc_core.experiment.build import build as write_build
    from ferc_core.experiment.config import BUILD_RESOURCES, read_config

    with interruptible() as bars:
        settings = read_config(config, {**BUILD_RESOURCES, **o.settings(given)})
        folder = write_build(settings, format.value, bars)
    typer.echo(f"{folder} is whole; ferc verify {folder} checks it")


def verify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A build.")],
    rebuild: Annotated[
        int,
        typer.Option(metavar="N", min=0, help="Also make N random images again and compare."),
    ] = 0,
    data_root: o.DataRoot = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Which images --rebuild chooses.")
    ] = 0,
    plugin: o.PluginFiles = None,
) -> None:
    """Check a build: every file and count against its manifest.

    Names what is missing, changed or does not belong there. Exit code 1 when anything is.
    """
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.cli.bars import interruptible
    from ferc_core.experiment import verify as checks
    from ferc_core.suite.layout import open_build

    with interruptible() as bars:
        found = open_build(directory)
        problems = checks.verify(found, bars)
        if rebuild:
            problems += checks.rebuild(found, rebuild, data_root or "", seed, bars)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    again = f", and {rebuild} images made again are the same" if rebuild else ""
    typer.echo(f"{directory} is sound: {len(found.manifest['files'])} files{again}")
