"""``ferc build``: FER-C on disk."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.cli import options as o

FIELDS = (
    "dataset", "data_root", "classes", "split", "limit", "on_bad_image", "image_size", "max_pixels",
    "corruptions", "severities", "severity_table", "suite_seed", "visibility", "visibility_scope",
    "label_scheme", "fusion", "gmm", "workers", "executor",
    "part",
)  # fmt: skip
# A build uses every core; no model runs beside it.
RESOURCES = {"executor": "processes", "workers": os.cpu_count() or 1}

app = o.new_app()


class Format(StrEnum):
    """What images are stored as."""

    png = "png"
    parquet = "parquet"
    webdataset = "webdataset"


class Layout(StrEnum):
    """In which folders files of images lie."""

    cells = "cells"
    imagefolder = "imagefolder"


@app.command()
@o.takes(*FIELDS)
def build(
    settings: dict[str, Any],
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG.toml", help="A configuration; options override it."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Directory of the build. Default: ferc-builds/DATASET."),
    ] = None,
    format: Annotated[
        Format,
        typer.Option(
            help="png: a file for each image. parquet: shards that Hugging Face datasets reads. "
            "webdataset: shards in tar files."
        ),
    ] = Format.png,
    layout: Annotated[
        Layout,
        typer.Option(
            help="Folders of png files. cells: CORRUPTION/SEVERITY. imagefolder: below these "
            "SPLIT/CLASS, as torchvision reads them."
        ),
    ] = Layout.cells,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Write FER-C to disk: every corrupted image, soft labels, visibilities and a manifest.

    Images are lossless and can be made again to the bit; `ferc verify` proves that a copy is
    sound. Work is spread over processes. Stop it when you like; rerun the command to resume.
    """
    o.begin(plugin)
    from ferc_core.experiment.build import build as write_build
    from ferc_core.experiment.config import read_config
    from ferc_core.suite.layout import MANIFEST

    with o.showing(quiet, log_file):
        asked = read_config(config, {**RESOURCES, **settings, "out": out})
        folder = write_build(asked, format.value, layout.value)
    if settings.get("part") and not (folder / MANIFEST).exists():
        o.echo(f"part {settings['part']} of {folder} is done; without --part the build is finished")
        return
    o.echo(f"{folder} is complete; ferc verify {folder} checks it")
