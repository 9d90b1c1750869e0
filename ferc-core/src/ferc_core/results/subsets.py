"""Scores of some of the faces: by annotated class, and by groups of the faces such as age.

They are computed from the stored predictions and labels. The F1 of a class is that of the class
against all others (``f1``); every other metric is that of the faces of the class or group alone, so
that the accuracy of a class is its recall.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.files import read_json
from ferc_core.base.progress import track
from ferc_core.errors import UnknownNameError
from ferc_core.experiment.cases import Case
from ferc_core.experiment.manifest import checked_manifest
from ferc_core.experiment.scoring import SCHEMA, score
from ferc_core.plugins.host import registry
from ferc_core.results.reading import Source, calibrators_of, cases_in, cells_of
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
    chosen = [registry().metrics.choose(name) for name in metrics if name != F1]
    needs = {name for metric in chosen for name in metric.entry.needs}
    kinds = list(dict.fromkeys(values.values()))
    dataset, found = frame["dataset"][0], []
    steps = sum(map(len, calibrators_of(frame).values())) * len(cells_of(frame))
    with track(f"score by {column}", steps) as step:
        for case in cases_in(out, frame, failures, needs):
            of = np.array([kinds.index(values[sample]) for sample in case.samples])
            for k in np.unique(of):
                part = score([case.rows(of == k)], chosen, dataset, failures)
                if column == CLASS and F1 in metrics:
                    part = pl.concat([part, class_f1(case, of == k, dataset)])
                found.append(part.with_columns(pl.lit(kinds[k]).alias(column)))
            step(1, f"{case.trial}, {case.calibrator}")
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


def class_f1(case: Case, of_class: npt.NDArray[np.bool_], dataset: str) -> pl.DataFrame:
    """Return the F1 of a class against all others, given which faces are of it, as a score."""
    predicted = case.probs.argmax(axis=1) == case.hard[of_class][0]
    value = 2 * (predicted & of_class).sum() / (predicted.sum() + of_class.sum())
    row = case.rows(of_class).head(dataset) | {"metric": F1, "value": float(value)}
    return pl.DataFrame([row], SCHEMA)
