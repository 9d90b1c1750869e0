"""Drawing one face: person, expression and view in, picture out."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.datasets.expressions import Expression
from ferc_core.datasets.features import (
    EYE_Y,
    MOUTH_Y,
    draw_brow,
    draw_eye,
    draw_forehead,
    draw_mouth,
    draw_nose,
    shadow,
)
from ferc_core.datasets.hair import (
    FLAT,
    draw_back_hair,
    draw_beard,
    draw_front_hair,
    draw_glasses,
    draw_moustache,
)
from ferc_core.datasets.people import Person
from ferc_core.datasets.sketch import Colour, Points, Pose, Sketch, curve, ellipse, mix

OVERSAMPLING = 2  # shapes are drawn this much larger, with smooth edges, and then shrunk
LIGHT_GRID = 32  # light is soft: it is computed on this many points across and stretched


@dataclass(frozen=True)
class View:
    """How the picture is taken. Angles in radians, places as shares of the picture's side."""

    yaw: float
    pitch: float
    roll: float
    zoom: float
    x: float
    y: float
    light: tuple[float, float]  # where it comes from: x to the right, y down, each -1 to 1
    contrast: float  # between the lit and the shaded side, 0 to 1
    warmth: float  # -1 bluish to 1 yellowish
    exposure: float
    background: tuple[Colour, Colour]
    blur: float  # standard deviation in shares of the side
    noise: float  # standard deviation in grey levels
    noise_seed: int


def draw_view(rng: np.random.Generator) -> View:
    """Draw how somebody happens to be seen."""
    n = np.clip(rng.standard_normal(8), -2.2, 2.2)
    u = rng.random(6)
    hue, step = u[0], 0.08 + 0.2 * u[1]
    colours = [
        tuple(165 + 40 * np.sin(2 * np.pi * (h + k / 3)) * u[2] + 80 * (u[3] - 0.5) for k in range(3))
        for h in (hue, hue + step)
    ]
    return View(
        yaw=0.15 * n[0],
        pitch=0.08 * n[1],
        roll=0.06 * n[2],
        zoom=1 + 0.04 * n[3],
        x=0.5 + 0.015 * n[4],
        y=0.525 + 0.015 * n[5],
        light=(float(2 * u[4] - 1), float(-0.2 - 0.6 * u[5])),
        contrast=0.25 + 0.3 * float(rng.random()),
        warmth=float(n[6] / 2.2),
        exposure=1 + 0.08 * n[7],
        background=(colours[0], colours[1]),  # type: ignore[arg-type]
        blur=0.005 * float(rng.random()) ** 2,
        noise=3.5 * float(rng.random()) ** 2,
        noise_seed=int(rng.integers(2**32)),
    )


def draw_face(
    person: Person, expression: Expression, view: View, size: int
) -> npt.NDArray[np.uint8]:
    """Return the picture of a face, uint8 RGB [size, size, 3]; the same bytes for the same face."""
    side = size * OVERSAMPLING
    pose = Pose(
        view.yaw, view.pitch, view.roll, 0.425 * side * view.zoom, view.x * side, view.y * side
    )
    corners = np.array([view.background, view.background[::-1]])
    canvas = cv2.resize(to_bytes(corners), (side, side), interpolation=cv2.INTER_LINEAR)
    sketch_face(person, expression).paint(canvas, pose)
    shade = cv2.resize(light_field(person, expression, view, pose, side), (side, side))
    cv2.multiply(canvas, shade, dst=canvas, scale=1 / 200)
    small = cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)
    if view.blur * size > 0.2:
        small = cv2.GaussianBlur(small, (0, 0), view.blur * size)
    rng = np.random.default_rng(view.noise_seed)
    grain = view.noise * rng.standard_normal((size, size, 1), dtype=np.float32)
    return to_bytes(small + grain)


def to_bytes(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Round to whole grey levels from 0 to 255."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def sketch_face(person: Person, expression: Expression) -> Sketch:
    """Return the shapes of a face, from the back to the front."""
    sketch = Sketch()
    au = {u: (expression.left[u] + expression.right[u]) / 2 for u in expression.left}
    drop = 0.10 * au[26]
    draw_back_hair(sketch, person)
    draw_body(sketch, person)
    for side in (-1, 1):
        ear = ellipse(side * (person.width + 0.02), 0.06, 0.11, 0.19)
        sketch.fill(ear, person.skin, lift=FLAT)
        sketch.fill(ellipse(side * (person.width + 0.03), 0.06, 0.06, 0.12), shadow(person.skin, 0.3), lift=FLAT)
    outline = head_outline(person, drop)
    sketch.fill(outline, person.skin)
    draw_beard(sketch, person, au[26])
    if person.freckles:
        for k in range(14):
            x, y = 0.30 + 0.2 * np.sin(2.4 * k), 0.22 + 0.09 * np.cos(3.7 * k)
            sketch.fill(ellipse(x if k % 2 else -x, y, 0.018, 0.016, 8), shadow(person.skin, 0.4))
    draw_forehead(sketch, person, au)
    for side, units in ((-1, expression.left), (1, expression.right)):
        draw_eye(sketch, person, side, units, expression.gaze)
    draw_nose(sketch, person, au)
    draw_moustache(sketch, person, MOUTH_Y - 0.05 * au[10])
    draw_mouth(sketch, person, expression)
    draw_front_hair(sketch, person)
    for side, units in ((-1, expression.left), (1, expression.right)):
        draw_brow(sketch, person, side, units)
    if person.glasses:
        draw_glasses(sketch, person, EYE_Y)
    if expression.tear:
        draw_tear(sketch, person)
    return sketch


def head_outline(person: Person, drop: float) -> Points:
    """Return the outline of the face; the jaw drops by ``drop``."""
    w, jaw, chin = person.width, person.width * person.jaw, person.chin
    right = [
        (0.54 * w, -0.88), (0.89 * w, -0.54), (w, -0.12), (0.97 * w, 0.28),
        (jaw, 0.68 + 0.7 * drop), (chin, 0.95 + drop),
    ]  # fmt: skip
    left = [(-x, y) for x, y in reversed(right)]
    return curve([(0.0, -1.0), *right, (0.0, 1.0 + drop), *left], closed=True)


def draw_body(sketch: Sketch, person: Person) -> None:
    """Draw neck and shoulders."""
    neck = np.array([(-0.36, 0.6), (0.36, 0.6), (0.42, 1.7), (-0.42, 1.7)])
    sketch.fill(neck, shadow(person.skin, 0.28), lift=FLAT)
    shirt = [(-1.5, 1.9), (-1.25, 1.42), (-0.5, 1.2), (0, 1.36), (0.5, 1.2), (1.25, 1.42), (1.5, 1.9)]
    sketch.fill(curve(shirt), person.clothes, lift=FLAT)
    sketch.stroke(curve(shirt[2:5]), 0.06, mix(person.clothes, (255, 255, 255), 0.25), ends=(1, 1), lift=FLAT)


def draw_tear(sketch: Sketch, person: Person) -> None:
    """Draw a tear below the left eye."""
    x, y = -person.eye_distance - 0.06, EYE_Y + 0.22
    drop = [(x, y - 0.09), (x + 0.05, y + 0.03), (x, y + 0.09), (x - 0.05, y + 0.03)]
    sketch.fill(curve(drop, closed=True), (150, 205, 240))
    sketch.fill(ellipse(x - 0.012, y + 0.03, 0.014, 0.02, 8), (240, 250, 255))


def light_field(
    person: Person, expression: Expression, view: View, pose: Pose, side: int
) -> npt.NDArray[np.uint8]:
    """Return by how much each place is lit, uint8 [G, G, 3], 200 = as drawn.

    The head is lit as an ellipsoid is (Lambert's law); cheeks blush, the nose casts a shadow.
    """
    cells = (np.arange(LIGHT_GRID) + 0.5) * side / LIGHT_GRID
    dx = (cells[None, :] - pose.x) / pose.scale
    dy = (cells[:, None] - pose.y) / pose.scale
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    nx = (cos * dx + sin * dy) / (person.width + 0.05)
    ny = (cos * dy - sin * dx) / 1.05
    rim = np.sqrt(nx**2 + ny**2)
    nz = np.sqrt(np.maximum(1 - rim**2, 0.0))
    lx, ly = view.light
    lz = 0.75
    length = np.sqrt(lx**2 + ly**2 + lz**2)
    lambert = (nx * lx + ny * ly + nz * lz) / (length * np.maximum(rim, 1.0))
    lit = 1 + view.contrast * (np.maximum(lambert, -0.2) - 0.75)
    lit = 1 + (lit - 1) * np.exp(-2.5 * np.maximum(rim - 1, 0.0))

    # Soft spots: x, y, radius, how much brighter, how much redder.
    eye, nose_shadow = person.eye_distance, -0.17 * np.sign(lx)
    red = [0.35 + 0.5 * au[6] + 0.25 * au[12] for au in (expression.left, expression.right)]
    spots = np.array(
        [
            (-0.48, 0.26, 0.20, 0.0, red[0]),
            (0.48, 0.26, 0.20, 0.0, red[1]),
            (-eye, EYE_Y - 0.12, 0.20, -0.10, 0.0),
            (eye, EYE_Y - 0.12, 0.20, -0.10, 0.0),
            (nose_shadow, 0.14, 0.13, -0.16 * view.contrast, 0.0),
            (0.0, 0.16, 0.08, 0.10, 0.0),
            (0.0, -0.55, 0.30, 0.05, 0.0),
        ]
    )
    place = pose.project(spots[:, :2])[:, :, None]
    fall = np.exp(-(((cells - place) / (pose.scale * spots[:, 2, None, None])) ** 2))
    lit += (spots[:, 3, None] * fall[:, 1]).T @ fall[:, 0]
    blush = (spots[:, 4, None] * fall[:, 1]).T @ fall[:, 0]
    colour = np.stack([lit, lit * (1 - 0.13 * blush), lit * (1 - 0.10 * blush)], axis=2)
    tint = np.array([1 + 0.06 * view.warmth, 1.0, 1 - 0.08 * view.warmth])
    return to_bytes(200 * view.exposure * colour * tint)
