"""Snow and spatter: a random layer of drops, and a pure ``apply_`` function that overlays it.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.filters import enlargement, gaussian_smooth, line_blur, three
from ferc_corruptions.rounding import Floats, Image, truncate
from ferc_corruptions.severities import IMAGENET_C, constants

PALE_TURQUOISE = (175, 238, 238)
MUD_BROWN = (63, 42, 20)
FULL_MUD = 0.8  # thinner mud is not drawn


def snow(image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C) -> Image:
    """Overlay slanted flakes on a paler image."""
    c = constants("snow", severity, table)
    field = fields.normal(rng, image.shape[:2])
    return apply_snow(image, field, rng.uniform(-135, -45), c)


def apply_snow(
    image: Image,
    field: npt.NDArray[np.floating],
    angle: float,
    c: tuple[float, float, float, float, int, float, float],
) -> Image:
    """Overlay flakes of the standard normal ``field`` [H, W], falling at ``angle`` degrees.

    ``c`` holds mean and standard deviation of the flakes, their enlargement, the brightness below
    which there is no flake, radius and sigma of the line they fall along, and the weight of the
    original image against the pale one.
    """
    mean, spread, size, threshold, radius, sigma, weight = c
    height, width = image.shape[:2]
    tall = enlargement(height, size) @ field.astype(np.float32)
    enlarged = enlargement(width, size) @ cv2.transpose(tall)
    flakes = _kept(cv2.transpose(enlarged), mean, spread, threshold)
    layer = line_blur(np.minimum(flakes, np.float32(1)), radius, sigma, angle)[:height, :width]
    layer = np.rint(layer * np.float32(255))
    layer += cv2.rotate(layer, cv2.ROTATE_180)

    x = image.astype(np.float32)
    pale = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) * np.float32(1.5) + np.float32(127.5)
    out = cv2.addWeighted(cv2.max(x, three(pale)), 1 - weight, x, weight, 0)
    out += three(layer)
    return truncate(out)


def spatter(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Overlay splashes of water or mud."""
    c = constants("spatter", severity, table)
    return apply_spatter(image, fields.normal(rng, image.shape[:2]), c)


def apply_spatter(
    image: Image,
    field: npt.NDArray[np.floating],
    c: tuple[float, float, float, float, float, str],
) -> Image:
    """Overlay drops of the standard normal ``field`` [H, W].

    ``c`` holds mean and standard deviation of the liquid, the sigma that gathers it into drops, the
    level below which there is no drop, the strength of water or the softness of mud, and "water" or
    "mud".
    """
    mean, spread, sigma, threshold, strength, kind = c
    drops = _kept(gaussian_smooth(field.astype(np.float32), sigma), mean, spread, threshold)
    if kind == "mud":
        mud = gaussian_smooth((drops > 0).astype(np.float32), strength)
        mud = cv2.copyTo(mud, (mud >= np.float32(FULL_MUD)).view(np.uint8))
        clear = three(np.float32(1) - mud)
        clear *= image
        clear += _coloured(mud, MUD_BROWN)
        return truncate(clear)
    water = _water((drops * np.float32(255)).astype(np.uint8))
    peak = water.max()
    if peak == 0:
        return image.copy()  # no drops; the reference divides 0 by 0
    water *= np.float32(strength) / peak
    splash = _coloured(water, PALE_TURQUOISE)
    splash += image
    return truncate(splash)


def _coloured(plane: Floats, colour: tuple[int, int, int]) -> Floats:
    """Return ``plane`` [H, W] times ``colour`` as [H, W, 3]."""
    return cv2.merge([plane * np.float32(level) for level in colour])


def _kept(plane: Floats, mean: float, spread: float, threshold: float) -> Floats:
    """Return mean + spread * plane where it reaches the threshold, else 0; overwrites the plane.

    The comparison comes before the mean is added: closer to zero, single precision is fine enough
    that no rounding error decides over a drop.
    """
    present = plane >= np.float32((threshold - mean) / spread)
    plane *= np.float32(spread)
    plane += np.float32(mean)
    return cv2.copyTo(plane, present.view(np.uint8))


def _water(liquid: Image) -> Floats:
    """Return how bright each drop of ``liquid`` [H, W] is: bright rims, embossed."""
    rims = cv2.Canny(liquid, 50, 150)
    distance = cv2.distanceTransform(255 - rims, cv2.DIST_L2, 5)
    near = cv2.blur(np.minimum(distance, np.float32(20)), (3, 3)).astype(np.uint8)
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    relief = cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, emboss)
    return liquid * cv2.blur(relief, (3, 3)).astype(np.float32)
