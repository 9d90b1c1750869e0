"""FER2013 with the ten FER+ votes for each face (Barsoum et al. 2016, arXiv:1608.01041).

`ferc_core.datasets.ferplus.rows` reads the rows of either form; here votes become labels by the
rules of FER+'s authors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.base.text import number
from ferc_core.datasets.ferplus import rows as releases
from ferc_core.datasets.ferplus.rows import CLASSES, SIDE, Rows
from ferc_core.datasets.releases import recognise
from ferc_core.datasets.samples import by_split
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

PUBLISHED = {"train": 28709, "valid": 3589, "test": 3589}  # rows, before any is dropped

# Mode -> why it drops a row that neither "unknown" nor "no face" has won.
MODES = {
    "distribution": "no answer has more than one vote",
    "majority": "no emotion has more than half of the votes",
    "crossentropy": "too many emotions share the votes",
}


def open_ferplus(
    root: Path | str | None, *, mode: str = "distribution", drop_duplicates: bool | str = False
) -> FaceSet:
    """Open FER+ in the folder ``root``: splits train, valid (PublicTest) and test (PrivateTest).

    The folder holds the tables of FER2013 and of the votes, or the folders of images that the
    script of FER+ makes of them.

    In every mode answers with a single vote are ignored first, as its authors do, and rows won by
    "unknown" or "no face" are dropped. Then ``mode`` makes the label distribution:

    - ``distribution``: the votes for the eight emotions, normalised
    - ``majority``: the emotion with more than half of the ten answers' votes; rows without one are
      dropped
    - ``crossentropy``: the votes of the leading emotions, until they hold 75 % of all or are
      three; rows where they hold no more than half, or are more than three, are dropped

    The label is the most probable emotion, the first of equal ones. With ``drop_duplicates``,
    training images that are also in another split are dropped; with ``drop_duplicates=test`` it is
    those of the other splits, for models that were trained elsewhere. ``notes`` count all that is
    dropped or doubtful.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    if mode not in MODES:
        raise UnknownNameError("mode", mode, MODES)
    if drop_duplicates not in (True, False, "test"):
        raise RequestError(f"drop_duplicates must be true, false or test, not {drop_duplicates!r}")
    release, files = recognise(root, "ferplus", [releases.TABLES, releases.FOLDERS])
    if release is releases.TABLES:
        rows = releases.rows_of_tables(files["images"], files["votes"])
    else:
        rows = releases.rows_of_folders(Path(str(root)), files)

    targets, why = vote_targets(rows.votes, mode)
    keep = why == ""
    notes = [*rows.notes]
    notes += [f"dropped {number(n, 'row')}: {w}" for w, n in sorted(Counter(why[~keep]).items())]
    ties = int(((targets == targets.max(axis=1, keepdims=True)).sum(axis=1) > 1)[keep].sum())
    if ties:
        notes.append(
            f"{number(ties, 'row')} with a tie for the most probable class; the first is the label"
        )
    if rows.constant.any():
        notes.append(
            f"{number(rows.constant.sum(), 'image')} with a single grey value, "
            f"{(rows.constant & keep).sum()} of them kept"
        )
    from_training = drop_duplicates != "test"
    leaks, note = leaking(rows, keep, from_training)
    notes.append(note)
    which = "training image" if from_training else "image"
    where = "another split" if from_training else "training"
    leaked = f"{number(leaks.sum(), which)} also in {where}"
    if drop_duplicates:
        notes.append(f"dropped {leaked}")
        keep &= ~leaks
    elif leaks.any():
        notes.append(f"{leaked}; drop_duplicates=true drops them")
    if not keep.any():
        raise DataError(f"{rows.path}: no row is left after '{mode}' ({'; '.join(notes)})")
    faces = FaceSplit(rows.ids, targets.argmax(axis=1), rows.read, distributions=targets)
    parts = by_split(faces, np.where(keep, rows.splits, ""))
    about = About(release.name, rows.missing, PUBLISHED, (SIDE, SIDE))
    return FaceSet("ferplus", CLASSES, parts, tuple(notes), about)


def vote_targets(
    votes: npt.NDArray[np.int64], mode: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.str_]]:
    """Turn votes [N, 10] into label distributions [N, 8] and say why a row is dropped.

    The reasons [N] are empty for rows that are kept; a dropped row has a uniform distribution.
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
    uniform = 1 / len(CLASSES)
    return np.where((why == "")[:, None], chosen / np.maximum(total, 1), uniform), why


def leading_emotions(heard: Sequence[int]) -> list[int]:
    """Return the votes [8] of the leading emotions of a row of ten answers, or zeros.

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


def leaking(
    rows: Rows, keep: npt.NDArray[np.bool_], from_training: bool = True
) -> tuple[npt.NDArray[np.bool_], str]:
    """Mark kept training rows [N] whose image is in a kept row of another split, or if not
    ``from_training`` those of the other splits; and a note.
    """
    groups: dict[str, list[int]] = {}
    for i, digest in enumerate(rows.digests):
        groups.setdefault(digest, []).append(i)
    several = [group for group in groups.values() if len(group) > 1]
    spanning, leaks = 0, np.zeros(len(rows.ids), dtype=bool)
    for group in several:
        training = rows.splits[group] == "train"
        spanning += bool(training.any() and not training.all())
        here, there = (training, ~training) if from_training else (~training, training)
        if (keep[group] & there).any():
            leaks[group] = keep[group] & here
    return leaks, (
        f"{number(len(several), 'group')} of identical images in the file, {spanning} of them in "
        "training and another split"
    )
