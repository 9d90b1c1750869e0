"""Eyes, brows, nose and mouth, moved by action units (see `expressions`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferc_core.datasets.expressions import Expression
from ferc_core.datasets.people import Person
from ferc_core.datasets.sketch import Colour, Points, Sketch, curve, ellipse, mix, unit_circle

AUs = Mapping[int, float]

EYE_Y = -0.06
BROW_Y = -0.37
MOUTH_Y = 0.57
EYE_WIDTH = 0.20  # half
EYE_OPEN = (0.130, 0.080)  # from the middle of the eye to the upper and the lower lid
IRIS = 0.1
INK = (40.0, 26.0, 26.0)
WHITE = (248.0, 246.0, 242.0)
THROAT = (84.0, 22.0, 28.0)
TEETH = (250.0, 246.0, 236.0)
TONGUE = (214.0, 98.0, 104.0)

ACROSS = np.linspace(-1.0, 1.0, 17)  # along an eye or a mouth, corner to corner
BULGE = 1 - ACROSS**2


def shadow(skin: Colour, depth: float) -> Colour:
    """Return the skin in a fold of this depth: 0 is plain skin, 1 nearly black."""
    return mix(skin, (skin[0] * 0.34, skin[1] * 0.22, skin[2] * 0.22), depth)


def draw_eye(sketch: Sketch, person: Person, side: int, au: AUs, gaze: tuple[float, float]) -> None:
    """Draw the eye on this side (-1 left, 1 right of the picture), with lids and lashes."""
    size = person.eye_size
    x = side * (person.eye_distance + EYE_WIDTH * size * ACROSS)  # from inner to outer corner
    corner_line = EYE_Y - person.eye_tilt * ACROSS
    up = EYE_OPEN[0] * size * (1 + 0.7 * au[5] - 0.42 * au[7] - 0.15 * au[6] - 1.2 * au[43])
    down = EYE_OPEN[1] * size * (1 + 0.25 * au[5] - 0.55 * au[7] - 0.75 * au[6] - 0.3 * au[9])
    glare = 0.10 * max(0.0, au[4] - au[1]) * (1 - ACROSS) / 2  # lowered brows press on the lid
    sorrow = 0.06 * au[1] * max(0.0, 1 - au[2] - au[5]) * (1 + ACROSS) / 2
    lower = corner_line + max(down, 0.012) * BULGE**0.7
    upper = corner_line - max(up, -0.02) * BULGE**0.6 + (glare + sorrow) * BULGE**0.4
    upper = np.minimum(upper, lower - 0.008)

    crease = np.stack([x, upper - 0.055 - 0.02 * au[5]], axis=1)
    sketch.stroke(crease, 0.022, shadow(person.skin, 0.42))
    sketch.fill(lens(x, upper, lower), WHITE)
    look_x = side * person.eye_distance + 0.06 * gaze[0]
    look_y = EYE_Y - 0.02 + 0.03 * gaze[1]

    def disc(radius: float, colour: Colour, dx: float = 0.0, dy: float = 0.0) -> None:
        points = unit_circle(24) * radius + (look_x + dx, look_y + dy)
        order = side * ACROSS  # np.interp wants rising x
        rising = np.argsort(order)
        points[:, 1] = np.clip(
            points[:, 1],
            np.interp(points[:, 0], x[rising], upper[rising]),
            np.interp(points[:, 0], x[rising], lower[rising]),
        )
        sketch.fill(points, colour)

    iris = IRIS * (0.5 + 0.5 * size)
    disc(iris, mix(person.iris, INK, 0.55))
    disc(iris * 0.84, person.iris)
    disc(iris * 0.48, (18, 14, 16))
    sketch.fill(lens(x, upper, np.minimum(upper + 0.03, lower)), (176, 172, 178))  # lid's shadow
    disc(iris * 0.98, mix(person.iris, INK, 0.7), dy=-iris * 1.5)
    disc(iris * 0.28, (255, 255, 255), dx=-iris * 0.38, dy=-iris * 0.36)

    lash = np.stack([x, upper], axis=1)
    if person.lashes:
        lash[-1] += (side * 0.03, -0.03)
    sketch.stroke(lash, 0.036 if person.lashes else 0.028, INK, ends=(0.3, 0.6))
    sketch.stroke(np.stack([x, lower], axis=1), 0.014, shadow(person.skin, 0.6))
    bag = 0.75 * au[6] + 0.4 * au[7] + 0.3 * person.age
    if bag > 0.15:
        line = np.stack([x, lower + 0.05 - 0.01 * au[6]], axis=1)[3:-2]
        sketch.stroke(line, 0.022, shadow(person.skin, 0.35 * min(bag, 1.0)))


def lens(x: Points, upper: Points, lower: Points) -> Points:
    """Return the outline between two curves over the same x."""
    return np.stack([np.append(x, x[::-1]), np.append(upper, lower[::-1])], axis=1)


def draw_brow(sketch: Sketch, person: Person, side: int, au: AUs) -> None:
    """Draw the brow on this side."""
    frown = au[4] * (1 - 0.75 * min(au[1], 1.0))
    inner = BROW_Y - 0.17 * au[1] - 0.05 * au[2] + 0.17 * frown + 0.05 * au[9]
    middle = BROW_Y - 0.06 * person.brow_arch - 0.03 * au[1] - 0.14 * au[2] + 0.10 * frown
    outer = BROW_Y + 0.05 + 0.09 * au[1] - 0.16 * au[2] + 0.02 * au[4]
    squeeze = 0.05 * au[4]
    control = [
        (side * (0.155 - squeeze), inner),
        (side * (0.30 - squeeze), (inner + middle) / 2 - 0.03 * person.brow_arch),
        (side * 0.44, middle),
        (side * 0.575, outer),
    ]
    colour = mix(person.hair, INK, 0.35 if sum(person.hair) < 420 else 0.15)
    sketch.stroke(curve(control), 0.075 * person.brow_weight, colour, ends=(0.75, 0.15))


def draw_forehead(sketch: Sketch, person: Person, au: AUs) -> None:
    """Draw what the brows do to the skin between and above them."""
    frown = au[4] + 0.2 * person.age
    if frown > 0.2:
        depth = 0.7 * min(frown - 0.1, 1.0)
        for side in (-1, 1):
            line = curve([(side * 0.05, -0.42), (side * 0.035, -0.34), (side * 0.06, -0.26)])
            sketch.stroke(line, 0.026, shadow(person.skin, depth))
    raised = 0.6 * au[1] + 0.4 * au[2] + 0.35 * person.age
    if raised > 0.2:
        for y in (-0.60, -0.68):
            line = curve([(-0.3, y), (-0.12, y - 0.03), (0.12, y - 0.03), (0.3, y)])
            sketch.stroke(line, 0.02, shadow(person.skin, 0.45 * min(raised, 1.0)))


def draw_nose(sketch: Sketch, person: Person, au: AUs) -> None:
    """Draw the nose; it stands off the face and so moves most when the head turns."""
    width = person.nose_width * (1 + 0.18 * au[9] + 0.08 * au[12])
    y = person.nose_length - 0.045 * au[9]
    skin = person.skin
    sketch.fill(ellipse(0, y - 0.03, width * 0.85, 0.085), mix(skin, (255, 214, 190), 0.22), lift=0.1)
    for side in (-1, 1):
        wing = [
            (side * width * 0.80, y - 0.06 - 0.03 * au[9]),
            (side * width * 1.08, y + 0.01 - 0.03 * au[9]),
            (side * width * 0.75, y + 0.05),
        ]
        sketch.stroke(curve(wing), 0.026, shadow(skin, 0.55), lift=0.08)
        nostril = ellipse(side * width * 0.48, y + 0.045, width * 0.24, 0.02 + 0.012 * au[9], 12)
        sketch.fill(nostril, shadow(skin, 0.85), lift=0.09)
    base = [(-width * 0.4, y + 0.055), (0, y + 0.075), (width * 0.4, y + 0.055)]
    sketch.stroke(curve(base), 0.022, shadow(skin, 0.5), lift=0.1)
    if au[9] > 0.15:
        depth = 0.75 * min(au[9], 1.0)
        for k in (0, 1, 2):
            h = 0.075 - 0.012 * k
            top = -0.16 + 0.075 * k
            line = curve([(-h, top + 0.025), (0, top), (h, top + 0.025)])
            sketch.stroke(line, 0.024, shadow(skin, depth), lift=0.03)


def draw_mouth(sketch: Sketch, person: Person, expression: Expression) -> None:
    """Draw lips, teeth and tongue, and the folds between nose and mouth."""
    left, right = expression.left, expression.right
    au = {unit: (left[unit] + right[unit]) / 2 for unit in left}
    skin = person.skin
    jaw = au[26]
    half = {}
    for side, units in ((-1, left), (1, right)):
        half[side] = person.mouth_width * (
            1
            + 0.38 * units[12] + 0.10 * units[14] + 0.42 * au[20]
            - 0.48 * jaw * max(0.0, 1 - au[12] - au[20]) - 0.12 * au[24] + 0.1 * au[10]
        )  # fmt: skip
    width = np.where(ACROSS < 0, half[-1], half[1])
    x = width * ACROSS

    def pulled(units: AUs) -> float:
        return 0.19 * units[12] + 0.04 * units[14] - 0.15 * units[15] - 0.05 * au[20]

    rise = np.where(ACROSS < 0, pulled(left), pulled(right)) * np.abs(ACROSS) ** 1.5
    round_ = jaw * max(0.0, 1 - au[12] - au[20])
    y = MOUTH_Y - 0.045 * au[10] - 0.03 * au[9] + 0.12 * round_ + 0.05 * au[12]
    middle = y - rise - 0.05 * au[17] * BULGE
    apart = min(1.0, au[25] + jaw + au[19])
    shape = BULGE ** (0.35 if au[20] + au[10] + au[23] > 0.5 else 0.6)
    up = (0.035 * au[25] + 0.075 * au[10] + 0.14 * round_) * apart
    low = 0.055 * au[25] + 0.22 * jaw - 0.04 * round_ + 0.06 * au[16] + 0.09 * au[12] * au[25] + 0.04 * au[19]
    upper = middle - up * shape
    lower = middle + low * shape
    thin = max(0.25, 1 - 0.75 * au[24] - 0.35 * au[23] - 0.3 * au[12] - 0.2 * au[10])
    full = 0.062 * person.lip_fullness * thin
    bow = 1 - 0.25 * np.exp(-((ACROSS / 0.14) ** 2))
    top = upper - full * BULGE**0.8 * bow
    bottom = lower + 1.25 * full * BULGE**0.7

    sketch.fill(lens(x, top, upper), mix(person.lips, INK, 0.12))
    sketch.fill(lens(x, lower, bottom), person.lips)
    shine = np.abs(ACROSS) < 0.45
    glint = np.stack([x, (0.45 * lower + 0.55 * bottom)], axis=1)[shine]
    sketch.stroke(glint, 0.35 * full, mix(person.lips, (255, 255, 255), 0.3))
    line = np.stack([x, middle], axis=1)
    if apart > 0.15:
        sketch.fill(lens(x, upper, lower), THROAT)
        draw_inside(sketch, x, upper, lower, au)
        sketch.stroke(np.stack([x, upper], axis=1), 0.02, mix(person.lips, INK, 0.6))
    else:
        sketch.stroke(line, 0.03 + 0.012 * au[24], mix(person.lips, INK, 0.75), ends=(0.5, 0.5))
    if au[19] > 0.25:
        tongue = ellipse(0, lower[8] - 0.01, 0.14, 0.16 * au[19])
        tongue[:, 1] = np.maximum(tongue[:, 1], lower[8] - 0.03)
        sketch.fill(tongue, TONGUE)
        crack = curve([(0, lower[8]), (0, lower[8] + 0.05), (0, lower[8] + 0.09 * au[19])])
        sketch.stroke(crack, 0.02, mix(TONGUE, INK, 0.4))
    draw_folds(sketch, person, expression, half, middle)
    chin = curve([(-0.13, bottom[8] + 0.05), (0, bottom[8] + 0.075), (0.13, bottom[8] + 0.05)])
    sketch.stroke(chin, 0.03, shadow(skin, 0.22 + 0.35 * min(au[17], 1.0)))


def draw_inside(sketch: Sketch, x: Points, upper: Points, lower: Points, au: AUs) -> None:
    """Draw teeth and tongue between the lips."""
    if au[26] > 0.2:
        tongue = np.maximum(lower - 0.10 * BULGE, upper)
        sketch.fill(lens(x * 0.8, tongue, lower), TONGUE)
    gap = lower - upper
    teeth = 0.01 + 0.08 * (au[12] + au[10] + 0.6 * au[20])
    sketch.fill(lens(x * 0.94, upper, upper + np.minimum(teeth, gap)), TEETH)
    if au[26] < 0.3 and au[20] + au[10] + au[16] > 0.3:
        sketch.fill(lens(x * 0.9, lower - np.minimum(0.4 * gap, 0.05), lower), mix(TEETH, INK, 0.08))
        bite = np.stack([x, upper + 0.55 * gap], axis=1)[1:-1]
        sketch.stroke(bite, 0.014, mix(TEETH, INK, 0.6))


def draw_folds(
    sketch: Sketch,
    person: Person,
    expression: Expression,
    half: Mapping[int, float],
    middle: Points,
) -> None:
    """Draw the folds from nose to mouth, and the dimples beside it."""
    for side, au, y in (
        (-1, expression.left, middle[0]),
        (1, expression.right, middle[-1]),
    ):
        fold = 0.7 * au[12] + 0.9 * au[9] + 0.6 * au[10] + 0.25 * au[15] + 0.3 * person.age
        x = half[side]
        if fold > 0.15:
            control = [
                (side * (person.nose_width + 0.04), person.nose_length - 0.02 - 0.04 * au[9]),
                (side * (0.6 * person.nose_width + 0.5 * x + 0.12), 0.42),
                (side * (x + 0.07), y + 0.02),
            ]
            sketch.stroke(curve(control), 0.028, shadow(person.skin, 0.5 * min(fold, 1.0)))
        if au[14] > 0.2:
            dimple = [(side * (x + 0.03), y - 0.05), (side * (x + 0.06), y), (side * (x + 0.03), y + 0.05)]
            sketch.stroke(curve(dimple), 0.03, shadow(person.skin, 0.7 * min(au[14], 1.0)))
        if au[15] > 0.2:
            sag = [(side * (x - 0.01), y + 0.01), (side * (x + 0.03), y + 0.06), (side * (x + 0.02), y + 0.11)]
            sketch.stroke(curve(sag), 0.024, shadow(person.skin, 0.5 * min(au[15], 1.0)))
