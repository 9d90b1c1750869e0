"""What may harm a run, found in the faces of a dataset and its images.

A finding is a problem if a run would fail or its result would mislead; anything else that is worth
a look is a warning. ``images`` has the columns of `ferc_core.data.checks.IMAGES`.
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

UNLIKE = 0.05  # relative difference of a split from the published number
SKIP = "a run stops at the first one; --on-bad-image skip leaves them out"

Name = str | tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """Something in the data that may harm a run; a ``problem`` makes the dataset unsound.

    ``names`` say where to look: ids, paths, subjects, classes; a tuple holds equal images.
    """

    kind: str
    text: str
    names: tuple[Name, ...] = ()
    problem: bool = False
    advice: str = ""


def missing(faces: FaceSet) -> Iterator[Finding]:
    """Find files that are annotated and missing."""
    files = faces.about.missing
    if not files:
        return
    lost, there = sum(files.values()), sum(map(len, faces.splits.values()))
    try:
        check_missing(faces, "fail")
        problem, advice = False, "a run continues without them"
    except DataError:
        problem = True
        advice = (
            f"a run stops if more than {TOLERATED:.0%} are lost: unpack the archives again, or "
            "continue without them by --on-bad-image skip"
        )
    text = f"{lost:,} of {lost + there:,} faces lost with {number(len(files), 'missing file')}"
    names = tuple(path if n == 1 else f"{path} ({n:,} faces)" for path, n in files.items())
    yield Finding("missing", text, names, problem, advice)


def other_counts(faces: FaceSet) -> Iterator[Finding]:
    """Find splits that are far from the published number of faces, such as half a copy."""
    for split, published in faces.about.published.items():
        known = published if isinstance(published, int) else sum(published)
        there = len(faces.splits.get(split, ()))
        if abs(there - known) > UNLIKE * known:
            text = f"'{split}' has {number(there, 'face')}; {known:,} were published"
            yield Finding("counts", text)


def unusable(images: pl.DataFrame) -> Iterator[Finding]:
    """Find the images that a run cannot use."""
    small = images.filter(pl.min_horizontal("width", "height") < SMALLEST_SIDE)
    least = f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
    for kind, names, text, advice in (
        ("unreadable", images["unreadable"].drop_nulls(), "{} cannot be read", SKIP),
        (
            "failed",
            images["failed"].drop_nulls(),
            "the loader fails at {}",
            "it should raise BadImageError if an image is not usable",
        ),
        ("small", sized(small), f"{{}} too small for corruptions, which need {least} pixels", SKIP),
    ):
        if len(names):
            yield Finding(
                kind, text.format(number(len(names), "image")), tuple(names), True, advice
            )


def other_sizes(images: pl.DataFrame, size: tuple[int, int] | None) -> Iterator[Finding]:
    """Find the images that do not have the size of the original."""
    if size is None:
        return
    width, height = size
    others = sized(images.filter((pl.col("width") != width) | (pl.col("height") != height)))
    if len(others):
        text = f"{number(len(others), 'image')} not of the original size {width}x{height}"
        yield Finding("size", text, tuple(others))


def repeated(images: pl.DataFrame) -> Iterator[Finding]:
    """Find equal images within a split."""
    known = images.drop_nulls("digest")
    several = known.filter(pl.len().over("split", "digest") > 1)
    for (split,), rows in several.group_by("split", maintain_order=True):
        groups = together(rows, pl.col("id"))
        text = f"{number(len(groups), 'group')} of equal images within '{split}'"
        yield Finding("repeated", f"{text}, {len(rows):,} images in all", groups)


def shared_images(images: pl.DataFrame, division: Splits | None) -> Iterator[Finding]:
    """Find equal images in two splits: a problem if many scored images were trained on."""
    known = images.drop_nulls("digest")
    for one, other in pairs(known["split"].unique(maintain_order=True)):
        pair = known.filter(pl.col("split").is_in([one, other]))
        twins = pair.filter(pl.col("split").n_unique().over("digest") > 1)
        if twins.is_empty():
            continue
        n, of = twins.filter(split=other).height, pair.filter(split=other).height
        problem = is_scored_on(division, one, other) and n > TOLERATED * of
        yield Finding(
            "shared images",
            f"{n:,} of {number(of, 'image')} of '{other}' ({n / of:.1%}) also in '{one}'",
            together(twins, pl.format("{} ({})", "id", "split")),
            problem,
            f"no more than {TOLERATED:.0%} should occur in training" if problem else "",
        )


def contradictions(images: pl.DataFrame, classes: tuple[str, ...]) -> Iterator[Finding]:
    """Find equal images with different labels."""
    known = images.drop_nulls("digest")
    rows = known.filter(pl.col("label").n_unique().over("digest") > 1).with_columns(
        pl.col("label").replace_strict(dict(enumerate(classes)), return_dtype=pl.String)
    )
    if not rows.is_empty():
        groups = together(rows, pl.format("{} ({}, {})", "id", "split", "label"))
        text = f"{number(len(groups), 'group')} of equal images with different labels"
        yield Finding("contradictions", text, groups)


def shared_subjects(faces: FaceSet, division: Splits | None) -> Iterator[Finding]:
    """Find subjects in two splits: a problem if the model is scored on subjects it has seen."""
    subjects = {
        name: Counter(split.identities)
        for name, split in faces.splits.items()
        if split.identities is not None
    }
    for one, other in pairs(subjects):
        both = sorted(subjects[one].keys() & subjects[other].keys())
        if both:
            problem = is_scored_on(division, one, other)
            yield Finding(
                "shared persons",
                f"{number(len(both), 'subject')} both in '{one}' and in '{other}'",
                tuple(f"{s} ({subjects[one][s]} and {subjects[other][s]} images)" for s in both),
                problem,
                "the scores would be of subjects seen in training" if problem else "",
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


def sized(images: pl.DataFrame) -> pl.Series:
    """Return the ids of images with their sizes."""
    return images.select(pl.format("{} ({}x{})", "id", "width", "height")).to_series()


def together(images: pl.DataFrame, name: pl.Expr) -> tuple[tuple[str, ...], ...]:
    """Return the names of equal images group by group."""
    groups = images.group_by("digest", maintain_order=True).agg(name.alias("names"))
    return tuple(map(tuple, groups["names"].to_list()))
