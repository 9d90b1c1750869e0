"""The options that commands share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.errors import RequestError

DATA, IMAGES, TRAINING, SCORING, RESOURCES = (
    "Data",
    "Images",
    "Training",
    "Labels and scores",
    "Resources",
)

Config = Annotated[
    Path | None,
    typer.Argument(metavar="[CONFIG.toml]", help="A configuration; options override it."),
]

Dataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Dataset, with options as in 'ferplus(mode=majority)'. Default: toyfaces.",
        rich_help_panel=DATA,
    ),
]

DataRoot = Annotated[
    str | None, typer.Option(metavar="PATH", help="Where it lies.", rich_help_panel=DATA)
]

Split = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Split to score. Default: test, or valid where there is no test.",
        rich_help_panel=DATA,
    ),
]

Limit = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="At most N faces of each split, always the same.",
        rich_help_panel=DATA,
    ),
]

OnBadImage = Annotated[
    str | None,
    typer.Option(
        metavar="fail|skip",
        help="An image that cannot be used fails the run (default), or is counted and left out.",
        rich_help_panel=DATA,
    ),
]

ImageSize = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Side of the images. Default: 224; toyfaces 64.",
        rich_help_panel=IMAGES,
    ),
]

Corruption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Default: the 17 of the benchmark.", rich_help_panel=IMAGES),
]

Severity = Annotated[
    list[int] | None,
    typer.Option(metavar="N", help="1 to 5. Default: all.", rich_help_panel=IMAGES),
]

SeverityTable = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Strengths: imagenet-c (default), or tiny-imagenet-c as in the authors' figures.",
        rich_help_panel=IMAGES,
    ),
]

SuiteSeed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Seed of the corruptions.", rich_help_panel=IMAGES),
]

Method = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Default: baseline.", rich_help_panel=TRAINING),
]

Loss = Annotated[
    list[str] | None,
    typer.Option(
        metavar="EXPR",
        help="A loss or a sum: 'ce', 'focal(gamma=2)', 'maxent+mbls'. Default: ce and maxent+mbls.",
        rich_help_panel=TRAINING,
    ),
]

Noise = Annotated[
    list[float] | None,
    typer.Option(
        metavar="R",
        help="Share of training labels flipped to another class. Default: 0.",
        rich_help_panel=TRAINING,
    ),
]

NoiseScheme = Annotated[
    str | None,
    typer.Option(
        metavar="exact|ferc",
        help="How: exactly that share, each to another class (default), or as the authors did.",
        rich_help_panel=TRAINING,
    ),
]

SoftAugmentation = Annotated[
    float | None,
    typer.Option(
        metavar="R",
        help="Share of the training images that are corrupted, their labels softened as "
        "much. Default: 0.",
        rich_help_panel=TRAINING,
    ),
]

Seed = Annotated[
    list[int] | None,
    typer.Option(metavar="N", help="Seed of a training. Default: 0.", rich_help_panel=TRAINING),
]

Backbone = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="A timm model. Default: the method's, mostly resnet18; toyfaces test_resnet.",
        rich_help_panel=TRAINING,
    ),
]

Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Pretrained weights, .safetensors or tensors in .pth.",
        rich_help_panel=TRAINING,
    ),
]

Pretrained = Annotated[
    bool | None,
    typer.Option(
        "--pretrained",
        help="Download timm's weights for the backbone. Without it nothing is downloaded.",
        rich_help_panel=TRAINING,
    ),
]

Epochs = Annotated[
    int | None,
    typer.Option(metavar="N", help="Default: 20; toyfaces 8.", rich_help_panel=TRAINING),
]

BatchSize = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Default: the method's, mostly 256; toyfaces 64.",
        rich_help_panel=TRAINING,
    ),
]

LearningRate = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Default: the method's, mostly 2.5e-4; toyfaces 2e-3.",
        rich_help_panel=TRAINING,
    ),
]

Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Threads of a training; another number may change its last bits. Default: the cores, "
        "divided among the jobs.",
        rich_help_panel=TRAINING,
    ),
]

Visibility = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How visible the face still is: l2 (default), ssim, psnr, l2-uint8.",
        rich_help_panel=SCORING,
    ),
]

VisibilityScope = Annotated[
    str | None,
    typer.Option(
        metavar="average|image|dataset",
        help="What a degradation is divided by. Default: the function's own.",
        rich_help_panel=SCORING,
    ),
]

LabelScheme = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Soft labels: ferc (default), fused, gmm, dataset, one-hot, label-smoothing; "
        "options as in 'ferc(exponent=4)'.",
        rich_help_panel=SCORING,
    ),
]

Fusion = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        help="Share of the annotated class in fused labels. Default: 0.5.",
        rich_help_panel=SCORING,
    ),
]

Gmm = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Valence-arousal mixture of another dataset, from 'ferc gmm fit'. Default: fitted "
        "on the own training split.",
        rich_help_panel=SCORING,
    ),
]

Calibrator = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Post-hoc calibrators beside the plain softmax; 'none' for none. "
        "Default: temperature.",
        rich_help_panel=SCORING,
    ),
]

Device = Annotated[
    str | None,
    typer.Option(metavar="auto|cpu|cuda", help="Default: auto.", rich_help_panel=RESOURCES),
]

Jobs = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Trainings side by side. Default: 1.", rich_help_panel=RESOURCES
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Workers that make images beside the model; 0 for none. Default: all cores "
        "but two, at most 8.",
        rich_help_panel=RESOURCES,
    ),
]

Executor = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where they run: threads (default), processes, serial.",
        rich_help_panel=RESOURCES,
    ),
]

Cache = Annotated[
    bool | None,
    typer.Option(
        "--cache/--no-cache",
        help="Decode and resize each image once, into files of the run directory.",
        rich_help_panel=RESOURCES,
    ),
]

Out = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Run directory; one that holds earlier work of the same kind is gone on with. "
        "Default: ferc-runs/DATASET-KEY.",
        rich_help_panel=RESOURCES,
    ),
]

Format = Annotated[str, typer.Option(metavar="NAME", help="table, json, csv, markdown, latex.")]

By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Means for each value of a column: corruption, severity, seed, ...; repeat it "
        "to combine. Default: clean beside corrupted.",
    ),
]

Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="NAME", help="Metrics to show with --by; see ferc list metrics."
    ),
]

PAPER = "The paper"

Paper = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Lay the run beside the paper: table1 to table6, or draw figure5 or figure6.",
        rich_help_panel=PAPER,
    ),
]

PaperDataset = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The paper's set beside those that it lacks: affectnet, affwild or rafdb.",
        rich_help_panel=PAPER,
    ),
]

PaperCalibrator = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Further rows with a post-hoc calibrator of the run.",
        rich_help_panel=PAPER,
    ),
]

PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="A Python file with hooks of your own.", metavar="FILE"),
]

# Options that may be repeated are lists in a configuration, with names to match.
PLURALS = {
    "corruption": "corruptions",
    "severity": "severities",
    "method": "methods",
    "loss": "losses",
    "seed": "seeds",
    "calibrator": "calibrators",
}


def check_view(by: list[str] | None, metric: list[str] | None) -> None:
    """Raise `RequestError` for metrics without a column to show them by."""
    if metric and not by:
        raise RequestError("--metric goes with --by, for example --by corruption")


def settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a command as settings of a configuration, those given alone."""
    named = {PLURALS.get(name, name): value for name, value in given.items()}
    left_out = ("config", "plugin")
    return {k: v for k, v in named.items() if v not in (None, []) and k not in left_out}
