"""``ferc corrupt``: all variants of one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli.options import PluginFiles
from ferc_core.cli.plugins import warn
from ferc_core.plugins.host import use_plugin_files


def corrupt(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the variants go.")],
    corruption: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Default: the 17 of the benchmark.")
    ] = None,
    severity: Annotated[
        list[int] | None, typer.Option(metavar="N", help="1 to 5. Default: all.")
    ] = None,
    severity_table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Strengths: imagenet-c (default) or tiny-imagenet-c."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the corruptions.")] = 0,
    image_size: Annotated[
        int,
        typer.Option(
            metavar="N", help="Bring the image to N x N pixels first; 0 leaves it as it is."
        ),
    ] = 0,
    plugin: PluginFiles = None,
) -> None:
    """Make all variants of one image, with a contact sheet.

    Writes DIR/CORRUPTION/SEVERITY.png for each variant and DIR/contact-sheet.png. Files of these
    names are replaced, others are left alone. Options that take several values are repeated; any
    name takes options in parentheses.

    The strengths of blurs and the like are in pixels: --image-size 224 shows what a run with
    images of that size sees. The same image under the same file name gives the same bytes
    again, whatever its folder; --seed gives others.
    """
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.cli.bars import Bars
    from ferc_core.errors import RunError
    from ferc_core.experiment.config import check_choices, read_config
    from ferc_core.suite import gallery
    from ferc_core.suite.corrupt import Corruptor

    options = {
        "corruptions": corruption,
        "severities": severity or None,
        "severity_table": severity_table,
        "suite_seed": seed,
        "image_size": image_size,
    }
    config = read_config(None, options)
    check_choices(config)
    if severity_table is not None:
        gallery.check_table(severity_table)
    forms = gallery.chosen_forms(config.corruptions, config.severities)
    picture = gallery.open_image(image, config.image_size)
    gallery.check_target(image, directory, forms)
    corruptor = Corruptor(gallery.DATASET, config.severity_table, config.suite_seed)
    try:
        with Bars() as bars, bars.track("variants", len(forms)) as advance:
            sample = gallery.sample_id(image)
            sheet = gallery.write_gallery(picture, sample, forms, corruptor, directory, advance)
    except KeyboardInterrupt:
        raise RunError(f"stopped; the variants made so far lie in {directory}") from None
    typer.echo(f"look at {sheet}; the variants lie beside it")
