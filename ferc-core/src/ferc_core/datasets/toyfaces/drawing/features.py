"""Eyes, brows, forehead and nose, moved by action units (see `expressions`)."""

from __future__ import annotations

import numpy as np

from ferc_core.datasets.toyfaces.drawing.expressions import AUs
from ferc_core.datasets.toyfaces.drawing.sketch import (
    ACROSS,
    BULGE,
    INK,
    Colour,
    Sketch,
    curve,
    ellipse,
    lens,
    mix,
    shadow,
    unit_circle,
)
from ferc_core.datasets.toyfaces.drawing.subjects import Subject

EYE_Y = -0.06
BROW_Y = -0.37
EYE_WIDTH = 0.20  # half
LID_UP, LID_DOWN = 0.130, 0.080  # from the corners' height to the upper and the lower lid
IRIS = 0.10
WHITE = (248.0, 246.0, 242.0)
LID_SHADOW = (176.0, 172.0, 178.0)
PUPIL = (18.0, 14.0, 16.0)
GLINT = (255.0, 255.0, 255.0)
WARM = (255.0, 214.0, 190.0)
VISIBLE = 0.15  # weaker folds and wrinkles are not drawn


def draw_eye(
    sketch: Sketch, subject: Subject, side: int, au: AUs, gaze: tuple[float, float]
) -> None:
    """Draw the eye on this side (-1 left, 1 right of the image), with lids and lashes."""
    size = subject.eye_size
    x = side * (subject.eye_distance + EYE_WIDTH * size * ACROSS)  # from inner to outer corner
    corners = EYE_Y - subject.eye_tilt * ACROSS
    up = size * LID_UP * (1 + 0.7 * au[5] - 0.42 * au[7] - 0.15 * au[6] - 1.2 * au[43])
    down = size * LID_DOWN * (1 + 0.25 * au[5] - 0.55 * au[7] - 0.75 * au[6] - 0.3 * au[9])
    # Lowered brows press on the inner half of the lid, raised inner brows let the outer half hang.
    press = 0.05 * max(0.0, au[4] - au[1]) * (1 - ACROSS)
    hang = 0.03 * au[1] * max(0.0, 1 - au[2] - au[5]) * (1 + ACROSS)
    lower = corners + max(down, 0.012) * BULGE**0.7
    upper = corners - max(up, -0.02) * BULGE**0.6 + (press + hang) * BULGE**0.4
    upper = np.minimum(upper, lower - 0.008)

    crease = np.stack([x, upper - 0.055 - 0.02 * au[5]], axis=1)
    sketch.stroke(crease, 0.022, shadow(subject.skin, 0.42))
    sketch.fill(lens(x, upper, lower), WHITE)

    look_x = side * subject.eye_distance + 0.06 * gaze[0]
    look_y = EYE_Y - 0.02 + 0.03 * gaze[1]
    rising = slice(None, None, side)  # np.interp needs increasing x

    def disc(radius: float, colour: Colour, dx: float = 0.0, dy: float = 0.0) -> None:
        """Fill the part of a disc between the lids."""
        points = unit_circle(24) * radius + (look_x + dx, look_y + dy)
        top = np.interp(points[:, 0], x[rising], upper[rising])
        bottom = np.interp(points[:, 0], x[rising], lower[rising])
        points[:, 1] = np.minimum(np.maximum(points[:, 1], top), bottom)
        sketch.fill(points, colour)

    iris = IRIS * (0.5 + 0.5 * size)
    disc(iris, mix(subject.iris, INK, 0.55))
    disc(0.84 * iris, subject.iris)
    disc(0.48 * iris, PUPIL)
    sketch.fill(lens(x, upper, np.minimum(upper + 0.03, lower)), LID_SHADOW)
    disc(0.98 * iris, mix(subject.iris, INK, 0.7), dy=-1.5 * iris)  # the iris in that shadow
    disc(0.28 * iris, GLINT, dx=-0.38 * iris, dy=-0.36 * iris)

    lashes = np.stack([x, upper], axis=1)
    if subject.lashes:
        lashes[-1] += (side * 0.03, -0.03)
    sketch.stroke(lashes, 0.036 if subject.lashes else 0.028, INK, ends=(0.3, 0.6))
    sketch.stroke(np.stack([x, lower], axis=1), 0.014, shadow(subject.skin, 0.6))
    bag = 0.75 * au[6] + 0.4 * au[7] + 0.3 * subject.age
    if bag > VISIBLE:
        line = np.stack([x, lower + 0.05 - 0.01 * au[6]], axis=1)[3:-2]
        sketch.stroke(line, 0.022, shadow(subject.skin, 0.35 * min(bag, 1.0)))


def draw_brow(sketch: Sketch, subject: Subject, side: int, au: AUs) -> None:
    """Draw the brow on this side."""
    arch = subject.brow_arch
    frown = au[4] * (1 - 0.75 * min(au[1], 1.0))  # a raised inner brow cannot go down as well
    inner = BROW_Y - 0.17 * au[1] - 0.05 * au[2] + 0.17 * frown + 0.05 * au[9]
    peak = BROW_Y - 0.06 * arch - 0.03 * au[1] - 0.14 * au[2] + 0.10 * frown
    outer = BROW_Y + 0.05 + 0.09 * au[1] - 0.16 * au[2] + 0.02 * au[4]
    together = 0.05 * au[4]
    line = [
        (side * (0.155 - together), inner),
        (side * (0.30 - together), (inner + peak) / 2 - 0.03 * arch),
        (side * 0.44, peak),
        (side * 0.575, outer),
    ]
    colour = mix(subject.hair, INK, 0.38)
    sketch.stroke(curve(line), 0.075 * subject.brow_weight, colour, ends=(0.75, 0.15))


def draw_forehead(sketch: Sketch, subject: Subject, au: AUs) -> None:
    """Draw the wrinkles between and above the brows."""
    frown = au[4] + 0.2 * subject.age - 0.1
    if frown > VISIBLE:
        for side in (-1, 1):
            line = curve([(side * 0.05, -0.42), (side * 0.035, -0.34), (side * 0.06, -0.26)])
            sketch.stroke(line, 0.026, shadow(subject.skin, 0.7 * min(frown, 1.0)))
    raised = 0.6 * au[1] + 0.4 * au[2] + 0.3 * subject.age
    if raised > VISIBLE:
        for y in (-0.60, -0.68):
            line = curve([(-0.3, y), (-0.12, y - 0.03), (0.12, y - 0.03), (0.3, y)])
            sketch.stroke(line, 0.02, shadow(subject.skin, 0.45 * min(raised, 1.0)))


def draw_nose(sketch: Sketch, subject: Subject, au: AUs) -> None:
    """Draw the nose, which protrudes and so moves most when the head turns."""
    skin = subject.skin
    width = subject.nose_width * (1 + 0.18 * au[9] + 0.08 * au[12])
    y = subject.nose_length - 0.045 * au[9]
    wing_up = 0.03 * au[9]
    sketch.fill(ellipse(0, y - 0.03, 0.85 * width, 0.085), mix(skin, WARM, 0.22), lift=0.1)
    for side in (-1, 1):
        wing = [
            (side * 0.80 * width, y - 0.06 - wing_up),
            (side * 1.08 * width, y + 0.01 - wing_up),
            (side * 0.75 * width, y + 0.05),
        ]
        sketch.stroke(curve(wing), 0.026, shadow(skin, 0.55), lift=0.08)
        height = 0.02 + 0.012 * au[9]
        nostril = ellipse(side * 0.48 * width, y + 0.045, 0.24 * width, height, 12)
        sketch.fill(nostril, shadow(skin, 0.85), lift=0.09)
    base = [(-0.4 * width, y + 0.055), (0.0, y + 0.075), (0.4 * width, y + 0.055)]
    sketch.stroke(curve(base), 0.022, shadow(skin, 0.5), lift=0.1)
    if au[9] > VISIBLE:
        for half, top in ((0.075, -0.16), (0.063, -0.085), (0.051, -0.01)):
            wrinkle = curve([(-half, top + 0.025), (0.0, top), (half, top + 0.025)])
            sketch.stroke(wrinkle, 0.024, shadow(skin, 0.75 * min(au[9], 1.0)), lift=0.03)


def draw_tear(sketch: Sketch, subject: Subject) -> None:
    """Draw a tear below the left eye."""
    x, y = -subject.eye_distance - 0.06, EYE_Y + 0.22
    drop = [(x, y - 0.09), (x + 0.05, y + 0.03), (x, y + 0.09), (x - 0.05, y + 0.03)]
    sketch.fill(curve(drop, closed=True), (150, 205, 240))
    sketch.fill(ellipse(x - 0.012, y + 0.03, 0.014, 0.02, 8), (240, 250, 255))
