"""The rows of FER+ in both of its forms: the original tables, or folders of images.

FER2013's images are numbers in a table; the script of FER+'s authors turns it into folders of PNG
files with the votes beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core.base.progress import track
from ferc_core.base.text import number, shortened
from ferc_core.datasets.index import Source, indexed
from ferc_core.datasets.releases import Release
from ferc_core.datasets.samples import ImageReader, sample_id
from ferc_core.datasets.texts import read_csv
from ferc_core.errors import BadImageError, DataError
from ferc_core.images.io import read_image, to_rgb

SIDE = 48
CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
ANSWERS = (*CLASSES, "unknown", "NF")  # NF: no face
SPLIT_OF_USAGE = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
# FER2013's codes 0 angry, 1 disgust, 2 fear, 3 happy, 4 sad, 5 surprise, 6 neutral as CLASSES.
CLASS_OF_EMOTION = {"0": 4, "1": 5, "2": 6, "3": 1, "4": 3, "5": 2, "6": 0}

# FER2013's own label wins the votes in 63 % of the rows, and in 18 % if the files are shifted by a
# row. Small files are too uncertain to judge.
LEAST_AGREEMENT = 0.4
ENOUGH_ROWS = 1000

TABLES = Release(
    "FER2013 with the votes of FER+",
    {
        "images": ("fer2013.csv", "fer2013.csv.gz", "icml_face_data.csv"),
        "votes": ("fer2013new.csv",),
    },
)
FOLDER_OF = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
FOLDERS = Release(
    "FER+ as folders of images",
    {
        split: tuple(f"{place}{folder}/label.csv" for place in ("", "data/"))
        for split, folder in FOLDER_OF.items()
    },
)
FOLDER_COLUMNS = ("image", "box", *ANSWERS)  # of label.csv, which has no header

# New numbers for every change of the rows.
TABLE_ROWS, FOLDER_ROWS = "ferplus/1", "ferplus/folders/2"


@dataclass(frozen=True)
class Rows:
    """The N rows of a release, used or not.

    path:     the file to name if no row is usable
    ids:      "fer0000000" and so on: the position in the tables, or the name of the image
    splits:   "train", "valid" or "test"
    votes:    int64 [N, 10] in the order of ANSWERS
    read:     reads image i
    digests:  a hash of each image
    constant: which images have a single grey value
    missing:  files that are missing; their rows are left out
    notes:    what was left out for other reasons
    """

    path: Path
    ids: tuple[str, ...]
    splits: npt.NDArray[np.str_]
    votes: npt.NDArray[np.int64]
    read: Callable[[int], npt.NDArray[np.uint8]] = field(repr=False)
    digests: tuple[str, ...]
    constant: npt.NDArray[np.bool_]
    missing: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class PixelReader:
    """Grey images in memory, uint8 [N, 2304]."""

    def __init__(self, pixels: npt.NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def __call__(self, i: int) -> npt.NDArray[np.uint8]:
        """Return image i as uint8 RGB [48, 48, 3]."""
        return to_rgb(self.pixels[i].reshape(SIDE, SIDE))


def read_votes(path: Path, table: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the votes [N, 10] in the order of ANSWERS."""
    votes = table.select(pl.col(*ANSWERS).cast(pl.Int64, strict=False).fill_null(-1)).to_numpy()
    bad = np.argwhere(votes < 0)
    if len(bad):
        i, answer = int(bad[0, 0]), ANSWERS[bad[0, 1]]
        count = shortened(repr(table[answer][i]))
        raise DataError(f"{path}, row {i + 1}: {answer} has {count} votes; it must be a count")
    return votes


def digest(pixels: npt.NDArray[np.uint8]) -> str:
    """Return the hash of an image."""
    return blake2b(np.ascontiguousarray(pixels).data, digest_size=16).hexdigest()


# --- the original tables --------------------------------------------------------------------------


def rows_of_tables(images_at: Path, votes_at: Path) -> Rows:
    """Return the rows of FER2013's table and of FER+'s, which correspond row by row.

    Image names in the table of votes are empty or repeated in places, and are not used.
    """
    table = read_csv(votes_at, ("Usage", *ANSWERS))
    images = indexed(
        TABLE_ROWS, images_at.parent, [Source(images_at)], lambda _: read_pixels(images_at)
    )
    splits = splits_of(images_at, images["Usage"], votes_at, table["Usage"])
    votes = read_votes(votes_at, table)
    check_agreement(images_at, images["emotion"], votes_at, votes)
    pixels = np.frombuffer(b"".join(images["pixels"]), np.uint8).reshape(-1, SIDE * SIDE)
    return Rows(
        path=votes_at,
        ids=tuple(f"fer{i:07d}" for i in range(len(pixels))),
        splits=splits,
        votes=votes,
        read=PixelReader(pixels),
        digests=tuple(map(digest, pixels)),
        constant=pixels.min(axis=1) == pixels.max(axis=1),
    )


def read_pixels(path: Path) -> pl.DataFrame:
    """Return FER2013's label, split and image of each row; the image as its 2304 bytes."""
    table = read_csv(path, ("emotion", "Usage", "pixels"))
    rows = []
    for i, text in enumerate(table["pixels"]):
        try:
            values = np.fromstring(text, dtype=np.int32, sep=" ")
        except ValueError:
            values = np.empty(0, dtype=np.int32)
        if len(values) != SIDE * SIDE or values.min() < 0 or values.max() > 255:
            raise DataError(
                f"{path}, row {i + 1}: pixels must be {SIDE * SIDE} numbers from 0 to 255"
            )
        rows.append(values.astype(np.uint8).tobytes())
    return table.with_columns(pl.Series("pixels", rows))


def splits_of(
    images_at: Path, usage: pl.Series, votes_at: Path, usage_of_votes: pl.Series
) -> npt.NDArray[np.str_]:
    """Return the split of each row; the two files must agree on it."""
    advice = "they must correspond row by row, so use the original files"
    if len(usage) != len(usage_of_votes):
        raise DataError(
            f"{images_at} has {len(usage)} rows and {votes_at} has {len(usage_of_votes)}; {advice}"
        )
    for i, (name, other) in enumerate(zip(usage, usage_of_votes, strict=True), 1):
        if name != other:
            raise DataError(
                f"row {i} is {shortened(repr(name))} in {images_at} and "
                f"{shortened(repr(other))} in {votes_at}; {advice}"
            )
        if name not in SPLIT_OF_USAGE:
            known = ", ".join(SPLIT_OF_USAGE)
            raise DataError(
                f"{images_at}, row {i}: Usage {shortened(repr(name))} must be one of {known}"
            )
    return np.array([SPLIT_OF_USAGE[name] for name in usage])


def check_agreement(
    images_at: Path, emotion: pl.Series, votes_at: Path, votes: npt.NDArray[np.int64]
) -> None:
    """Raise `DataError` if labels and votes agree no more than those of different faces do."""
    labels = np.array([CLASS_OF_EMOTION.get(code, -1) for code in emotion])
    agreement = float((labels == votes.argmax(axis=1)).mean())
    if len(labels) >= ENOUGH_ROWS and agreement < LEAST_AGREEMENT:
        raise DataError(
            f"the votes of {votes_at} agree with the labels of {images_at} in only "
            f"{agreement:.0%} of the rows, so the rows do not correspond; use the original files"
        )


# --- folders of images ----------------------------------------------------------------------------


def rows_of_folders(root: Path, lists: Mapping[str, Path]) -> Rows:
    """Return the rows of the folders that the script of FER+'s authors makes.

    Three names occur twice in the original; the script then keeps the image of the later row.
    ``lists`` has the ``label.csv`` of each split: name of the image, its box, ten votes.
    """
    sources = [Source(path.parent) for path in lists.values()]
    table = indexed(FOLDER_ROWS, root, sources, lambda names: read_folders(root, lists, names))
    kept = table.unique("file", keep="last", maintain_order=True)
    notes = []
    if len(kept) < len(table):
        dropped = number(len(table) - len(kept), "row")
        notes.append(f"dropped {dropped}: a later one has an image of the same name")
    lost = kept.filter(pl.col("digest").is_null())["file"]
    if len(lost) == len(kept):
        raise DataError(
            f"{root} has the votes of FER+ and none of its images, such as {lost[0]}; the script "
            "of FER+ makes them from fer2013.csv, which can also be used directly"
        )
    table = kept.filter(pl.col("digest").is_not_null())
    return Rows(
        path=lists["train"],
        ids=tuple(Path(file).stem for file in table["file"]),
        splits=table["split"].to_numpy().astype(np.str_),
        votes=table.select(ANSWERS).to_numpy(),
        read=ImageReader(table["file"], root),
        digests=tuple(table["digest"]),
        constant=table["constant"].to_numpy(),
        missing=dict.fromkeys(lost, 1),
        notes=tuple(notes),
    )


def read_folders(
    root: Path, lists: Mapping[str, Path], names: Mapping[Path, list[str]]
) -> pl.DataFrame:
    """Read the lists, and each image once; ``digest`` is null for an image that is missing."""
    parts = []
    for split, path in lists.items():
        table = read_csv(path, FOLDER_COLUMNS, if_headless=FOLDER_COLUMNS)
        votes, there = read_votes(path, table), set(names[path.parent])
        folder = path.parent.relative_to(root)
        files = [sample_id(name, f"{path}, row {i}") for i, name in enumerate(table["image"], 1)]
        found = []
        with track(f"reading {folder}", len(files)) as step:
            for file in files:
                found.append(look_at(path.parent / file) if file in there else (None, False))
                step(1)
        digests, constant = zip(*found, strict=True)
        parts.append(
            pl.DataFrame(votes, schema=dict.fromkeys(ANSWERS, pl.Int64)).with_columns(
                pl.lit(split).alias("split"),
                pl.Series("file", [(folder / file).as_posix() for file in files]),
                pl.Series("digest", digests, pl.String),
                pl.Series("constant", constant, pl.Boolean),
            )
        )
    return pl.concat(parts)


def look_at(path: Path) -> tuple[str, bool]:
    """Return the hash of an image and whether it has a single value.

    An unreadable image has a hash of its own; reading the face reports why.
    """
    try:
        image = read_image(path)
    except BadImageError:
        return f"unreadable {path.name}", False
    return digest(image), bool(image.min() == image.max())
