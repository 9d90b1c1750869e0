"""One face as an image: subject, expression and view in, pixels out."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.datasets.toyfaces.drawing import features, hair
from ferc_core.datasets.toyfaces.drawing.expressions import Expression
from ferc_core.datasets.toyfaces.drawing.mouth import draw_mouth
from ferc_core.datasets.toyfaces.drawing.sketch import (
    FLAT,
    Points,
    Sketch,
    curve,
    ellipse,
    mix,
    shadow,
)
from ferc_core.datasets.toyfaces.drawing.subjects import Subject
from ferc_core.datasets.toyfaces.drawing.views import EVEN, View, light_field
from ferc_core.images.io import opencv

OVERSAMPLING = 2  # shapes are drawn this much larger, with smooth edges, then reduced
LEAST_BLUR = 0.2  # pixels; a weaker blur is invisible and skipped
JAW_DROP = 0.10  # how far the chin goes down with a full AU 26


def draw_face(
    subject: Subject, expression: Expression, view: View, size: int
) -> npt.NDArray[np.uint8]:
    """Return a face, uint8 RGB [size, size, 3]; the same arguments give the same bytes."""
    cv2, side = opencv(), size * OVERSAMPLING
    corners = np.array([view.background, view.background[::-1]])
    canvas = cv2.resize(to_bytes(corners), (side, side), interpolation=cv2.INTER_LINEAR)
    sketch_face(subject, expression).paint(canvas, view.pose(side))
    light = to_bytes(light_field(subject, expression, view, side))
    canvas = cv2.multiply(canvas, cv2.resize(light, (side, side)), scale=1 / EVEN)
    image = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    if view.blur * size > LEAST_BLUR:
        image = cv2.GaussianBlur(image, (0, 0), view.blur * size)
    rng = np.random.Generator(np.random.Philox(key=view.noise_seed))
    grain = view.noise * rng.standard_normal((size, size, 1), dtype=np.float32)
    return to_bytes(image + grain)


def to_bytes(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Round to whole levels from 0 to 255."""
    levels: npt.NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def sketch_face(subject: Subject, expression: Expression) -> Sketch:
    """Return the shapes of a face, from the back to the front."""
    sketch = Sketch()
    mean = expression.mean
    sides = ((-1, expression.left), (1, expression.right))
    hair.draw_back_hair(sketch, subject)
    draw_body(sketch, subject)
    draw_head(sketch, subject, JAW_DROP * mean[26])
    features.draw_forehead(sketch, subject, mean)
    for side, au in sides:
        features.draw_eye(sketch, subject, side, au, expression.gaze)
    features.draw_nose(sketch, subject, mean)
    draw_mouth(sketch, subject, expression)
    hair.draw_front_hair(sketch, subject)
    for side, au in sides:  # over the hair, so that a fringe does not hide the expression
        features.draw_brow(sketch, subject, side, au)
    if subject.glasses:
        hair.draw_glasses(sketch, subject)
    if expression.tear:
        features.draw_tear(sketch, subject)
    return sketch


def draw_body(sketch: Sketch, subject: Subject) -> None:
    """Draw neck and shoulders."""
    neck = np.array([(-0.36, 0.6), (0.36, 0.6), (0.42, 1.7), (-0.42, 1.7)])
    sketch.fill(neck, shadow(subject.skin, 0.28), lift=FLAT)
    neckline = [(-0.5, 1.2), (0.0, 1.36), (0.5, 1.2)]
    shirt = [(-1.5, 1.9), (-1.25, 1.42), *neckline, (1.25, 1.42), (1.5, 1.9)]
    sketch.fill(curve(shirt), subject.clothes, lift=FLAT)
    collar = mix(subject.clothes, (255, 255, 255), 0.25)
    sketch.stroke(curve(neckline), 0.06, collar, ends=(1.0, 1.0), lift=FLAT)


def draw_head(sketch: Sketch, subject: Subject, drop: float) -> None:
    """Draw ears, face, beard and freckles; the chin is ``drop`` lower than at rest."""
    skin, width = subject.skin, subject.width
    for side in (-1, 1):
        sketch.fill(ellipse(side * (width + 0.02), 0.06, 0.11, 0.19), skin, lift=FLAT)
        shell = ellipse(side * (width + 0.03), 0.06, 0.06, 0.12)
        sketch.fill(shell, shadow(skin, 0.3), lift=FLAT)
    sketch.fill(head_outline(subject, drop), skin)
    hair.draw_beard(sketch, subject, drop)
    if subject.freckles:
        for k in range(14):
            x, y = 0.30 + 0.2 * np.sin(2.4 * k), 0.22 + 0.09 * np.cos(3.7 * k)
            sketch.fill(ellipse(x if k % 2 else -x, y, 0.018, 0.016, 8), shadow(skin, 0.4))


def head_outline(subject: Subject, drop: float) -> Points:
    """Return the outline of the face."""
    w, jaw, chin = subject.width, subject.width * subject.jaw, subject.chin
    right = [
        (0.54 * w, -0.88), (0.89 * w, -0.54), (w, -0.12), (0.97 * w, 0.28),
        (jaw, 0.68 + 0.7 * drop), (chin, 0.95 + drop),
    ]  # fmt: skip
    left = [(-x, y) for x, y in reversed(right)]
    return curve([(0.0, -1.0), *right, (0.0, 1.0 + drop), *left], closed=True)
