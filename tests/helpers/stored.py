"""What ``ferc run`` leaves of models whose logits a test chooses, without any image or model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ferc_core import registry
from ferc_core.base.failures import Failures
from ferc_core.base.files import digest_of, write_json, write_parquet
from ferc_core.base.tables import column
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Trial
from ferc_core.experiment.cases import cases, labels_of
from ferc_core.experiment.directory import RunDirectory
from ferc_core.experiment.scoring import score
from ferc_core.faces import FaceSplit
from ferc_core.suite.cells import CLEAN, POOLED, Cell, cells

N, K = 60, 3  # images and classes
LABELS = np.random.default_rng(7).integers(K, size=N)
FACES = FaceSplit(tuple(f"s{i}" for i in range(N)), LABELS, lambda _: None)
SOFT = 0.7 * np.eye(K)[LABELS] + 0.1

Logits = Callable[[Trial, Cell], np.ndarray]


def random_logits(trial: Trial, cell: Cell) -> np.ndarray:
    """Return logits that are right more often than not, different in every trial and cell."""
    rng = np.random.default_rng([trial.seed, len(trial.loss), len(cell.corruption), cell.severity])
    return np.eye(K)[LABELS] * 1.5 + rng.normal(size=(N, K))


def predicting(right: np.ndarray) -> np.ndarray:
    """Return logits [N, K] that hit the label where ``right`` and miss it elsewhere."""
    return 2.0 * np.eye(K)[np.where(right, LABELS, (LABELS + 1) % K)]


def make_run(
    folder: Path,
    logits: Logits = random_logits,
    *,
    dataset: str = "toyfaces",
    losses: Sequence[str] = ("ce", "focal"),
    corruptions: Sequence[str] = ("snow", "contrast"),
    severities: Sequence[int] = (1, 5),
    calibrators: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    soft: np.ndarray = SOFT,
    beside: Callable[[Cell], dict[str, Any]] = lambda _: {},
) -> Path:
    """Write labels, predictions and scores into a run directory, and return it.

    ``beside`` gives further columns of the labels of a cell.
    """
    out, failures = RunDirectory(folder), Failures()
    ids = [f"s{i}" for i in range(N)]
    there = (CLEAN, *cells(corruptions, severities))
    labels = pl.concat(
        pl.DataFrame(
            {
                "sample": ids,
                "corruption": [cell.corruption] * N,
                "severity": [cell.severity] * N,
                "label": LABELS,
                "target": column(soft),
                **beside(cell),
            }
        )
        for cell in there
    )
    write_parquet(out.labels, labels, {})
    trials = [Trial("baseline", loss, 0.0, seed) for loss, seed in product(losses, seeds)]
    write_json(out.manifest, manifest(trials))
    for trial in trials:
        for cell in there:
            out.add_logits(trial, "scored", cell, ids, Answers(logits(trial, cell)))
        clean = Answers(logits(trial, CLEAN))
        out.add_logits(trial, "validation", CLEAN, ids, clean, FACES)
    chosen = [registry().calibrators.choose(name) for name in calibrators]
    each = cases(out, trials, chosen, labels_of(labels, there), failures)
    scores = score(
        each, [registry().metrics.choose(name) for name in registry().metrics], dataset, failures
    )
    failures.raise_any()
    scores = scores.filter(pl.col("corruption") != POOLED.corruption)
    write_parquet(out.results, scores, {"ferc.labels": digest_of(out.labels)})
    return folder


def manifest(trials: Sequence[Trial]) -> dict[str, Any]:
    """Return a manifest that knows these trials."""
    words = ("benchmark", "data", "python", "platform", "processor", "device", "begun", "ended")
    return {
        **dict.fromkeys(words, "made by a test"),
        **{key: {} for key in ("versions", "making", "judged_by")},
        "classes": [str(k) for k in range(K)],
        "trials": {trial.name: {**vars(trial), "key": trial.name} for trial in trials},
    }
