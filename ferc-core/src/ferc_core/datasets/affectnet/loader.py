"""AffectNet as its owners distribute it (Mollahosseini, Hasani, Mahoor 2017, arXiv:1708.03985).

Two releases are supported: tables with a box for each face in larger images, and cropped faces
with a file for each annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.base.text import listed, number, shortened
from ferc_core.datasets.affectnet import rows as files
from ferc_core.datasets.affectnet.crop import CROPS, CropReader
from ferc_core.datasets.affectnet.rows import BOX, IMAGES, SETS, TABLES
from ferc_core.datasets.index import Source, indexed
from ferc_core.datasets.releases import Release, recognise
from ferc_core.datasets.samples import ImageReader
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

VERSION = "affectnet/2"  # a new number for every change of the rows

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")
NO_CLASS = {8: "none", 9: "uncertain", 10: "no face"}
NOT_RATED = -2.0  # valence and arousal of an image that could not be rated

LEVELS = ("", "Manually_Annotated/")
LISTS = ("", "Manually_Annotated_file_lists/")
MANUAL = Release(
    "AffectNet, manual CSV release",
    {
        IMAGES: tuple(f"{level}{IMAGES}" for level in LEVELS),
        **{
            table: tuple(f"{level}{lists}{table}" for level in LEVELS for lists in LISTS)
            for table in TABLES.values()
        },
    },
)
EIGHT_CLASS = Release(
    "AffectNet, 8-class release",
    {
        f"{folder}/{part}": (f"{folder}/{part}",)
        for folder in SETS.values()
        for part in ("images", "annotations")
    },
)
CROPPED = (224, 224)  # image size of the 8-class release
NUMBERED = r"^(train_set|val_set)/images/(.+)\.\w+$"  # their paths

# Faces of each class: Mollahosseini et al. 2017.
TRAIN = (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750)
VALID_OF_EACH = 500
VALID_OF_EIGHT_CLASS = 3999  # in all

LANDMARKS = "_lnd.npy"  # files that are ignored


def open_affectnet(root: Path | str | None, *, classes: int = 8, crop: str = "auto") -> FaceSet:
    """Open AffectNet in the folder ``root``: splits train and valid, the official validation set.

    ``classes`` is 8, or 7 to leave out contempt. ``crop`` says how the boxes of the manual release
    are read (`ferc_core.datasets.affectnet.crop.CROPS`); the 8-class release is cropped already.

    Dropped are rows without one of the expressions (codes 8, 9, 10), without valence and arousal
    in [-1, 1], rows that repeat an image, training rows of validation images, and faces with
    missing files. ``notes`` count them, ``about.missing`` names those files. Sample ids are the
    paths in ``Manually_Annotated_Images``, or ``train_set/12``.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    if isinstance(classes, bool) or classes not in (7, 8):
        raise RequestError(f"affectnet: classes must be 7 (no contempt) or 8, not {classes!r}")
    if crop not in CROPS:
        raise UnknownNameError("crop", str(crop), CROPS)
    release, found = recognise(root, "affectnet", (MANUAL, EIGHT_CLASS))
    folder, manual = Path(str(root)), release is MANUAL
    if not manual and crop in ("corners", "sizes"):
        raise RequestError(f"{release.name} is already cropped and has no boxes: leave out crop")
    sources = [
        Source(path, path.name in (IMAGES, "images"), without=LANDMARKS) for path in found.values()
    ]
    read = files.manual_rows if manual else files.eight_class_rows
    rows = indexed(VERSION, folder, sources, partial(read, folder, found))

    notes: list[str] = []
    rows = with_valence_arousal(with_expression(rows, notes), notes)
    if manual:
        rows = with_own_image(rows, notes)
    if manual and crop != "none":
        rows = with_box(rows, crop, notes)
    if classes == 7:
        rows = without(rows, pl.col("label") == 7, notes, "contempt is left out (classes=7)")
    rows, missing = with_files(rows, notes)
    splits = {}
    for split in ("train", "valid"):
        part = rows.filter(pl.col("split") == split)
        if part.is_empty():
            lost = [f"{number(len(missing), 'file')} missing: {listed(list(missing))}"]
            why = "; ".join(notes + lost if missing else notes)
            raise DataError(f"{folder}: no face of '{split}' is left in {release.name} ({why})")
        splits[split] = faces_of(part, found[IMAGES] if manual else folder, crop)
    size = None if manual else CROPPED
    about = About(release.name, missing, published_counts(manual, classes), size)
    return FaceSet("affectnet", CLASSES[:classes], splits, tuple(notes), about)


def without(
    rows: pl.DataFrame, bad: pl.Expr, notes: list[str], why: str, shown: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the rows that are not ``bad``, and note how many are; null is not bad.

    ``shown`` are columns of the first bad row for the note: its place, then its content.
    """
    chosen = rows.select(bad.fill_null(value=False)).to_series()
    if not chosen.any():
        return rows
    dropped = rows.filter(chosen)
    example = ""
    if shown:
        place, *cells = dropped.select(shown).row(0)
        example = f", the first: {place}: {shortened(', '.join(map(repr, cells)))}"
    notes.append(f"{number(len(dropped), 'row')} dropped: {why}{example}")
    return rows.filter(~chosen)


def with_expression(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Return the rows with one of the 8 expressions, as column ``label``."""
    rows = rows.with_columns(pl.col("expression").cast(pl.Float64, strict=False).alias("label"))
    code = pl.col("label")
    for value, name in NO_CLASS.items():
        rows = without(rows, code == value, notes, f"expression {value}, {name}")
    known = code.is_in([float(i) for i in range(len(CLASSES))])
    bad = pl.col("expression").is_not_null() & ~known.fill_null(value=False)
    why = "the expression is not a code from 0 to 10"
    return without(rows, bad, notes, why, ("where", "expression"))


def with_valence_arousal(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Return the rows with valence and arousal in [-1, 1], as numbers ``v`` and ``a``."""
    values = [pl.col(name).cast(pl.Float64, strict=False) for name in ("valence", "arousal")]
    rows = rows.with_columns(v=values[0], a=values[1])
    unrated = (pl.col("v") == NOT_RATED) | (pl.col("a") == NOT_RATED)
    rows = without(rows, unrated, notes, "valence or arousal is -2, not rated")
    inside = (pl.col("v").abs() <= 1) & (pl.col("a").abs() <= 1)
    bad = pl.col("valence").is_not_null() & ~inside.fill_null(value=False)
    why = "valence and arousal are not both numbers in [-1, 1]"
    return without(rows, bad, notes, why, ("where", "valence", "arousal"))


def with_own_image(rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Return the first row of each image; validation rows come before training rows."""
    again = rows.filter(~pl.col("image").is_first_distinct())
    first = rows.unique("image", keep="first").select(
        "image", first_split="split", first_label="label"
    )
    again = again.join(first, on="image", how="left")
    same = pl.col("split") == pl.col("first_split")
    for chosen, row, where in (
        (same, "row", "an earlier row"),
        (~same, "training row", "the validation set"),
    ):
        part = again.filter(chosen)
        if len(part):
            other = int((part["label"] != part["first_label"]).sum())
            notes.append(
                f"{number(len(part), row)} dropped: the image is also in {where} ({other} with "
                f"another expression), the first: {part['where'][0]}: {part['image'][0]}"
            )
    return rows.filter(pl.col("image").is_first_distinct())


def with_box(rows: pl.DataFrame, crop: str, notes: list[str]) -> pl.DataFrame:
    """Return the rows with a box, as whole numbers."""
    texts = pl.concat_str(BOX, separator=", ").alias("box")
    numbers = [pl.col(name).cast(pl.Float64, strict=False).round() for name in BOX]
    rows = rows.with_columns(texts, *(n.cast(pl.Int32, strict=False) for n in numbers))
    x, y, w, h = map(pl.col, BOX)
    boxless = (pl.sum_horizontal(pl.col(BOX).is_null()) > 0) | (w <= 0) | (h <= 0)
    rows = without(rows, boxless, notes, "the face has no box", ("where", "box"))
    sizes_only = int(rows.select(((w <= x) | (h <= y)).sum()).item())
    if sizes_only and crop != "sizes":
        notes.append(
            f"{number(sizes_only, 'box', 'boxes')} of {len(rows)} can only be left, top, width, "
            f"height; the others may also be left, top, right, bottom (crop={crop})"
        )
    return rows


def with_files(rows: pl.DataFrame, notes: list[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows of which all files are present, and the faulty files of the others."""
    lost = rows.filter(pl.col("fault") != "")
    noted = lost.filter(pl.col("fault") != files.IS_MISSING)  # a run reports missing files itself
    for (fault,), part in noted.group_by("fault", maintain_order=True):
        what = "an image" if fault == files.UNANNOTATED else "a file"
        names = listed(part["file"].sort().to_list())
        notes.append(f"{number(len(part), 'row')} dropped: {what} {fault}: {names}")
    missing = lost.filter(pl.col("fault") != files.UNANNOTATED)["file"].to_list()
    return rows.filter(pl.col("fault") == ""), dict.fromkeys(missing, 1)


def faces_of(rows: pl.DataFrame, folder: Path, crop: str) -> FaceSplit:
    """Return the faces of a split; rows with ``BOX`` columns are cropped."""
    images = tuple(rows["image"])
    read: ImageReader | CropReader = ImageReader(images, folder)
    if "box" in rows.columns:
        read = CropReader(images, folder, rows.select(BOX).to_numpy(), crop)
    return FaceSplit(
        ids=tuple(rows["image"].str.replace(NUMBERED, "${1}/${2}")),
        labels=rows["label"].cast(pl.Int64).to_numpy(),
        read=read,
        valence_arousal=np.ascontiguousarray(rows.select("v", "a").to_numpy()),
    )


def published_counts(manual: bool, classes: int) -> dict[str, int | tuple[int, ...]]:
    """Return the published number of faces, by class or in all; unknown numbers are left out."""
    counts: dict[str, int | tuple[int, ...]] = {"train": TRAIN[:classes]}
    if manual:
        counts["valid"] = (VALID_OF_EACH,) * classes
    elif classes == len(CLASSES):
        counts["valid"] = VALID_OF_EIGHT_CLASS
    return counts
