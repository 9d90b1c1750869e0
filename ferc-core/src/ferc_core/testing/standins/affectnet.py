"""Stand-ins for both releases of AffectNet."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.datasets.affectnet.loader import CLASSES
from ferc_core.datasets.affectnet.rows import BOX, COLUMNS, IMAGES, KINDS, SETS, TABLES
from ferc_core.testing.standins.images import ImageWriter, toy_number, toy_valence_arousal
from ferc_core.testing.standins.quirks import check_quirks, write_lines

QUIRKS = {
    "codes": "6 more training rows: three of code 8 (none), two of 9 (uncertain), one of 10 (no "
    "face), the last three with valence and arousal of -2",
    "unrated": "1 more training row with valence and arousal of -2",
    "out-of-range": "2 more training rows: a valence of 1.5, an arousal that is not a number",
    "bad-codes": "2 more training rows with the expressions 11 and 1.5",
    "missing": "the first 2 training images are missing",
}
MANUAL_QUIRKS = QUIRKS | {
    "duplicates": "2 more training rows that name the images 3 and 4 again, the second one with "
    "another expression",
    "in-both": "1 more training row that names the first validation image",
    "boxless": "1 more training row whose box is NULL",
    "sizes": "the boxes are left, top, width, height; else left, top, right, bottom",
    "float-boxes": "the boxes are written as 16.0",
    "headless": "validation.csv has no header",
    "extra-column": "training.csv has a column GMM_labels, as in the copy of FER-C's authors",
    "nested": "everything is in Manually_Annotated",
    "lists": "the tables are in Manually_Annotated_file_lists",
    "windows": "the tables have Windows line endings and a byte-order mark",
    "utf-16": "the tables are UTF-16",
}
EIGHT_CLASS_QUIRKS = QUIRKS | {
    "numbers": "annotations are int64, float64 and float32; else text",
    "unannotated": "1 more training image without any annotation",
    "no-valence": "the valence of training face 3 is missing",
    "cut": "the expression of training face 4 is cut short",
    "pickled": "the arousal of training face 5 is a pickled object",
}
RELEASES = {"manual": MANUAL_QUIRKS, "8-class": EIGHT_CLASS_QUIRKS}

SIDE = {"manual": 64, "8-class": 224}  # of a face in pixels
VALID_TURN = 100_000  # so that validation and training faces differ
FOLDER_SIZE = 200  # images in a folder of the manual release
LANDMARKS = ";".join(f"{20 + i * 0.37:.2f};{90 - i * 0.53:.2f}" for i in range(68))
# Expression, valence and arousal of the training faces that a quirk adds.
ADDED = {
    "codes": [("8", "0.1", "0.2")] * 3 + [("9", "-2", "-2")] * 2 + [("10", "-2", "-2")],
    "unrated": [("1", "-2", "-2")],
    "out-of-range": [("1", "1.5", "0.2"), ("2", "0.1", "NaN")],
    "bad-codes": [("11", "0.1", "0.2"), ("1.5", "0.1", "0.2")],
}


@dataclass(frozen=True)
class Row:
    """What is written about a face, as text. ``name`` is that of its image, without suffix."""

    split: str
    name: str
    face: int  # number of the toy face
    expression: str
    valence: str
    arousal: str
    drawn: bool = True  # whether the image is written
    boxed: bool = True


def write_affectnet(
    root: Path,
    *,
    release: str = "manual",
    train: int = 160,
    valid: int = 40,
    labels: Sequence[int] | npt.NDArray[np.integer[Any]] | None = None,
    valence_arousal: npt.NDArray[np.float64] | None = None,
    quirks: Collection[str] = (),
    distinct: int = 0,
    side: int = 0,
) -> Path:
    """Write a stand-in for AffectNet with toy faces into the folder ``root`` and return it.

    release:         "manual" (images with a box, two tables) or "8-class" (cropped images,
                     a file for each annotation; both sets number their images from 0)
    train, valid:    number of faces; the classes take turns
    labels:          codes of the training rows, instead of ``train``
    valence_arousal: [N, 2], of the training rows; by default those of the toy faces
    quirks:          oddities of real copies: names in `MANUAL_QUIRKS` or `EIGHT_CLASS_QUIRKS`,
                     which count training faces from 1
    distinct:        different images of each class, the others are links to them; 0: all differ
    side:            of a face in pixels; 0 for 64, or 224 in the 8-class release

    In the manual release a grey frame, a quarter of a face wide, surrounds each face.
    Raises `UnknownNameError` for an unknown release or quirk.
    """
    check_quirks(release, quirks, RELEASES)
    turns = [i % len(CLASSES) for i in range(max(train, valid))]
    codes = turns[:train] if labels is None else [int(code) for code in labels]
    training = list(faces("train", codes, release))
    if valence_arousal is not None:
        points = zip(training, np.asarray(valence_arousal).tolist(), strict=True)
        training = [replace(row, valence=str(v), arousal=str(a)) for row, (v, a) in points]
    validation = list(faces("valid", turns[:valid], release))
    if "missing" in quirks:
        training[:2] = [replace(row, drawn=False) for row in training[:2]]
    for cells in (cells for quirk, rows in ADDED.items() if quirk in quirks for cells in rows):
        training.append(added_row(len(training), release, cells))
    side = side or SIDE[release]
    if release == "manual":
        training += more_rows(training, validation, quirks)
        write_manual(root, validation + training, quirks, ImageWriter(side, distinct, side // 4))
    else:
        write_eight_class(root, validation + training, quirks, ImageWriter(side, distinct))
        spoil(root / SETS["train"], len(training), quirks)
    return root


def faces(split: str, codes: Sequence[int], release: str) -> Iterator[Row]:
    """Yield rows of toy faces for these codes, with their valence and arousal."""
    first = VALID_TURN if split == "valid" else 0
    for i, code in enumerate(codes):
        face = toy_number(code % len(CLASSES), first + i // len(CLASSES))
        valence, arousal = toy_valence_arousal(face)
        yield Row(split, name_of(split, i, release), face, str(code), str(valence), str(arousal))


def name_of(split: str, i: int, release: str) -> str:
    """Return the name of image number ``i`` of a split, without suffix."""
    if release == "8-class":
        return str(i)
    return f"{i // FOLDER_SIZE}/{blake2b(f'{split} {i}'.encode(), digest_size=28).hexdigest()}"


def added_row(i: int, release: str, cells: tuple[str, str, str]) -> Row:
    """Return row number ``i`` of the training faces, which a quirk adds."""
    return Row("train", name_of("train", i, release), toy_number(0, i), *cells)


def more_rows(
    training: Sequence[Row], validation: Sequence[Row], quirks: Collection[str]
) -> list[Row]:
    """Return the training rows that quirks of the manual release add."""
    rows = []
    if "duplicates" in quirks:
        other = str((int(training[3].expression) + 1) % len(CLASSES))
        rows += [training[2], replace(training[3], expression=other)]
    if "in-both" in quirks:
        rows += [replace(validation[0], split="train")]
    rows = [replace(row, drawn=False) for row in rows]
    if "boxless" in quirks:
        rows += [replace(added_row(len(training), "manual", ("0", "0", "0")), boxed=False)]
    return rows


def write_manual(
    root: Path, rows: Sequence[Row], quirks: Collection[str], writer: ImageWriter
) -> None:
    """Write the images and the two tables of the manual release."""
    top = root / "Manually_Annotated" if "nested" in quirks else root
    left, extent = writer.margin, writer.side if "sizes" in quirks else writer.margin + writer.side
    box = [str(float(n) if "float-boxes" in quirks else n) for n in (left, left, extent, extent)]
    lines: dict[str, list[str]] = {split: [",".join(COLUMNS)] for split in TABLES}
    for row in rows:
        # As in the original, images have several formats.
        path = f"{row.name}{'.png' if row.face % 5 == 4 else '.jpg'}"
        if row.drawn:
            writer.write(top / IMAGES / path, row.face)
        place = box if row.boxed else ["NULL"] * len(BOX)
        cells = (path, *place, LANDMARKS, row.expression, row.valence, row.arousal)
        lines[row.split].append(",".join(cells))
    if "headless" in quirks:
        del lines["valid"][0]
    if "extra-column" in quirks:
        header, *others = lines["train"]
        lines["train"] = [f"{header},GMM_labels", *(f'{line},"[0.5, 0.5]"' for line in others)]
    folder = top / "Manually_Annotated_file_lists" if "lists" in quirks else top
    windows = "windows" in quirks
    encoding = "utf-16" if "utf-16" in quirks else "utf-8-sig" if windows else "utf-8"
    for split, name in TABLES.items():
        write_lines(folder / name, lines[split], windows=windows, encoding=encoding)


def write_eight_class(
    root: Path, rows: Sequence[Row], quirks: Collection[str], writer: ImageWriter
) -> None:
    """Write the images and the annotation files of the 8-class release."""
    landmarks = npy(np.array([float(n) for n in LANDMARKS.split(";")]))
    for row in rows:
        folder = root / SETS[row.split]
        if row.drawn:
            writer.write(folder / "images" / f"{row.name}.jpg", row.face)
        annotations = folder / "annotations"
        annotations.mkdir(parents=True, exist_ok=True)
        for cell, kind in KINDS.items():
            content = npy_of(getattr(row, cell), kind if "numbers" in quirks else "text")
            (annotations / f"{row.name}_{kind}.npy").write_bytes(content)
        (annotations / f"{row.name}_lnd.npy").write_bytes(landmarks)


def spoil(folder: Path, count: int, quirks: Collection[str]) -> None:
    """Apply quirks to the ``count`` training faces of the 8-class release."""
    annotations = folder / "annotations"
    if "unannotated" in quirks:
        ImageWriter(SIDE["8-class"]).write(folder / "images" / f"{count}.jpg", 0)
    if "no-valence" in quirks:
        (annotations / "2_val.npy").unlink()
    if "cut" in quirks:
        path = annotations / "3_exp.npy"
        path.write_bytes(path.read_bytes()[:-2])
    if "pickled" in quirks:
        (annotations / "4_aro.npy").write_bytes(npy(np.array({"arousal": 0.5}, dtype=object)))


@lru_cache(maxsize=100_000)
def npy_of(text: str, kind: str) -> bytes:
    """Return the file of an annotation: a text, or its number."""
    if kind == "text":
        return npy(np.array(text))
    number = np.array(json.loads(text))
    return npy(number.astype(np.float32) if kind == KINDS["arousal"] else number)


def npy(array: npt.NDArray[Any]) -> bytes:
    """Return an array as the content of a ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
