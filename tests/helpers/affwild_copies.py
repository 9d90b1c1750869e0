"""A small Aff-Wild2, and what tests look at in its faces."""

from __future__ import annotations

from pathlib import Path

from ferc_core.datasets.affwild.loader import open_affwild
from ferc_core.faces import Face, FaceSet
from ferc_core.testing.standins.affwild import write_affwild

VA, EXPR = "VA_Estimation_Challenge", "EXPR_Classification_Challenge"
FRAMES = 12  # of each of six subjects
OF_CODE = ("neutral", "anger", "disgust", "fear", "happy", "sad", "surprise")


def write(root: Path, *quirks: str, subjects: int = 6, frames: int = FRAMES) -> Path:
    """Write a stand-in in which the images of a class are links to two files, which saves time."""
    return write_affwild(
        root, identities=subjects, frames=frames, side=32, distinct=2, quirks=quirks
    )


def annotation(root: Path, task: str, subject: str) -> Path:
    """Return the annotation file of a subject in either set."""
    return next((root / task).glob(f"*/{subject}.txt"))


def everything(root: Path) -> FaceSet:
    return open_affwild(root, frames=0)


def faces_of(faces: FaceSet, subject: str) -> list[Face]:
    """Return the faces of a subject, whichever split it is in."""
    return [face for split in faces.splits.values() for face in split if face.identity == subject]


def frames_of(faces: FaceSet, subject: str) -> list[int]:
    return [int(face.id.rpartition("/")[2]) for face in faces_of(faces, subject)]


def subjects(faces: FaceSet, split: str) -> set[str]:
    return set(faces.splits[split].identities)
