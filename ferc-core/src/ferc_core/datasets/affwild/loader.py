"""Aff-Wild2, or Aff-Wild with the expressions of Aff-Wild2, as their owners distribute them.

Aff-Wild2 (Kollias and Zafeiriou 2018, arXiv:1811.07770) has faces as images; Aff-Wild
(Zafeiriou et al. 2017, CVPRW) has videos and a box for each frame. The frames with valence and
arousal and with one of seven expressions are used. A subject is one video, or with ``_left`` or
``_right`` in its name one of two people in a video.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ferc_core.datasets.affwild import choice
from ferc_core.datasets.affwild import frames as reading
from ferc_core.datasets.affwild.notes import LOST, notes_about
from ferc_core.datasets.index import Source, indexed
from ferc_core.datasets.releases import Release, first, recognise
from ferc_core.datasets.samples import ImageReader, by_split
from ferc_core.datasets.toyfaces.drawing.expressions import CLASSES as EIGHT_CLASSES
from ferc_core.datasets.videos import VideoFrames
from ferc_core.errors import DataError, RequestError, UnknownNameError
from ferc_core.faces import About, FaceSet, FaceSplit

VERSION = "affwild/2"  # a new number for every change of the rows
CLASSES = EIGHT_CLASSES[:7]  # contempt is not annotated

OPTIONS = {
    "few": ("drop", "keep"),
    "split": (choice.BY_SUBJECT, choice.AUTHORS),
    "validation": ("identity", "frames"),
}
PUBLISHED = {  # of AUTHORS with 240 frames, by validation
    "identity": {"train": 54_720, "test": 4_800},
    "frames": {"train": 52_720, "valid": 2_000, "test": 4_800},
}


def places(usual: str, task: str) -> dict[str, tuple[str, ...]]:
    """Return where the two parts of a task's annotations may be, and under which names."""
    return {
        f"{usual}/{part}": (
            f"{usual}/{part}",
            *(f"{levels}{task}_*/{names}" for levels in ("", "*/", "*/*/")),
        )
        for part, names in (("Train_Set", "Train*_[Ss]et"), ("Validation_Set", "Val*_[Ss]et"))
    }


VALENCE_AROUSAL = places("VA_Estimation_Challenge", "VA")
EXPRESSIONS = places("EXPR_Classification_Challenge", "EXPR")
IMAGES = "cropped_aligned"
MORE_IMAGES = "cropped_aligned_new_50_vids"  # in later copies
SIZE = (112, 112)  # of the images
EXTERNAL = (
    "the paper labels these faces with AffectNet's valence-arousal mixture: --gmm FILE takes the "
    "output of 'ferc gmm fit --dataset affectnet'"
)

AFF_WILD2 = Release("Aff-Wild2", {IMAGES: (IMAGES,), **VALENCE_AROUSAL, **EXPRESSIONS})
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
    frames: int = choice.FRAMES,
    few: str = "drop",
    split: str = choice.BY_SUBJECT,
    validation: str = "identity",
) -> FaceSet:
    """Open Aff-Wild2 or Aff-Wild in the folder ``root``: splits train and test.

    frames:      how many of each subject, evenly spaced over the usable ones; 0 for all
    few:         "drop" subjects that have fewer, or "keep" what they have
    split:       "by_identity_80_20" takes 20 % of the subjects for the test, and
                 "authors_228_20" takes 20 subjects; a hash of their names chooses them
    validation:  "identity" leaves validation to the run, which takes whole subjects out of train;
                 "frames" makes a split valid as FER-C's authors did, of 2,000 random frames (10 %
                 if training has fewer than 20,000) of subjects that train as well

    ``notes`` count everything that is left out; ``about.missing`` names the annotated videos that
    are missing or cannot be opened.

    Raises `RequestError` for a wrong ``root`` or option and `DataError` for wrong files.
    """
    check_options(frames, few=few, split=split, validation=validation)
    release, found = recognise(root, "affwild", (AFF_WILD2, AFF_WILD))
    folder = Path(str(root))
    tree = aff_wild2(folder, found) if release is AFF_WILD2 else aff_wild(folder, found)
    rows = indexed(VERSION, folder, sources(tree), lambda names: reading.read_rows(tree, names))
    lost = rows.filter(pl.col("why") == LOST)
    notes = notes_about(rows)
    if release is AFF_WILD and (folder / V1_TEST).is_dir():
        notes.append(f"{V1_TEST} left out: the annotations of its videos are not public")

    usable = rows.filter(pl.col("why") == "")
    faces, note = choice.spaced(usable, frames, few)
    notes += note
    if usable.is_empty():
        raise DataError(f"{folder}: no frame is usable ({'; '.join(notes)})")
    if faces.is_empty():
        raise DataError(
            f"{folder}: no subject has {frames} usable frames ({'; '.join(notes)}); take fewer of "
            "each with frames=N, or all that exist with few=keep"
        )
    part, note = choice.divided(faces, folder, split, validation)
    whole = FaceSplit(
        ids=choice.sample_ids(faces),
        labels=faces["label"].to_numpy().astype(np.int64),
        read=reader(tree, faces),
        valence_arousal=faces.select("valence", "arousal").to_numpy(),
        identities=tuple(faces["identity"]),
    )
    counted = split == choice.AUTHORS and frames == choice.FRAMES and few == "drop"
    return FaceSet(
        "affwild",
        CLASSES,
        by_split(whole, part),
        (*notes, *note, EXTERNAL),
        About(
            release.name,
            {file: min(n, frames) if frames else n for file, n in lost["file", "count"].rows()},
            PUBLISHED[validation] if counted else {},
            SIZE if release is AFF_WILD2 else None,
        ),
    )


def check_options(frames: int, **named: str) -> None:
    """Raise `RequestError` for an option with an invalid value."""
    if not isinstance(frames, int) or isinstance(frames, bool) or frames < 0:
        raise RequestError(f"frames must be a whole number, 0 for all frames, not {frames!r}")
    for option, value in named.items():
        if value not in OPTIONS[option]:
            raise UnknownNameError(f"value of {option}", str(value), OPTIONS[option])


def aff_wild2(root: Path, found: dict[str, Path]) -> reading.Tree:
    """Return where the parts of Aff-Wild2 are."""
    images = unnested(found[IMAGES])
    more = [unnested(path) for path in (root / MORE_IMAGES, images.parent / MORE_IMAGES)]
    texts = {
        reading.VALENCE_AROUSAL: tuple(found[part] for part in VALENCE_AROUSAL),
        reading.EXPRESSION: tuple(found[part] for part in EXPRESSIONS),
    }
    return reading.Tree(
        root, texts, (images, *(path for path in dict.fromkeys(more) if path.is_dir()))
    )


def aff_wild(root: Path, found: dict[str, Path]) -> reading.Tree:
    """Return where the parts of Aff-Wild and of its expressions are."""
    expressions = {part: first(root, paths) for part, paths in EXPRESSIONS.items()}
    for part, path in expressions.items():
        if path is None:
            raise DataError(
                f"{root} is Aff-Wild, which has no expressions of its own: copy "
                f"{part.partition('/')[0]} of Aff-Wild2 into it, whose videos of the same names "
                f"are these ({part} is missing)"
            )
    videos, boxes, valence, arousal = (unnested(found[part]) for part in V1_PARTS)
    texts = {
        reading.VALENCE: (valence,),
        reading.AROUSAL: (arousal,),
        reading.EXPRESSION: tuple(path for path in expressions.values() if path is not None),
    }
    return reading.Tree(root, texts, (boxes,), videos)


def unnested(folder: Path) -> Path:
    """Return the folder of the same name in a folder, as some archives unpack, or itself."""
    inner = folder / folder.name
    return inner if inner.is_dir() else folder


def sources(tree: reading.Tree) -> list[Source]:
    """Return what the rows of a release depend on."""
    texts = [folder for folders in tree.texts.values() for folder in folders]
    videos = [] if tree.videos is None else [tree.videos]
    faces = [Source(folder, images=True) for folder in tree.faces]
    return [*map(Source, texts + videos), *faces]


def reader(tree: reading.Tree, faces: pl.DataFrame) -> ImageReader | VideoFrames:
    """Return the reader of the images."""
    if tree.videos is None:
        return ImageReader(faces["file"], tree.root)
    videos = faces["video"].unique(maintain_order=True).to_list()
    numbers = {video: number for number, video in enumerate(videos)}
    return VideoFrames(
        tree.root,
        videos,
        np.array([numbers[video] for video in faces["video"]], dtype=np.int64),
        faces["frame"].to_numpy().astype(np.int64) - 1,
        faces["file"].to_list(),
    )
