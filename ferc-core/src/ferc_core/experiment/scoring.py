"""From predictions to tidy scores, in one loop; no model is needed.

Every metric that is registered is computed for each trial, calibrator and cell, but for those on
request. Hard metrics see the annotated class, soft ones the soft label of the cell. The calibrator
``none`` is the plain softmax ("pre"); the others are fitted on the validation split ("post").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.progress import Advance, ignore, track
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.calibration import SCHEMA as PARAMETERS
from ferc_core.experiment.calibration import Fitted
from ferc_core.experiment.cases import Case, Labels, cases
from ferc_core.experiment.directory import RunDirectory
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Metric
from ferc_core.suite.cells import POOLED

FEW = 10_000  # rows that are kept one by one; in a table they take a twentieth of the memory

SCHEMA = {
    "dataset": pl.String,
    "method": pl.String,
    "loss": pl.String,
    "calibrator": pl.String,
    "noise": pl.Float64,
    "seed": pl.Int64,
    "corruption": pl.String,
    "severity": pl.Int64,
    "metric": pl.String,
    "value": pl.Float64,
    "n": pl.Int64,
}


def score_run(
    bench: Benchmark, out: RunDirectory, trials: Sequence[Trial], labels: Labels, failures: Failures
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the scores of a run, of every cell and pooled over all corrupted images, and what
    was fitted.
    """
    calibrators, rows = bench.entries.calibrators, []

    def note(trial: Trial, name: str, found: Fitted) -> None:
        rows.extend(parameters_of(bench.config.dataset, trial, name, found))

    each = cases(out, trials, calibrators, labels, failures, note)
    steps = len(trials) * (1 + len(calibrators)) * (len(labels) + (len(labels) > 1))
    with track("score", steps) as step:
        scores = score(each, bench.entries.metrics, bench.config.dataset, failures, step)
    pooled = scores["corruption"] == POOLED.corruption
    parameters = pl.DataFrame(rows, PARAMETERS)
    return scores.filter(~pooled), scores.filter(pooled), parameters


def score(
    cases: Iterable[Case],
    metrics: Sequence[Chosen[Metric]],
    dataset: str,
    failures: Failures,
    step: Advance = ignore,
) -> pl.DataFrame:
    """Return a tidy row, with the columns of ``SCHEMA``, for every case and metric.

    A metric that needs what a case lacks has no row; one that raises costs its own numbers and goes
    into ``failures``. ``step`` is called after each case.
    """
    rows, tables, named = [], [], {str(metric): metric for metric in metrics}
    parts = {name: f"metric {name}" for name in named}
    for case in map(Case.frozen, cases):
        head = case.head(dataset)
        for name, metric in named.items():
            if parts[name] in failures or case.context.lacks(metric.entry):
                continue
            try:
                rows.append({**head, "metric": name, "value": case.score(metric)})
            except BaseException as error:  # a metric may raise anything; the others continue
                failures.add(parts[name], error)
        if len(rows) > FEW:
            tables.append(pl.DataFrame(rows, SCHEMA))
            rows.clear()
        step(1, f"{case.trial}, {case.calibrator}")
    table = pl.concat([*tables, pl.DataFrame(rows, SCHEMA)])
    failed = [name for name, part in parts.items() if part in failures]
    return table.filter(~pl.col("metric").is_in(failed))


def parameters_of(dataset: str, trial: Trial, name: str, found: Fitted) -> list[dict[str, Any]]:
    """Return what was fitted, as rows with the columns of ``calibration.SCHEMA``."""
    head = {"dataset": dataset, **vars(trial), "calibrator": name}
    try:
        return [{**head, "parameter": p, "value": v} for p, v in found.parameters().items()]
    except Exception:  # a plugin's; its scores are what matters
        return []
