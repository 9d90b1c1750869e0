"""``ferc run``: the whole benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli.plugins import PluginFiles, warn
from ferc_core.plugins import use_plugin_files

DATA, PICTURES, TRAINING, SCORING, RESOURCES = (
    "Data",
    "Pictures",
    "Training",
    "Labels and scores",
    "Resources",
)


def run(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG.toml]", help="A configuration; options override it."),
    ] = None,
    # data
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Data set, with options as in 'ferplus(mode=majority)'. Default: toyfaces.",
            rich_help_panel=DATA,
        ),
    ] = None,
    data_root: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where it lies.", rich_help_panel=DATA)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Split to score. Default: test, or valid where there is no test.",
            rich_help_panel=DATA,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="At most N faces of each split, always the same.",
            rich_help_panel=DATA,
        ),
    ] = None,
    on_bad_image: Annotated[
        str | None,
        typer.Option(
            metavar="fail|skip",
            help="A picture that cannot be used fails the run (default), or is counted and left "
            "out.",
            rich_help_panel=DATA,
        ),
    ] = None,
    # pictures
    image_size: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Side of the pictures. Default: 224; toyfaces 64.",
            rich_help_panel=PICTURES,
        ),
    ] = None,
    corruption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Default: the 17 of the benchmark.", rich_help_panel=PICTURES
        ),
    ] = None,
    severity: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="1 to 5. Default: all.", rich_help_panel=PICTURES),
    ] = None,
    severity_table: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Strengths: imagenet-c (default), or tiny-imagenet-c as in the authors' figures.",
            rich_help_panel=PICTURES,
        ),
    ] = None,
    suite_seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Seed of the corruptions.", rich_help_panel=PICTURES),
    ] = None,
    # training
    method: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Default: baseline.", rich_help_panel=TRAINING),
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EXPR",
            help="A loss or a sum: 'ce', 'focal(gamma=2)', 'maxent+mbls'. "
            "Default: ce and maxent+mbls.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    noise: Annotated[
        list[float] | None,
        typer.Option(
            metavar="R",
            help="Share of training labels flipped to another class. Default: 0.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Seed of a training. Default: 0.", rich_help_panel=TRAINING),
    ] = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A timm model. Default: resnet18; toyfaces test_resnet.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Pretrained weights, .safetensors or tensors in .pth.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    pretrained: Annotated[
        bool | None,
        typer.Option(
            "--pretrained",
            help="Download timm's weights for the backbone. Without it nothing is downloaded.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Default: 20; toyfaces 8.", rich_help_panel=TRAINING),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Default: 256; toyfaces 64.", rich_help_panel=TRAINING),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(metavar="X", help="Default: 2.5e-4; toyfaces 2e-3.", rich_help_panel=TRAINING),
    ] = None,
    # labels and scores
    visibility: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How visible the face still is: l2 (default), ssim, psnr, l2-uint8.",
            rich_help_panel=SCORING,
        ),
    ] = None,
    visibility_scope: Annotated[
        str | None,
        typer.Option(
            metavar="average|image|dataset",
            help="What a degradation is divided by. Default: the function's own.",
            rich_help_panel=SCORING,
        ),
    ] = None,
    label_scheme: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Soft labels: ferc (default), fused, gmm, dataset, one-hot, label-smoothing; "
            "options as in 'ferc(exponent=4)'.",
            rich_help_panel=SCORING,
        ),
    ] = None,
    fusion: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Share of the annotated class in fused labels. Default: 0.5.",
            rich_help_panel=SCORING,
        ),
    ] = None,
    calibrator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Post-hoc calibrators beside the plain softmax; 'none' for none. "
            "Default: temperature.",
            rich_help_panel=SCORING,
        ),
    ] = None,
    # resources
    device: Annotated[
        str | None,
        typer.Option(metavar="auto|cpu|cuda", help="Default: auto.", rich_help_panel=RESOURCES),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Workers that make pictures beside the model; 0 for none. Default: all cores "
            "but two, at most 8.",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Where they run: threads (default), processes, serial.",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Run directory; one that holds earlier work of the same kind is gone on with. "
            "Default: ferc-runs/DATASET-KEY.",
            rich_help_panel=RESOURCES,
        ),
    ] = None,
    plugin: PluginFiles = None,
) -> None:
    """Run the whole benchmark: train, predict every cell, calibrate, score.

    Without arguments: drawn toy faces, a small backbone, all 17 corruptions at 5 severities, in
    minutes on a laptop. On your own pictures:

        ferc run --dataset folder --data-root PATH

    Options that take several values are repeated: --loss ce --loss maxent+mbls. Any name takes
    options in parentheses. Stop it when you like; the same command goes on where it was.
    """
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.cli.bars import Bars
    from ferc_core.config import read_config
    from ferc_core.errors import RunError
    from ferc_core.experiment import run_benchmark
    from ferc_core.reporters import table
    from ferc_core.results import summary

    options = {
        "dataset": dataset,
        "data_root": data_root,
        "split": split,
        "limit": limit,
        "on_bad_image": on_bad_image,
        "image_size": image_size,
        "corruptions": corruption or None,
        "severities": severity or None,
        "severity_table": severity_table,
        "suite_seed": suite_seed,
        "methods": method or None,
        "losses": loss or None,
        "noise": noise or None,
        "seeds": seed or None,
        "backbone": backbone,
        "weights": weights,
        "pretrained": pretrained,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "visibility": visibility,
        "visibility_scope": visibility_scope,
        "label_scheme": label_scheme,
        "fusion": fusion,
        "calibrators": calibrator or None,
        "device": device,
        "workers": workers,
        "executor": executor,
        "out": out,
    }
    try:
        with Bars() as bars:
            outcome = run_benchmark(read_config(config, options), bars)
    except KeyboardInterrupt:
        raise RunError("stopped; the same command goes on from here") from None
    typer.echo(table(summary(outcome.results)))
    typer.echo(
        "F1, ECE and KSE in percent, NLL in nats; FER-C columns are means over the corrupted "
        f"cells of N faces each, judged against soft labels.\nEverything lies in "
        f"{outcome.directory}; more views: ferc results {outcome.directory} --by corruption"
    )
    if outcome.failed:
        causes = "; ".join(f"{run}: {cause}" for run, cause in outcome.failed.items())
        raise RunError(f"{len(outcome.failed)} trainings failed: {causes}")
