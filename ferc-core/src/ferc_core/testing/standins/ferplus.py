"""A stand-in for FER2013 with the votes of FER+: toy faces in grey, and the files' oddities."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.ferplus.rows import ANSWERS, CLASSES, FOLDER_OF, SIDE, SPLIT_OF_USAGE
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES as TOY_CLASSES
from ferc_core.errors import RequestError
from ferc_core.images.io import to_rgb
from ferc_core.testing.standins.images import toy_image, toy_number, write_image
from ferc_core.testing.standins.quirks import check_quirks

QUIRKS = {
    "constant image": "row 1 has one grey value only",
    "duplicates": "the last row of Training, and the first of the other two, show one image",
    "no face": "row 2 is won by NF, and has no name",
    "single votes": "row 5 has ten answers with one vote each",
    "tie": "row 3 has five votes for each of two emotions",
    "unknown": "row 4 is won by unknown",
    "unusable names": "rows 6 and 7 have the same image name, and row 8 has none",
    "windows line ends": "lines with carriage returns",
}
TABLE_QUIRKS = QUIRKS | {
    "gzip": "fer2013.csv.gz",
    "icml": "icml_face_data.csv: blanks in the header, and the pixels last",
}
FOLDER_QUIRKS = QUIRKS | {
    "missing image": "the last image is not there",
    "nested": "the folders lie in data/",
    "no images": "there are the votes alone, as in the copy that FER+ is sent out with",
}
RELEASES = {"tables": TABLE_QUIRKS, "folders": FOLDER_QUIRKS}
# FER2013's code for each class of FER+; it has no contempt.
EMOTIONS = dict(zip(CLASSES, (6, 3, 5, 4, 0, 1, 2, 6), strict=True))
FEWEST = 8  # rows of Training, so that there are rows for all quirks


@dataclass
class Row:
    """A row of both files."""

    usage: str
    emotion: int
    votes: dict[str, int]
    picture: npt.NDArray[np.uint8]  # grey [48, 48]
    name: str


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
    one and one for the one after it. ``release`` is "tables", both files as they are sent out, or
    "folders", the images that the script of FER+ makes of them. ``quirks`` are names in
    TABLE_QUIRKS or FOLDER_QUIRKS; they count rows from 1.
    """
    check_quirks(release, quirks, RELEASES)
    if train < FEWEST:
        raise RequestError(f"a stand-in for FER+ has {FEWEST} rows of Training or more: {train}")
    rows: list[Row] = []
    for usage, size in (("Training", train), ("PublicTest", public), ("PrivateTest", private)):
        rows += [plain_row(usage, i, len(rows) + i) for i in range(size)]
    change(rows, train, train + public, frozenset(quirks))
    if release == "tables":
        write_tables(root, rows, frozenset(quirks))
    else:
        write_folders(root, rows, frozenset(quirks))
    return root


def plain_row(usage: str, turn: int, number: int) -> Row:
    """Return row ``number`` of the file, from 0, the ``turn``-th of its split."""
    label = turn % len(CLASSES)
    name, second, third = (CLASSES[(label + i) % len(CLASSES)] for i in range(3))
    shown = next(i for i, toy in enumerate(TOY_CLASSES) if toy[:3] == name[:3])
    picture = cv2.cvtColor(toy_image(toy_number(shown, number), SIDE), cv2.COLOR_RGB2GRAY)
    votes = {name: 7, second: 2, third: 1}
    return Row(usage, EMOTIONS[name], votes, picture.astype(np.uint8), f"fer{number:07d}.png")


def change(rows: list[Row], public: int, private: int, quirks: frozenset[str]) -> None:
    """Make rows odd; ``public`` and ``private`` are the first rows of these splits."""
    if "constant image" in quirks:
        rows[0].picture = np.full_like(rows[0].picture, 7)
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
            row.picture = rows[public - 1].picture


def write_tables(root: Path, rows: list[Row], quirks: frozenset[str]) -> None:
    """Write the table of the images and that of the votes."""
    end = "\r\n" if "windows line ends" in quirks else "\n"
    pixels = [" ".join(map(str, row.picture.ravel().tolist())) for row in rows]
    if "icml" in quirks:
        name, header = "icml_face_data.csv", ["emotion", " Usage", " pixels"]
        cells = [[row.emotion, row.usage, text] for row, text in zip(rows, pixels, strict=True)]
    else:
        name, header = "fer2013.csv", ["emotion", "pixels", "Usage"]
        cells = [[row.emotion, text, row.usage] for row, text in zip(rows, pixels, strict=True)]
    root.mkdir(parents=True, exist_ok=True)
    data = csv_bytes([header, *cells], end)
    if "gzip" in quirks:
        name, data = f"{name}.gz", gzip.compress(data, mtime=0)
    (root / name).write_bytes(data)
    votes = [[r.usage, r.name, *(r.votes.get(answer, 0) for answer in ANSWERS)] for r in rows]
    (root / "fer2013new.csv").write_bytes(
        csv_bytes([["Usage", "Image name", *ANSWERS], *votes], end)
    )


def write_folders(root: Path, rows: list[Row], quirks: frozenset[str]) -> None:
    """Write a folder of images for each split, and the votes in it; nameless rows are left out.

    As the script of FER+ does it, of two images with one name the later one stays.
    """
    end = "\r\n" if "windows line ends" in quirks else "\n"
    place = root / "data" if "nested" in quirks else root
    for usage, split in SPLIT_OF_USAGE.items():
        folder = place / FOLDER_OF[split]
        folder.mkdir(parents=True, exist_ok=True)
        lines: list[list[object]] = []
        for row in rows:
            if row.usage == usage and row.name:
                votes = [row.votes.get(answer, 0) for answer in ANSWERS]
                lines.append([row.name, f"(0, 0, {SIDE}, {SIDE})", *votes])
                if "no images" not in quirks:
                    write_image(folder / row.name, to_rgb(row.picture))
        (folder / "label.csv").write_bytes(csv_bytes(lines, end))
    if "missing image" in quirks:
        (folder / rows[-1].name).unlink()


def csv_bytes(rows: Iterable[Sequence[object]], end: str) -> bytes:
    """Return a table as the content of a CSV file with these line ends."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue().encode()
