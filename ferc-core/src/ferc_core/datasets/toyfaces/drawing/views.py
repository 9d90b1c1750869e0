"""Views: pose, light, background and camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.datasets.toyfaces.drawing.expressions import Expression
from ferc_core.datasets.toyfaces.drawing.sketch import HEAD, Colour, Pose
from ferc_core.datasets.toyfaces.drawing.subjects import Subject

FACE_SCALE = 0.425  # half the height of a face, as a fraction of the image's side
FACE_Y = 0.525
LIGHT_GRID = 32  # light is soft: computed on this many points across and enlarged
EVEN = 200  # the value of the light field where colours stay as they are


@dataclass(frozen=True)
class View:
    """Angles are in radians, places in fractions of the image's side."""

    yaw: float
    pitch: float
    roll: float
    zoom: float
    x: float
    y: float
    light: tuple[float, float]  # where it comes from: to the right, down; each -1 to 1
    contrast: float  # between the lit and the shaded side
    warmth: float  # -1 bluish to 1 yellowish
    exposure: float  # 1 is as drawn
    background: tuple[Colour, Colour]
    blur: float  # standard deviation in fractions of the side
    noise: float  # standard deviation in grey levels
    noise_seed: int

    def pose(self, side: int) -> Pose:
        """Return where the head is in an image of this side."""
        scale = FACE_SCALE * self.zoom * side
        return Pose(self.yaw, self.pitch, self.roll, scale, self.x * side, self.y * side)


def random_view(rng: np.random.Generator) -> View:
    """Return a view: mostly frontal, softly lit, in front of a pale background."""
    n = np.clip(rng.standard_normal(8), -2.2, 2.2)
    u = rng.random(9)
    return View(
        yaw=0.15 * n[0],
        pitch=0.08 * n[1],
        roll=0.06 * n[2],
        zoom=1 + 0.04 * n[3],
        x=0.5 + 0.015 * n[4],
        y=FACE_Y + 0.015 * n[5],
        light=(2 * u[0] - 1, -0.2 - 0.6 * u[1]),
        contrast=0.25 + 0.3 * u[2],
        warmth=n[6] / 2.2,
        exposure=1 + 0.05 * n[7],
        background=(pale(u[3], u[4], u[5]), pale(u[3] + 0.08 + 0.2 * u[6], u[4], u[5])),
        blur=0.005 * u[7] ** 2,
        noise=3.5 * u[8] ** 2,
        noise_seed=int(rng.integers(2**32)),
    )


def pale(hue: float, saturation: float, brightness: float) -> Colour:
    """Return a muted colour; the arguments are 0 to 1, hue is cyclic."""
    r, g, b = (
        165 + 40 * saturation * np.sin(2 * np.pi * (hue + k / 3)) + 80 * (brightness - 0.5)
        for k in range(3)
    )
    return float(r), float(g), float(b)


def light_field(
    subject: Subject, expression: Expression, view: View, side: int
) -> npt.NDArray[np.float64]:
    """Return the brightness of each place, [G, G, 3]; `EVEN` is as drawn.

    The head is lit like an ellipsoid (Lambert's law); around it the light fades to even. Soft
    spots are added: blushing cheeks, eye sockets, the shadow and the glint of the nose.
    """
    pose = view.pose(side)
    cells = (np.arange(LIGHT_GRID) + 0.5) * side / LIGHT_GRID
    dx, dy = (cells[None, :] - pose.x) / pose.scale, (cells[:, None] - pose.y) / pose.scale
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    nx, ny = (cos * dx + sin * dy) / HEAD[0], (cos * dy - sin * dx) / HEAD[1]
    rim = np.sqrt(nx**2 + ny**2)
    nz = np.sqrt(np.maximum(1 - rim**2, 0.0))
    lx, ly = view.light
    lz = 0.75
    lambert = (nx * lx + ny * ly + nz * lz) / np.sqrt(lx**2 + ly**2 + lz**2)
    lambert = np.maximum(lambert / np.maximum(rim, 1.0), -0.2)
    lit = 1 + view.contrast * (lambert - 0.75) * np.exp(-4 * np.maximum(rim - 1, 0.0))

    eye, nose_shadow = subject.eye_distance, -0.17 if lx > 0 else 0.17
    red = [0.35 + 0.5 * au[6] + 0.25 * au[12] for au in (expression.left, expression.right)]
    spots = np.array(
        [  # x, y, radius, how much brighter, how much redder
            (-0.48, 0.26, 0.20, 0.0, red[0]),
            (0.48, 0.26, 0.20, 0.0, red[1]),
            (-eye, -0.18, 0.20, -0.10, 0.0),
            (eye, -0.18, 0.20, -0.10, 0.0),
            (nose_shadow, 0.14, 0.13, -0.16 * view.contrast, 0.0),
            (0.0, 0.16, 0.08, 0.10, 0.0),
            (0.0, -0.55, 0.30, 0.05, 0.0),
        ]
    )
    place = pose.project(spots[:, :2])[:, :, None]
    fall = np.exp(-(((cells - place) / (pose.scale * spots[:, 2, None, None])) ** 2))
    lit = lit + (spots[:, 3, None] * fall[:, 1]).T @ fall[:, 0]
    blush = (spots[:, 4, None] * fall[:, 1]).T @ fall[:, 0]
    colour = np.stack([lit, lit * (1 - 0.13 * blush), lit * (1 - 0.10 * blush)], axis=2)
    tint = np.array([1 + 0.06 * view.warmth, 1.0, 1 - 0.08 * view.warmth])
    field: npt.NDArray[np.float64] = EVEN * view.exposure * colour * tint
    return field
