"""Hair, beards and glasses."""

from __future__ import annotations

import numpy as np

from ferc_core.datasets.toyfaces.drawing.features import EYE_Y
from ferc_core.datasets.toyfaces.drawing.sketch import (
    FLAT,
    Colour,
    Points,
    Sketch,
    curve,
    ellipse,
    mix,
    unit_circle,
)
from ferc_core.datasets.toyfaces.drawing.subjects import Subject

Line = list[tuple[float, float]]

DARK = (24.0, 18.0, 22.0)
LIGHT = (255.0, 240.0, 222.0)
FRAME = (44.0, 40.0, 48.0)
BEARDS = {"stubble": 0.26, "full": 0.9}  # fraction of the hair's colour on the skin

# Right half of each hairline, from the temple to the middle of the forehead; x relative to the
# half width of the face. "side" is parted on the left and so gives both halves.
HAIRLINES: dict[str, Line] = {
    "buzz": [(1.02, -0.12), (0.91, -0.34), (0.69, -0.66), (0.31, -0.74)],
    "crop": [(1.02, -0.12), (0.91, -0.34), (0.73, -0.60), (0.38, -0.70), (0.0, -0.66)],
    "fringe": [(1.02, -0.12), (0.91, -0.34), (0.75, -0.54), (0.45, -0.60), (0.0, -0.62)],
    "long": [(0.98, 0.55), (0.90, 0.05), (0.78, -0.42), (0.43, -0.68), (0.0, -0.92)],
    "scarf": [(0.98, 0.60), (0.96, 0.0), (0.83, -0.44), (0.45, -0.70), (0.0, -0.76)],
    "side": [(1.02, -0.12), (0.91, -0.34), (0.78, -0.52), (0.52, -0.66), (-0.12, -0.80),
             (-0.45, -0.86), (-0.65, -0.62), (-0.91, -0.34), (-1.02, -0.12)],
}  # fmt: skip

# Hair above a hairline: its distance from the face at the sides, its height, its lower end.
CAPS: dict[str, tuple[str, float, float, float]] = {
    "buzz": ("buzz", 0.025, 1.0, -0.15),
    "crop": ("crop", 0.07, 1.10, -0.12),
    **{style: ("side", 0.08, 1.12, -0.12) for style in ("side", "bun", "bob")},
    "fringe": ("fringe", 0.10, 1.12, -0.05),
    "long": ("long", 0.12, 1.12, 0.50),
    "scarf": ("scarf", 0.13, 1.10, 0.62),
}

# Highlights on the hair.
PARTED: Line = [(-0.3, -0.9), (0.1, -0.86), (0.5, -0.72), (0.7, -0.5)]
SHINES: dict[str, tuple[Line, ...]] = {
    "bald": ([(-0.4, -0.72), (-0.1, -0.82), (0.2, -0.78)],),
    "crop": ([(-0.45, -0.92), (-0.1, -1.0), (0.35, -0.94)],),
    **{style: (PARTED,) for style in ("side", "bun", "bob")},
    "fringe": tuple(
        [(0.5 * x, -0.98), (0.9 * x, -0.82), (x, -0.66)] for x in (-0.4, -0.13, 0.13, 0.4)
    ),
    "long": tuple([(s * 0.1, -0.96), (s * 0.5, -0.72), (s * 0.78, -0.2)] for s in (-1, 1)),
    "scarf": ([(-0.5, -0.84), (0.0, -0.93), (0.5, -0.84)],),
}  # fmt: skip


def draw_back_hair(sketch: Sketch, subject: Subject) -> None:
    """Draw the hair behind the face."""
    w, style = subject.width, subject.hairstyle
    colour = mix(hair_colour(subject), DARK, 0.25)
    if style == "bun":
        sketch.fill(ellipse(0, -1.12, 0.3, 0.27, 24), colour, lift=FLAT)
    elif style == "curls":
        for angle in np.linspace(-0.25, np.pi + 0.25, 13):
            x, y = (w + 0.12) * np.cos(angle), -0.22 - 0.86 * np.sin(angle)
            sketch.fill(ellipse(x, y, 0.24, 0.24, 16), colour, lift=FLAT)
    else:
        lower = {
            "long": [(w + 0.22, 0.9), (w + 0.12, 1.5)],
            "bob": [(w + 0.16, 0.66), (w - 0.1, 0.8)],
            "fringe": [(w + 0.16, 0.66), (w - 0.1, 0.8)],
            "scarf": [(w + 0.18, 0.8), (w + 0.5, 1.6)],
        }.get(style)
        if lower:
            outline = [*dome(w + 0.16, 1.12, 0.3), *lower, *mirrored(lower)]
            sketch.fill(curve(outline, closed=True), colour, lift=FLAT)


def draw_front_hair(sketch: Sketch, subject: Subject) -> None:
    """Draw the hair over the forehead."""
    w, style, colour = subject.width, subject.hairstyle, hair_colour(subject)
    if style in CAPS:
        hairline, off, height, low = CAPS[style]
        line = [(x * w, y) for x, y in HAIRLINES[hairline]]
        if hairline != "side":
            line += mirrored([point for point in line if point[0] > 0])
        sketch.fill(np.concatenate([curve(dome(w + off, height, low)), curve(line)]), colour)
        if style == "scarf":
            sketch.stroke(curve(line), 0.04, mix(colour, DARK, 0.3), ends=(0.6, 0.6))
    elif style == "curls":
        for angle in np.linspace(0.12, np.pi - 0.12, 9):
            x, y = (w - 0.08) * np.cos(angle), -0.30 - 0.60 * np.sin(angle)
            sketch.fill(ellipse(x, y, 0.19, 0.17, 16), colour)
        for angle in np.linspace(0.5, np.pi - 0.5, 5):
            x, y = w * np.cos(angle), -0.34 - 0.66 * np.sin(angle)
            sketch.stroke(unit_circle(16)[8:15] * 0.1 + (x, y), 0.03, mix(colour, LIGHT, 0.16))
    for shine in SHINES.get(style, ()):
        sketch.stroke(curve(shine), 0.045, mix(colour, LIGHT, 0.16))


def hair_colour(subject: Subject) -> Colour:
    """Return the colour of what covers the skull: hair, cloth or skin."""
    if subject.hairstyle == "scarf":
        return mix(subject.clothes, (255, 250, 240), 0.25)
    if subject.hairstyle == "bald":
        return mix(subject.skin, LIGHT, 0.2)
    if subject.hairstyle == "buzz":
        return mix(subject.hair, subject.skin, 0.3)
    return subject.hair


def dome(width: float, height: float, low: float) -> Line:
    """Return control points over the head, from the left (at y = ``low``) to the right."""
    right = [(0.72 * width, -0.86 * height), (0.99 * width, -0.45 * height), (width, low)]
    return [*mirrored(right), (0.0, -1.04 * height), *right]


def mirrored(line: Line) -> Line:
    """Return the same on the other side of the face, in reverse order."""
    return [(-x, y) for x, y in reversed(line)]


def draw_beard(sketch: Sketch, subject: Subject, drop: float) -> None:
    """Draw stubble or a full beard on a chin that is ``drop`` lower than at rest."""
    if subject.beard not in BEARDS:
        return
    w = subject.width
    right = [
        (0.0, 1.03 + drop), (subject.chin + 0.02, 0.97 + drop), (w * subject.jaw, 0.72 + drop),
        (0.93 * w, 0.42), (0.99 * w, 0.08), (0.82 * w, 0.32), (0.36, 0.42), (0.12, 0.37),
    ]  # fmt: skip
    outline: Points = curve([*right, (0.0, 0.40), *mirrored(right[1:])], closed=True)
    sketch.fill(outline, mix(subject.skin, subject.hair, BEARDS[subject.beard]))


def draw_glasses(sketch: Sketch, subject: Subject) -> None:
    """Draw the frame of the glasses."""
    even = (1.0, 1.0)
    circle = unit_circle(28)[np.r_[0:28, 0]]
    rim = np.sign(circle) * np.abs(circle) ** 0.75 * (0.275, 0.225)
    for side in (-1, 1):
        eye = side * subject.eye_distance
        sketch.stroke(rim + np.array([eye, EYE_Y + 0.02]), 0.034, FRAME, ends=even, lift=0.03)
        temple = np.array([(eye + side * 0.27, EYE_Y), (side * subject.width, EYE_Y - 0.03)])
        sketch.stroke(curve(temple), 0.034, FRAME, ends=even)
    inner = subject.eye_distance - 0.27
    bridge = [(-inner, EYE_Y - 0.02), (0.0, EYE_Y - 0.05), (inner, EYE_Y - 0.02)]
    sketch.stroke(curve(bridge), 0.034, FRAME, ends=even, lift=0.05)
