"""Contrast, brightness, saturation, JPEG and pixels; nothing here is random.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions.rounding import Doubles, Image
from ferc_corruptions.severities import IMAGENET_C, constants


def contrast(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Draw all values towards the mean of their channel."""
    return apply_contrast(image, constants("contrast", severity, table))


def apply_contrast(image: Image, c: float) -> Image:
    """Shrink the distance of every value to the mean of its channel to ``c`` of itself."""
    means = np.array(cv2.mean(image)[:3]) / 255
    levels = (np.arange(256)[:, None] / 255 - means) * c + means
    return cv2.LUT(image, (levels[None] * 255).astype(np.uint8))


def brightness(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Raise the value (the largest channel) of every pixel, hue and saturation unchanged."""
    return apply_brightness(image, constants("brightness", severity, table))


def apply_brightness(image: Image, c: float) -> Image:
    """Add ``c`` (in units of full scale) to the V of HSV."""
    red, green, blue = cv2.split(image)
    value = cv2.max(cv2.max(red, green), blue)
    key = cv2.cvtColor(value, cv2.COLOR_GRAY2RGB).astype(np.uint16)
    key <<= 8
    key += image
    brighter: Image = _brightened(c).take(key)
    return brighter


@cache
def _brightened(c: float) -> Image:
    """Return the new level of every (value, level) pair, [256 * 256]; level <= value counts."""
    value = np.arange(256)[:, None] / 255
    level = np.arange(256)[None] / 255
    with np.errstate(divide="ignore", invalid="ignore"):
        saturation = np.where(value > 0, (value - level) / value, 0)
    table: Doubles = np.clip(value + c, 0, 1) * (1 - saturation) * 255
    return np.clip(table, 0, 255).astype(np.uint8).ravel()


def saturate(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Change the saturation of every pixel, hue and value unchanged."""
    return apply_saturate(image, constants("saturate", severity, table))


def apply_saturate(image: Image, c: tuple[float, float]) -> Image:
    """Turn the S of HSV into ``factor * S + offset``, at most 1; ``c`` is (factor, offset).

    Of a pixel's channels the largest stays V, the smallest becomes V (1 - S) and the middle one
    V (1 - share S), where the share is a position within one of the six sectors of the hue. Grey
    pixels count as red: an offset colours them.

    Every step in double precision and in the order of the definition, for with a whole factor all
    results are whole levels, of which truncation keeps only those not rounded down on the way.
    """
    red, green, blue = cv2.split(image)
    high: Image = cv2.max(cv2.max(red, green), blue)
    low: Image = cv2.min(cv2.min(red, green), blue)
    middle = red + green + blue - high - low  # modulo 256, which the result is below
    coloured = high != low
    blue_top = blue == high
    green_top = (green == high) & ~blue_top
    falling = np.where(green_top, blue < red, np.where(blue_top, red < green, green < blue))

    pair = high.astype(np.uint16) << 8 | low
    new_low = _lowest(*c).take(pair)
    new_middle = _hue_share(high, low, middle, falling, green_top * 2 + blue_top * 4)
    new_middle *= _saturations(*c).take(pair)
    np.subtract(1, new_middle, out=new_middle)
    new_middle *= _UNIT.take(high)
    new_middle *= 255
    channels = (red, green, blue)
    tops = (red == high, (green == high) & coloured, blue_top & coloured)
    for channel, top in zip(channels, tops, strict=True):
        lowest = channel == low
        channel[:] = new_middle
        cv2.copyTo(new_low, lowest.view(np.uint8), channel)
        cv2.copyTo(high, top.view(np.uint8), channel)
    return cv2.merge(channels)


def _hue_share(
    high: Image, low: Image, middle: Image, falling: npt.NDArray[np.bool_], sector: npt.NDArray[Any]
) -> Doubles:
    """Return how far the middle channel is from the largest one, 0 to 1, by way of the hue."""
    least = _UNIT.take(low)
    span = _UNIT.take(high) - least
    span[span == 0] = 1  # grey: nothing to divide
    hue = _UNIT.take(middle) - least
    hue /= span
    np.negative(hue, out=hue, where=falling)
    hue += sector
    hue /= 6
    hue += hue < 0
    hue *= 6
    whole = np.floor(hue)
    hue -= whole
    even = ~whole.astype(np.uint8) & 1  # within even sectors the middle channel rises
    share: Doubles = np.abs(even - hue)
    return share


@cache
def _saturations(factor: float, offset: float) -> Doubles:
    """Return the new saturation of every (largest, smallest) pair of channels, [256 * 256]."""
    value, least = _UNIT[:, None], _UNIT[None]
    saturation = (value - least) / np.maximum(value, _UNIT[1])
    table: Doubles = np.clip(saturation * factor + offset, 0, 1).ravel()
    return table


@cache
def _lowest(factor: float, offset: float) -> Image:
    """Return the new smallest channel of every (largest, smallest) pair, [256 * 256]."""
    new = _UNIT[:, None] * (1 - _saturations(factor, offset).reshape(256, 256)) * 255
    table: Image = new.astype(np.uint8).ravel()
    return table


_UNIT = np.arange(256) / 255


def jpeg_compression(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Compress as JPEG and decode again."""
    return apply_jpeg_compression(image, constants("jpeg_compression", severity, table))


def apply_jpeg_compression(image: Image, quality: int) -> Image:
    """Compress as baseline JPEG of ``quality`` (1 to 100), chroma halved, and decode again."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]  # None: unreadable


def pixelate(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Shrink the picture and enlarge it again without smoothing."""
    return apply_pixelate(image, constants("pixelate", severity, table))


def apply_pixelate(image: Image, c: float) -> Image:
    """Shrink both sides to ``c`` of themselves and enlarge again to blocks of one colour.

    Rows of pixels are averaged first and rounded, then columns: as Pillow's box filter does.
    """
    height, width = image.shape[:2]
    narrow = _shrink_rows(cv2.transpose(image), int(width * c))
    small = _shrink_rows(cv2.transpose(narrow), int(height * c))
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


def _shrink_rows(image: Image, count: int) -> Image:
    """Average runs of rows of [L, M, 3] to [count, M, 3], halves rounded up."""
    rows = image.reshape(len(image), -1)
    starts, lengths = _runs(len(image), count)
    total = rows.take(starts, axis=0).astype(np.uint16)
    for step in range(1, lengths.min()):
        total += rows.take(starts + step, axis=0)
    for step in range(lengths.min(), lengths.max()):
        longer = np.flatnonzero(lengths > step)
        total[longer] += rows.take(starts[longer] + step, axis=0)
    mean = total * (1 / lengths).astype(np.float32)[:, None]
    mean += np.float32(0.5)
    shrunk: Image = mean.astype(np.uint8).reshape(count, *image.shape[1:])
    return shrunk


@cache
def _runs(length: int, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Cut ``length`` rows into ``count`` runs; returns their starts and lengths.

    A row belongs to a run when its middle lies within; where that is a question of the last bit,
    the arithmetic of Pillow's box filter decides.
    """
    size = length / count
    middle = (np.arange(count) + 0.5) * size
    starts = np.floor(middle - 0.5 * size + 0.5).astype(np.intp)
    ends = np.minimum(np.floor(middle + 0.5 * size + 0.5).astype(np.intp), length)
    starts += (starts - middle + 0.5) * (1 / size) <= -0.5
    ends -= (ends - 1 - middle + 0.5) * (1 / size) > 0.5
    return starts, ends - starts
