"""Predictions made elsewhere, scored like our own against a build or a dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.progress import say
from ferc_core.base.tables import matrix
from ferc_core.base.text import number
from ferc_core.data.classes import merges_in
from ferc_core.errors import DataError
from ferc_core.experiment import labelling
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.config import JUDGING, SETTINGS, Config
from ferc_core.experiment.entries import names_build
from ferc_core.experiment.sanity import signs, signs_of_probs
from ferc_core.experiment.scoring import Case, score
from ferc_core.results.predictions import KEYS, Predictions, described
from ferc_core.spec import UNCALIBRATED, Metric
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import LABELS, open_build


@dataclass(frozen=True)
class Truth:
    """What predictions are judged against: the labels of every sample in every cell, as in
    ``labels.parquet``, and the names of the classes; ``merged`` has the members of merged ones.
    Labels ``of_some_classes`` leave out the faces of others.
    """

    labels: pl.DataFrame
    classes: tuple[str, ...]
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_some_classes: bool = False


def score_predictions(
    predictions: Predictions,
    truth: Truth,
    metrics: Sequence[Metric],
    dataset: str,
    name: str,
    failures: Failures,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return tidy scores of the cells that the predictions have, and what seems to be wrong.

    Every sample of a cell must be there, once; raises `DataError` otherwise.
    """
    predictions, note = predictions.of_classes(truth.classes, truth.merged, name)
    k = predictions.values.shape[1]
    if k != len(truth.classes):
        raise DataError(
            f"the predictions have {k} classes, the labels {len(truth.classes)}: "
            f"{', '.join(truth.classes)}; name the columns after their classes, as in "
            f"prob_{truth.classes[0]}"
        )
    rows = aligned(predictions.keys, truth)
    parts = {
        Cell(str(corruption), int(severity)): part
        for (corruption, severity), part in rows.group_by(KEYS[1:], maintain_order=True)
    }
    probs, trial = predictions.probs, Trial(name)
    cases = (
        Case(
            trial,
            UNCALIBRATED,
            cell,
            probs[part["row"].to_numpy()],
            part["label"].to_numpy(),
            matrix(part["target"]),
        )
        for cell, part in parts.items()
    )
    scores = score(cases, metrics, dataset, failures)
    wrong = [note] if note else []
    if CLEAN in parts:
        of, labels = parts[CLEAN]["row"].to_numpy(), parts[CLEAN]["label"].to_numpy()
        look = signs if predictions.are_logits else signs_of_probs
        wrong += look(predictions.values[of], labels, truth.classes)
    return scores, tuple(f"{name}: {text}" for text in wrong)


def aligned(keys: pl.DataFrame, truth: Truth) -> pl.DataFrame:
    """Return the labels of the cells that predictions are of, with the ``row`` of each of them.

    Raises `DataError` for a prediction without a label, but where these are of some classes alone,
    and for a label without a prediction.
    """
    labels = truth.labels
    given = keys.with_row_index("row")
    unknown = given.join(labels, on=KEYS, how="anti")
    if len(unknown) and truth.of_some_classes:
        say(f"{number(len(unknown), 'prediction')} of faces of other classes left out")
    elif len(unknown):
        example = described(unknown.row(0, named=True))
        count = number(len(unknown), "prediction has", "predictions have")
        raise DataError(f"{count} no label, such as {example}")
    cells = keys.select(KEYS[1:]).unique(maintain_order=True)
    wanted = labels.join(cells, on=KEYS[1:], how="semi")
    missing = wanted.join(keys, on=KEYS, how="anti")
    if len(missing):
        example = described(missing.row(0, named=True))
        count = number(len(missing), "prediction is", "predictions are")
        raise DataError(f"{count} missing, such as {example}")
    if wanted.is_empty():
        raise DataError("the predictions and the labels have no cell in common")
    return wanted.join(given, on=KEYS, how="left", maintain_order="left")


def truth_for(config: Config, keys: pl.DataFrame) -> Truth:
    """Return the labels of the cells that predictions are of.

    They are those of the build that ``config.dataset`` names, unless the configuration asks for
    other ones; or they are made from the dataset.
    """
    judging = {name for name, setting in SETTINGS.items() if setting.role == JUDGING}
    if names_build(config) and not config.model_fields_set & {*judging, "classes"}:
        build = open_build(Path(config.dataset))
        _ = build.content(LABELS)  # raises unless it is the one that was built
        asked = build.settings.get("classes", ())
        return Truth(build.labels, tuple(build.manifest["classes"]), merges_in(asked), bool(asked))
    corruptions = sorted(set(keys["corruption"]) - {CLEAN.corruption})
    bench = Benchmark.open(
        config.model_copy(update={"corruptions": tuple(corruptions)}), training=False
    )
    for note in bench.notes:
        say(f"  {note}")
    visible = None
    if bench.entries.label_scheme.entry.uses_visibility:
        visible = labelling.measured(bench, bench.images()["scored"])
    table = labelling.label_table(bench, visible)
    return Truth(table, bench.classes, bench.faces.merged, bool(bench.config.classes))
