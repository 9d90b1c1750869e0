"""Hair, beards and what people wear."""

from __future__ import annotations

import numpy as np

from ferc_core.datasets.people import Person
from ferc_core.datasets.sketch import Colour, Points, Sketch, curve, ellipse, mix, unit_circle

FLAT = float("nan")  # does not turn with the head
DARK = (24.0, 18.0, 22.0)


def dome(width: float, height: float, low: float) -> list[tuple[float, float]]:
    """Return control points over the head, from the left (at y = ``low``) to the right."""
    return [
        (-width, low),
        (-width * 0.99, -0.45 * height),
        (-width * 0.72, -0.86 * height),
        (0.0, -1.04 * height),
        (width * 0.72, -0.86 * height),
        (width * 0.99, -0.45 * height),
        (width, low),
    ]


def cap(
    width: float, height: float, low: float, hairline: list[tuple[float, float]]
) -> Points:
    """Return hair between the dome and a hairline, which runs from right to left."""
    return np.concatenate([curve(dome(width, height, low)), curve(hairline)])


def draw_back_hair(sketch: Sketch, person: Person) -> None:
    """Draw the hair behind the face."""
    w, hair = person.width, mix(person.hair, DARK, 0.25)
    style = person.hairstyle
    if style == "long":
        outline = [*dome(w + 0.16, 1.12, 0.2), (w + 0.22, 0.9), (w + 0.12, 1.5), (-w - 0.12, 1.5), (-w - 0.22, 0.9)]
        sketch.fill(curve(outline, closed=True), hair, lift=FLAT)
    elif style in ("bob", "fringe"):
        outline = [*dome(w + 0.16, 1.10, 0.3), (w + 0.16, 0.66), (w - 0.1, 0.8), (-w + 0.1, 0.8), (-w - 0.16, 0.66)]
        sketch.fill(curve(outline, closed=True), hair, lift=FLAT)
    elif style == "bun":
        sketch.fill(ellipse(0, -1.12, 0.3, 0.27, 24), hair, lift=FLAT)
    elif style == "curls":
        for angle in np.linspace(-0.25, np.pi + 0.25, 13):
            x, y = (w + 0.12) * np.cos(angle), -0.22 - 0.86 * np.sin(angle)
            sketch.fill(ellipse(x, y, 0.24, 0.24, 16), hair, lift=FLAT)
    elif style == "scarf":
        cloth = scarf_colour(person)
        outline = [*dome(w + 0.17, 1.12, 0.3), (w + 0.18, 0.8), (w + 0.5, 1.6), (-w - 0.5, 1.6), (-w - 0.18, 0.8)]
        sketch.fill(curve(outline, closed=True), mix(cloth, DARK, 0.18), lift=FLAT)


def scarf_colour(person: Person) -> Colour:
    """A scarf matches the clothes, a little lighter."""
    return mix(person.clothes, (255, 250, 240), 0.25)


def draw_front_hair(sketch: Sketch, person: Person) -> None:
    """Draw the hair over the forehead."""
    w, hair = person.width, person.hair
    style = person.hairstyle
    light = mix(hair, (255, 236, 210), 0.16)
    temple = [(w + 0.02, -0.12), (w - 0.07, -0.34)]
    temple_left = [(-x, y) for x, y in reversed(temple)]
    if style == "bald":
        sketch.stroke(curve([(-0.4, -0.72), (-0.1, -0.82), (0.2, -0.78)]), 0.07, mix(person.skin, (255, 244, 232), 0.35))
    elif style == "buzz":
        line = [*temple, (0.55, -0.66), (0.25, -0.74), (-0.25, -0.74), (-0.55, -0.66), *temple_left]
        sketch.fill(cap(w + 0.025, 1.0, -0.15, line), mix(hair, person.skin, 0.3))
    elif style == "crop":
        line = [*temple, (0.58, -0.60), (0.3, -0.70), (0.0, -0.66), (-0.3, -0.70), (-0.58, -0.60), *temple_left]
        sketch.fill(cap(w + 0.07, 1.10, -0.12, line), hair)
        sketch.stroke(curve([(-0.45, -0.92), (-0.1, -1.0), (0.35, -0.94)]), 0.05, light)
    elif style in ("side", "bun", "bob"):
        line = [*temple, (0.62, -0.52), (0.42, -0.66), (-0.1, -0.80), (-0.36, -0.86), (-0.52, -0.62), *temple_left]
        sketch.fill(cap(w + 0.08, 1.12, -0.12, line), hair)
        sketch.stroke(curve([(-0.3, -0.9), (0.1, -0.86), (0.5, -0.72), (0.7, -0.5)]), 0.05, light)
    elif style == "fringe":
        line = [*temple, (0.60, -0.54), (0.36, -0.60), (0.0, -0.62), (-0.36, -0.60), (-0.60, -0.54), *temple_left]
        sketch.fill(cap(w + 0.10, 1.12, -0.05, line), hair)
        for x in (-0.42, -0.14, 0.14, 0.42):
            sketch.stroke(curve([(0.5 * x, -0.98), (0.9 * x, -0.82), (x, -0.66)]), 0.035, light)
    elif style == "long":
        line = [(w - 0.02, 0.55), (w - 0.08, 0.05), (0.62, -0.42), (0.34, -0.68), (0.02, -0.92),
                (-0.34, -0.68), (-0.62, -0.42), (-w + 0.08, 0.05), (-w + 0.02, 0.55)]  # fmt: skip
        sketch.fill(cap(w + 0.12, 1.12, 0.5, line), hair)
        for side in (-1, 1):
            sketch.stroke(curve([(side * 0.1, -0.96), (side * 0.5, -0.72), (side * 0.78, -0.2)]), 0.05, light)
    elif style == "curls":
        for angle in np.linspace(0.12, np.pi - 0.12, 9):
            x, y = (w - 0.08) * np.cos(angle), -0.30 - 0.60 * np.sin(angle)
            sketch.fill(ellipse(x, y, 0.19, 0.17, 16), hair)
        for angle in np.linspace(0.5, np.pi - 0.5, 5):
            x, y = w * np.cos(angle), -0.34 - 0.66 * np.sin(angle)
            sketch.stroke(unit_circle(16)[8:15] * 0.1 + (x, y), 0.03, light)
    elif style == "scarf":
        cloth = scarf_colour(person)
        line = [(w - 0.02, 0.6), (w - 0.03, 0.0), (0.66, -0.44), (0.36, -0.70), (0.0, -0.76),
                (-0.36, -0.70), (-0.66, -0.44), (-w + 0.03, 0.0), (-w + 0.02, 0.6)]  # fmt: skip
        sketch.fill(cap(w + 0.13, 1.10, 0.62, line), cloth)
        sketch.stroke(curve(line), 0.04, mix(cloth, DARK, 0.3), ends=(0.6, 0.6))
        sketch.stroke(curve([(-0.5, -0.84), (0.0, -0.93), (0.5, -0.84)]), 0.03, mix(cloth, DARK, 0.15))


def draw_beard(sketch: Sketch, person: Person, jaw_drop: float) -> None:
    """Draw the beard under the mouth's layer."""
    w, drop = person.width, 0.12 * jaw_drop
    share = {"stubble": 0.26, "moustache": 0.0, "full": 0.9}.get(person.beard, 0.0)
    colour = mix(person.skin, person.hair, share)
    if share:
        outline = [
            (-w * 0.99, 0.08), (-w * 0.93, 0.42), (-w * person.jaw, 0.72 + drop),
            (-person.chin - 0.02, 0.97 + drop), (0, 1.03 + drop), (person.chin + 0.02, 0.97 + drop),
            (w * person.jaw, 0.72 + drop), (w * 0.93, 0.42), (w * 0.99, 0.08),
            (w * 0.82, 0.32), (0.36, 0.42), (0.12, 0.37), (0.0, 0.40),
            (-0.12, 0.37), (-0.36, 0.42), (-w * 0.82, 0.32),
        ]  # fmt: skip
        sketch.fill(curve(outline, closed=True), colour)
        chin = ellipse(0, 0.60, 0.31, 0.12 + drop, 24)
        sketch.fill(chin, mix(person.skin, colour, 0.25))


def draw_moustache(sketch: Sketch, person: Person, y: float) -> None:
    """Draw a moustache above the upper lip at ``y``."""
    if person.beard not in ("moustache", "full"):
        return
    for side in (-1, 1):
        line = curve([(side * 0.01, y - 0.075), (side * 0.15, y - 0.095), (side * 0.29, y - 0.06)])
        sketch.stroke(line, 0.065, person.hair, ends=(0.9, 0.15))


def draw_glasses(sketch: Sketch, person: Person, eye_y: float) -> None:
    """Draw the frame of the glasses."""
    frame = (44.0, 40.0, 48.0)
    rim = unit_circle(28)[np.r_[0:28, 0]]
    for side in (-1, 1):
        centre = (side * person.eye_distance, eye_y + 0.02)
        squircle = np.sign(rim) * np.abs(rim) ** 0.75 * (0.275, 0.225)
        sketch.stroke(squircle + centre, 0.034, frame, ends=(1.0, 1.0), lift=0.03)
        temple = curve([(side * (person.eye_distance + 0.27), eye_y), (side * person.width, eye_y - 0.03)])
        sketch.stroke(temple, 0.034, frame, ends=(1.0, 1.0))
    inner = person.eye_distance - 0.27
    bridge = curve([(-inner, eye_y - 0.02), (0, eye_y - 0.05), (inner, eye_y - 0.02)])
    sketch.stroke(bridge, 0.034, frame, ends=(1.0, 1.0), lift=0.05)
