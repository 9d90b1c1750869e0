"""What the annotation files of Aff-Wild2 and Aff-Wild say about each frame of their videos.

Line i of a file, after its header if there is one, is frame i of the video it is named after.
Each frame with all annotations, valence-arousal and expression, becomes a row, or is counted with
the reason why it is not usable.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.progress import track
from ferc_core.datasets.affwild import notes
from ferc_core.datasets.index import Names
from ferc_core.datasets.samples import sample_id
from ferc_core.datasets.texts import read_lines
from ferc_core.datasets.videos import can_open
from ferc_core.errors import DataError

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

EMOTIONS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
LABELS = np.array([0, 6, 5, 4, 1, 2, 3])  # of EMOTIONS in AffectNet's order
OTHER_EXPRESSION = 7
INVALID_EXPRESSION = -1
UNRATED = -5  # as valence or arousal
VIDEO_SUFFIX, OLDER_VIDEO_SUFFIX = ".mp4", ".avi"
FRAME_FILE = re.compile(r"([0-9]{1,9})\.(?:jpg|jpeg|png|pts)", re.IGNORECASE)

# Columns of the rows. A face has no ``why``; any other row stands for ``count`` frames of a video,
# and ``file`` is what is missing or the first place that is wrong.
ROWS = pl.Schema(
    {
        "identity": pl.String(),
        "frame": pl.Int32(),  # counted from 1
        "file": pl.String(),  # the image, or the box of the face, relative to the root
        "valence": pl.Float64(),
        "arousal": pl.Float64(),
        "label": pl.Int8(),
        "video": pl.String(),  # that the box belongs to, relative to the root
        "why": pl.String(),
        "count": pl.Int32(),
    }
)


@dataclass(frozen=True)
class Kind:
    """A kind of annotation file: its columns, and how its first line must begin."""

    name: str
    columns: tuple[str, ...]
    header: tuple[str, ...] = ()


VALENCE_AROUSAL = Kind("valence and arousal", ("valence", "arousal"), ("valence", "arousal"))
VALENCE, AROUSAL = Kind("valence", ("valence",)), Kind("arousal", ("arousal",))
EXPRESSION = Kind("expression", ("code",), EMOTIONS)


@dataclass(frozen=True)
class Tree:
    """Where the parts of a release are.

    texts:   the folders of each kind of annotation
    faces:   folders with a folder for each subject, of images or of boxes named by frame
    videos:  the folder of the videos, None if the faces are images
    """

    root: Path
    texts: Mapping[Kind, tuple[Path, ...]]
    faces: tuple[Path, ...]
    videos: Path | None = None

    def relative(self, path: Path) -> str:
        """Return a path relative to the root."""
        return path.relative_to(self.root).as_posix()


def read_rows(tree: Tree, names: Names) -> pl.DataFrame:
    """Return the `ROWS` of a release, subject by subject; ``names`` lists its folders.

    Raises `DataError` for an annotation file that is empty, not UTF-8 or has another header.
    """
    parts = [pl.DataFrame(schema=ROWS)]
    texts: dict[str, dict[Kind, Path]] = {}
    for kind, folders in tree.texts.items():
        for path in (folder / name for folder in folders for name in names[folder]):
            if path.suffix.lower() == ".txt":
                sample_id(path.stem, str(path))
                first = texts.setdefault(path.stem, {}).setdefault(kind, path)
                if first != path:
                    parts.append(left_out(path.stem, notes.TWICE, 0, tree.relative(path)))
    faces, videos = faces_of(texts, tree, names), videos_of(tree, names)
    with track("reading annotations", len(texts)) as step:
        for subject, own in sorted(texts.items()):
            lacking = [kind.name for kind in tree.texts if kind not in own]
            if lacking:
                parts.append(left_out(subject, notes.LACKS + lacking[0], 0))
            else:
                video = videos.get(subject)
                files = files_by_frame(*faces.get(subject, ("", [])), from_zero=bool(tree.videos))
                lost = lost_part(subject, tree, subject in faces, video)
                parts += video_rows(subject, tree, own, files, video, lost)
            step(1)
    return pl.concat(parts)


def left_out(subject: str, why: str, count: int, place: str = "") -> pl.DataFrame:
    """Return the row of ``count`` frames that are not usable."""
    row = {"identity": subject, "file": place, "why": why, "count": count}
    return pl.DataFrame([row], schema=ROWS)


def faces_of(
    subjects: Container[str], tree: Tree, names: Names
) -> dict[str, tuple[str, list[str]]]:
    """Return the folder and the files of each of some subjects; of two folders the first."""
    faces: dict[str, tuple[str, list[str]]] = {}
    for folder in tree.faces:
        for subject, group in groupby(names[folder], key=lambda name: name.partition("/")[0]):
            if subject in subjects and subject not in faces:
                files = [name.partition("/")[2] for name in group]
                faces[subject] = tree.relative(folder / subject), files
    return faces


def videos_of(tree: Tree, names: Names) -> dict[str, str]:
    """Return the video of each subject, relative to the root."""
    if tree.videos is None:
        return {}
    return {
        Path(name).stem: tree.relative(tree.videos / name)
        for name in names[tree.videos]
        if Path(name).suffix.lower() in (VIDEO_SUFFIX, OLDER_VIDEO_SUFFIX)
    }


def lost_part(subject: str, tree: Tree, has_faces: bool, video: str | None) -> str:
    """Return what is missing or cannot be opened, so that no face of a subject is usable."""
    if not has_faces:
        return tree.relative(tree.faces[0] / subject)
    if tree.videos is None:
        return ""
    if video is None:
        return tree.relative(tree.videos / (subject + VIDEO_SUFFIX))
    return "" if can_open(tree.root / video) else video


def files_by_frame(folder: str, names: list[str], *, from_zero: bool) -> dict[int, str]:
    """Return the files that are named by a frame, by its number counted from 1.

    The names count from 1; with ``from_zero``, from 0 if one of them is 0.
    """
    numbers = {
        int(match[1]): f"{folder}/{name}" for name in names if (match := FRAME_FILE.fullmatch(name))
    }
    shift = 1 if from_zero and 0 in numbers else 0
    return {number + shift: name for number, name in numbers.items()}


def video_rows(
    subject: str,
    tree: Tree,
    texts: Mapping[Kind, Path],
    files: Mapping[int, str],
    video: str | None,
    lost: str,
) -> Iterator[pl.DataFrame]:
    """Yield the faces of a video, and what is left out of it, by reason.

    ``files`` are those of its faces by frame, from 1; nothing is usable if a part is ``lost``.
    """
    tables = [read_values(path, kind) for kind, path in texts.items()]
    lengths = [table.height for table in tables]
    if len(set(lengths)) > 1:
        yield left_out(subject, notes.LENGTHS, max(lengths) - min(lengths))
    table = pl.concat([table.head(min(lengths)) for table in tables], how="horizontal")
    faults = faults_of(*(table[name].to_numpy() for name in ("valence", "arousal", "code")))
    fault = np.select([bad for _, _, bad in faults], range(1, len(faults) + 1), 0)
    for number, (why, column, _) in enumerate(faults, 1):
        bad = np.flatnonzero(fault == number)
        if len(bad):
            kind, path = next(item for item in texts.items() if column in item[0].columns)
            line = bad[0] + 1 + bool(kind.header)
            yield left_out(subject, why, len(bad), f"{tree.relative(path)}, line {line}")
    good = np.flatnonzero(fault == 0)
    if lost:
        yield left_out(subject, notes.LOST, len(good), lost)
        return
    faces = np.array([row for row in good.tolist() if row + 1 in files], dtype=np.int64)
    if len(faces) < len(good):
        yield left_out(subject, notes.NO_FACE, len(good) - len(faces))
    if not len(faces):
        yield left_out(subject, notes.UNUSED, 0)
    codes = table["code"].to_numpy()[faces].astype(np.int64)
    yield table[faces].select(
        pl.lit(subject).alias("identity"),
        pl.Series("frame", faces + 1, pl.Int32),
        pl.Series("file", [files[row + 1] for row in faces], pl.String),
        "valence",
        "arousal",
        pl.Series("label", LABELS[codes], pl.Int8),
        pl.lit(video, pl.String).alias("video"),
        pl.lit("").alias("why"),
        pl.lit(1, pl.Int32).alias("count"),
    )


def faults_of(valence: Values, arousal: Values, code: Values) -> list[tuple[str, str, Mask]]:
    """Return why frames are not usable: the reason, its column, and the rows [N].

    A value that is not a number is NaN. The first of several reasons counts.
    """
    return [
        (notes.NO_NUMBER, "valence", np.isnan(valence)),
        (notes.NO_NUMBER, "arousal", np.isnan(arousal)),
        (notes.NO_NUMBER, "code", np.isnan(code)),
        (notes.UNRATED, "valence", (valence == UNRATED) | (arousal == UNRATED)),
        (notes.OUTSIDE, "valence", np.abs(valence) > 1),
        (notes.OUTSIDE, "arousal", np.abs(arousal) > 1),
        (notes.NO_EXPRESSION, "code", code == INVALID_EXPRESSION),
        (notes.OTHER, "code", code == OTHER_EXPRESSION),
        (notes.NO_CODE, "code", ~np.isin(code, range(len(EMOTIONS)))),
    ]


def read_values(path: Path, kind: Kind) -> pl.DataFrame:
    """Return the columns of an annotation file as numbers, null where a line has something else."""
    lines = read_lines(path)
    if not lines:
        raise DataError(f"{path} is empty; copy or unpack it again")
    names = tuple(name.strip().lower() for name in lines[0].split(","))
    if names[: len(kind.header)] != kind.header:
        raise DataError(
            f"{path} must begin with the line {','.join(kind.header)!r}, "
            f"but it begins with {lines[0][:60]!r}"
        )
    cells = pl.Series(lines[bool(kind.header) :], dtype=pl.String)
    table = cells.str.splitn(",", len(kind.columns)).struct.unnest()
    table.columns = list(kind.columns)
    return table.select(pl.all().str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None))
