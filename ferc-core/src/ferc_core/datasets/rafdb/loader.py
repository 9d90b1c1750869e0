"""RAF-DB: basic and compound expressions, RAF-ML, and the mixture of six classes of the paper.

Li, Deng and Du 2017 (CVPR), Li and Deng 2019 (IEEE TIP); RAF-ML: Li and Deng 2019 (IJCV).
`ferc_core.datasets.rafdb.parts` finds the files, `ferc_core.datasets.rafdb.lists` reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.seeds import rank
from ferc_core.base.text import listed, number
from ferc_core.datasets.index import Names, Source, indexed
from ferc_core.datasets.rafdb.attributes import CODES, read_attributes
from ferc_core.datasets.rafdb.lists import read_blended, read_labelled
from ferc_core.datasets.rafdb.parts import TITLES, Part, check_path, find_parts
from ferc_core.datasets.samples import TEST_PERCENT, ImageReader, by_split, percent_of
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

VERSION = "rafdb/2"  # a new number for every change of the rows

BLENDED = ("surprise", "fear", "disgust", "happy", "sad", "anger")
NEUTRAL = len(BLENDED)  # the label of neutral in the basic part
CLASSES = {  # in the order of the owners' codes
    "mixture": BLENDED,
    "basic": (*BLENDED, "neutral"),
    "compound": (
        "happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised",
        "sadly disgusted", "fearfully angry", "fearfully surprised", "angrily surprised",
        "angrily disgusted", "disgustedly surprised",
    ),
    "ml": BLENDED,
}  # fmt: skip
# What each value of `part` is made of. By default, the first that exists.
MEMBERS = {part: ("basic", "ml") if part == "mixture" else (part,) for part in CLASSES}
# Faces of each class or in all, as published by the owners. The sizes of the mixture are those
# implied by the accuracies in the logs of FER-C's authors: 9,747 + 3,926 and 2,388 + 982.
PUBLISHED: dict[str, dict[str, int | tuple[int, ...]]] = {
    "mixture": {"train": 13673, "test": 3370},
    "basic": {
        "train": (1290, 281, 717, 4772, 1982, 705, 2524),
        "test": (329, 74, 160, 1185, 478, 162, 680),
    },
    "compound": {"train": 3162, "test": 792},
    "ml": {"train": 3926, "test": 982},
}
SIZES = {"basic": (100, 100), "compound": (100, 100)}  # of the aligned images


class Member(NamedTuple):
    """The faces of a part: columns ``id``, ``split``, ``path`` and ``target`` [K]; and about them.

    ``soft`` says whether some of the targets are label distributions.
    """

    faces: pl.DataFrame
    soft: bool
    notes: list[str]
    missing: list[str]


def open_rafdb(
    root: Path | str | None,
    *,
    part: str = "",
    distributions: bool = True,
    ml_labels: str = "",
    ml_images: str = "",
) -> FaceSet:
    """Open RAF-DB in the folder ``root``: splits train and test.

    The root contains the folders ``basic`` and ``compound`` and one of RAF-ML, or some of them, or
    is one of them itself. ``part`` is

    - ``mixture``: basic without its neutral faces and RAF-ML together, six classes; the paper's
      RAF-DB
    - ``basic``: seven classes
    - ``compound``: eleven classes
    - ``ml``: RAF-ML, six classes

    and by default the first of these that exists. The label of a face is the most probable class
    of its label distribution (paper, A.5), the first of equal ones; without a distribution it is
    that of the label list. With ``distributions=False`` only the label lists of basic and compound
    are used. ``ml_labels`` and ``ml_images`` are the paths of RAF-ML's distributions and images,
    relative to the root.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    if part and part not in MEMBERS:
        raise UnknownNameError("part", str(part), MEMBERS)
    if not isinstance(distributions, bool):
        raise RequestError(f"distributions must be true or false, not {distributions!r}")
    check_path("ml_labels", ml_labels)
    check_path("ml_images", ml_images)
    parts = find_parts(root, MEMBERS.get(part, ()), ml_labels, ml_images)
    there = [name for name, members in MEMBERS.items() if parts.keys() >= set(members)]
    notes = []
    if not part:
        part = there[0]
        others = f"; also available: {', '.join(there[1:])}" if there[1:] else ""
        notes.append(f"chose part={part} ({title(part)}){others}")
    if part == "ml" and not distributions:
        raise RequestError("RAF-ML has only label distributions: leave out distributions=false")
    members = [
        read_member(Path(str(root)), parts[name], part, distributions) for name in MEMBERS[part]
    ]
    return assembled(part, members, notes)


def title(part: str) -> str:
    """Return the name of a release for people."""
    return TITLES.get(part, "RAF-DB basic without neutral, and RAF-ML")


def read_member(root: Path, part: Part, chosen: str, distributions: bool) -> Member:
    """Read a part; ``chosen`` is what it is read for."""
    blended = part.name == "ml"
    beside = part.beside if distributions or blended else None
    num_classes = len(CLASSES[part.name])
    read_rows = read_blended if blended else read_labelled

    attributes = part.attributes

    def read(names: Names) -> pl.DataFrame:
        rows = read_rows(part.labels, beside, part.images, num_classes, names)
        if attributes is None:
            return rows
        found = read_attributes(attributes, names[attributes], rows["name"].to_list())
        return rows.with_columns(**{n: pl.Series(v, dtype=pl.String) for n, v in found.items()})

    lists = [path for path in (part.labels, beside) if path is not None]
    sources = [*map(Source, lists), Source(part.images, images=True)]
    if attributes is not None:
        sources.append(Source(attributes))
    rows = indexed(f"{VERSION}/{part.name}", root, sources, read)
    notes = fault_notes(part.name, rows.filter(pl.col("fault") != ""))
    rows = rows.filter(pl.col("fault") == "")
    return member_of(part, rows, num_classes, notes, without_neutral=chosen == "mixture")


def fault_notes(part: str, faults: pl.DataFrame) -> list[str]:
    """Return a sentence for each fault of lines of the lists."""
    groups = faults.group_by("file", "fault", maintain_order=True).agg(
        pl.len(), pl.first("line"), pl.first("text")
    )
    return [
        f"dropped {number(count, 'line')} of {part}'s {file}: {fault} "
        f"(the first is line {line}: {text})"
        for file, fault, count, line, text in groups.iter_rows()
    ]


def member_of(
    part: Part, rows: pl.DataFrame, num_classes: int, notes: list[str], *, without_neutral: bool
) -> Member:
    """Turn the rows of a part into targets; leave out and count what is not usable."""
    names = rows["name"].to_list()
    ids = [f"{part.name}/{name}" for name in names]
    splits = rows["split"].to_numpy()
    if not all(splits):
        splits = np.full(len(ids), "train")
        splits[rank(tuple(ids), "split")[: percent_of(TEST_PERCENT, len(ids))]] = "test"
        notes.append(
            f"nothing says which faces of {part.name} train and which test; a hash of their names "
            f"chose {TEST_PERCENT} % for the test: {(splits == 'test').sum()} of {len(splits)}"
        )
    labels = rows["label"].fill_null(-1).to_numpy()
    known = rows["distribution"].is_not_null().to_numpy()
    targets = np.eye(num_classes)[labels]
    if known.any():
        targets[known] = np.array(rows["distribution"].drop_nulls().to_list())
    keep = np.ones(len(rows), dtype=bool)
    if without_neutral and part.name == "basic":
        targets, keep, left_out = expressive(targets, labels, names)
        notes += left_out
    images = rows["image"].to_numpy()
    lost = keep & (images == "")
    missing = [str(part.images / f"{names[i]}_aligned.jpg") for i in np.flatnonzero(lost)]
    keep &= ~lost
    notes += doubts(part.name, names, targets, labels, known & keep, keep)
    paths = [str(part.images / image) for image in images]
    unknown = pl.Series([None] * len(ids), dtype=pl.String)
    groups = {name: rows[name] if name in rows.columns else unknown for name in CODES}
    faces = pl.DataFrame({"id": ids, "split": splits, "path": paths, "target": targets, **groups})
    return Member(faces.filter(keep), bool(known.any()), notes, missing)


def expressive(
    targets: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], names: list[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], list[str]]:
    """Return the distributions [N, 6] without neutral, which rows have one, and notes.

    Faces that the label list calls neutral have none.
    """
    keep = labels != NEUTRAL
    neutral = number((~keep).sum(), "face")
    notes = [] if keep.all() else [f"left out {neutral} of basic: neutral"]
    targets = targets[:, :NEUTRAL]
    total = targets.sum(axis=1, keepdims=True)
    empty = keep & (total[:, 0] == 0)
    if empty.any():
        notes.append(
            f"dropped {number(empty.sum(), 'face')} of basic: the label distribution is all "
            f"neutral ({some(names, empty)})"
        )
    return targets / np.where(total > 0, total, 1), keep & ~empty, notes


def doubts(
    part: str,
    names: list[str],
    targets: npt.NDArray[np.float64],
    labels: npt.NDArray[np.int64],
    known: npt.NDArray[np.bool_],
    keep: npt.NDArray[np.bool_],
) -> list[str]:
    """Return notes on ties, labels that differ from the list, and faces without a distribution."""
    ties = known & ((targets == targets.max(axis=1, keepdims=True)).sum(axis=1) > 1)
    differ = known & (labels >= 0) & (targets.argmax(axis=1) != labels)
    bare = keep & ~known & known.any()
    return [
        f"{number(rows.sum(), 'face')} of {part} {what} ({some(names, rows)})"
        for rows, what in (
            (ties, "with a tie for the most probable class; the first is the label"),
            (differ, "with another label by the label distribution than in the label list"),
            (bare, "without a label distribution; it is one-hot"),
        )
        if rows.any()
    ]


def some(names: list[str], rows: npt.NDArray[np.bool_]) -> str:
    """Return the first few names of the marked rows."""
    return listed([names[i] for i in np.flatnonzero(rows)])


def assembled(part: str, members: list[Member], notes: list[str]) -> FaceSet:
    """Put the members of a part together."""
    notes = notes + [note for member in members for note in member.notes]
    missing = [path for member in members for path in member.missing]
    rows = pl.concat([member.faces for member in members])
    if rows.is_empty():
        raise DataError(
            f"all {len(missing)} images are missing, the first is {missing[0]}; unpack the archive "
            "of the aligned images"
            if missing
            else f"no face of {title(part)} is left: {'; '.join(notes)}"
        )
    targets = rows["target"].to_numpy()
    faces = FaceSplit(
        ids=tuple(rows["id"]),
        labels=targets.argmax(axis=1),
        read=ImageReader(rows["path"]),
        distributions=targets if any(member.soft for member in members) else None,
        groups={name: tuple(rows[name]) for name in CODES if rows[name].null_count() < len(rows)},
    )
    splits = by_split(faces, rows["split"].to_numpy())
    about = About(title(part), dict.fromkeys(missing, 1), PUBLISHED[part], SIZES.get(part))
    return FaceSet("rafdb", CLASSES[part], splits, tuple(notes), about)
