"""``ferc score``: predictions made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.plugins.host import registry, use_plugin_files


def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .parquet or .csv table: sample, corruption, severity, and the list 'logits' or "
            "'probs' (or logit_0, ... or prob_0, ...).",
        ),
    ],
    dataset: o.Dataset = None,
    data_root: o.DataRoot = None,
    split: o.Split = None,
    limit: o.Limit = None,
    image_size: o.ImageSize = None,
    severity_table: o.SeverityTable = None,
    suite_seed: o.SuiteSeed = None,
    visibility: o.Visibility = None,
    visibility_scope: o.VisibilityScope = None,
    label_scheme: o.LabelScheme = None,
    fusion: o.Fusion = None,
    gmm: o.Gmm = None,
    format: o.Format = "table",
    by: o.By = None,
    metric: o.Metrics = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also store the scores of every cell as parquet."),
    ] = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Score predictions that some other program made, against a build or a dataset.

    With `--dataset DIR`, a folder of `ferc build`, its labels are used; otherwise the labels are
    made from the dataset as `ferc run` would make them. The cells that the file has are scored;
    of each of them every sample must be there.
    """
    given = {
        k: v for k, v in locals().items() if k not in ("file", "format", "by", "metric", "out")
    }
    use_plugin_files(plugin or [])
    warn()
    o.check_view(by, metric)
    reporter = registry().reporters[format]
    from ferc_core.base.files import write_parquet
    from ferc_core.cli.bars import interruptible
    from ferc_core.experiment.config import read_config
    from ferc_core.experiment.labelling import labels_for
    from ferc_core.results.external import read_predictions, score_predictions
    from ferc_core.results.tables import view

    config = read_config(None, o.settings(given))
    predictions = read_predictions(file)
    registry().metrics.require()
    with interruptible() as bars:
        labels = labels_for(config, predictions, bars)
    results = score_predictions(predictions, labels, config.dataset, file.stem)
    if out is not None:
        write_parquet(out, results, {})
    typer.echo(reporter(view(results, by, metric)))
