"""A stand-in for RAF-DB: basic, compound and RAF-ML with toy faces, and the quirks of copies."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ferc_core.datasets.rafdb.loader import CLASSES
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES as TOY_CLASSES
from ferc_core.errors import RequestError
from ferc_core.testing.standins.images import ImageWriter, toy_class, toy_number
from ferc_core.testing.standins.quirks import check_quirks, write_lines

FOLDERS = {"basic": "basic", "compound": "compound", "ml": "RAF-ML"}
DISTRIBUTIONS = {
    "basic": "distribution_basic.txt",
    "compound": "distribution_compound.txt",
    "ml": "distribution.txt",
}
QUIRKS = {
    "bad distributions": "lines 4 to 7: all 0, a sum of 1.2, a negative value, a value too few",
    "bad labels": "three more lines: no label, a label too high, a name without train_ or test_",
    "bad partition": "line 1 of partition_label.txt has a 2, line 2 is missing, 9999 is too much",
    "corrected spelling": "list_partition_label.txt",
    "double names": "the first line of each list is repeated at its end",
    "extra distributions": "one more line, of a face that the label list does not have",
    "flat": "lists and aligned/ are in the part's folder itself",
    "foreign distributions": "each line of distribution_compound.txt has two values",
    "few distributions": "the last face has no distribution",
    "missing images": "the last image of each part is missing",
    "ml prefixes": "the names of RAF-ML begin with train_ and test_; no partition_label.txt",
    "nested": "an archive unpacked twice: Image/aligned/aligned",
    "neutral distribution": "line 8 of distribution_basic.txt is all neutral, unlike its label",
    "no distributions": "basic and compound have only label lists",
    "no partition": "RAF-ML has no partition_label.txt",
    "other labels": "line 3 of each distribution favours the class after the label",
    "packed": "there is aligned.zip instead of aligned/",
    "rounded distributions": "line 2 of each distribution sums to 0.995",
    "ties": "line 1 of each distribution has two largest values",
    "utf-16": "lists in another encoding",
    "windows line ends": "lists with carriage returns",
}
# Number of the face -> the quirk that changes its distribution, and its values from the label on.
SPECIAL = {
    0: ("ties", (0.4, 0.4, 0.2)),
    1: ("rounded distributions", (0.695, 0.2, 0.1)),
    2: ("other labels", (0.3, 0.6, 0.1)),
    3: ("bad distributions", (0.0,)),
    4: ("bad distributions", (0.9, 0.3)),
    5: ("bad distributions", (1.2, -0.2)),
}
FEWEST = 8  # training faces, enough lines for all quirks


@dataclass
class Face:
    """A face of a part: its name, its class and its line of label distributions."""

    name: str
    split: str
    label: int
    distribution: list[float]


def write_rafdb(
    root: Path,
    *,
    parts: Collection[str] = ("basic", "compound", "ml"),
    train: int = 28,
    test: int = 14,
    side: int = 100,
    distinct: int = 0,
    quirks: Collection[str] = (),
) -> Path:
    """Write parts of a RAF-DB with ``train`` and ``test`` faces each; returns ``root``.

    The classes take turns. The distribution of a face has 0.7 for its class and 0.2 and 0.1 for
    the next two, in RAF-ML 0.5, 0.3 and 0.2. The images are ``side`` x ``side``; ``distinct`` is
    that of `ImageWriter`. ``quirks`` are names in QUIRKS, which count lines from 1.
    """
    for part in parts:
        check_quirks(part, quirks, dict.fromkeys(FOLDERS, QUIRKS))
    writer = ImageWriter(side, distinct)
    if train < FEWEST:
        raise RequestError(
            f"a stand-in for RAF-DB needs {FEWEST} training faces or more, not {train}"
        )
    turns = {label: count() for label in range(len(TOY_CLASSES))}
    for part in parts:
        folder = root / FOLDERS[part]
        faces = faces_of(part, train, test, quirks)
        write_lists(folder, part, faces, quirks)
        images = folder / ("aligned" if "flat" in quirks else "Image/aligned")
        if "packed" in quirks:
            images.parent.mkdir(parents=True, exist_ok=True)
            images.with_suffix(".zip").write_bytes(b"PK\5\6" + bytes(18))
            continue
        for face in faces[: -1 if "missing images" in quirks else None]:
            name = f"{'aligned/' if 'nested' in quirks else ''}{face.name}_aligned.jpg"
            shown = toy_class(CLASSES[part][face.label])
            writer.write(images / name, toy_number(shown, next(turns[shown])))
    return root


def faces_of(part: str, train: int, test: int, quirks: Collection[str]) -> list[Face]:
    """Return the faces of a part with the distributions that the quirks give them."""
    k = len(CLASSES[part])
    usual = (0.5, 0.3, 0.2) if part == "ml" else (0.7, 0.2, 0.1)
    faces: list[Face] = []
    for split, number in [("train", i) for i in range(train)] + [("test", i) for i in range(test)]:
        name = f"{split}_{number + 1:0{5 if split == 'train' else 4}d}"
        if part == "ml" and "ml prefixes" not in quirks:
            name = f"{len(faces) + 1:04d}"
        quirk, special = SPECIAL.get(len(faces), ("", usual))
        row = distribution(k, number % k, special if quirk in quirks else usual)
        faces.append(Face(name, split, number % k, row))
    if "bad distributions" in quirks:
        del faces[6].distribution[0]
    if "neutral distribution" in quirks and part == "basic":
        faces[7].distribution = distribution(k, k - 1, (1.0,))
    if "foreign distributions" in quirks and part == "compound":
        for face in faces:
            face.distribution = [0.5, 0.5]
    return faces


def distribution(k: int, label: int, values: tuple[float, ...]) -> list[float]:
    """Return K probabilities: ``values`` for the label and the classes after it, 0 for others."""
    row = [0.0] * k
    for i, value in enumerate(values):
        row[(label + i) % k] = value
    return row


def write_lists(folder: Path, part: str, faces: list[Face], quirks: Collection[str]) -> None:
    """Write the lists of a part."""
    place = folder if "flat" in quirks else folder / "EmoLabel"
    for name, lines in lists_of(part, faces, quirks).items():
        if "double names" in quirks:
            lines.append(lines[0])
        encoding = "utf-16" if "utf-16" in quirks else "utf-8"
        write_lines(place / name, lines, windows="windows line ends" in quirks, encoding=encoding)


def lists_of(part: str, faces: list[Face], quirks: Collection[str]) -> dict[str, list[str]]:
    """Return the lines of the lists of a part by file name."""
    soft = [f"{f.name}.jpg {' '.join(f'{value:g}' for value in f.distribution)} " for f in faces]
    if "few distributions" in quirks:
        soft.pop()
    if "extra distributions" in quirks:
        soft.append(soft[0].replace(faces[0].name, "train_99999"))
    lists = {DISTRIBUTIONS[part]: soft}
    if part == "ml":
        codes = [f"{face.name}.jpg {int(face.split == 'test')}" for face in faces]
        if "bad partition" in quirks:
            codes = [codes[0][:-1] + "2", *codes[2:], "9999.jpg 0"]
        without = "ml prefixes" in quirks or "no partition" in quirks
        return lists if without else lists | {"partition_label.txt": codes}
    labels = [f"{face.name}.jpg {face.label + 1}" for face in faces]
    if "bad labels" in quirks:
        labels += ["train_88881.jpg", "train_88882.jpg 99", "face_88883.jpg 1"]
    spelling = "list_partition" if "corrected spelling" in quirks else "list_patition"
    return ({} if "no distributions" in quirks else lists) | {f"{spelling}_label.txt": labels}
