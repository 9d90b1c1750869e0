"""One face as an image: person, expression and view in, pixels out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.toyfaces.drawing.expressions import Expression
from ferc_core.datasets.toyfaces.drawing.features import (
    draw_brow,
    draw_eye,
    draw_forehead,
    draw_nose,
    draw_tear,
)
from ferc_core.datasets.toyfaces.drawing.hair import (
    draw_back_hair,
    draw_beard,
    draw_front_hair,
    draw_glasses,
)
from ferc_core.datasets.toyfaces.drawing.mouth import draw_mouth
from ferc_core.datasets.toyfaces.drawing.people import Person
from ferc_core.datasets.toyfaces.drawing.sketch import (
    FLAT,
    Points,
    Sketch,
    curve,
    ellipse,
    mix,
    shadow,
)
from ferc_core.datasets.toyfaces.drawing.views import EVEN, View, light_field

OVERSAMPLING = 2  # shapes are drawn this much larger, with smooth edges, and then shrunk
LEAST_BLUR = 0.2  # pixels; a weaker blur cannot be seen and is left out
JAW_DROP = 0.10  # how far the chin goes down with a full AU 26


def draw_face(
    person: Person, expression: Expression, view: View, size: int
) -> npt.NDArray[np.uint8]:
    """Return a face, uint8 RGB [size, size, 3]; the same arguments give the same bytes."""
    side = size * OVERSAMPLING
    corners = np.array([view.background, view.background[::-1]])
    canvas = cv2.resize(to_bytes(corners), (side, side), interpolation=cv2.INTER_LINEAR)
    sketch_face(person, expression).paint(canvas, view.pose(side))
    light = to_bytes(light_field(person, expression, view, side))
    canvas = cv2.multiply(canvas, cv2.resize(light, (side, side)), scale=1 / EVEN)
    picture = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    if view.blur * size > LEAST_BLUR:
        picture = cv2.GaussianBlur(picture, (0, 0), view.blur * size)
    rng = np.random.Generator(np.random.Philox(key=view.noise_seed))
    grain = view.noise * rng.standard_normal((size, size, 1), dtype=np.float32)
    return to_bytes(picture + grain)


def to_bytes(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint8]:
    """Round to whole levels from 0 to 255."""
    levels: npt.NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels


def sketch_face(person: Person, expression: Expression) -> Sketch:
    """Return the shapes of a face, from the back to the front."""
    sketch = Sketch()
    mean = expression.mean
    sides = ((-1, expression.left), (1, expression.right))
    draw_back_hair(sketch, person)
    draw_body(sketch, person)
    draw_head(sketch, person, JAW_DROP * mean[26])
    draw_forehead(sketch, person, mean)
    for side, au in sides:
        draw_eye(sketch, person, side, au, expression.gaze)
    draw_nose(sketch, person, mean)
    draw_mouth(sketch, person, expression)
    draw_front_hair(sketch, person)
    for side, au in sides:  # over the hair, so that a fringe hides no expression
        draw_brow(sketch, person, side, au)
    if person.glasses:
        draw_glasses(sketch, person)
    if expression.tear:
        draw_tear(sketch, person)
    return sketch


def draw_body(sketch: Sketch, person: Person) -> None:
    """Draw neck and shoulders."""
    neck = np.array([(-0.36, 0.6), (0.36, 0.6), (0.42, 1.7), (-0.42, 1.7)])
    sketch.fill(neck, shadow(person.skin, 0.28), lift=FLAT)
    neckline = [(-0.5, 1.2), (0.0, 1.36), (0.5, 1.2)]
    shirt = [(-1.5, 1.9), (-1.25, 1.42), *neckline, (1.25, 1.42), (1.5, 1.9)]
    sketch.fill(curve(shirt), person.clothes, lift=FLAT)
    collar = mix(person.clothes, (255, 255, 255), 0.25)
    sketch.stroke(curve(neckline), 0.06, collar, ends=(1.0, 1.0), lift=FLAT)


def draw_head(sketch: Sketch, person: Person, drop: float) -> None:
    """Draw ears, face, beard and freckles; the chin is ``drop`` lower than at rest."""
    skin, width = person.skin, person.width
    for side in (-1, 1):
        sketch.fill(ellipse(side * (width + 0.02), 0.06, 0.11, 0.19), skin, lift=FLAT)
        shell = ellipse(side * (width + 0.03), 0.06, 0.06, 0.12)
        sketch.fill(shell, shadow(skin, 0.3), lift=FLAT)
    sketch.fill(head_outline(person, drop), skin)
    draw_beard(sketch, person, drop)
    if person.freckles:
        for k in range(14):
            x, y = 0.30 + 0.2 * np.sin(2.4 * k), 0.22 + 0.09 * np.cos(3.7 * k)
            sketch.fill(ellipse(x if k % 2 else -x, y, 0.018, 0.016, 8), shadow(skin, 0.4))


def head_outline(person: Person, drop: float) -> Points:
    """Return the outline of the face."""
    w, jaw, chin = person.width, person.width * person.jaw, person.chin
    right = [
        (0.54 * w, -0.88), (0.89 * w, -0.54), (w, -0.12), (0.97 * w, 0.28),
        (jaw, 0.68 + 0.7 * drop), (chin, 0.95 + drop),
    ]  # fmt: skip
    left = [(-x, y) for x, y in reversed(right)]
    return curve([(0.0, -1.0), *right, (0.0, 1.0 + drop), *left], closed=True)
