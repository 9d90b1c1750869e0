"""``ferc corrupt``: one image in every cell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.cli import options as o

app = o.new_app()


@app.command()
@o.takes("corruptions", "severities", "severity_table", "max_pixels")
def corrupt(
    settings: dict[str, Any],
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image file.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the variants go.")],
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the corruptions.")] = 0,
    image_size: Annotated[
        int,
        typer.Option(metavar="N", help="Resize the image to N x N pixels first; 0 leaves it."),
    ] = 0,
    quiet: o.Quiet = False,
    plugin: o.PluginFiles = None,
) -> None:
    """Make all variants of one image, with a contact sheet.

    Writes DIR/CORRUPTION/SEVERITY.png for each variant and DIR/contact-sheet.png. Files of these
    names are replaced, others are left alone. Options that take several values are repeated; any
    name takes options in parentheses.

    The strengths of blurs and the like are in pixels: --image-size 224 shows what a run with
    images of that size sees. The same image under the same file name gives the same bytes again,
    whatever its folder; --seed gives others.
    """
    o.begin(plugin)
    from ferc_core.base.progress import track
    from ferc_core.experiment.config import read_config
    from ferc_core.images.io import limit_pixels
    from ferc_core.suite import gallery
    from ferc_core.suite.cells import cells
    from ferc_core.suite.corrupt import Corruptor

    config = read_config(None, {**settings, "suite_seed": seed, "image_size": image_size})
    limit_pixels(config.max_pixels)
    if "severity_table" in settings:
        gallery.check_table(config.severity_table)
    chosen = gallery.chosen_corruptions(config.corruptions)
    corruptor = Corruptor(gallery.DATASET, chosen, config.severity_table, config.suite_seed)
    variants = cells(chosen, config.severities)
    source = gallery.open_image(image, config.image_size)
    gallery.check_target(image, directory, variants)
    with o.showing(quiet), track("variants", len(variants)) as step:
        sample = gallery.sample_id(image)
        sheet = gallery.write_gallery(source, sample, variants, corruptor, directory, step)
    o.echo(f"wrote {sheet}; the variants are beside it")
