"""Snow and spatter: a random layer of drops, and a pure ``apply_`` function that overlays it.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.compiled import Flat, Real, U, Whole, compiled, read_only
from ferc_corruptions.filters import enlarge, gaussian_smooth, line_blur
from ferc_corruptions.rounding import Floats, Image, truncate
from ferc_corruptions.severities import IMAGENET_C, constants

PALE_TURQUOISE = np.array([175, 238, 238], np.float32)
MUD_BROWN = np.array([63, 42, 20], np.float32)
# lengths of steps between pixels
STRAIGHT, ASLANT, KNIGHT, FARTHEST = map(np.float32, (1, 1.4, 2.1969, 1e9))
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
    flakes = enlarge(field, (size,), cut=False)
    _keep(flakes.reshape(-1), mean, spread, threshold, 1.0)
    layer = line_blur(flakes, radius, sigma, angle)[:height, :width]
    return truncate(_under(read_only(image), read_only(layer), weight).reshape(image.shape))


@compiled
def _under(image: Flat, layer: Flat, weight: Real) -> Floats:
    """Return a paler image under ``layer`` [H, W] and under the same turned upside down."""
    kept, pale = np.float32(weight), np.float32(1 - weight)
    out, last = np.empty(len(image), np.float32), U(len(layer) - 1)
    for i in range(U(len(layer))):
        flake = np.rint(layer[i] * np.float32(255)) + np.rint(layer[last - i] * np.float32(255))
        r, g, b = U(3) * i, U(3) * i + U(1), U(3) * i + U(2)
        red, green, blue = np.float32(image[r]), np.float32(image[g]), np.float32(image[b])
        grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
        bright = grey * np.float32(1.5) + np.float32(127.5)
        out[r] = max(red, bright) * pale + red * kept + flake
        out[g] = max(green, bright) * pale + green * kept + flake
        out[b] = max(blue, bright) * pale + blue * kept + flake
    return out


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
    drops = gaussian_smooth(field.astype(np.float32), sigma)
    _keep(drops.reshape(-1), mean, spread, threshold, np.inf)
    if kind == "mud":
        mud = gaussian_smooth((drops > 0).astype(np.float32), strength)
        return truncate(_muddy(read_only(image), mud.reshape(-1)).reshape(image.shape))
    # by way of whole numbers: what a level above 255 becomes is left to the processor else
    water = _water((drops * np.float32(255)).astype(np.int32).astype(np.uint8))
    peak = water.max()
    if peak == 0:
        return image.copy()  # no drops; the reference divides 0 by 0
    water *= np.float32(strength) / peak
    return truncate(_wet(read_only(image), water.reshape(-1)).reshape(image.shape))


@compiled
def _muddy(image: Flat, mud: Flat) -> Floats:
    out = np.empty(len(image), np.float32)
    for i in range(len(mud)):
        part = mud[i] if mud[i] >= np.float32(FULL_MUD) else np.float32(0)
        for channel in range(3):
            value = np.float32(image[3 * i + channel])
            out[3 * i + channel] = value * (np.float32(1) - part) + part * MUD_BROWN[channel]
    return out


@compiled
def _wet(image: Flat, water: Flat) -> Floats:
    out = np.empty(len(image), np.float32)
    for i in range(len(water)):
        for channel in range(3):
            value = np.float32(image[3 * i + channel])
            out[3 * i + channel] = value + water[i] * PALE_TURQUOISE[channel]
    return out


@compiled
def _keep(plane: Flat, mean: Real, spread: Real, threshold: Real, most: Real) -> None:
    """Set values to mean + spread * value where that reaches the threshold, else 0; at most 1.

    The comparison comes before the mean is added: closer to zero, single precision is fine enough
    that no rounding error decides over a drop.
    """
    least = np.float32((threshold - mean) / spread)
    for i in range(len(plane)):
        value = plane[i] * np.float32(spread) + np.float32(mean)
        plane[i] = min(value, np.float32(most)) if plane[i] >= least else np.float32(0)


def _water(liquid: Image) -> Floats:
    """Return how bright each drop of ``liquid`` [H, W] is: bright rims, embossed."""
    rims = cv2.Canny(liquid, 50, 150)
    distance = _distances(read_only(rims), *rims.shape).reshape(rims.shape)
    near = cv2.blur(np.minimum(distance, np.float32(20)), (3, 3)).astype(np.uint8)
    emboss = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    relief = cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, emboss)
    return liquid * cv2.blur(relief, (3, 3)).astype(np.float32)


@compiled
def _distances(rims: Flat, height: Whole, width: Whole) -> Floats:
    """Return how far each pixel is from the nearest rim, by steps of the king and the knight.

    Their lengths are those of OpenCV (Borgefors 1986, doi:10.1016/S0734-189X(86)80047-0), and the
    sums are rounded as by Intel's library, which it uses where that is there.
    """
    n = U(width + 4)  # two more pixels on each side, as far as possible from everything
    steps = np.full((height + 4) * (width + 4), FARTHEST)
    for y in range(U(height)):
        for x in range(U(width)):
            i = (y + U(2)) * n + x + U(2)
            if rims[y * U(width) + x]:
                steps[i] = 0
                continue
            above, before = i - n, i - U(1)
            knight = min(steps[above - n - U(1)], steps[above - n + U(1)])
            knight = min(knight, steps[above - U(2)], steps[above + U(2)])
            aslant = min(steps[above - U(1)], steps[above + U(1)])
            straight = min(steps[above], steps[before])
            steps[i] = min(knight + KNIGHT, aslant + ASLANT, straight + STRAIGHT)
    out = np.empty(height * width, np.float32)
    for row in range(1, height + 1):
        for column in range(1, width + 1):
            i = U(height - row + 2) * n + U(width - column + 2)
            below, after = i + n, i + U(1)
            knight = min(steps[below + n - U(1)], steps[below + n + U(1)])
            knight = min(knight, steps[below - U(2)], steps[below + U(2)])
            aslant = min(steps[below - U(1)], steps[below + U(1)])
            straight = min(steps[below], steps[after])
            steps[i] = min(steps[i], knight + KNIGHT, aslant + ASLANT, straight + STRAIGHT)
            place = U((height - row) * width + width - column)
            out[place] = steps[i]
    return out
