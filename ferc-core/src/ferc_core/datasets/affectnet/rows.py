"""AffectNet's annotations as rows of text, from either release.

Rows repeat what the files say; `ferc_core.datasets.affectnet.loader` decides which to use.

    split        "valid" or "train"; the rows of "valid" come first
    image        its path with forward slashes
    where        how messages refer to the row: "training.csv, row 7"
    expression, valence, arousal, and in the manual release BOX: text, "" for an empty cell
    fault, file  what is wrong with a file of the face, which is then lost, and the path of that
                 file relative to the root; or ""

In the 8-class release the annotations of a row with a fault are null.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from ferc_core.base.progress import track
from ferc_core.datasets.index import Names
from ferc_core.datasets.samples import sample_id
from ferc_core.datasets.scalars import read_scalars
from ferc_core.datasets.texts import read_csv
from ferc_core.images.io import IMAGE_SUFFIXES

IMAGES = "Manually_Annotated_Images"
TABLES = {"valid": "validation.csv", "train": "training.csv"}
SETS = {"valid": "val_set", "train": "train_set"}

PATH = "subDirectory_filePath"
BOX = ("face_x", "face_y", "face_width", "face_height")
ANNOTATIONS = ("expression", "valence", "arousal")
COLUMNS = (PATH, *BOX, "facial_landmarks", *ANNOTATIONS)

KINDS = {"expression": "exp", "valence": "val", "arousal": "aro"}  # <id>_exp.npy, ...

IS_MISSING = "is missing"
UNANNOTATED = "has no annotation"  # of an image; such an image is not a lost face

# Paths that `sample_id` would neither change nor refuse: printable, without empty or dotted parts.
_PLAIN = r"^[!-~]+$"
_ODD = r"(^|/)\.{0,2}(/|$)"
_ANNOTATION = re.compile(r"(.+)_(exp|val|aro)\.npy")


def manual_rows(root: Path, found: Mapping[str, Path], names: Names) -> pl.DataFrame:
    """Read the tables of the manual release; ``image`` is relative to the image folder."""
    folder = found[IMAGES]
    there = set(names[folder])
    tables = []
    for split, part in TABLES.items():
        table = read_csv(found[part], (PATH, *BOX, *ANNOTATIONS), if_headless=COLUMNS)
        where = pl.format("{}, row {}", pl.lit(part), pl.int_range(1, pl.len() + 1))
        images = image_paths(table[PATH], found[part])
        tables.append(
            table.select(images, where.alias("where"), *ANNOTATIONS, *BOX, split=pl.lit(split))
        )
    rows = pl.concat(tables)
    lost = pl.when(pl.Series([image not in there for image in rows["image"]], dtype=pl.Boolean))
    file = pl.lit(f"{folder.relative_to(root).as_posix()}/") + pl.col("image")
    return rows.with_columns(
        fault=lost.then(pl.lit(IS_MISSING)).otherwise(pl.lit("")),
        file=lost.then(file).otherwise(pl.lit("")),
    )


def image_paths(column: pl.Series, table: Path) -> pl.Series:
    """Return the paths of images as sample ids; plain paths stay as they are."""
    paths = column.str.replace_all("\\", "/", literal=True).rename("image")
    odd = (~paths.str.contains(_PLAIN) | paths.str.contains(_ODD)).arg_true()
    if len(odd):
        names = [sample_id(paths[i], f"{table}, row {i + 1}") for i in odd]
        paths = paths.scatter(odd, names)
    return paths


def eight_class_rows(root: Path, found: Mapping[str, Path], names: Names) -> pl.DataFrame:
    """Read the files of the 8-class release; ``image`` is relative to the root."""
    parts = []
    for split, folder in SETS.items():
        images, annotations = (found[f"{folder}/{part}"] for part in ("images", "annotations"))
        parts.append(files_of_set(split, folder, names[images], names[annotations]))
    rows = pl.concat(parts)
    whole = rows["fault"] == ""
    return pl.concat([with_values(rows.filter(whole), root), rows.filter(~whole)], how="diagonal")


def files_of_set(
    split: str, folder: str, images: list[str], annotations: list[str]
) -> pl.DataFrame:
    """Return a row for each number that an image or an annotation of a set has."""
    image_of: dict[str, str] = {}
    for name in filter(str.isprintable, images):
        stem, suffix = os.path.splitext(name)
        if suffix.lower() in IMAGE_SUFFIXES:
            image_of.setdefault(stem, name)
    kinds_of: dict[str, set[str]] = {}
    for name in filter(str.isprintable, annotations):
        if match := _ANNOTATION.fullmatch(name):
            kinds_of.setdefault(match[1], set()).add(match[2])
    rows = []
    for stem in sorted(image_of.keys() | kinds_of.keys(), key=lambda s: (len(s), s)):
        image = f"{folder}/images/{image_of.get(stem, f'{stem}.jpg')}"
        where = f"{folder}/annotations/{stem}"
        lacking = [kind for kind in KINDS.values() if kind not in kinds_of.get(stem, ())]
        fault, file = "", ""
        if stem not in image_of:
            fault, file = IS_MISSING, image
        elif stem not in kinds_of:
            fault, file = UNANNOTATED, image
        elif lacking:
            fault, file = IS_MISSING, f"{where}_{lacking[0]}.npy"
        rows.append((split, image, where, fault, file))
    columns = ("split", "image", "where", "fault", "file")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def with_values(rows: pl.DataFrame, root: Path) -> pl.DataFrame:
    """Return rows whose files are all present, with what the annotation files say."""
    stems = rows["where"].to_list()
    fault, file = [""] * len(stems), [""] * len(stems)
    columns = []
    with track("reading annotations", len(stems) * len(KINDS)) as advance:
        for name, kind in KINDS.items():
            paths = [f"{root}/{stem}_{kind}.npy" for stem in stems]
            texts, faults = read_scalars(paths, advance)
            columns.append(pl.Series(name, texts, pl.String))
            for i, why in faults.items():
                if not fault[i]:
                    fault[i], file[i] = why, f"{stems[i]}_{kind}.npy"
    columns += [pl.Series("fault", fault, pl.String), pl.Series("file", file, pl.String)]
    return rows.with_columns(columns).with_columns(
        pl.when(pl.col("fault") == "").then(pl.col(*KINDS))
    )
