"""Parameters of a valence-arousal mixture as a JSON file, for other datasets to use.

``ferc gmm fit`` writes it, ``--gmm FILE`` reads it, to the last bit. The paper scores AffWild with
the parameters of AffectNet's training set (section 5.1 and appendix A.5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ferc_core.base.files import check_output, write_text
from ferc_core.base.progress import say
from ferc_core.base.schemas import MOST, Checked, Count, Texts, read_checked, validated
from ferc_core.base.seeds import key
from ferc_core.base.text import listed
from ferc_core.errors import DataError, RequestError
from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.labels.mixture import Mixture, fit, within_one_deviation
from ferc_core.labels.schemes import fallback_notes

FORMAT, VERSION = "ferc-gmm", 1
LARGEST = 100.0  # in a covariance; what lies in [-1, 1] has a variance of at most 1
SUM_TOLERANCE = 1e-6  # how far the weights of a file may be from a sum of 1


Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Source(Checked):
    """Where a mixture comes from.

    dataset:  the dataset, with options as in ``--dataset``
    release:  the release that its loader recognised, or ""
    split:    the split that the mixture was fitted on
    faces:    how many faces that split has
    rows:     how many of each class
    within_one_deviation: how many of these lie within one standard deviation of their class
    fingerprint: that of the dataset (`FaceSet.fingerprint`)
    """

    dataset: str
    release: str
    split: str
    faces: Count
    rows: Annotated[list[Count], Field(max_length=MOST)]
    within_one_deviation: Annotated[list[Count], Field(max_length=MOST)]
    fingerprint: str


class GmmFile(Checked):
    """What the file holds: K classes, `Mixture.pi`, ``mu``, ``sigma``, and where they come from."""

    format: Literal["ferc-gmm"]
    version: Literal[1]
    classes: Texts
    pi: Annotated[list[float], Field(max_length=MOST)]
    mu: Annotated[list[Pair], Field(max_length=MOST)]
    sigma: Annotated[
        list[Annotated[list[Pair], Field(min_length=2, max_length=2)]], Field(max_length=MOST)
    ]
    source: Source

    @property
    def key(self) -> str:
        """A hash of the content, whatever the layout and the path of the file."""
        return key(json.dumps(self.model_dump()), size=8).hex()

    @property
    def note(self) -> str:
        """What the parameters were fitted on, for records and people."""
        source = self.source
        release = f" ({source.release})" if source.release else ""
        return (
            f"fitted on '{source.split}' of {source.dataset}{release}, {source.faces} faces; "
            f"key {self.key}"
        )

    def mixture(self, classes: Sequence[str], whose: str) -> Mixture:
        """Return the mixture of these classes of a dataset, in their order.

        Classes are matched by name, whatever the case and surrounding blanks. Classes of the file
        that are not asked for are dropped, and the weights of the others are scaled to sum to 1.
        Raises `RequestError` for a class that the file lacks or that was fitted without a face.
        """
        place = {plain(name): k for k, name in enumerate(self.classes)}
        asked = [plain(name) for name in classes]
        for name, short in zip(classes, asked, strict=True):
            if asked.count(short) > 1:
                raise RequestError(
                    f"{whose} has two classes {name!r} that differ in case and blanks alone, "
                    "which the mixture of --gmm cannot tell apart"
                )
            if short not in place:
                raise RequestError(
                    f"the mixture of --gmm has no class {name!r}, which {whose} has; "
                    f"its classes are {listed(self.classes, 20)}"
                )
            if self.pi[place[short]] == 0:
                raise RequestError(
                    f"the mixture of --gmm was fitted without a face of class {name!r}, which "
                    f"{whose} has; fit it on data that show all classes"
                )
        rows = [place[short] for short in asked]
        pi = np.array(self.pi)[rows]
        if len(rows) < len(self.classes):
            pi /= pi.sum()
        return Mixture(pi, np.array(self.mu)[rows], np.array(self.sigma)[rows])

    def to_json(self) -> str:
        """Return the text of the file; the same for the same content."""
        return json.dumps(self.model_dump(), indent=2, ensure_ascii=False) + "\n"


def plain(name: str) -> str:
    """Return a class name in lower case, without surrounding blanks."""
    return name.strip().casefold()


def fitted(faces: FaceSet, train: FaceSplit, dataset: str) -> GmmFile:
    """Fit the mixture of a dataset on ``train``, its training faces without the validation ones.

    ``dataset`` is its name for records. Raises `RequestError` when it has no valence and arousal,
    `DataError` when it has no training faces.
    """
    points, labels, k = train.valence_arousal, train.labels, len(faces.classes)
    if points is None:
        raise RequestError(
            f"{faces.name} has no valence and arousal, so there is nothing to fit a mixture to"
        )
    if len(train) == 0:
        raise DataError(f"{faces.name} has no training faces to fit a mixture to")
    mixture = fit(points, labels, k)
    for note in fallback_notes(mixture, faces.classes):
        say(f"  {note}")
    rows = np.bincount(labels, minlength=k).tolist()
    kept = [len(within_one_deviation(points[labels == c])) if n else 0 for c, n in enumerate(rows)]
    return validated(
        {
            "format": FORMAT,
            "version": VERSION,
            "classes": list(faces.classes),
            "pi": mixture.pi.tolist(),
            "mu": mixture.mu.tolist(),
            "sigma": mixture.sigma.tolist(),
            "source": {
                "dataset": dataset,
                "release": faces.about.release,
                "split": "train",
                "faces": len(train),
                "rows": rows,
                "within_one_deviation": kept,
                "fingerprint": faces.fingerprint,
            },
        },
        GmmFile,
    )


def read_gmm(path: Path) -> GmmFile:
    """Read the file; raises `RequestError` with one sentence for anything but a valid mixture."""
    try:
        content = read_checked(path, GmmFile)
    except OSError as error:
        raise RequestError(
            f"cannot read the mixture {path}: {error.strerror}; ferc gmm fit writes such a file"
        ) from error
    except ValueError as error:
        raise RequestError(f"{path} is not a mixture file of ferc gmm fit: {error}") from error
    problem = flaw(content)
    if problem:
        raise RequestError(f"{path} does not hold a mixture: {problem}")
    return content


def write_gmm(path: Path, content: GmmFile) -> None:
    """Write the file atomically; see `check_free` for what it may replace."""
    check_free(path)
    write_text(path, content.to_json())


def check_free(path: Path) -> None:
    """Raise `RequestError` when ``path`` is an existing file of another kind."""
    check_output(path)
    if path.exists():
        try:
            read_gmm(path)
        except RequestError as error:
            raise RequestError(
                f"{path} exists and is not a mixture file of ferc gmm fit; choose another --out"
            ) from error


def flaw(content: GmmFile) -> str:
    """Return what is wrong with the numbers, "" for nothing."""
    names, k = content.classes, len(content.classes)
    for part in ("pi", "mu", "sigma"):
        if len(getattr(content, part)) != k:
            return f"{part} has {len(getattr(content, part))} entries for {k} classes"
    if len({plain(name) for name in names}) < k:
        return f"two of its classes have the same name: {', '.join(names)}"
    if min(content.pi, default=-1) < 0:
        return "pi must be weights of one class or more, none of them negative"
    if abs(sum(content.pi) - 1) > SUM_TOLERANCE:
        return f"pi sums to {sum(content.pi):g}, not to 1"
    for name, mean, sigma in zip(names, content.mu, content.sigma, strict=True):
        if max(map(abs, mean)) > 1:
            return f"the mean of class {name!r} lies outside [-1, 1]"
        matrix = np.array(sigma)
        if np.abs(matrix).max() > LARGEST:
            return f"the covariance of class {name!r} is too large for points in [-1, 1]"
        definite = matrix[0, 0] > 0 and np.linalg.det(matrix) > 0
        if not (definite and np.allclose(matrix, matrix.T, atol=0)):
            return f"the covariance of class {name!r} is not symmetric and positive definite"
    return ""
