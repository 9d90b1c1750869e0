"""A stand-in for FER2013 with the votes of FER+: grey toy faces, and the quirks of the files."""

from __future__ import annotations

import gzip
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.ferplus.rows import ANSWERS, CLASSES, FOLDER_OF, SIDE, SPLIT_OF_USAGE
from ferc_core.errors import RequestError
from ferc_core.images.io import to_rgb
from ferc_core.testing.standins.images import toy_class, toy_image, toy_number, write_image
from ferc_core.testing.standins.quirks import check_quirks, write_lines

QUIRKS = {
    "constant image": "row 1 has a single grey value",
    "duplicates": "the last row of Training and the first of the other two have the same image",
    "no face": "row 2 is won by NF, and has no name",
    "single votes": "row 5 has ten answers with one vote each",
    "tie": "row 3 has five votes for each of two emotions",
    "unknown": "row 4 is won by unknown",
    "unusable names": "rows 6 and 7 have the same image name, and row 8 has none",
    "windows line ends": "lines with carriage returns",
}
TABLE_QUIRKS = QUIRKS | {
    "gzip": "fer2013.csv.gz",
    "icml": "icml_face_data.csv: spaces in the header, and the pixels last",
}
FOLDER_QUIRKS = QUIRKS | {
    "missing image": "the last image is missing",
    "nested": "the folders are in data/",
    "no images": "there are only the votes, as FER+ is distributed",
}
RELEASES = {"tables": TABLE_QUIRKS, "folders": FOLDER_QUIRKS}
# FER2013's code for each class of FER+; it has no contempt.
EMOTIONS = dict(zip(CLASSES, (6, 3, 5, 4, 0, 1, 2, 6), strict=True))
FEWEST = 8  # rows of Training, enough for all quirks


@dataclass
class Row:
    """A row of both files."""

    usage: str
    emotion: int
    votes: dict[str, int]
    image: npt.NDArray[np.uint8]  # grey [48, 48]
    name: str

    @property
    def counts(self) -> str:
        """The ten votes as cells of a table."""
        return ",".join(str(self.votes.get(answer, 0)) for answer in ANSWERS)


def write_ferplus(
    root: Path,
    *,
    train: int = 24,
    public: int = 8,
    private: int = 8,
    release: str = "tables",
    quirks: Collection[str] = (),
) -> Path:
    """Write FER+ with rows of Training, PublicTest and PrivateTest; returns ``root``.

    The classes take turns in each split. A row has seven votes for its class, two for the next
    one and one for the one after it. ``release`` is "tables", both files as distributed, or
    "folders", the images that the script of FER+ makes of them. ``quirks`` are names in
    TABLE_QUIRKS or FOLDER_QUIRKS, which count rows from 1.
    """
    check_quirks(release, quirks, RELEASES)
    if train < FEWEST:
        raise RequestError(
            f"a stand-in for FER+ needs {FEWEST} rows of Training or more, not {train}"
        )
    rows: list[Row] = []
    for usage, size in (("Training", train), ("PublicTest", public), ("PrivateTest", private)):
        rows += [plain_row(usage, i, len(rows) + i) for i in range(size)]
    change(rows, train, train + public, quirks)
    write = write_tables if release == "tables" else write_folders
    write(root, rows, quirks)
    return root


def plain_row(usage: str, turn: int, number: int) -> Row:
    """Return row ``number`` of the file, from 0, the ``turn``-th of its split."""
    name, second, third = (CLASSES[(turn + i) % len(CLASSES)] for i in range(3))
    face = toy_image(toy_number(toy_class(name), number), SIDE)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    votes = {name: 7, second: 2, third: 1}
    return Row(usage, EMOTIONS[name], votes, grey, f"fer{number:07d}.png")


def change(rows: list[Row], public: int, private: int, quirks: Collection[str]) -> None:
    """Apply quirks; ``public`` and ``private`` are the first rows of these splits."""
    if "constant image" in quirks:
        rows[0].image = np.full_like(rows[0].image, 7)
    if "no face" in quirks:
        rows[1].votes, rows[1].name = {"NF": 9, "neutral": 1}, ""
    if "tie" in quirks:
        rows[2].votes = {"surprise": 5, "fear": 5}
    if "unknown" in quirks:
        rows[3].votes = {"unknown": 6, "anger": 4}
    if "single votes" in quirks:
        rows[4].votes = dict.fromkeys(ANSWERS, 1)
    if "unusable names" in quirks:
        rows[6].name, rows[7].name = rows[5].name, ""
    if "duplicates" in quirks:
        for row in rows[public : public + 1] + rows[private : private + 1]:
            row.image = rows[public - 1].image


def write_tables(root: Path, rows: list[Row], quirks: Collection[str]) -> None:
    """Write the table of the images and that of the votes."""
    windows = "windows line ends" in quirks
    name, header, cells = "fer2013.csv", "emotion,pixels,Usage", "{emotion},{pixels},{usage}"
    if "icml" in quirks:
        name, header, cells = (
            "icml_face_data.csv", "emotion, Usage, pixels", "{emotion},{usage},{pixels}",
        )  # fmt: skip
    images = [
        cells.format(pixels=" ".join(map(str, row.image.ravel().tolist())), **vars(row))
        for row in rows
    ]
    write_lines(root / name, [header, *images], windows=windows)
    if "gzip" in quirks:
        packed = gzip.compress((root / name).read_bytes(), mtime=0)
        (root / name).unlink()
        (root / f"{name}.gz").write_bytes(packed)
    votes = [f"{row.usage},{row.name},{row.counts}" for row in rows]
    header = ",".join(["Usage", "Image name", *ANSWERS])
    write_lines(root / "fer2013new.csv", [header, *votes], windows=windows)


def write_folders(root: Path, rows: list[Row], quirks: Collection[str]) -> None:
    """Write a folder of images for each split, with its votes; rows without a name are left out.

    Like the script of FER+, the later of two images with one name replaces the earlier one.
    """
    place = root / "data" if "nested" in quirks else root
    for usage, split in SPLIT_OF_USAGE.items():
        folder = place / FOLDER_OF[split]
        named = [row for row in rows if row.usage == usage and row.name]
        lines = [f'{row.name},"(0, 0, {SIDE}, {SIDE})",{row.counts}' for row in named]
        write_lines(folder / "label.csv", lines, windows="windows line ends" in quirks)
        for row in named if "no images" not in quirks else []:
            write_image(folder / row.name, to_rgb(row.image))
    if "missing image" in quirks:
        (folder / rows[-1].name).unlink()
