"""Scores of some of the faces: by annotated class, and by groups of the faces such as age.

They are computed from the stored predictions and labels. The F1 of a class is that of the class
against all others (``f1``); every other metric is that of the faces of the class or group alone, so
that the accuracy of a class is its recall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import read_json
from ferc_core.base.progress import track
from ferc_core.errors import UnknownNameError
from ferc_core.experiment.manifest import checked_manifest
from ferc_core.experiment.scoring import Case, cases, labels_of, score
from ferc_core.plugins.host import registry
from ferc_core.results.reading import Source, calibrators_of, cells_of
from ferc_core.spec import UNCALIBRATED, Metric
from ferc_core.suite.cells import POOLED
from ferc_core.suite.layout import GROUP_PREFIX as PREFIX

CLASS, F1 = "class", "f1"
UNKNOWN = "unknown"


def groups_in(source: Source) -> list[str]:
    """Return the groups of faces that a run knows, "age" for example."""
    if source.out is None or not source.out.labels.exists():
        return []
    columns = source.out.read_labels().columns
    return [name.removeprefix(PREFIX) for name in columns if name.startswith(PREFIX)]


def scores_by(
    source: Source, column: str, metrics: Sequence[str], failures: Failures
) -> pl.DataFrame:
    """Return the scores of a source for each value of a column: "class", or a group of the faces.

    They have the columns of its scores and that one. Raises `UnknownNameError` for a column that
    it lacks, `DataError` where it has no predictions.
    """
    out, frame = source.directory, source.scores
    labels = out.read_labels()
    if column != CLASS and f"{PREFIX}{column}" not in labels.columns:
        raise UnknownNameError("group of the faces", column, (CLASS, *groups_in(source)))
    values = values_of(source, labels, column)
    by_cell = labels_of(labels, cells_of(frame))
    calibrators = calibrators_of(frame)
    chosen = [registry().metrics[name] for name in metrics if name != F1]
    kinds = list(dict.fromkeys(values.values()))
    dataset, found = frame["dataset"][0], []
    steps = sum(map(len, calibrators.values())) * len(by_cell)
    with track(f"score by {column}", steps) as step:
        for trial, names in calibrators.items():
            fitted = [registry().calibrators.choose(n) for n in names if n != UNCALIBRATED]
            for case in cases(out, [trial], fitted, by_cell, failures):
                if case.cell == POOLED or case.calibrator not in names:
                    continue
                samples = by_cell[case.cell].samples
                of = np.array([kinds.index(values[sample]) for sample in samples])
                for k, kind in enumerate(kinds):
                    part = score_part(case, of == k, kind, chosen, dataset, failures)
                    if column == CLASS and F1 in metrics:
                        part = pl.concat([part, f1_row(case, of == k, dataset)])
                    found.append(part.with_columns(pl.lit(kind).alias(column)))
                step(1, f"{trial}, {case.calibrator}")
    table = pl.concat(found)
    return table.with_columns(**{name: pl.lit(value) for name, value in source.apart.items()})


def values_of(source: Source, labels: pl.DataFrame, column: str) -> dict[str, str]:
    """Return the class or group of each sample."""
    rows = labels.unique("sample", maintain_order=True)
    if column != CLASS:
        groups = rows[f"{PREFIX}{column}"].cast(pl.String).fill_null(UNKNOWN)
        return dict(sorted(zip(rows["sample"], groups, strict=True), key=lambda pair: pair[1]))
    manifest = checked_manifest(read_json(source.directory.manifest), source.directory.manifest)
    names = manifest["classes"]
    ordered = rows.sort("label", maintain_order=True)
    return {
        sample: names[label]
        for sample, label in zip(ordered["sample"], ordered["label"], strict=True)
    }


def score_part(
    case: Case,
    rows: np.ndarray,
    kind: str,
    metrics: Sequence[Metric],
    dataset: str,
    failures: Failures,
) -> pl.DataFrame:
    """Return the scores of some rows of a case."""
    part = Case(
        case.trial, case.calibrator, case.cell, case.probs[rows], case.hard[rows], case.soft[rows]
    )
    return score(one(part) if rows.any() else iter(()), metrics, dataset, failures)


def one(case: Case) -> Iterator[Case]:
    """Yield a case."""
    yield case


def f1_row(case: Case, rows: np.ndarray, dataset: str) -> pl.DataFrame:
    """Return the F1 of a class against all others, whose faces are ``rows``, as a score."""
    label = case.hard[rows][0]
    predicted = case.probs.argmax(axis=1) == label
    hits = int((predicted & rows).sum())
    value = 2 * hits / int(predicted.sum() + rows.sum())
    template = score(one(case), [], dataset, Failures())
    row = {
        "dataset": dataset,
        **vars(case.trial),
        "calibrator": case.calibrator,
        "corruption": case.cell.corruption,
        "severity": case.cell.severity,
        "metric": F1,
        "value": value,
        "n": int(rows.sum()),
    }
    return pl.DataFrame([row], template.schema)
