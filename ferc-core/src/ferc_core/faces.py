"""A dataset of labelled faces, as every dataset plugin returns it.

A `FaceSet` has classes and splits; a `FaceSplit` is a sequence of `Face` samples, whose images are
read on access, and arrays over all of them (labels, valence-arousal, ...).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from ferc_core.errors import DataError

SPLITS = ("train", "valid", "test")
GROUP = re.compile(r"[a-z][a-z0-9_]{0,30}")  # names of attributes
SUM_TOLERANCE = 1e-2  # accepted difference of the sum of a label distribution from 1


@dataclass(frozen=True)
class Face:
    """One sample. ``label`` is an index into the classes; unknown annotations are None."""

    id: str
    label: int
    read: Callable[[], npt.NDArray[np.uint8]] = field(repr=False)
    valence: float | None = None
    arousal: float | None = None
    distribution: npt.NDArray[np.float64] | None = None
    identity: str | None = None
    groups: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """The image, uint8 RGB [H, W, 3]; raises `BadImageError` if it cannot be read."""
        return self.read()


@dataclass(frozen=True)
class ChosenRows:
    """Reads some of the images that ``read`` reads; picklable if it is."""

    read: Callable[[int], npt.NDArray[np.uint8]]
    rows: npt.NDArray[np.int64]

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Return the image of chosen row ``i``."""
        return self.read(int(self.rows[i]))


@dataclass(frozen=True)
class FaceSplit(Sequence[Face]):
    """N faces in a fixed order.

    ids:            N different strings; with corruption, severity and seed they address the
                    random field of a corrupted image
    labels:         int64 [N], 0 .. K-1
    read:           ``read(i)`` gives image i as uint8 RGB [H, W, 3]
    valence_arousal: float64 [N, 2] in [-1, 1], or None
    distributions:  float64 [N, K], rows sum to 1, or None
    identities:     N names of subjects, or None
    groups:         by attribute, such as "age" or "gender", the N values, None where unknown
    """

    ids: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    read: Callable[[int], npt.NDArray[np.uint8]] = field(repr=False)
    valence_arousal: npt.NDArray[np.float64] | None = None
    distributions: npt.NDArray[np.float64] | None = None
    identities: tuple[str, ...] | None = None
    groups: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Face: ...
    @overload
    def __getitem__(self, index: slice) -> FaceSplit: ...
    def __getitem__(self, index: int | slice) -> Face | FaceSplit:
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        i = range(len(self))[index]  # IndexError and negative indices as in a list
        va, dist = self.valence_arousal, self.distributions
        return Face(
            id=self.ids[i],
            label=int(self.labels[i]),
            read=lambda: self.read(i),
            valence=None if va is None else float(va[i, 0]),
            arousal=None if va is None else float(va[i, 1]),
            distribution=None if dist is None else dist[i],
            identity=None if self.identities is None else self.identities[i],
            groups={name: values[i] for name, values in self.groups.items()},
        )

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> FaceSplit:
        """Return the faces of these rows, in this order."""
        index = np.asarray(rows, dtype=np.int64)
        return replace(
            self,
            ids=tuple(self.ids[i] for i in index),
            labels=self.labels[index],
            read=ChosenRows(self.read, index),
            valence_arousal=None if self.valence_arousal is None else self.valence_arousal[index],
            distributions=None if self.distributions is None else self.distributions[index],
            identities=None
            if self.identities is None
            else tuple(self.identities[i] for i in index),
            groups={name: tuple(v[i] for i in index) for name, v in self.groups.items()},
        )


@dataclass(frozen=True)
class About:
    """What a loader knows about its data beside the faces; `ferc data check` shows it.

    release:    the name of the release that was recognised
    missing:    annotated files that are missing or cannot be opened (an image, a video), each
                with the number of faces lost with it
    published:  the number of faces of each split according to its owners or the literature: in
                all, or for each of the K classes
    size:       width and height of every image in the original, or None
    """

    release: str = ""
    missing: Mapping[str, int] = field(default_factory=dict)
    published: Mapping[str, int | tuple[int, ...]] = field(default_factory=dict)
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class FaceSet:
    """A dataset: its name, its classes, its splits by name, and its loader's notes.

    ``notes`` are sentences for the user ("173 rows without a face were dropped"). The
    ``fingerprint`` changes with the data. ``merged`` has the members of classes that were put
    together, by the name of such a class.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, FaceSplit]
    notes: tuple[str, ...] = ()
    about: About = About()
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, split in self.splits.items():
            check_split(split, self.classes, f"{self.name}/{name}")
        for name, number in self.about.published.items():
            if not isinstance(number, int) and len(number) != len(self.classes):
                raise DataError(
                    f"{self.name}/{name}: {len(number)} published counts for "
                    f"{len(self.classes)} classes"
                )

    @cached_property
    def fingerprint(self) -> str:
        """A hash of ids, labels and annotations of every split (not of the pixels)."""
        digest = blake2b("\0".join((self.name, *self.classes)).encode(), digest_size=16)
        for name, split in sorted(self.splits.items()):
            digest.update(f"\0{name}\0".encode())
            digest.update("\0".join(split.ids).encode())
            for array in (split.labels, split.valence_arousal, split.distributions):
                digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
            digest.update("\0".join(split.identities or ()).encode())
            for attribute, values in sorted(split.groups.items()):
                digest.update(f"\0{attribute}\0".encode())
                digest.update("\0".join(value or "" for value in values).encode())
        return digest.hexdigest()


def check_split(split: FaceSplit, classes: Sequence[str], where: str) -> None:
    """Raise `DataError` if a split breaks the contract of `FaceSplit`."""
    n, k = len(split.ids), len(classes)
    if len(set(split.ids)) != n:
        seen: set[str] = set()
        twice = next(i for i in split.ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
        raise DataError(f"{where}: sample id {twice!r} occurs twice")
    bad = np.flatnonzero((split.labels < 0) | (split.labels >= k))
    if len(bad):
        raise DataError(
            f"{where}: sample {split.ids[bad[0]]!r} has label {split.labels[bad[0]]}, "
            f"outside the {k} classes 0 to {k - 1}"
        )
    for name, values in split.groups.items():
        if not GROUP.fullmatch(name) or len(values) != n:
            raise DataError(
                f"{where}: group {name!r} must have a name of letters, digits and _, and a value "
                f"for each of the {n} faces"
            )
    va = split.valence_arousal
    if va is not None:
        bad = np.flatnonzero(~(np.abs(va) <= 1).all(axis=1))  # NaN fails the comparison, too
        if len(bad):
            raise DataError(
                f"{where}: sample {split.ids[bad[0]]!r} has valence, arousal = "
                f"{va[bad[0], 0]:g}, {va[bad[0], 1]:g}; both must be numbers in [-1, 1]"
            )
    dist = split.distributions
    if dist is not None:
        off = ~(np.abs(dist.sum(axis=1) - 1) <= SUM_TOLERANCE) | ~(dist >= 0).all(axis=1)
        bad = np.flatnonzero(off)
        if len(bad):
            raise DataError(
                f"{where}: the label distribution of sample {split.ids[bad[0]]!r} sums to "
                f"{dist[bad[0]].sum():g} or has negative values; K probabilities must sum to 1"
            )
