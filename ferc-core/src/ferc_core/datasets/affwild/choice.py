"""Which frames of Aff-Wild are used and in which split: some of each identity, by identity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.seeds import rank
from ferc_core.base.text import listed, number
from ferc_core.errors import DataError, RequestError

FRAMES = 240  # of an identity: all counts of FER-C's authors are multiples of it
TEST_PERCENT = 20  # of the identities: FER-C, section 5.1
AUTHORS_TEST = 20  # identities: the logs of FER-C's authors
VALID_FACES = 2000  # the logs, too; where there are fewer than ten times as many, VALID_PERCENT
VALID_PERCENT = 10

BY_IDENTITY, AUTHORS = "by_identity_80_20", "authors_228_20"


def spaced(faces: pl.DataFrame, frames: int, few: str) -> tuple[pl.DataFrame, list[str]]:
    """Return the chosen frames of each identity, and a note of those that have fewer."""
    if frames == 0:
        return faces, []
    people = faces.group_by("identity", maintain_order=True).len()
    names, counts = people["identity"].to_list(), people["len"].to_numpy().astype(np.int64)
    chosen = [np.empty(0, dtype=np.int64)]
    for start, count in zip(np.cumsum(counts) - counts, counts, strict=True):
        if count >= frames:
            chosen.append(start + evenly(count, frames))
        elif few == "keep":
            chosen.append(start + np.arange(count))
    short = [f"{name} ({n})" for name, n in zip(names, counts, strict=True) if n < frames]
    done = "left out" if few == "drop" else "kept with all frames"
    hint = ", which few=keep keeps" if few == "drop" else ""
    note = (
        f"{number(len(short), 'identity')} of {len(names)} {done}: fewer than {frames} frames can "
        f"be used{hint}: {listed(short)}"
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
    """Return the split of each face [N], and what to know about them."""
    people = tuple(sorted(set(faces["identity"])))
    if len(people) < 2:
        raise DataError(
            f"{root}: only the identity {people[0]!r} is left, and a split by identity needs two"
        )
    if split == AUTHORS and len(people) <= AUTHORS_TEST:
        raise RequestError(
            f"split={AUTHORS} takes {AUTHORS_TEST} identities for the test, and {root} has only "
            f"{len(people)}; leave it out for {BY_IDENTITY}"
        )
    by_share = max(1, (len(people) * TEST_PERCENT + 50) // 100)
    size = AUTHORS_TEST if split == AUTHORS else by_share
    testing = [people[i] for i in rank(people, "affwild/test")[:size]]
    part = np.where(faces["identity"].is_in(testing).to_numpy(), "test", "train")
    notes = [
        f"{number(size, 'identity')} of {len(people)} for the test, chosen by a hash of the names"
    ]
    if validation == "frames":
        training = np.flatnonzero(part == "train")
        fewer = len(training) < VALID_FACES * 100 // VALID_PERCENT
        size = max(1, (len(training) * VALID_PERCENT + 50) // 100) if fewer else VALID_FACES
        ids = sample_ids(faces[training])
        part[training[rank(ids, "affwild/valid")[:size]]] = "valid"
        notes.append(
            f"{number(size, 'frame')} of training identities for validation, as FER-C's authors "
            "did: validation shares identities with training, so its scores say little of other "
            "people (validation=identity shares none)"
        )
    return part, notes


def sample_ids(faces: pl.DataFrame) -> tuple[str, ...]:
    """Return identity and name of the frame's file, without its suffix, as ids."""
    stem = pl.col("file").str.extract(r"([0-9]+)\.[^.]+$")
    return tuple(faces.select(pl.concat_str("identity", stem, separator="/")).to_series())
