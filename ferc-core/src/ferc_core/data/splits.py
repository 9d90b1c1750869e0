"""Which faces train, which validate and which are scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key, rank
from ferc_core.base.text import number
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import FaceSet, FaceSplit

VALIDATION_PER_CLASS = 250  # paper, A.5
VALIDATION_FRACTION = 0.1  # of a class too small to give 250


@dataclass(frozen=True)
class Splits:
    """The faces of an experiment; ``scored_name`` is the dataset's own name of that split."""

    train: FaceSplit
    validation: FaceSplit
    scored: FaceSplit
    scored_name: str
    notes: tuple[str, ...]


def divide(
    faces: FaceSet,
    scored_name: str = "",
    limit: int = 0,
    *,
    calibrate_on: str = "",
    training: bool = True,
) -> Splits:
    """Choose the scored split and a validation split that does not touch it.

    ``scored_name`` is scored, or else ``test``, or else ``valid``. The validation split is
    ``calibrate_on``: a split, or a fraction of the scored one that is held out of it. By default
    it is the dataset's own ``valid`` unless that is scored or missing; then it is taken out of
    ``train``. ``limit`` keeps at most that many faces of each, always the same ones. Without
    ``training`` any split may be scored, and the other two may be empty.
    """
    for part, split in faces.splits.items():
        if len(split) == 0:
            raise DataError(f"{faces.name}: split '{part}' is empty")
    if scored_name and scored_name not in faces.splits:
        raise UnknownNameError("split", scored_name, faces.splits)
    name = scored_name or next((s for s in ("test", "valid", "train") if s in faces.splits), "")
    if training and "train" not in faces.splits:
        raise DataError(f"{faces.name} has no split 'train', so there is nothing to learn from")
    if training and name == "train":
        raise RequestError(
            f"{faces.name} must be scored on a split other than 'train'; "
            f"it has {', '.join(faces.splits)}"
        )
    if not name:
        raise DataError(f"{faces.name} has no split 'test', 'valid' or 'train'")
    scored = faces.splits[name]
    train = faces.splits.get("train", scored.take([]))
    notes = []
    if fraction := fraction_of(calibrate_on):
        held = held_out(scored, np.round(fraction * np.bincount(scored.labels)).astype(int))
        validation, scored = scored.take(np.flatnonzero(held)), scored.take(np.flatnonzero(~held))
        notes.append(
            f"validation: {number(len(validation), 'face')} of '{name}' held out of scoring, "
            f"{held_out_by(scored)}"
        )
        if not len(scored):
            raise DataError(f"{faces.name}: --calibrate-on {calibrate_on} leaves nothing to score")
    elif calibrate_on:
        validation = validation_split(faces, calibrate_on, name, training)
    elif "valid" in faces.splits and name not in ("valid", "train"):
        validation = faces.splits["valid"]
    elif name == "train" or len(train) == 0:
        validation = scored.take([])
    else:
        held = validation_rows(train)
        validation = train.take(np.flatnonzero(held))
        train = train.take(np.flatnonzero(~held))
        by = held_out_by(train)
        notes.append(f"validation: {len(validation)} faces taken out of 'train', {by}")
    if training and not (len(train) and len(validation)):
        few = number(len(faces.splits["train"]), "face")
        raise DataError(f"{faces.name}: 'train' has {few}, too few to train and to validate on")
    train, validation, scored = (first(split, limit) for split in (train, validation, scored))
    return Splits(train, validation, scored, name, tuple(notes))


def fraction_of(calibrate_on: str) -> float:
    """Return the fraction that a text names, 0 for the name of a split."""
    try:
        fraction = float(calibrate_on)
    except ValueError:
        return 0.0
    if not 0 < fraction < 1:
        raise RequestError(
            "calibrate on must be a split, or a fraction of the scored one between 0 and 1, not "
            f"{calibrate_on}"
        )
    return fraction


def validation_split(faces: FaceSet, wanted: str, scored: str, training: bool) -> FaceSplit:
    """Return the split to validate on that was asked for."""
    if wanted not in faces.splits:
        raise UnknownNameError("split", wanted, faces.splits)
    if wanted == scored:
        raise RequestError(
            f"--calibrate-on {wanted} would fit calibrators on the faces they are judged on; hold "
            "a part of them out with --calibrate-on 0.2"
        )
    if training and wanted == "train":
        raise RequestError(
            "--calibrate-on train would validate on the faces that are learned from; leave it out "
            "to take a part of them"
        )
    return faces.splits[wanted]


def held_out_by(split: FaceSplit) -> str:
    """Say how faces of a split are held out."""
    return "by class" if split.identities is None else "by subject"


def validation_rows(train: FaceSplit) -> npt.NDArray[np.bool_]:
    """Mark the rows [N] of a training split to validate on: 250 of each class, or 10 % of a small
    one.
    """
    counts = np.bincount(train.labels)
    quota = np.minimum(VALIDATION_PER_CLASS, np.round(VALIDATION_FRACTION * counts))
    return held_out(train, quota.astype(int))


def held_out(split: FaceSplit, quota: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Mark rows [N] of a split to validate on: ``quota`` [K] of each class, at least one of a
    class of several.

    Where subjects are known, all faces of a subject are taken, until there are as many rows.
    """
    order = rank(split.ids, "validation")
    counts = np.bincount(split.labels)
    quota = np.where((counts > 1) & (quota == 0), 1, quota)
    chosen = np.zeros(len(split), dtype=bool)
    if split.identities is None:
        for label, wanted in enumerate(quota):
            chosen[order[split.labels[order] == label][:wanted]] = True
        return chosen
    subjects = np.array(split.identities)
    for subject in sorted(set(split.identities), key=lambda s: key("validation", s)):
        if chosen.sum() >= quota.sum():
            break
        chosen |= subjects == subject
    return chosen


def first(split: FaceSplit, limit: int) -> FaceSplit:
    """Return ``limit`` faces of a split (all for 0), the same ones in every run."""
    if not 0 < limit < len(split):
        return split
    return split.take(np.sort(rank(split.ids, "limit")[:limit]))
