"""Aff-Wild2, or Aff-Wild with the expressions of Aff-Wild2, as their owners send them.

Aff-Wild2 (Kollias and Zafeiriou 2018, arXiv:1811.07770) has faces as images; Aff-Wild
(Zafeiriou et al. 2017, CVPRW) has videos and a box for each frame. Used are the frames with
valence and arousal and with one of seven expressions. An identity is a video; with ``_left`` or
``_right``, it is one of two persons in a video.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.datasets.affwild.choice import (
    AUTHORS,
    BY_IDENTITY,
    FRAMES,
    divided,
    sample_ids,
    spaced,
)
from ferc_core.datasets.affwild.frames import (
    AROUSAL,
    EXPRESSION,
    FEELING,
    VALENCE,
    Tree,
    read_rows,
)
from ferc_core.datasets.affwild.notes import LOST, notes_about
from ferc_core.datasets.index import Source, indexed
from ferc_core.datasets.releases import Release, first, recognise
from ferc_core.datasets.samples import ImageReader
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES as EIGHT_CLASSES
from ferc_core.datasets.videos import VideoFrames
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

VERSION = "affwild/1"  # a new number for every change of the rows
CLASSES = EIGHT_CLASSES[:7]  # contempt is not annotated

OPTIONS = {
    "few": ("drop", "keep"),
    "split": (BY_IDENTITY, AUTHORS),
    "validation": ("identity", "frames"),
}
PUBLISHED = {  # of AUTHORS with 240 frames, by validation
    "identity": {"train": 54_720, "test": 4_800},
    "frames": {"train": 52_720, "valid": 2_000, "test": 4_800},
}


def places(usual: str, task: str) -> dict[str, tuple[str, ...]]:
    """Return where the two parts of a task's annotations may lie, under which names."""
    return {
        f"{usual}/{part}": (
            f"{usual}/{part}",
            *(f"{levels}{task}_*/{names}" for levels in ("", "*/", "*/*/")),
        )
        for part, names in (("Train_Set", "Train*_[Ss]et"), ("Validation_Set", "Val*_[Ss]et"))
    }


FEELINGS = places("VA_Estimation_Challenge", "VA")
EXPRESSIONS = places("EXPR_Classification_Challenge", "EXPR")
IMAGES = "cropped_aligned"
BORROWED = (
    "the paper labels these faces by AffectNet's valence-arousal mixture: --gmm FILE takes what "
    "'ferc gmm fit --dataset affectnet' writes"
)
MORE_IMAGES = "cropped_aligned_new_50_vids"  # a part of later copies
SIZE = (112, 112)  # of the images

AFF_WILD2 = Release("Aff-Wild2", {IMAGES: (IMAGES,), **FEELINGS, **EXPRESSIONS})
V1_PARTS = (
    "videos/train",
    "bboxes/train",
    "annotations/train/valence",
    "annotations/train/arousal",
)
V1_TEST = "videos/test"
AFF_WILD = Release("Aff-Wild", {part: (part,) for part in V1_PARTS})


def open_affwild(
    root: Path | str | None,
    *,
    frames: int = FRAMES,
    few: str = "drop",
    split: str = BY_IDENTITY,
    validation: str = "identity",
) -> FaceSet:
    """Open Aff-Wild2 or Aff-Wild in the folder ``root``: splits train and test.

    frames:      how many of each identity, evenly spaced over those that can be used; 0 for all
    few:         "drop" identities that have fewer, or "keep" what they have
    split:       "by_identity_80_20" takes 20 % of the identities for the test, and
                 "authors_228_20" takes 20 identities; a hash of their names chooses them
    validation:  "identity" leaves validation to the run, which takes whole identities out of
                 train; "frames" makes a split valid as FER-C's authors did, of 2,000 random frames
                 (10 % where training has fewer than 20,000) whose identities train as well

    ``notes`` count everything that is left out; ``about.missing`` names the videos that are
    annotated and are not there or cannot be opened.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    check_options(frames, few=few, split=split, validation=validation)
    release, found = recognise(root, "affwild", (AFF_WILD2, AFF_WILD))
    folder = Path(str(root))
    tree = aff_wild2(folder, found) if release is AFF_WILD2 else aff_wild(folder, found)
    rows = indexed(VERSION, folder, sources(tree), lambda names: read_rows(tree, names))
    lost = rows.filter(pl.col("why") == LOST)
    notes = notes_about(rows)
    if release is AFF_WILD and (folder / V1_TEST).is_dir():
        notes.append(f"{V1_TEST} left out: the annotations of its videos are not public")

    usable = rows.filter(pl.col("why") == "")
    faces, note = spaced(usable, frames, few)
    notes += note
    if usable.is_empty():
        raise DataError(f"{folder}: no frame can be used ({'; '.join(notes)})")
    if faces.is_empty():
        raise DataError(
            f"{folder}: no identity has {frames} frames that can be used ({'; '.join(notes)}); "
            "take fewer of each with frames=N, or all that there are with few=keep"
        )
    part, note = divided(faces, folder, split, validation)
    notes += [*note, BORROWED]
    whole = face_split(tree, faces)
    counted = split == AUTHORS and frames == FRAMES and few == "drop"
    return FaceSet(
        "affwild",
        CLASSES,
        {
            name: whole.take(np.flatnonzero(part == name))
            for name in ("train", "valid", "test")
            if (part == name).any()
        },
        tuple(notes),
        About(
            release.name,
            {file: min(n, frames) if frames else n for file, n in lost["file", "count"].rows()},
            PUBLISHED[validation] if counted else {},
            SIZE if release is AFF_WILD2 else None,
        ),
    )


def check_options(frames: int, **named: str) -> None:
    """Raise `RequestError` for an option that has no such value."""
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 0:
        raise RequestError(f"frames must be a whole number, 0 for all frames, not {frames!r}")
    for option, value in named.items():
        if value not in OPTIONS[option]:
            raise UnknownNameError(f"value of {option}", str(value), OPTIONS[option])


def aff_wild2(root: Path, found: dict[str, Path]) -> Tree:
    """Return where the parts of Aff-Wild2 lie."""
    pictures = unnested(found[IMAGES])
    more = [unnested(path) for path in (root / MORE_IMAGES, pictures.parent / MORE_IMAGES)]
    texts = {
        FEELING: tuple(found[part] for part in FEELINGS),
        EXPRESSION: tuple(found[part] for part in EXPRESSIONS),
    }
    return Tree(root, texts, (pictures, *(path for path in dict.fromkeys(more) if path.is_dir())))


def aff_wild(root: Path, found: dict[str, Path]) -> Tree:
    """Return where the parts of Aff-Wild and of its expressions lie."""
    expressions = [first(root, paths) for paths in EXPRESSIONS.values()]
    if None in expressions:
        part = list(EXPRESSIONS)[expressions.index(None)]
        raise DataError(
            f"{root} is Aff-Wild, which has no expressions of its own: copy "
            f"{part.partition('/')[0]} of Aff-Wild2 into it, whose videos of the same names are "
            f"these ({part} is not there)"
        )
    videos, boxes, valence, arousal = (unnested(found[part]) for part in V1_PARTS)
    texts = {
        VALENCE: (valence,),
        AROUSAL: (arousal,),
        EXPRESSION: tuple(path for path in expressions if path is not None),
    }
    return Tree(root, texts, (boxes,), videos)


def unnested(folder: Path) -> Path:
    """Return the folder of the same name in a folder, as unpacking there makes it, or itself."""
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def sources(tree: Tree) -> list[Source]:
    """Return what the rows of a release depend on."""
    texts = [folder for folders in tree.texts.values() for folder in folders]
    videos = [] if tree.videos is None else [tree.videos]
    faces = [Source(folder, pictures=True) for folder in tree.faces]
    return [*map(Source, texts + videos), *faces]


def face_split(tree: Tree, faces: pl.DataFrame) -> FaceSplit:
    """Return all faces that are used."""
    return FaceSplit(
        ids=sample_ids(faces),
        labels=faces["label"].to_numpy().astype(np.int64),
        read=reader(tree, faces),
        valence_arousal=faces.select("valence", "arousal").to_numpy(),
        identities=tuple(faces["identity"]),
    )


def reader(tree: Tree, faces: pl.DataFrame) -> ImageReader | VideoFrames:
    """Return what reads the images."""
    if tree.videos is None:
        return ImageReader(faces["file"], tree.root)
    videos = faces["video"].unique(maintain_order=True).to_list()
    numbers = dict(zip(videos, range(len(videos)), strict=True))
    return VideoFrames(
        tree.root,
        videos,
        np.array([numbers[video] for video in faces["video"]], dtype=np.int64),
        faces["frame"].to_numpy().astype(np.int64) - 1,
        faces["file"].to_list(),
    )
