"""A stand-in for RAF-DB: basic, compound and RAF-ML with toy faces, and their owners' oddities."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ferc_core.datasets.rafdb.loader import CLASSES
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES as TOY_CLASSES
from ferc_core.errors import RequestError
from ferc_core.testing.standins.images import ImageWriter, toy_number
from ferc_core.testing.standins.quirks import check_quirks

FOLDERS = {"basic": "basic", "compound": "compound", "ml": "RAF-ML"}
SHARES = {
    "basic": "distribution_basic.txt",
    "compound": "distribution_compound.txt",
    "ml": "distribution.txt",
}
QUIRKS = {
    "bad distributions": "lines 4 to 7: all 0, a sum of 1.2, a negative share, a share too few",
    "bad labels": "three more lines: no label, a label too high, a name without train_ or test_",
    "bad partition": "line 1 of partition_label.txt has a 2, line 2 is not there, 9999 is too much",
    "corrected spelling": "list_partition_label.txt",
    "double names": "the first line of each list stands at its end again",
    "extra distributions": "one more line, of a face that the label list does not have",
    "flat": "lists and aligned/ lie in the part's folder itself",
    "foreign distributions": "each line of distribution_compound.txt has two shares",
    "few distributions": "the last face has no distribution",
    "missing images": "the last image of each part is not there",
    "ml prefixes": "the names of RAF-ML begin with train_ and test_; no partition_label.txt",
    "nested": "an archive unpacked twice: Image/aligned/aligned",
    "neutral distribution": "line 8 of distribution_basic.txt is all neutral, unlike its label",
    "no distributions": "basic and compound have label lists alone",
    "no partition": "RAF-ML has no partition_label.txt",
    "other labels": "line 3 of each distribution favours the class after the label",
    "packed": "aligned.zip lies where aligned/ should",
    "rounded distributions": "line 2 of each distribution sums to 0.995",
    "ties": "line 1 of each distribution has two largest shares",
    "utf-16": "lists in another encoding",
    "windows line ends": "lists with carriage returns",
}
# Number of the face -> the quirk that changes its distribution, and its shares from the label on.
SPECIAL = {
    0: ("ties", (0.4, 0.4, 0.2)),
    1: ("rounded distributions", (0.695, 0.2, 0.1)),
    2: ("other labels", (0.3, 0.6, 0.1)),
    3: ("bad distributions", (0.0,)),
    4: ("bad distributions", (0.9, 0.3)),
    5: ("bad distributions", (1.2, -0.2)),
}
FEWEST = 8  # training faces, so that there are lines for all quirks


@dataclass
class Face:
    """A face of a part: its name, its class and what the lists say of it."""

    name: str
    split: str
    label: int
    shares: list[float]


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

    The classes take turns. A face has 0.7 of its class and 0.2 and 0.1 of the two after it, in
    RAF-ML 0.5, 0.3 and 0.2. The images are ``side`` x ``side``; ``distinct`` is that of
    `ImageWriter`. ``quirks`` are names in QUIRKS; they count lines from 1.
    """
    for part in parts:
        check_quirks(part, quirks, dict.fromkeys(FOLDERS, QUIRKS))
    writer = ImageWriter(side, distinct)
    if train < FEWEST:
        raise RequestError(
            f"a stand-in for RAF-DB has {FEWEST} training faces or more, not {train}"
        )
    chosen = frozenset(quirks)
    turns = {label: count() for label in range(len(TOY_CLASSES))}
    for part in parts:
        folder = root / FOLDERS[part]
        faces = faces_of(part, train, test, chosen)
        write_lists(folder, part, faces, chosen)
        pictures = folder / ("aligned" if "flat" in quirks else "Image/aligned")
        if "packed" in quirks:
            pictures.parent.mkdir(parents=True, exist_ok=True)
            pictures.with_suffix(".zip").write_bytes(b"PK\5\6" + bytes(18))
            continue
        for face in faces[: -1 if "missing images" in quirks else None]:
            name = f"{'aligned/' if 'nested' in quirks else ''}{face.name}_aligned.jpg"
            shown = toy_class(CLASSES[part][face.label])
            writer.write(pictures / name, toy_number(shown, next(turns[shown])))
    return root


def toy_class(name: str) -> int:
    """Return the toy class of a RAF-DB class; of a compound one that of its first word.

    >>> TOY_CLASSES[toy_class("fear")], TOY_CLASSES[toy_class("angrily surprised")]
    ('fear', 'anger')
    """
    return next(i for i, toy in enumerate(TOY_CLASSES) if toy[:3] == name[:3])


def faces_of(part: str, train: int, test: int, quirks: frozenset[str]) -> list[Face]:
    """Return the faces of a part with the distributions that the quirks give them."""
    k = len(CLASSES[part])
    usual = (0.5, 0.3, 0.2) if part == "ml" else (0.7, 0.2, 0.1)
    faces: list[Face] = []
    for split, number in [("train", i) for i in range(train)] + [("test", i) for i in range(test)]:
        name = f"{split}_{number + 1:0{5 if split == 'train' else 4}d}"
        if part == "ml" and "ml prefixes" not in quirks:
            name = f"{len(faces) + 1:04d}"
        quirk, special = SPECIAL.get(len(faces), ("", usual))
        shares = shares_of(k, number % k, special if quirk in quirks else usual)
        faces.append(Face(name, split, number % k, shares))
    if "bad distributions" in quirks:
        del faces[6].shares[0]
    if "neutral distribution" in quirks and part == "basic":
        faces[7].shares = shares_of(k, k - 1, (1.0,))
    if "foreign distributions" in quirks and part == "compound":
        for face in faces:
            face.shares = [0.5, 0.5]
    return faces


def shares_of(k: int, label: int, shares: tuple[float, ...]) -> list[float]:
    """Return K shares: those given for the label and the classes after it, 0 for the others."""
    row = [0.0] * k
    for i, share in enumerate(shares):
        row[(label + i) % k] = share
    return row


def write_lists(folder: Path, part: str, faces: list[Face], quirks: frozenset[str]) -> None:
    """Write the lists of a part."""
    place = folder if "flat" in quirks else folder / "EmoLabel"
    place.mkdir(parents=True, exist_ok=True)
    for name, lines in lists_of(part, faces, quirks).items():
        if "double names" in quirks:
            lines.append(lines[0])
        end = "\r\n" if "windows line ends" in quirks else "\n"
        text = "".join(line + end for line in lines)
        (place / name).write_bytes(text.encode("utf-16" if "utf-16" in quirks else "utf-8"))


def lists_of(part: str, faces: list[Face], quirks: frozenset[str]) -> dict[str, list[str]]:
    """Return the lines of the lists of a part by file name."""
    shares = [
        f"{face.name}.jpg {' '.join(f'{share:g}' for share in face.shares)} " for face in faces
    ]
    if "few distributions" in quirks:
        shares.pop()
    if "extra distributions" in quirks:
        shares.append(shares[0].replace(faces[0].name, "train_99999"))
    if part == "ml":
        codes = [f"{face.name}.jpg {int(face.split == 'test')}" for face in faces]
        if "bad partition" in quirks:
            codes = [codes[0][:-1] + "2", *codes[2:], "9999.jpg 0"]
        without = quirks & {"ml prefixes", "no partition"}
        return {SHARES[part]: shares} | ({} if without else {"partition_label.txt": codes})
    labels = [f"{face.name}.jpg {face.label + 1}" for face in faces]
    if "bad labels" in quirks:
        labels += ["train_88881.jpg", "train_88882.jpg 99", "face_88883.jpg 1"]
    spelling = "list_partition" if "corrected spelling" in quirks else "list_patition"
    lists = {f"{spelling}_label.txt": labels}
    return lists if "no distributions" in quirks else lists | {SHARES[part]: shares}
