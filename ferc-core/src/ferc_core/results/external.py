"""Predictions made elsewhere, scored like our own against a build or a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.failures import Failures
from ferc_core.base.progress import say
from ferc_core.base.text import number
from ferc_core.data.classes import merges_in
from ferc_core.errors import DataError, RequestError
from ferc_core.experiment import labelling
from ferc_core.experiment.answers import Answers
from ferc_core.experiment.benchmark import Benchmark, Trial
from ferc_core.experiment.calibration import Fitted, Validation, fit, softmax, takes_soft
from ferc_core.experiment.cases import Array, Case, Context, labels_in
from ferc_core.experiment.config import JUDGING, SETTINGS, Config
from ferc_core.experiment.entries import names_build
from ferc_core.experiment.sanity import signs, signs_of_probs
from ferc_core.experiment.scoring import score
from ferc_core.plugins.registry import Chosen
from ferc_core.results.predictions import KEYS, Predictions, described
from ferc_core.spec import UNCALIBRATED, Calibrator, Metric
from ferc_core.suite.cells import CLEAN, Cell
from ferc_core.suite.layout import LABELS, open_build


@dataclass(frozen=True)
class Truth:
    """What predictions are judged against: the labels of every sample in every cell, as in
    ``labels.parquet``, and the names of the classes; ``merged`` has the members of merged ones.
    Labels ``of_some_classes`` leave out the faces of others. ``others`` are the classes and
    label distributions of the faces of other splits, by sample, where calibrators are to be fitted
    on them; ``image_size`` is the side of the images.
    """

    labels: pl.DataFrame
    classes: tuple[str, ...]
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_some_classes: bool = False
    others: Mapping[str, tuple[int, Array | None]] = field(default_factory=dict)
    image_size: int = 0


def score_predictions(
    predictions: Predictions,
    truth: Truth,
    metrics: Sequence[Chosen[Metric]],
    dataset: str,
    name: str,
    failures: Failures,
    calibrators: Mapping[str, Fitted] | None = None,
    validation: Validation | None = None,
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return tidy scores of the cells that the predictions have, and what seems to be wrong.

    ``calibrators`` are fitted ones, whose scores stand beside those of the predictions as
    they are; ``validation`` is for metrics that need it. Every sample of a cell must be there,
    once; raises `DataError` otherwise.
    """
    predictions, note = judged(predictions, truth, name)
    rows = aligned(predictions.keys, truth)
    parts = {
        Cell(str(corruption), int(severity)): part
        for (corruption, severity), part in rows.group_by(KEYS[1:], maintain_order=True)
    }
    each = calibrated(predictions, Trial(name), calibrators or {}, failures)
    scores = score(cases_of(Trial(name), parts, each, validation), metrics, dataset, failures)
    wrong = [note] if note else []
    if CLEAN in parts:
        of, labels = parts[CLEAN]["row"].to_numpy(), parts[CLEAN]["label"].to_numpy()
        look = signs if predictions.are_logits else signs_of_probs
        wrong += look(predictions.values[of], labels, truth.classes)
    return scores, tuple(f"{name}: {text}" for text in wrong)


def judged(predictions: Predictions, truth: Truth, whose: str) -> tuple[Predictions, str]:
    """Return predictions of the classes of the labels, and a sentence about what is left out."""
    found, note = predictions.of_classes(truth.classes, truth.merged, whose)
    k = found.values.shape[1]
    if k != len(truth.classes):
        raise DataError(
            f"the predictions have {k} classes, the labels {len(truth.classes)}: "
            f"{', '.join(truth.classes)}; name the columns after their classes, as in "
            f"prob_{truth.classes[0]}"
        )
    return found, note


def cases_of(
    trial: Trial,
    parts: Mapping[Cell, pl.DataFrame],
    calibrated: Iterable[tuple[str, Array, Fitted]],
    validation: Validation | None,
) -> Iterator[Case]:
    """Yield the cells of predictions with each calibrator: its name, the probabilities of all rows,
    and what was fitted.
    """
    clean = parts.get(CLEAN)
    rows = {} if clean is None else dict(clean.select("sample", "row").iter_rows())
    for name, probs, fitted in calibrated:
        known = validation.clean() if validation else None
        held_out = (fitted(Answers(known.logits)), known.labels) if known else None
        for cell, part in parts.items():
            samples, hard, soft, visibility, distribution = labels_in(part)
            beside = None
            if all(sample in rows for sample in samples):
                beside = probs[[rows[sample] for sample in samples]]
            context = Context(beside, visibility, distribution, validation=held_out)
            of_cell = probs[part["row"].to_numpy()]
            yield Case(trial, name, cell, samples, of_cell, hard, soft, context)


def calibrated(
    predictions: Predictions, trial: Trial, calibrators: Mapping[str, Fitted], failures: Failures
) -> Iterator[tuple[str, Array, Fitted]]:
    """Yield the probabilities [N, K] as they are, and by each fitted calibrator."""
    yield UNCALIBRATED, predictions.probs, Fitted(softmax)
    for name, fitted in calibrators.items():
        try:
            yield name, fitted(Answers(predictions.logits)), fitted
        except BaseException as error:  # a calibrator may raise anything; the others continue
            failures.add(f"{trial}, calibrator {name}", error)


def held_out(predictions: Predictions, truth: Truth, whose: str) -> Validation:
    """Return predictions of faces that are not scored, clean ones and perhaps corrupted ones.

    Raises `DataError` for a face that is scored or unknown.
    """
    predictions, _ = judged(predictions, truth, whose)
    samples = predictions.keys["sample"].to_list()
    scored = set(truth.labels["sample"])
    for sample in samples:
        if sample in scored:
            raise DataError(
                f"{whose} has the sample {sample!r}, which is scored; calibrators are fitted on "
                "other faces"
            )
        if sample not in truth.others and not truth.of_some_classes:
            raise DataError(f"{whose} has the sample {sample!r}, which the dataset lacks")
    known = np.array([sample in truth.others for sample in samples])
    clean = (predictions.keys["severity"] == 0).to_numpy() & known
    if not clean.any():
        raise DataError(f"{whose} has no predictions of clean faces to fit calibrators on")
    cells = predictions.keys.select(pl.struct(KEYS[1:]).rank("dense"))[KEYS[1]].to_numpy()
    rows = [truth.others[sample] for sample in samples if sample in truth.others]
    soft = [distribution for _, distribution in rows if distribution is not None]
    return Validation(
        predictions.logits[known],
        np.array([label for label, _ in rows]),
        np.where(clean, 0, cells)[known].astype(np.int64),
        np.array(soft) if len(soft) == len(rows) else None,
    )


def fit_all(
    calibrators: Sequence[Chosen[Calibrator]],
    validation: Validation,
    whose: str,
    failures: Failures,
) -> dict[str, Fitted]:
    """Return calibrators that are fitted on clean images, or for ``domains`` on those of every
    cell.
    """
    found = {}
    for calibrator in calibrators:
        if takes_soft(calibrator) and validation.distributions is None:
            raise RequestError(
                f"calibrator {calibrator} needs label distributions, which the dataset does not "
                "have; leave out targets=soft"
            )
        try:
            found[str(calibrator)] = fit(calibrator, validation)
        except BaseException as error:  # a calibrator may raise anything; the others continue
            failures.add(f"{whose}, calibrator {calibrator}", error)
    return found


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


def truth_for(config: Config, keys: pl.DataFrame, validation: bool = False) -> Truth:
    """Return the labels of the cells that predictions are of, for ``validation`` those of the
    other splits, too.

    They are those of the build that ``config.dataset`` names, unless the configuration asks for
    other ones; or they are made from the dataset.
    """
    judging = {name for name, setting in SETTINGS.items() if setting.role == JUDGING}
    if names_build(config) and not config.model_fields_set & {*judging, "classes"}:
        build = open_build(Path(config.dataset))
        _ = build.content(LABELS)  # raises unless it is the one that was built
        asked = build.settings.get("classes", ())
        others = others_of(Benchmark.open(config, training=False)) if validation else {}
        classes = tuple(build.manifest["classes"])
        side = build.settings["image_size"]
        return Truth(build.labels, classes, merges_in(asked), bool(asked), others, side)
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
    return Truth(
        labels=table,
        classes=bench.classes,
        merged=bench.faces.merged,
        of_some_classes=bool(bench.config.classes),
        others=others_of(bench) if validation else {},
        image_size=bench.config.image_size,
    )


def others_of(bench: Benchmark) -> dict[str, tuple[int, Array | None]]:
    """Return classes and label distributions of the faces that are not scored, by sample."""
    return {
        face.id: (face.label, face.distribution)
        for name, split in bench.faces.splits.items()
        if name != bench.splits.scored_name
        for face in split
    }
