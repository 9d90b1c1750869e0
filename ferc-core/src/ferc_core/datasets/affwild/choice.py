"""Which frames of Aff-Wild are used and in which split: some of each subject, split by subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.seeds import rank
from ferc_core.base.text import listed, number
from ferc_core.datasets.samples import percent_of
from ferc_core.errors import DataError, RequestError

FRAMES = 240  # of each subject: all counts of FER-C's authors are multiples of it
TEST_PERCENT = 20  # of the subjects: FER-C, section 5.1
AUTHORS_TEST = 20  # subjects: the logs of FER-C's authors
VALID_FACES = 2000  # the logs, too; with fewer than ten times as many faces, VALID_PERCENT
VALID_PERCENT = 10

BY_SUBJECT, AUTHORS = "by_identity_80_20", "authors_228_20"


def spaced(faces: pl.DataFrame, frames: int, few: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the chosen frames of each subject, and a note about those that have fewer."""
    if frames == 0:
        return faces, []
    subjects = faces.group_by("identity", maintain_order=True).len()
    names, counts = subjects["identity"].to_list(), subjects["len"].to_numpy().astype(np.int64)
    chosen = [np.empty(0, dtype=np.int64)]
    for start, count in zip(np.cumsum(counts) - counts, counts, strict=True):
        if count >= frames or few == "keep":
            chosen.append(start + evenly(count, min(count, frames)))
    short = [f"{name} ({n})" for name, n in zip(names, counts, strict=True) if n < frames]
    done = "left out" if few == "drop" else "kept with all frames"
    hint = " (few=keep keeps them)" if few == "drop" else ""
    note = (
        f"{number(len(short), 'subject')} of {len(names)} {done}: fewer than {frames} usable "
        f"frames{hint}: {listed(short)}"
    )
    return faces[np.concatenate(chosen)], [note] if short else []


def evenly(count: int, frames: int) -> npt.NDArray[np.int64]:
    """Return which of ``count`` rows are taken, from the first to the last.

    >>> evenly(11, 5)
    array([ 0,  2,  5,  8, 10])
    """
    return np.round(np.linspace(0, count - 1, frames)).astype(np.int64)


def divided(
    faces: pl.DataFrame, root: Path, split: str, validation: str
) -> tuple[npt.NDArray[np.str_], list[str]]:
    """Return the split of each face [N], and notes about the splits."""
    subjects = tuple(sorted(set(faces["identity"])))
    if len(subjects) < 2:
        raise DataError(
            f"{root}: only the subject {subjects[0]!r} is left; a split by subject needs two"
        )
    if split == AUTHORS and len(subjects) <= AUTHORS_TEST:
        raise RequestError(
            f"split={AUTHORS} takes {AUTHORS_TEST} subjects for the test, and {root} has only "
            f"{len(subjects)}; leave it out for {BY_SUBJECT}"
        )
    fifth = max(1, percent_of(TEST_PERCENT, len(subjects)))
    size = AUTHORS_TEST if split == AUTHORS else fifth
    testing = [subjects[i] for i in rank(subjects, "affwild/test")[:size]]
    part = np.where(faces["identity"].is_in(testing).to_numpy(), "test", "train")
    notes = [
        f"{number(size, 'subject')} of {len(subjects)} for the test, chosen by a hash of the names"
    ]
    if validation == "frames":
        training = np.flatnonzero(part == "train")
        fewer = len(training) < VALID_FACES * 100 // VALID_PERCENT
        size = max(1, percent_of(VALID_PERCENT, len(training))) if fewer else VALID_FACES
        ids = sample_ids(faces[training])
        part[training[rank(ids, "affwild/valid")[:size]]] = "valid"
        notes.append(
            f"{number(size, 'frame')} of training subjects for validation, as FER-C's authors "
            "did: validation shares subjects with training, so its scores say little about other "
            "subjects (validation=identity shares none)"
        )
    return part, notes


def sample_ids(faces: pl.DataFrame) -> tuple[str, ...]:
    """Return the subject and the name of the frame's file, without its suffix, as ids."""
    stem = pl.col("file").str.extract(r"([0-9]+)\.[^.]+$")
    return tuple(faces.select(pl.concat_str("identity", stem, separator="/")).to_series())
