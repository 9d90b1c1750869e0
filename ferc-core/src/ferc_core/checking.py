"""Whether a data set is fit for a run: every picture read once, and what may harm is named.

Works on what every loader returns, a `FaceSet`. A finding is a problem where a run would fail or
its result would mislead; everything else that is worth a look is a warning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from ferc_core.errors import BadImageError, DataError, PluginError, RequestError, as_failure
from ferc_core.executors import threads
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.plan import TOLERATED, check_missing
from ferc_core.spec import SMALLEST_SIDE, check_image
from ferc_core.splits import Splits, divide, first
from ferc_core.watch import current

CHUNK = 64  # pictures that a thread reads at a time

# One row for each picture: its trouble, or its size and a hash of its pixels.
PICTURES = {
    "split": pl.String,
    "id": pl.String,
    "label": pl.Int64,
    "width": pl.Int32,
    "height": pl.Int32,
    "digest": pl.UInt64,
    "unreadable": pl.String,  # what the loader says of a picture that cannot be used
    "failed": pl.String,  # any other error that it raises
}


@dataclass(frozen=True)
class Report:
    """What was found in a data set; ``pictures`` has the columns of `PICTURES`.

    ``division`` is how a run would divide the faces, None where it could not.
    """

    faces: FaceSet
    division: Splits | None
    pictures: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that make the set unsound."""
        return tuple(finding for finding in self.findings if finding.problem)

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits that are there, and those that were published and are not."""
        return tuple(dict.fromkeys((*self.faces.splits, *self.faces.about.published)))

    def counts(self, split: str) -> dict[str, int]:
        """Return the number of faces of each class; zeros for a split that is not there."""
        found = self.faces.splits.get(split)
        labels = np.empty(0, np.int64) if found is None else found.labels
        classes = self.faces.classes
        counts = np.bincount(labels, minlength=len(classes)).tolist()
        return dict(zip(classes, counts, strict=True))

    def published(self, split: str) -> int | dict[str, int] | None:
        """Return the published number of faces: in all, for each class, or None."""
        number, classes = self.faces.about.published.get(split), self.faces.classes
        if number is None or isinstance(number, int):
            return number
        if len(number) != len(classes):
            raise PluginError(
                f"the loader of {self.faces.name} publishes {len(number)} counts of '{split}' for "
                f"{len(classes)} classes"
            )
        return dict(zip(classes, number, strict=True))


def check(faces: FaceSet, split: str = "", limit: int = 0, workers: int = 1) -> Report:
    """Read all pictures of a set, or ``limit`` of each split, and report what may harm a run.

    ``split`` is the one to score, as in a run. The pictures are read by ``workers`` threads; their
    number changes nothing in the report. Raises `RequestError` where ``split`` cannot be scored.
    """
    division, findings = divided(faces, split)
    scored = "" if division is None else division.scored_name
    pictures = read_pictures(faces, limit, workers)
    findings += [
        *missing(faces),
        *unusable(pictures),
        *other_sizes(pictures, faces.about.size),
        *repeated(pictures),
        *shared_pictures(pictures, scored),
        *contradictions(pictures, faces.classes),
        *shared_persons(faces, scored),
        *absent_classes(faces, division),
    ]
    return Report(faces, division, pictures, tuple(findings))


def divided(faces: FaceSet, split: str) -> tuple[Splits | None, list[Finding]]:
    """Return how a run would divide the faces, or why it could not."""
    findings = []
    if len(faces.classes) < 2:
        findings.append(Finding("classes", "only one class, where two are needed", problem=True))
    try:
        return divide(faces, split), findings
    except (DataError, RequestError) as error:
        if split and isinstance(error, RequestError):
            raise
        return None, [*findings, Finding("division", str(error), problem=True)]


def read_pictures(faces: FaceSet, limit: int, workers: int) -> pl.DataFrame:
    """Read the pictures of every split in threads; returns the columns of `PICTURES`."""
    parts = {name: first(split, limit) for name, split in faces.splits.items()}
    chunks = [
        (name, part, range(start, min(start + CHUNK, len(part))))
        for name, part in parts.items()
        for start in range(0, len(part), CHUNK)
    ]
    looked = [pl.DataFrame(schema=PICTURES)]
    with current().track("read pictures", sum(map(len, parts.values()))) as step:
        for rows in threads(look_at, chunks, workers):
            looked.append(rows)
            step(len(rows))
    return pl.concat(looked)


def look_at(chunk: tuple[str, FaceSplit, range]) -> pl.DataFrame:
    """Read some pictures and keep what they are, not what they show."""
    name, split, rows = chunk
    found = [
        (name, split.ids[i], int(split.labels[i]), *look(split, i))
        for i in rows
    ]
    return pl.DataFrame(found, schema=PICTURES, orient="row")


def look(split: FaceSplit, i: int) -> tuple[int | None, int | None, int | None, str | None, str | None]:
    """Return the last five of `PICTURES` for picture i."""
    try:
        image = split.read(i)
        height, width = image.shape[:2]
        if min(height, width) >= SMALLEST_SIDE:  # what is smaller is reported by itself
            check_image(image, "the picture")
        digest = blake2b(np.ascontiguousarray(image), digest_size=8, key=f"{image.shape}".encode())
    except BadImageError as error:
        return None, None, None, named(error, split.ids[i]), None
    except Exception as error:  # of a loader by whomever
        return None, None, None, None, named(as_failure(error), split.ids[i])
    return width, height, int.from_bytes(digest.digest(), "little"), None, None


def named(error: Exception, sample: str) -> str:
    """Return a message with the sample's id in it."""
    return str(error) if sample in str(error) else f"{sample}: {error}"


def as_json(report: Report) -> dict[str, Any]:
    """Return everything that a report says, as plain values."""
    faces, division = report.faces, report.division
    return {
        "release": faces.about.release,
        "classes": list(faces.classes),
        "splits": {name: split_as_json(report, name) for name in report.split_names},
        "notes": list(faces.notes),
        "division": None
        if division is None
        else {
            "train": len(division.train),
            "validation": len(division.validation),
            "scored": len(division.scored),
            "scored_split": division.scored_name,
            "notes": list(division.notes),
        },
        "findings": [
            {**vars(finding), "names": list(finding.names), "count": len(finding.names)}
            for finding in report.findings
        ],
        "sound": not report.problems,
        "reasons": [finding.text for finding in report.problems],
    }


def split_as_json(report: Report, name: str) -> dict[str, Any]:
    """Return what is known of one split."""
    counts, published = report.counts(name), report.published(name)
    split = report.faces.splits.get(name)
    return {
        "faces": sum(counts.values()),
        "read": report.pictures.filter(split=name).height,
        "classes": counts,
        "published": published,
        "difference": difference(counts, published),
        "valence_arousal": split is not None and split.valence_arousal is not None,
        "distributions": split is not None and split.distributions is not None,
        "identities": None
        if split is None or split.identities is None
        else len(set(split.identities)),
    }


def difference(
    counts: Mapping[str, int], published: int | Mapping[str, int] | None
) -> int | dict[str, int] | None:
    """Return how many faces more there are than published, in all or for each class."""
    if published is None:
        return None
    if isinstance(published, int):
        return sum(counts.values()) - published
    return {name: counts[name] - n for name, n in published.items()}
