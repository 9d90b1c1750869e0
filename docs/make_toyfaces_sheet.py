"""Write docs/images/toyfaces.png: some subjects of the toy faces with all eight expressions.

    python docs/make_toyfaces_sheet.py

Each image is from the training set: for each subject and class, the most intense one.
Only the camera noise is left out, which would make the PNG file larger.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.toyfaces.drawing.expressions import express
from ferc_core.datasets.toyfaces.drawing.face import draw_face
from ferc_core.datasets.toyfaces.drawing.views import random_view
from ferc_core.datasets.toyfaces.loader import (
    emotion_of,
    open_toyfaces,
    stream,
    subject_number,
    subject_of,
)

TARGET = Path(__file__).parent / "images" / "toyfaces.png"
SPLIT = "train"
SUBJECTS = (10, 2, 20, 33, 47)
SIZE, GAP, HEADER = 88, 4, 24  # pixels
WHITE, INK = 255, (60, 60, 60)


def face_without_grain(index: int) -> npt.NDArray[np.uint8]:
    """Return a training face, uint8 RGB [SIZE, SIZE, 3]."""
    expression = express(emotion_of(SPLIT, index), stream(SPLIT, index, "expression"))
    view = replace(random_view(stream(SPLIT, index, "view")), noise=0.0)
    return draw_face(subject_of(SPLIT, subject_number(SPLIT, index)), expression, view, SIZE)


def contact_sheet() -> npt.NDArray[np.uint8]:
    """Return the sheet, uint8 RGB: a column for each class, a row for each subject."""
    faces = open_toyfaces()
    labels = faces.splits[SPLIT].labels
    subjects = np.array([subject_number(SPLIT, i) for i in range(len(labels))])
    step = SIZE + GAP
    shape = (HEADER + len(SUBJECTS) * step, len(faces.classes) * step + GAP, 3)
    sheet = np.full(shape, WHITE, np.uint8)
    for label, name in enumerate(faces.classes):
        left = GAP + label * step
        (text, _), _ = cv2.getTextSize(name, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
        place = (left + (SIZE - text) // 2, HEADER - 8)
        cv2.putText(sheet, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
        for row, subject in enumerate(SUBJECTS):
            images = np.flatnonzero((labels == label) & (subjects == subject)).tolist()
            best = max(images, key=lambda i: emotion_of(SPLIT, i).intensity)
            top = HEADER + row * step
            sheet[top : top + SIZE, left : left + SIZE] = face_without_grain(best)
    return sheet


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(TARGET), contact_sheet()[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{TARGET}: {TARGET.stat().st_size / 1024:.0f} KiB")
