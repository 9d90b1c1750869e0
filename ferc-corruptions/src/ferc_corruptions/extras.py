"""Fog and frost: the two corruptions of ImageNet-C that FER-C leaves out.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_corruptions.rounding import Floats, Image, truncate
from ferc_corruptions.severities import IMAGENET_C, constants

FROST_TEXTURES = (
    "frost1.png",
    "frost2.png",
    "frost3.png",
    "frost4.jpg",
    "frost5.jpg",
    "frost6.jpg",
)
FROST_ENLARGED = 1.1  # leaves a choice of where to crop
FIRST_WIBBLE = 100.0


def fog(image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C) -> Image:
    """Overlay a cloud and lower the contrast."""
    c = constants("fog", severity, table)
    height, width = image.shape[:2]
    side = 1 << (max(height, width) - 1).bit_length()
    cloud = plasma(side, c[1], lambda shape: rng.uniform(-1, 1, shape))
    return apply_fog(image, cloud[:height, :width], c)


def apply_fog(image: Image, cloud: Floats, c: tuple[float, float]) -> Image:
    """Add ``cloud`` [H, W] in [0, 1]; ``c`` is its strength and how fast its detail fades."""
    strength, _ = c
    brightest = int(image.max())
    out = image + cloud[..., None] * np.float32(255 * strength)
    out *= np.float32(brightest / (brightest + 255 * strength))
    return truncate(out)


def plasma(
    side: int, decay: float, draw: Callable[[tuple[int, int]], npt.NDArray[np.float64]]
) -> Floats:
    """Return a cloud [side, side] in [0, 1] that wraps around, by the diamond-square algorithm.

    ``side`` is a power of two. ``draw(shape)`` returns values uniform over (-1, 1): how far a new
    point deviates from the mean of its four neighbours. The deviation falls by ``decay`` squared
    each time the grid is halved.
    """
    cloud: Floats = np.zeros((side, side), np.float32)
    step, wibble = side, FIRST_WIBBLE
    while step >= 2:
        half, stray = step // 2, wibble * wibble
        corners = cloud[::step, ::step]
        sides = corners + np.roll(corners, -1, axis=0)
        middles = cloud[half::step, half::step]
        middles[:] = (sides + np.roll(sides, -1, axis=1)) / 4 + stray * draw(corners.shape)
        above = middles + np.roll(middles, 1, axis=0)
        beside = corners + np.roll(corners, -1, axis=1)
        cloud[::step, half::step] = (above + beside) / 4 + stray * draw(corners.shape)
        left = middles + np.roll(middles, 1, axis=1)
        upright = corners + np.roll(corners, -1, axis=0)
        cloud[half::step, ::step] = (left + upright) / 4 + stray * draw(corners.shape)
        step, wibble = half, wibble / decay
    cloud -= cloud.min()
    cloud /= cloud.max()
    return cloud


def frost(image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C) -> Image:
    """Overlay a photograph of frost; raises `RequestError` if none is installed."""
    c = constants("frost", severity, table)
    height, width = image.shape[:2]
    texture = _texture(FROST_TEXTURES[rng.integers(len(FROST_TEXTURES))])
    scale = FROST_ENLARGED * max(1, height / texture.shape[0], width / texture.shape[1])
    new_size = (int(np.ceil(texture.shape[1] * scale)), int(np.ceil(texture.shape[0] * scale)))
    texture = cv2.resize(texture, new_size, interpolation=cv2.INTER_CUBIC)
    top = rng.integers(texture.shape[0] - height)
    left = rng.integers(texture.shape[1] - width)
    return apply_frost(image, texture[top : top + height, left : left + width], c)


def apply_frost(image: Image, texture: Image, c: tuple[float, float]) -> Image:
    """Add ``texture`` [H, W, 3]; ``c`` is the weight of the image and that of the texture."""
    of_image, of_texture = map(np.float32, c)
    return truncate(of_image * image + of_texture * texture)


@cache
def _texture(name: str) -> Image:
    """Read a texture from the data of ``imagecorruptions`` without importing its code."""
    package = find_spec("imagecorruptions")
    path = Path(package.origin).parent / "frost" / name if package and package.origin else None
    bgr = cv2.imread(str(path)) if path and path.exists() else None
    if bgr is None:
        raise RequestError(
            "the textures of corruption 'frost' are not installed; "
            'pip install "ferc-corruptions[frost]"'
        )
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
