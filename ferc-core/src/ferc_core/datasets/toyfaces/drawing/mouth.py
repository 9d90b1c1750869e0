"""The mouth, moved by action units (see `expressions`): lips, teeth, tongue and folds.

A mouth is a few curves over the same x, from the left corner to the right one: the line where
closed lips meet, and above and below it the inner and the outer edge of each lip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferc_core.datasets.toyfaces.drawing.expressions import AUs, Expression
from ferc_core.datasets.toyfaces.drawing.features import VISIBLE
from ferc_core.datasets.toyfaces.drawing.sketch import (
    ACROSS,
    BULGE,
    INK,
    Points,
    Sketch,
    curve,
    ellipse,
    lens,
    mix,
    shadow,
)
from ferc_core.datasets.toyfaces.drawing.subjects import Subject

MOUTH_Y = 0.57
LIP = 0.062  # thickness of the upper lip
THROAT = (84.0, 22.0, 28.0)
TEETH = (250.0, 246.0, 236.0)
TONGUE = (214.0, 98.0, 104.0)
MIDDLE = len(ACROSS) // 2
CUPIDS_BOW = 1 - 0.25 * np.exp(-((ACROSS / 0.14) ** 2))


@dataclass(frozen=True)
class Mouth:
    """Curves over ``x``, each [N]; y grows downwards."""

    x: Points
    line: Points
    upper: Points  # inner edges
    lower: Points
    top: Points  # outer edges
    bottom: Points


def draw_mouth(sketch: Sketch, subject: Subject, expression: Expression) -> None:
    """Draw the mouth and its surroundings."""
    au = expression.mean
    mouth = shape_mouth(subject, expression)
    if subject.beard in ("moustache", "full"):
        draw_moustache(sketch, subject, MOUTH_Y - 0.05 * au[10])
    x, lips = mouth.x, subject.lips
    sketch.fill(lens(x, mouth.top, mouth.upper), mix(lips, INK, 0.12))
    sketch.fill(lens(x, mouth.lower, mouth.bottom), lips)
    shine = np.stack([x, 0.45 * mouth.lower + 0.55 * mouth.bottom], axis=1)
    thickness = float(mouth.bottom[MIDDLE] - mouth.lower[MIDDLE])
    sketch.stroke(shine[4:-4], 0.3 * thickness, mix(lips, (255, 255, 255), 0.3))
    if lips_apart(au) > VISIBLE:
        sketch.fill(lens(x, mouth.upper, mouth.lower), THROAT)
        draw_inside(sketch, mouth, au)
        sketch.stroke(np.stack([x, mouth.upper], axis=1), 0.02, mix(lips, INK, 0.6))
    else:
        line = np.stack([x, mouth.line], axis=1)
        sketch.stroke(line, 0.03 + 0.012 * au[24], mix(lips, INK, 0.75), ends=(0.5, 0.5))
    if au[19] > VISIBLE:
        draw_tongue(sketch, float(mouth.lower[MIDDLE]), au[19])
    draw_folds(sketch, subject, expression, mouth)


def lips_apart(au: AUs) -> float:
    """Return how far the lips are apart, 0 to 1."""
    return min(1.0, au[25] + au[26] + au[19])


def shape_mouth(subject: Subject, expression: Expression) -> Mouth:
    """Return the curves of the mouth."""
    au = expression.mean
    left_half = ACROSS < 0
    rounding = au[26] * max(0.0, 1 - au[12] - au[20])  # a jaw that drops alone forms an O

    def half_width(side: AUs) -> float:
        wider = 0.38 * side[12] + 0.10 * side[14] + 0.42 * au[20] + 0.10 * au[10]
        return subject.mouth_width * (1 + wider - 0.48 * rounding - 0.12 * au[24])

    def corner_up(side: AUs) -> float:
        return 0.19 * side[12] + 0.04 * side[14] - 0.15 * side[15] - 0.05 * au[20]

    left, right = expression.left, expression.right
    x = ACROSS * np.where(left_half, half_width(left), half_width(right))
    corners = np.where(left_half, corner_up(left), corner_up(right)) * np.abs(ACROSS) ** 1.5
    y = MOUTH_Y - 0.045 * au[10] - 0.03 * au[9] + 0.12 * rounding + 0.05 * au[12]
    line = y - corners - 0.05 * au[17] * BULGE

    square = au[20] + au[10] + au[23] > 0.5  # stretched lips open as a box, others as a lens
    opening = BULGE ** (0.35 if square else 0.6)
    up = (0.035 * au[25] + 0.075 * au[10] + 0.14 * rounding) * lips_apart(au)
    down = (
        0.055 * au[25] + 0.22 * au[26] - 0.04 * rounding
        + 0.06 * au[16] + 0.09 * au[12] * au[25] + 0.04 * au[19]
    )  # fmt: skip
    upper, lower = line - up * opening, line + down * opening
    thinner = 0.75 * au[24] + 0.35 * au[23] + 0.3 * au[12] + 0.2 * au[10]
    lip = LIP * subject.lip_fullness * max(0.25, 1 - thinner)
    return Mouth(
        x=x,
        line=line,
        upper=upper,
        lower=lower,
        top=upper - lip * CUPIDS_BOW * BULGE**0.8,
        bottom=lower + 1.25 * lip * BULGE**0.7,
    )


def draw_inside(sketch: Sketch, mouth: Mouth, au: AUs) -> None:
    """Draw teeth and tongue between the lips."""
    x, upper, lower = mouth.x, mouth.upper, mouth.lower
    gap = lower - upper
    if au[26] > 0.2:
        sketch.fill(lens(0.8 * x, np.maximum(lower - 0.10 * BULGE, upper), lower), TONGUE)
    shown = 0.01 + 0.08 * (au[12] + au[10] + 0.6 * au[20])
    sketch.fill(lens(0.94 * x, upper, upper + np.minimum(shown, gap)), TEETH)
    if au[26] < 0.3 and au[20] + au[10] + au[16] > 0.3:
        row = lower - np.minimum(0.4 * gap, 0.05)
        sketch.fill(lens(0.9 * x, row, lower), mix(TEETH, INK, 0.08))
        bite = np.stack([x, upper + 0.55 * gap], axis=1)[1:-1]
        sketch.stroke(bite, 0.014, mix(TEETH, INK, 0.6))


def draw_tongue(sketch: Sketch, y: float, shown: float) -> None:
    """Draw a tongue that hangs over the lower lip at ``y``."""
    tongue = ellipse(0, y - 0.01, 0.14, 0.16 * shown)
    tongue[:, 1] = np.maximum(tongue[:, 1], y - 0.03)
    sketch.fill(tongue, TONGUE)
    crease = curve([(0, y), (0, y + 0.05), (0, y + 0.09 * shown)])
    sketch.stroke(crease, 0.02, mix(TONGUE, INK, 0.4))


def draw_folds(sketch: Sketch, subject: Subject, expression: Expression, mouth: Mouth) -> None:
    """Draw the folds from nose to mouth, dimples, drooping corners, and the one over the chin."""
    skin = subject.hair if subject.beard == "full" else subject.skin
    for side, au, end in ((-1, expression.left, 0), (1, expression.right, -1)):
        x, y = abs(float(mouth.x[end])), float(mouth.line[end])
        fold = 0.7 * au[12] + 0.9 * au[9] + 0.6 * au[10] + 0.25 * au[15] + 0.3 * subject.age
        if fold > VISIBLE:
            line = [
                (side * (subject.nose_width + 0.04), subject.nose_length - 0.02 - 0.04 * au[9]),
                (side * (0.6 * subject.nose_width + 0.5 * x + 0.12), 0.42),
                (side * (x + 0.07), y + 0.02),
            ]
            sketch.stroke(curve(line), 0.028, shadow(skin, 0.5 * min(fold, 1.0)))
        if au[14] > VISIBLE:
            dimple = [
                (side * (x + dx), y + dy) for dx, dy in ((0.03, -0.05), (0.06, 0), (0.03, 0.05))
            ]
            sketch.stroke(curve(dimple), 0.03, shadow(skin, 0.7 * min(au[14], 1.0)))
        if au[15] > VISIBLE:
            sag = [
                (side * (x + dx), y + dy) for dx, dy in ((-0.01, 0.01), (0.03, 0.06), (0.02, 0.11))
            ]
            sketch.stroke(curve(sag), 0.024, shadow(skin, 0.5 * min(au[15], 1.0)))
    y, depth = float(mouth.bottom[MIDDLE]), 0.22 + 0.35 * min(expression.mean[17], 1.0)
    chin = curve([(-0.13, y + 0.05), (0, y + 0.075), (0.13, y + 0.05)])
    sketch.stroke(chin, 0.03, shadow(skin, depth))


def draw_moustache(sketch: Sketch, subject: Subject, y: float) -> None:
    """Draw a moustache above the lips at ``y``."""
    for side in (-1, 1):
        line = curve([(side * 0.01, y - 0.075), (side * 0.15, y - 0.095), (side * 0.29, y - 0.06)])
        sketch.stroke(line, 0.065, subject.hair, ends=(0.9, 0.15))
