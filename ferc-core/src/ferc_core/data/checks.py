"""Whether a dataset is fit for a run: every image is read once, and the findings are reported.

Works on any `FaceSet`, those of third-party loaders included.
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
    "unreadable": pl.String,  # the loader's `BadImageError`
    "failed": pl.String,  # any other error of the loader
}


@dataclass(frozen=True)
class Count:
    """The number of faces of a split or a class; ``published`` is None if unknown."""

    faces: int
    published: int | None

    @property
    def difference(self) -> int | None:
        """The number of faces beyond the published one."""
        return None if self.published is None else self.faces - self.published


@dataclass(frozen=True)
class Report:
    """What was found in a dataset; ``images`` has the columns of `IMAGES`.

    ``division`` is how a run would divide the faces, None if it cannot.
    """

    faces: FaceSet
    division: Splits | None
    images: pl.DataFrame
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that make the dataset unsound."""
        return tuple(finding for finding in self.findings if finding.problem)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits of the dataset, then the published ones that it lacks."""
        return tuple(dict.fromkeys((*self.faces.splits, *self.faces.about.published)))

    def counts(self, split: str) -> tuple[Count, tuple[Count, ...]]:
        """Return the counts of a split: in all, and by class."""
        faces = self.faces.splits.get(split)
        labels = np.empty(0, np.int64) if faces is None else faces.labels
        there = np.bincount(labels, minlength=len(self.faces.classes)).tolist()
        published = self.faces.about.published.get(split)
        if published is None or isinstance(published, int):
            return Count(len(labels), published), tuple(Count(n, None) for n in there)
        of_class = (Count(n, known) for n, known in zip(there, published, strict=True))
        return Count(len(labels), sum(published)), tuple(of_class)


def check(faces: FaceSet, split: str = "", limit: int = 0, workers: int = 1) -> Report:
    """Read all images of a dataset, or ``limit`` of each split, and report what may harm a run.

    ``split`` is the one to score, as in a run. The images are read by ``workers`` threads, whose
    number does not change the report. Raises `RequestError` if ``split`` cannot be scored.
    """
    division, problems = divided(faces, split)
    images = read_images(faces, limit, workers)
    return Report(
        faces,
        division,
        images,
        (
            *problems,
            *findings.missing(faces),
            *findings.other_counts(faces),
            *findings.unusable(images),
            *findings.other_sizes(images, faces.about.size),
            *findings.repeated(images),
            *findings.shared_images(images, division),
            *findings.contradictions(images, faces.classes),
            *findings.shared_subjects(faces, division),
            *findings.absent_classes(faces, division),
        ),
    )


def divided(faces: FaceSet, split: str) -> tuple[Splits | None, list[Finding]]:
    """Return how a run would divide the faces, or why it cannot."""
    problems = []
    if len(faces.classes) < 2:
        text = f"only the class {faces.classes[0]!r}; two are needed"
        problems.append(Finding("division", text, problem=True))
    try:
        return divide(faces, split), problems
    except (DataError, RequestError) as error:
        if split and isinstance(error, RequestError):
            raise
        return None, [*problems, Finding("division", str(error), problem=True)]


def read_images(faces: FaceSet, limit: int, workers: int) -> pl.DataFrame:
    """Read the images of every split in threads; return the columns of `IMAGES`."""
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
    """Return the rows of `IMAGES` of a chunk of a split."""
    name, split, rows = chunk
    return [(name, split.ids[i], int(split.labels[i]), *look(split, i)) for i in rows]


def look(split: FaceSplit, i: int) -> tuple[int | str | None, ...]:
    """Read image i; return the last five columns of `IMAGES`."""
    try:
        image = split.read(i)
        height, width = image.shape[:2]
        if min(height, width) >= SMALLEST_SIDE:  # smaller images are reported separately
            check_image(image, "the image")
        digest = blake2b(f"{image.shape}".encode(), digest_size=8)
        digest.update(np.ascontiguousarray(image).data)
    except BadImageError as error:
        return None, None, None, named(error, split.ids[i]), None
    except BaseException as error:  # the loader is foreign code
        return None, None, None, None, named(as_failure(error), split.ids[i])
    return width, height, int.from_bytes(digest.digest(), "little"), None, None


def named(error: Exception, sample: str) -> str:
    """Return a message that contains the sample's id."""
    return str(error) if sample in str(error) else f"{sample}: {error}"


def as_json(report: Report) -> dict[str, Any]:
    """Return the content of a report as plain values."""
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
    """Return the content of a report about one split."""
    total, of_class = report.counts(name)
    split = report.faces.splits.get(name)
    subjects = None if split is None else split.identities
    return {
        **count_as_json(total),
        "classes": {
            label: count_as_json(count)
            for label, count in zip(report.faces.classes, of_class, strict=True)
        },
        "read": report.images.filter(split=name).height,
        "valence_arousal": split is not None and split.valence_arousal is not None,
        "distributions": split is not None and split.distributions is not None,
        "persons": None if subjects is None else len(set(subjects)),
    }


def count_as_json(count: Count) -> dict[str, int | None]:
    """Return a count with its difference from the published one."""
    return {**vars(count), "difference": count.difference}
