"""Drawing on a head: smooth curves and strokes that turn with it.

Points are in head units: the origin is the middle of the face, x to the right, y down, z towards
the viewer; the chin is at y = 1 and the cheeks at x = +-0.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferc_core.images.io import opencv

Points: TypeAlias = npt.NDArray[np.float64]
Colour: TypeAlias = tuple[float, float, float]

HEAD = (0.84, 1.08, 0.80)  # half axes of the ellipsoid on which features move
SUBPIXEL_BITS = 4  # OpenCV draws at 1/16 pixel
SAMPLES = 6  # points between two control points of a curve

FLAT = float("nan")  # the lift of what does not turn with the head
INK: Colour = (40.0, 26.0, 26.0)

ACROSS = np.linspace(-1.0, 1.0, 17)  # along an eye or a mouth, corner to corner
BULGE = 1 - ACROSS**2  # of a lid or a lip above that line


@dataclass(frozen=True)
class Pose:
    """Where the head is: angles in radians, size and place in pixels.

    ``yaw`` > 0 turns it to the viewer's right, ``pitch`` > 0 down, ``roll`` > 0 clockwise.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    x: float
    y: float

    def project(self, points: Points, lift: Points | float = 0.0) -> Points:
        """Return the pixels [N, 2] of ``points`` [N, 2], which are ``lift`` above the head.

        A point moves over the ellipsoid as the head turns; the outline and what is `FLAT` stay.
        """
        x, y = points[:, 0], points[:, 1]
        a, b, c = HEAD
        rim = np.minimum((x / a) ** 2 + (y / b) ** 2, 1.0)
        flat = np.isnan(lift)
        cos, sin = self.scale * np.cos(self.roll), self.scale * np.sin(self.roll)
        z = np.where(flat, 0.0, c * np.sqrt(1 - rim) + lift)
        inside = np.where(flat, 0.0, 1 - rim)
        x = x * (1 - (1 - np.cos(self.yaw)) * inside) + z * np.sin(self.yaw)
        y = y * (1 - (1 - np.cos(self.pitch)) * inside) + z * np.sin(self.pitch)
        return np.stack([self.x + cos * x - sin * y, self.y + sin * x + cos * y], axis=1)


class Sketch:
    """Filled shapes in head units, from back to front."""

    def __init__(self) -> None:
        self._shapes: list[Points] = []
        self._lifts: list[float] = []
        self._colours: list[Colour] = []

    def fill(self, outline: Points, colour: Colour, *, lift: float = 0.0) -> None:
        """Fill an outline [N, 2]; ``lift`` as in `Pose.project`."""
        self._shapes.append(outline)
        self._lifts.append(lift)
        self._colours.append(colour)

    def stroke(
        self,
        line: Points,
        width: float,
        colour: Colour,
        *,
        ends: tuple[float, float] = (0.15, 0.15),
        lift: float = 0.0,
    ) -> None:
        """Draw a line [N, 2], ``width`` wide in its middle; ``ends`` are the widths there."""
        z = line[:, 0] + 1j * line[:, 1]  # a factor of 1j turns by a right angle
        along = np.concatenate([z[1:2], z[2:], z[-1:]]) - np.concatenate([z[:1], z[:-2], z[-2:-1]])
        across = 1j * along / (np.abs(along) + 1e-9) * (0.5 * width * taper(len(line), ends))
        outline = np.concatenate([z + across, (z - across)[::-1]])
        self.fill(outline.view(np.float64).reshape(-1, 2), colour, lift=lift)

    def paint(self, canvas: npt.NDArray[np.uint8], pose: Pose) -> None:
        """Draw all shapes onto ``canvas``, uint8 RGB [H, W, 3]."""
        lengths = [len(shape) for shape in self._shapes]
        pixels = pose.project(np.concatenate(self._shapes), np.repeat(self._lifts, lengths))
        fixed = np.rint(pixels * (1 << SUBPIXEL_BITS)).astype(np.int32)
        cv2, first = opencv(), 0
        for length, colour in zip(lengths, self._colours, strict=True):
            outline = fixed[first : first + length]
            cv2.fillPoly(canvas, [outline], colour, cv2.LINE_AA, SUBPIXEL_BITS)
            first += length


def curve(control: Sequence[tuple[float, float]] | Points, *, closed: bool = False) -> Points:
    """Return a smooth line through the control points (Catmull-Rom), [N, 2]."""
    points = np.asarray(control, dtype=np.float64)
    return catmull_rom(len(points), closed) @ points


@lru_cache(maxsize=64)
def catmull_rom(count: int, closed: bool) -> Points:
    """Return the matrix [N, count] that turns control points into points of the curve."""
    spans = count if closed else count - 1
    t = np.arange(SAMPLES) / SAMPLES
    weights = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )
    matrix = np.zeros((spans * SAMPLES + (not closed), count))
    for span in range(spans):
        rows = slice(span * SAMPLES, (span + 1) * SAMPLES)
        for k in range(4):
            column = span + k - 1
            column = column % count if closed else min(max(column, 0), count - 1)
            matrix[rows, column] += weights[k]
    if not closed:
        matrix[-1, -1] = 1.0
    return matrix


@lru_cache(maxsize=64)
def taper(count: int, ends: tuple[float, float]) -> Points:
    """Return relative widths [count] of a stroke: full in the middle, ``ends`` at the ends."""
    t = np.linspace(0, 1, count)
    end = np.where(t < 0.5, ends[0], ends[1])
    widths: Points = end + (1 - end) * np.sin(np.pi * t) ** 0.7
    return widths


@lru_cache(maxsize=8)
def unit_circle(count: int) -> Points:
    """Return ``count`` points of the unit circle, [count, 2]."""
    angle = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 20) -> Points:
    """Return the outline of an ellipse."""
    return unit_circle(count) * (rx, ry) + (x, y)


def lens(x: Points, upper: Points, lower: Points) -> Points:
    """Return the outline [2N, 2] between two curves over the same x, each [N]."""
    return np.stack([np.append(x, x[::-1]), np.append(upper, lower[::-1])], axis=1)


def mix(first: Colour, second: Colour, fraction: float) -> Colour:
    """Return ``first`` mixed with this fraction (0 to 1) of ``second``."""
    fraction = min(max(fraction, 0.0), 1.0)
    r, g, b = (p + (q - p) * fraction for p, q in zip(first, second, strict=True))
    return r, g, b


def shadow(skin: Colour, depth: float) -> Colour:
    """Return the skin in a fold of this depth: 0 is plain skin, 1 nearly black."""
    return mix(skin, (0.34 * skin[0], 0.22 * skin[1], 0.22 * skin[2]), depth)
