"""What may harm a run, found in the faces of a dataset and in what reading them has shown.

A finding is a problem where a run would fail or its result would mislead; everything else that is
worth a look is a warning. ``images`` have the columns of `ferc_core.data.checks.IMAGES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from ferc_core.base.text import number
from ferc_core.data.opening import TOLERATED, check_missing
from ferc_core.data.splits import Splits
from ferc_core.errors import DataError
from ferc_core.faces import FaceSet
from ferc_core.spec import SMALLEST_SIDE

UNLIKE = 0.05  # share by which a split may differ from what was published
SKIP = "a run stops at the first; --on-bad-image skip leaves them out"

Name = str | tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Something in the data that may harm a run; a ``problem`` makes the set unsound.

    ``names`` say where to look: ids, paths, persons, classes; equal images stand in one tuple.
    """

    kind: str
    text: str
    names: tuple[Name, ...] = ()
    problem: bool = False
    advice: str = ""


def missing(faces: FaceSet) -> Iterator[Finding]:
    """Find what the annotations name and what is not there."""
    files = faces.about.missing
    if not files:
        return
    lost, there = sum(files.values()), sum(map(len, faces.splits.values()))
    try:
        check_missing(faces, "fail")
        problem, advice = False, "a run goes on without them"
    except DataError:
        problem = True
        advice = (
            f"a run stops where more than {TOLERATED:.0%} are lost: unpack the archives again, or "
            "go on without them by --on-bad-image skip"
        )
    yield Finding(
        "missing",
        f"{lost:,} of {lost + there:,} faces lost with {number(len(files), 'missing file')}",
        tuple(path if n == 1 else f"{path} ({n:,} faces)" for path, n in files.items()),
        problem,
        advice,
    )


def other_counts(faces: FaceSet) -> Iterator[Finding]:
    """Find splits that are far from the published number of faces, because half is there, say."""
    for split, published in faces.about.published.items():
        known = published if isinstance(published, int) else sum(published)
        there = len(faces.splits.get(split, ()))
        if abs(there - known) > UNLIKE * known:
            text = f"'{split}' has {number(there, 'face')}, where {known:,} were published"
            yield Finding("counts", text)


def unusable(pictures: pl.DataFrame) -> Iterator[Finding]:
    """Find the images that a run cannot use."""
    unreadable = tuple(pictures["unreadable"].drop_nulls())
    if unreadable:
        text = f"{number(len(unreadable), 'picture')} cannot be read"
        yield Finding("unreadable", text, unreadable, True, SKIP)
    failed = tuple(pictures["failed"].drop_nulls())
    if failed:
        text = f"the loader fails at {number(len(failed), 'picture')}"
        advice = "it should raise BadImageError where an image cannot be used"
        yield Finding("failed", text, failed, True, advice)
    small = sized(pictures.filter(pl.min_horizontal("width", "height") < SMALLEST_SIDE))
    if small:
        text = (
            f"{number(len(small), 'picture')} too small for corruptions, which need "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
        )
        yield Finding("small", text, small, True, SKIP)


def other_sizes(pictures: pl.DataFrame, size: tuple[int, int] | None) -> Iterator[Finding]:
    """Find the images that do not have the size of the original."""
    if size is None:
        return
    width, height = size
    others = sized(pictures.filter((pl.col("width") != width) | (pl.col("height") != height)))
    if others:
        text = f"{number(len(others), 'picture')} not of the original size {width}x{height}"
        yield Finding("size", text, others)


def repeated(pictures: pl.DataFrame) -> Iterator[Finding]:
    """Find equal images within a split."""
    known = pictures.drop_nulls("digest")
    several = known.filter(pl.len().over("split", "digest") > 1)
    for (split,), rows in several.group_by("split", maintain_order=True):
        groups = together(rows, pl.col("id"))
        text = f"{number(len(groups), 'group')} of equal images within '{split}'"
        yield Finding("repeated", f"{text}, {len(rows):,} images in all", groups)


def shared_images(pictures: pl.DataFrame, division: Splits | None) -> Iterator[Finding]:
    """Find equal images in two splits: a problem where the model is scored on what it learnt."""
    known = pictures.drop_nulls("digest")
    for one, other in pairs(known["split"].unique(maintain_order=True)):
        pair = known.filter(pl.col("split").is_in([one, other]))
        twins = pair.filter(pl.col("split").n_unique().over("digest") > 1)
        if twins.is_empty():
            continue
        n, of = twins.filter(split=other).height, pair.filter(split=other).height
        problem = is_scored_on(division, one, other) and n > TOLERATED * of
        yield Finding(
            "shared images",
            f"{n:,} of {number(of, 'picture')} of '{other}' ({n / of:.1%}) also in '{one}'",
            together(twins, pl.format("{} ({})", "id", "split")),
            problem,
            f"no more than {TOLERATED:.0%} should have been seen in training" if problem else "",
        )


def contradictions(pictures: pl.DataFrame, classes: tuple[str, ...]) -> Iterator[Finding]:
    """Find equal images with different labels."""
    known = pictures.drop_nulls("digest")
    rows = known.filter(pl.col("label").n_unique().over("digest") > 1).with_columns(
        pl.col("label").replace_strict(dict(enumerate(classes)), return_dtype=pl.String)
    )
    if not rows.is_empty():
        groups = together(rows, pl.format("{} ({}, {})", "id", "split", "label"))
        text = f"{number(len(groups), 'group')} of equal images with different labels"
        yield Finding("contradictions", text, groups)


def shared_persons(faces: FaceSet, division: Splits | None) -> Iterator[Finding]:
    """Find persons in two splits: a problem where the model is scored on whom it has learnt."""
    persons = {
        name: Counter(split.identities)
        for name, split in faces.splits.items()
        if split.identities is not None
    }
    for one, other in pairs(persons):
        both = sorted(persons[one].keys() & persons[other].keys())
        if both:
            problem = is_scored_on(division, one, other)
            yield Finding(
                "shared persons",
                f"{number(len(both), 'person')} both in '{one}' and in '{other}'",
                tuple(f"{p} ({persons[one][p]} and {persons[other][p]} images)" for p in both),
                problem,
                "the scores would be of persons seen in training" if problem else "",
            )


def absent_classes(faces: FaceSet, division: Splits | None) -> Iterator[Finding]:
    """Find classes without a face to train on or to score."""
    if division is None:
        return
    for split, where, problem in (
        (division.train, "to train on", True),
        (division.scored, f"in '{division.scored_name}'", False),
    ):
        there = set(split.labels.tolist())
        absent = tuple(name for k, name in enumerate(faces.classes) if k not in there)
        if absent:
            text = f"{number(len(absent), 'class', 'classes')} without a face {where}"
            yield Finding("absent classes", text, absent, problem)


def pairs(splits: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Return every two of some splits, 'train' first."""
    return combinations(sorted(splits, key=lambda name: name != "train"), 2)


def is_scored_on(division: Splits | None, one: str, other: str) -> bool:
    """Say whether a run trains on the split ``one`` and scores the split ``other``."""
    return division is not None and (one, other) == ("train", division.scored_name)


def sized(pictures: pl.DataFrame) -> tuple[str, ...]:
    """Return the ids of images with their sizes."""
    return tuple(pictures.select(pl.format("{} ({}x{})", "id", "width", "height")).to_series())


def together(pictures: pl.DataFrame, name: pl.Expr) -> tuple[tuple[str, ...], ...]:
    """Return the names of equal images group by group."""
    groups = pictures.group_by("digest", maintain_order=True).agg(name.alias("names"))
    return tuple(map(tuple, groups["names"].to_list()))
