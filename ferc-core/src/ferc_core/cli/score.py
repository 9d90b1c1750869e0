"""``ferc score``: predictions made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ferc_core.cli import options as o
from ferc_core.errors import RequestError
from ferc_core.plugins.host import registry
from ferc_core.spec import UNCALIBRATED

FIELDS = (
    "dataset", "data_root", "classes", "split", "limit", "image_size", "max_pixels",
    "severity_table", "suite_seed", "visibility", "visibility_scope", "label_scheme", "fusion",
    "gmm", "calibrators",
)  # fmt: skip

app = o.new_app()


@app.command()
@o.takes(*FIELDS)
def score(
    settings: dict[str, Any],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A .parquet or .csv table: sample, corruption, severity, and a column for each "
            "class, prob_anger, ... or logit_anger, ..., or the list 'probs' or 'logits' in the "
            "order of the classes.",
        ),
    ],
    validation: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of the same kind, of faces of other splits, that calibrators are fitted "
            "on.",
        ),
    ] = None,
    format: o.Format = "table",
    by: o.By = None,
    metric: o.Metrics = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also store the scores of every cell as parquet."),
    ] = None,
    quiet: o.Quiet = False,
    log_file: o.LogFile = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Score predictions that some other program made, against a build or a dataset.

    With `--dataset DIR`, a directory of `ferc build`, its labels are used; otherwise the labels
    are made from the dataset as `ferc run` would make them. The cells that the file has are
    scored; of each of them every sample must be there. With `--validation` there are scores after
    calibration, too.
    """
    o.begin(plugin)
    o.check_view(by, metric)
    reporter = registry().reporters[format]
    if out is not None and out.suffix != ".parquet":
        raise RequestError(f"scores are stored as parquet: use --out FILE.parquet, not {out}")
    from ferc_core.base.failures import Failures
    from ferc_core.base.files import check_output, write_parquet
    from ferc_core.experiment.config import read_config
    from ferc_core.experiment.records import of_warnings
    from ferc_core.results.external import fit_all, held_out, score_predictions, truth_for
    from ferc_core.results.predictions import read_predictions
    from ferc_core.results.reading import sizes_of
    from ferc_core.results.tables import means, summary

    if settings.get("calibrators") and validation is None:
        raise RequestError("--calibrator needs faces to fit it on: add --validation FILE")
    config, failures = read_config(None, settings), Failures()
    registry().metrics.require()
    every = [name for name, entry in registry().metrics.items() if entry.in_every_run]
    metrics = [registry().metrics.choose(name) for name in dict.fromkeys([*every, *(metric or ())])]
    asked = [name for name in config.calibrators if name != UNCALIBRATED]
    calibrators = [registry().calibrators.choose(n) for n in asked] if validation else []
    if out is not None:
        check_output(out)
    with o.showing(quiet, log_file):
        predictions = read_predictions(file)
        others = read_predictions(validation) if validation else None
        truth = truth_for(config, predictions.keys, validation is not None)
        known = held_out(others, truth, str(validation)) if others else None
        fitted = fit_all(calibrators, known, str(validation), failures) if known else {}
        results, wrong = score_predictions(
            predictions, truth, metrics, config.dataset, file.stem, failures, fitted, known
        )
    if out is not None:
        write_parquet(out, results, of_warnings(wrong))
    o.echo(reporter(means(results, by, metric) if by else summary(results)))
    if size := sizes_of([vars(truth)]):
        o.echo(size, err=True)
    for text in wrong:
        o.echo(f"ferc: warning: {text}", err=True)
    failures.raise_any()
