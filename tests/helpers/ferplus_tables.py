"""Tables of FER+ that a test writes row by row."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

from ferc_core.datasets.ferplus.rows import ANSWERS
from helpers.loaders import edit


def vote(**counts: int) -> list[int]:
    """Ten counts in the order of the file; ``vote(happiness=7, NF=3)``."""
    return [counts.get(answer, 0) for answer in ANSWERS]


def pixels(value: int) -> str:
    """The cell of an image that is different for every ``value``."""
    return " ".join(str((value + i) % 256) for i in range(48 * 48))


def write(root: Path, rows: list[tuple], *, layout: str = "fer2013.csv") -> Path:
    """Write both files; a row is (Usage, pixels, votes)."""
    root.mkdir(parents=True, exist_ok=True)
    if layout == "icml_face_data.csv":
        lines = ["emotion, Usage, pixels", *(f"0,{usage},{text}" for usage, text, _ in rows)]
    else:
        lines = ["emotion,pixels,Usage", *(f"0,{text},{usage}" for usage, text, _ in rows)]
    data = ("\n".join(lines) + "\n").encode()
    (root / layout).write_bytes(gzip.compress(data) if layout.endswith(".gz") else data)
    with (root / "fer2013new.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Usage", "Image name", *ANSWERS])
        for usage, _, votes in rows:
            table.writerow([usage, "", *votes])  # names are empty or repeated in the real file
    return root


ROWS = [
    ("Training", pixels(0), vote(happiness=10)),
    ("Training", pixels(1), vote(NF=9, neutral=1)),
    ("Training", pixels(2), vote(unknown=6, anger=4)),
    ("PublicTest", pixels(3), vote(sadness=6, neutral=3, fear=1)),
    ("PrivateTest", pixels(4), vote(surprise=5, fear=5)),
]


def edited(root: Path, name: str, old: str, new: str) -> Path:
    """Replace the first ``old`` in a file of ``root``; returns ``root``."""
    edit(root / name, old, new)
    return root
