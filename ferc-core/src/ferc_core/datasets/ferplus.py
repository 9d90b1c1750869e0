"""FER2013 with the ten FER+ votes for each face (Barsoum et al. 2016, arXiv:1608.01041).

A folder holds the pictures, ``fer2013.csv``, ``fer2013.csv.gz`` or ``icml_face_data.csv``, and
the votes, ``fer2013new.csv``. Row i of one file belongs to row i of the other; picture names are
empty or double in places and are not used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.datasets.index import Source, indexed
from ferc_core.datasets.releases import Release, recognise
from ferc_core.datasets.texts import read_csv
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit
from ferc_core.images import to_rgb

RELEASE = Release(
    "FER2013 with the votes of FER+",
    {
        "pictures": ("fer2013.csv", "fer2013.csv.gz", "icml_face_data.csv"),
        "votes": ("fer2013new.csv",),
    },
)
ROWS = "ferplus/1"  # a new number when the rows of the index change
PUBLISHED = {
    "train": 28709,
    "valid": 3589,
    "test": 3589,
}  # rows of the files, before any is dropped
SIDE = 48

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
ANSWERS = (*CLASSES, "unknown", "NF")  # NF: no face
SPLIT_OF_USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
# FER2013's codes 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral as CLASSES.
CLASS_OF_EMOTION = {"0": 4, "1": 5, "2": 6, "3": 1, "4": 3, "5": 2, "6": 0}

# The winner of the votes is FER2013's own label in 63 % of the rows; in 18 % when the files are
# shifted by a row. Small files say too little to judge.
LEAST_AGREEMENT = 0.4
ENOUGH_ROWS = 1000

# Mode -> why it drops a row that neither "unknown" nor "no face" has won.
MODES = {
    "distribution": "no answer has more than one vote",
    "majority": "no emotion has more than half of the votes",
    "crossentropy": "too many emotions share the votes",
}


class PixelReader:
    """Grey pictures in memory, uint8 [N, 2304]."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Return picture i as uint8 RGB [48, 48, 3]."""
        return to_rgb(self.pixels[i].reshape(SIDE, SIDE))


def open_ferplus(
    root: Path | str | None, *, mode: str = "distribution", drop_duplicates: bool = False
) -> FaceSet:
    """Open FER+ in the folder ``root``: splits train, valid (PublicTest) and test (PrivateTest).

    In every mode an answer with a single vote is left out first, as its authors do, and rows that
    "unknown" or "no face" wins are dropped. Then ``mode`` makes the label distribution:

    - ``distribution``: the votes for the eight emotions, as shares that sum to 1
    - ``majority``: all to the emotion with more than half of the ten answers' votes; rows without
      one are dropped
    - ``crossentropy``: the votes of the leading emotions until they hold 75 % of all or are
      three; rows where these hold no more than half, or are more than three, are dropped

    The label is the emotion with the largest share, of equal ones the first. With
    ``drop_duplicates``, training pictures that stand in another split, too, are dropped.
    ``notes`` count all that is dropped or doubtful.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    if not isinstance(drop_duplicates, bool):
        raise RequestError(f"drop_duplicates must be true or false, not {drop_duplicates!r}")
    _, files = recognise(root, "ferplus", [RELEASE])
    pictures_at, votes_at = files["pictures"], files["votes"]
    table = read_csv(votes_at, ("Usage", *ANSWERS))
    pictures = indexed(
        ROWS, pictures_at.parent, [Source(pictures_at)], lambda _: _read_pictures(pictures_at)
    )
    splits = _splits(pictures_at, pictures["Usage"], votes_at, table["Usage"])
    votes = _votes(votes_at, table)
    _check_agreement(pictures_at, pictures["emotion"], votes_at, votes)
    pixels = np.frombuffer(b"".join(pictures["pixels"]), np.uint8).reshape(-1, SIDE * SIDE)

    targets, dropped = vote_targets(votes, mode)
    keep = dropped == ""
    notes = [f"dropped {n} rows: {why}" for why, n in sorted(Counter(dropped[~keep]).items())]
    ties = int(((targets == targets.max(axis=1, keepdims=True)).sum(axis=1) > 1)[keep].sum())
    if ties:
        notes.append(f"{ties} rows have a tie for the largest share; their label is the first")
    constant = pixels.min(axis=1) == pixels.max(axis=1)
    if constant.any():
        notes.append(
            f"{constant.sum()} pictures have one grey value only, {(constant & keep).sum()} of "
            "them are kept"
        )
    leaks, note = _duplicates(pixels, splits, keep)
    notes.append(note)
    if drop_duplicates:
        notes.append(f"dropped {leaks.sum()} training pictures that stand in another split, too")
        keep &= ~leaks
    elif leaks.any():
        notes.append(
            f"{leaks.sum()} training pictures stand in another split, too; drop_duplicates=true "
            "drops them"
        )
    if not keep.any():
        raise DataError(f"{votes_at}: no row is left after '{mode}' ({'; '.join(notes)})")
    faces = FaceSplit(
        ids=tuple(f"fer{i:07d}" for i in range(len(pixels))),
        labels=targets.argmax(axis=1),
        read=PixelReader(pixels),
        distributions=targets,
    )
    parts = {
        name: faces.take(np.flatnonzero(keep & (splits == name)))
        for name in SPLIT_OF_USAGE.values()
        if (keep & (splits == name)).any()
    }
    about = About(RELEASE.name, published=PUBLISHED, size=(SIDE, SIDE))
    return FaceSet("ferplus", CLASSES, parts, tuple(notes), about)


def vote_targets(
    votes: npt.NDArray[np.int64], mode: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Turn votes [N, 10] into label distributions [N, 8] and say why a row is dropped.

    The reasons [N] are empty for rows that are kept; a dropped row has an even distribution.
    The rules are those of the FER+ authors' reader.

    >>> vote_targets(np.array([[6, 0, 1, 3, 0, 0, 0, 0, 0, 0]]), "distribution")[0][0, :4]
    array([0.66666667, 0.        , 0.        , 0.33333333])
    """
    heard = np.where(votes > 1, votes, 0)
    emotions = heard[:, : len(CLASSES)]
    if mode == "majority":
        chosen = np.where(2 * emotions > heard.sum(axis=1, keepdims=True), emotions, 0)
    elif mode == "crossentropy":
        rows = [tuple(row) for row in heard.tolist()]
        leading = {row: leading_emotions(row) for row in set(rows)}  # few rows differ
        chosen = np.array([leading[row] for row in rows])
    else:
        chosen = emotions
    winner, total = heard.argmax(axis=1), chosen.sum(axis=1, keepdims=True)
    why = np.select(
        [winner == 8, winner == 9, total[:, 0] == 0],
        ["'unknown' wins", "'no face' wins", MODES[mode]],
        "",
    )
    even = 1 / len(CLASSES)
    return np.where((why == "")[:, None], chosen / np.maximum(total, 1), even), why


def leading_emotions(heard: Sequence[int]) -> list[int]:
    """Return the votes [8] of the leading emotions of a row of ten answers, else zeros.

    Answers are taken from the largest down, equal ones together, until they hold 75 % of the
    votes or are three; "unknown" and "no face" end it. What they hold must be more than half.
    """
    total, chosen, reached, count = sum(heard), [0] * len(CLASSES), 0, 0
    left = list(heard)
    while 4 * reached < 3 * total and count < 3:
        top = max(left)
        level = [i for i, n in enumerate(left) if n == top]
        for i in level:
            left[i] = 0
            reached += top
            if i < len(CLASSES):
                chosen[i] = top
                count += 1
        if level[-1] >= len(CLASSES):
            break
    return chosen if 2 * sum(chosen) > total and count <= 3 else [0] * len(CLASSES)


def _read_pictures(path: Path) -> pl.DataFrame:
    """Return FER2013's label, split and picture of each row; the picture as its 2304 bytes."""
    table = read_csv(path, ("emotion", "Usage", "pixels"))
    pixels = _pixels(path, table["pixels"])
    return table.with_columns(pl.Series("pixels", [row.tobytes() for row in pixels]))


def _splits(
    pictures_at: Path, usage: pl.Series, votes_at: Path, usage_of_votes: pl.Series
) -> npt.NDArray[np.str_]:
    """Return the split of each row; the two files must agree on it, row by row."""
    if len(usage) != len(usage_of_votes):
        raise DataError(
            f"{pictures_at} has {len(usage)} rows and {votes_at} has {len(usage_of_votes)}; they "
            "belong together row by row, so use the original files"
        )
    differ = np.flatnonzero((usage != usage_of_votes).to_numpy())
    if len(differ):
        i = int(differ[0])
        raise DataError(
            f"row {i + 1} is {usage[i]!r} in {pictures_at} and {usage_of_votes[i]!r} in "
            f"{votes_at}; they belong together row by row, so use the original files"
        )
    for i, name in enumerate(usage):
        if name not in SPLIT_OF_USAGE:
            raise DataError(
                f"{pictures_at}, row {i + 1}: Usage {name!r} must be {', '.join(SPLIT_OF_USAGE)}"
            )
    return np.array([SPLIT_OF_USAGE[name] for name in usage])


def _votes(path: Path, table: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the votes [N, 10] in the order of ANSWERS."""
    votes = table.select(pl.col(*ANSWERS).cast(pl.Int64, strict=False).fill_null(-1)).to_numpy()
    bad = np.argwhere(votes < 0)
    if len(bad):
        i, answer = int(bad[0, 0]), ANSWERS[bad[0, 1]]
        raise DataError(
            f"{path}, row {i + 1}: {answer} has {table[answer][i]!r} votes; it must be a count"
        )
    return votes


def _check_agreement(
    pictures_at: Path, emotion: pl.Series, votes_at: Path, votes: npt.NDArray[np.int64]
) -> None:
    """Raise `DataError` when labels and votes agree as little as those of different faces do."""
    labels = np.array([CLASS_OF_EMOTION.get(code, -1) for code in emotion])
    agreement = float((labels == votes.argmax(axis=1)).mean())
    if len(labels) >= ENOUGH_ROWS and agreement < LEAST_AGREEMENT:
        raise DataError(
            f"the votes of {votes_at} agree with the labels of {pictures_at} in {agreement:.0%} of "
            "the rows only, so the rows do not belong together; use the original files"
        )


def _pixels(path: Path, column: pl.Series) -> npt.NDArray[np.uint8]:
    """Return the pictures as uint8 [N, 2304]."""
    pixels = np.empty((len(column), SIDE * SIDE), dtype=np.uint8)
    for i, text in enumerate(column):
        try:
            values = np.fromstring(text, dtype=np.int32, sep=" ")
        except ValueError:
            values = np.empty(0, dtype=np.int32)
        if len(values) != SIDE * SIDE or values.min() < 0 or values.max() > 255:
            raise DataError(
                f"{path}, row {i + 1}: pixels must be {SIDE * SIDE} numbers from 0 to 255"
            )
        pixels[i] = values
    return pixels


def _duplicates(
    pixels: npt.NDArray[np.uint8], splits: npt.NDArray[np.str_], keep: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], str]:
    """Mark kept training rows [N] whose picture a kept row of another split shows; and a note."""
    groups: dict[bytes, list[int]] = {}
    for i, row in enumerate(pixels):
        groups.setdefault(blake2b(row, digest_size=16).digest(), []).append(i)
    several = [rows for rows in groups.values() if len(rows) > 1]
    spanning, leaks = 0, np.zeros(len(pixels), dtype=bool)
    for rows in several:
        training = splits[rows] == "train"
        spanning += bool(training.any() and not training.all())
        if (keep[rows] & ~training).any():
            leaks[rows] = keep[rows] & training
    return leaks, (
        f"{len(several)} groups of exact duplicates in the file, {spanning} of them in training "
        "and another split"
    )
