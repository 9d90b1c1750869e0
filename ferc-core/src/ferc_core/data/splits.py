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
    faces: FaceSet, scored_name: str = "", limit: int = 0, *, training: bool = True
) -> Splits:
    """Choose the scored split and a validation split that does not touch it.

    ``scored_name`` is scored, or else ``test``, or else ``valid``. The validation split is the
    dataset's own ``valid`` unless that is scored or missing; then it is taken out of ``train``.
    ``limit`` keeps at most that many faces of each, always the same ones. Without ``training``
    any split may be scored, and the other two may be empty.
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
    if "valid" in faces.splits and name not in ("valid", "train"):
        validation = faces.splits["valid"]
    elif name == "train" or len(train) == 0:
        validation = scored.take([])
    else:
        held_out = validation_rows(train)
        validation = train.take(np.flatnonzero(held_out))
        train = train.take(np.flatnonzero(~held_out))
        by = "by subject" if train.identities is not None else "by class"
        notes.append(f"validation: {len(validation)} faces taken out of 'train', {by}")
    if training and not (len(train) and len(validation)):
        few = number(len(faces.splits["train"]), "face")
        raise DataError(f"{faces.name}: 'train' has {few}, too few to train and to validate on")
    train, validation, scored = (first(split, limit) for split in (train, validation, scored))
    return Splits(train, validation, scored, name, tuple(notes))


def validation_rows(train: FaceSplit) -> npt.NDArray[np.bool_]:
    """Mark the rows [N] to validate on: 250 of each class, or 10 % of a small one.

    Where subjects are known, all faces of a subject are taken, until there are as many rows.
    """
    order = rank(train.ids, "validation")
    counts = np.bincount(train.labels)
    quota = np.minimum(VALIDATION_PER_CLASS, np.round(VALIDATION_FRACTION * counts)).astype(int)
    quota[(counts > 1) & (quota == 0)] = 1
    chosen = np.zeros(len(train), dtype=bool)
    if train.identities is None:
        for label, wanted in enumerate(quota):
            chosen[order[train.labels[order] == label][:wanted]] = True
        return chosen
    subjects = np.array(train.identities)
    for subject in sorted(set(train.identities), key=lambda s: key("validation", s)):
        if chosen.sum() >= quota.sum():
            break
        chosen |= subjects == subject
    return chosen


def first(split: FaceSplit, limit: int) -> FaceSplit:
    """Return ``limit`` faces of a split (all for 0), the same ones in every run."""
    if not 0 < limit < len(split):
        return split
    return split.take(np.sort(rank(split.ids, "limit")[:limit]))
