"""``ferc run``: the whole benchmark."""

from __future__ import annotations

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.plugins.host import use_plugin_files


def run(
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
    method: o.Method = None,
    loss: o.Loss = None,
    noise: o.Noise = None,
    noise_scheme: o.NoiseScheme = None,
    soft_augmentation: o.SoftAugmentation = None,
    seed: o.Seed = None,
    backbone: o.Backbone = None,
    weights: o.Weights = None,
    pretrained: o.Pretrained = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    learning_rate: o.LearningRate = None,
    threads: o.Threads = None,
    visibility: o.Visibility = None,
    visibility_scope: o.VisibilityScope = None,
    label_scheme: o.LabelScheme = None,
    fusion: o.Fusion = None,
    gmm: o.Gmm = None,
    calibrator: o.Calibrator = None,
    cache: o.Cache = None,
    device: o.Device = None,
    jobs: o.Jobs = None,
    workers: o.Workers = None,
    executor: o.Executor = None,
    out: o.Out = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Run the whole benchmark: train, predict every cell, calibrate, score.

    Without arguments: drawn toy faces, a small backbone, all 17 corruptions at 5 severities, in
    minutes on a laptop. On your own images:

        ferc run --dataset folder --data-root PATH

    Options that take several values are repeated: --loss ce --loss maxent+mbls; every combination
    is trained. Any name takes options in parentheses. Stop it when you like; the same command goes
    on where it was, and what fails does not stop the rest. CONFIG.toml holds the same options
    under their names (methods, losses, ...), and may hold several datasets as [[data]] tables.
    """
    given = locals()
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.cli.bars import interruptible
    from ferc_core.errors import RunError
    from ferc_core.experiment.config import read_configs
    from ferc_core.experiment.pipeline import run_experiment
    from ferc_core.results.formats import table
    from ferc_core.results.tables import summary

    with interruptible() as bars:
        outcome = run_experiment(read_configs(config, o.settings(given)), bars)
    typer.echo(table(summary(outcome.results)))
    typer.echo(
        "F1, ECE and KSE in percent, NLL in nats; FER-C columns are means over the corrupted "
        f"cells of N faces each, judged against soft labels.\nEverything lies in "
        f"{outcome.directory}; more views: ferc results {outcome.directory} --by corruption"
    )
    if outcome.failures:
        count = len(outcome.failures)
        parts = f"{count} part{'s' if count > 1 else ''}"
        raise RunError(f"{parts} failed: {'; '.join(outcome.failures)}")
