"""Whether a dataset is fit for a run: every image is read once, and the findings are reported.

Works on what every loader returns, a `FaceSet`, so on sets of third parties, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl

from ferc_core.base.parallel import threads
from ferc_core.base.progress import track
from ferc_core.data import findings
from ferc_core.data.findings import Finding
from ferc_core.data.splits import Splits, divide, first
from ferc_core.errors import BadImageError, DataError, RequestError, as_failure
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.spec import SMALLEST_SIDE, check_image

CHUNK = 16  # images that a thread reads at a time

# One row for each image: its size and a hash of its pixels, or why there are none.
IMAGES = {
    "split": pl.String,
    "id": pl.String,
    "label": pl.Int64,
    "width": pl.Int32,
    "height": pl.Int32,
    "digest": pl.UInt64,
    "unreadable": pl.String,  # what the loader says of an image that cannot be used
    "failed": pl.String,  # any other error that it raises
}


@dataclass(frozen=True)
class Count:
    """The faces of a split, or of one class in it; what was not published is None."""

    faces: int
    published: int | None

    @property
    def difference(self) -> int | None:
        """How many more there are than published."""
        return None if self.published is None else self.faces - self.published


@dataclass(frozen=True)
class Report:
    """What was found in a dataset; ``images`` has the columns of `IMAGES`.

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
    def splits(self) -> tuple[str, ...]:
        """The splits that are there, and those that were published and are not."""
        return tuple(dict.fromkeys((*self.faces.splits, *self.faces.about.published)))

    def counts(self, split: str) -> tuple[Count, tuple[Count, ...]]:
        """Return the faces of a split, in all and for each class."""
        faces = self.faces.splits.get(split)
        labels = np.empty(0, np.int64) if faces is None else faces.labels
        there = np.bincount(labels, minlength=len(self.faces.classes)).tolist()
        published = self.faces.about.published.get(split)
        if published is None or isinstance(published, int):
            return Count(len(labels), published), tuple(Count(n, None) for n in there)
        of_class = (Count(n, known) for n, known in zip(there, published, strict=True))
        return Count(len(labels), sum(published)), tuple(of_class)


def check(faces: FaceSet, split: str = "", limit: int = 0, workers: int = 1) -> Report:
    """Read all images of a set, or ``limit`` of each split, and report what may harm a run.

    ``split`` is the one to score, as in a run. The images are read by ``workers`` threads; their
    number changes nothing in the report. Raises `RequestError` where ``split`` cannot be scored.
    """
    division, problems = divided(faces, split)
    pictures = read_images(faces, limit, workers)
    return Report(
        faces,
        division,
        pictures,
        (
            *problems,
            *findings.missing(faces),
            *findings.other_counts(faces),
            *findings.unusable(pictures),
            *findings.other_sizes(pictures, faces.about.size),
            *findings.repeated(pictures),
            *findings.shared_images(pictures, division),
            *findings.contradictions(pictures, faces.classes),
            *findings.shared_persons(faces, division),
            *findings.absent_classes(faces, division),
        ),
    )


def divided(faces: FaceSet, split: str) -> tuple[Splits | None, list[Finding]]:
    """Return how a run would divide the faces, or why it could not."""
    problems = []
    if len(faces.classes) < 2:
        text = f"only the class {faces.classes[0]!r}, where two are needed"
        problems.append(Finding("division", text, problem=True))
    try:
        return divide(faces, split), problems
    except (DataError, RequestError) as error:
        if split and isinstance(error, RequestError):
            raise
        return None, [*problems, Finding("division", str(error), problem=True)]


def read_images(faces: FaceSet, limit: int, workers: int) -> pl.DataFrame:
    """Read the images of every split in threads; returns the columns of `IMAGES`."""
    parts = {name: first(split, limit) for name, split in faces.splits.items()}
    chunks = [
        (name, part, range(start, min(start + CHUNK, len(part))))
        for name, part in parts.items()
        for start in range(0, len(part), CHUNK)
    ]
    found: list[tuple[Any, ...]] = []
    with track("read images", sum(map(len, parts.values()))) as step:
        for looked in threads(look_at, chunks, workers):
            found += looked
            step(len(looked))
    return pl.DataFrame(found, schema=IMAGES, orient="row")


def look_at(chunk: tuple[str, FaceSplit, range]) -> list[tuple[Any, ...]]:
    """Return a row of `IMAGES` for each of some images of a split."""
    name, split, rows = chunk
    return [(name, split.ids[i], int(split.labels[i]), *look(split, i)) for i in rows]


def look(split: FaceSplit, i: int) -> tuple[int | str | None, ...]:
    """Read image i; returns width, height and digest, or why there are none, as `IMAGES`."""
    try:
        image = split.read(i)
        height, width = image.shape[:2]
        if min(height, width) >= SMALLEST_SIDE:  # what is smaller is reported by itself
            check_image(image, "the image")
        digest = blake2b(f"{image.shape}".encode(), digest_size=8)
        digest.update(np.ascontiguousarray(image).data)
    except BadImageError as error:
        return None, None, None, named(error, split.ids[i]), None
    except Exception as error:  # the loader may be anybody's
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
        "splits": {name: split_as_json(report, name) for name in report.splits},
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
        "findings": [{**vars(finding), "count": len(finding.names)} for finding in report.findings],
        "sound": not report.problems,
        "reasons": [finding.text for finding in report.problems],
    }


def split_as_json(report: Report, name: str) -> dict[str, Any]:
    """Return what is known of one split."""
    total, of_class = report.counts(name)
    split = report.faces.splits.get(name)
    persons = None if split is None else split.identities
    return {
        **count_as_json(total),
        "classes": {
            label: count_as_json(count)
            for label, count in zip(report.faces.classes, of_class, strict=True)
        },
        "read": report.pictures.filter(split=name).height,
        "valence_arousal": split is not None and split.valence_arousal is not None,
        "distributions": split is not None and split.distributions is not None,
        "persons": None if persons is None else len(set(persons)),
    }


def count_as_json(count: Count) -> dict[str, int | None]:
    """Return a count with its difference."""
    return {**vars(count), "difference": count.difference}
