"""Contrast, brightness, saturation, JPEG and pixelation; nothing here is random.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions.rounding import Doubles, Image
from ferc_corruptions.severities import IMAGENET_C, constants


def contrast(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Move all values towards the mean of their channel."""
    return apply_contrast(image, constants("contrast", severity, table))


def apply_contrast(image: Image, c: float) -> Image:
    """Multiply the distance of every value to the mean of its channel by ``c``."""
    means = np.array(cv2.mean(image)[:3]) / 255
    levels = (np.arange(256)[:, None] / 255 - means) * c + means
    return cv2.LUT(image, (levels[None] * 255).astype(np.uint8))


def brightness(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Raise the value (the largest channel) of every pixel, hue and saturation unchanged."""
    return apply_brightness(image, constants("brightness", severity, table))


def apply_brightness(image: Image, c: float) -> Image:
    """Add ``c`` (1 is full scale) to the V of HSV."""
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
    """Change the saturation of every pixel, hue and value unchanged.

    Severities 1 to 3 only scale it, so they return grey images (those of FER+, for example) exactly
    as they are; 4 and 5 also add an offset, which tints grey red.
    """
    return apply_saturate(image, constants("saturate", severity, table))


def apply_saturate(image: Image, c: tuple[float, float]) -> Image:
    """Change the S of HSV to ``factor * S + offset``, at most 1; ``c`` is (factor, offset).

    Of a pixel's channels the largest stays V, the smallest becomes V (1 - S) and the middle one
    V (1 - position S), where the position is that within one of the six sectors of the hue. Grey
    pixels count as red, so an offset colours them.

    Every step is in double precision and in the order of the reference: with an integer factor all
    results are whole levels, of which truncation keeps only those not rounded down on the way.
    """
    red, green, blue = cv2.split(image)
    high: Image = cv2.max(cv2.max(red, green), blue)
    low: Image = cv2.min(cv2.min(red, green), blue)
    middle = red + green + blue - high - low  # modulo 256, which the result is below

    order = (red < green) | (green < blue).view(np.uint8) << 1 | (blue < red).view(np.uint8) << 2
    value, least = cv2.LUT(high, _UNIT), cv2.LUT(low, _UNIT)
    span = value - least
    position = _hue_position(least, span, cv2.LUT(middle, _UNIT), order)
    factor, offset = c
    saturation = span
    saturation /= np.maximum(value, _UNIT[1])
    saturation *= factor
    saturation += offset
    np.clip(saturation, 0, 1, out=saturation)
    position *= saturation
    new_low, new_middle = (_lowered(value, part) for part in (saturation, position))

    coloured = high != low
    tops = (red == high, (green == high) & coloured, (blue == high) & coloured)
    channels = []
    for channel, top in zip((red, green, blue), tops, strict=True):
        lowest = (channel == low).view(np.uint8)
        made = cv2.copyTo(new_low, lowest, new_middle.copy())
        channels.append(cv2.copyTo(high, top.view(np.uint8), made))
    return cv2.merge(channels)


def _lowered(value: Doubles, part: Doubles) -> Image:
    """Return ``value`` * (1 - ``part``) as a level; overwrites ``part``."""
    np.subtract(1, part, out=part)
    part *= value
    part *= 255
    return part.astype(np.uint8)


def _by_order(*values: float) -> Doubles:
    """Return a table for the six orders of three different channels, numbered by three bits.

    The bits say whether red < green, green < blue and blue < red; three equal channels have
    number 0, and nothing has number 7.
    """
    return np.array([0, *values, *[0] * 249], np.float64)


# from the largest channel down:  gbr brg bgr rgb grb rbg
_DIRECTION = _by_order(1, 1, -1, 1, -1, -1)  # sign of the middle channel's slope over the hue
_SECTOR = _by_order(2, 4, 4, 0, 2, 0)  # at which sixth of the circle the largest channel is pure
_TURN = _by_order(0, 0, 0, 0, 0, 1)  # hues below 0 count from the end of the circle
_MIXED = _by_order(3, 5, 3, 1, 1, 5)  # at which sixth the two larger channels are equal


def _hue_position(least: Doubles, span: Doubles, middle: Doubles, order: Image) -> Doubles:
    """Return how far the middle channel is from the largest one, 0 to 1, computed from the hue.

    ``span`` is from the least to the largest channel; ``middle`` is overwritten. Where two channels
    are equal, the result has no meaning: the middle channel is the largest or the smallest.
    """
    hue = middle
    hue -= least
    hue /= np.maximum(span, 1e-3)  # grey: avoids 0 / 0; the smallest other span is 1 / 255
    hue *= cv2.LUT(order, _DIRECTION)
    hue += cv2.LUT(order, _SECTOR)
    hue /= 6
    hue += cv2.LUT(order, _TURN)
    hue *= 6
    hue -= cv2.LUT(order, _MIXED)
    position: Doubles = np.abs(hue, out=hue)
    return position


_UNIT = np.arange(256) / 255


def jpeg_compression(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Compress as JPEG and decode."""
    return apply_jpeg_compression(image, constants("jpeg_compression", severity, table))


def apply_jpeg_compression(image: Image, quality: int) -> Image:
    """Compress as baseline JPEG of ``quality`` (1 to 100), chroma halved, and decode."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]  # None: unreadable


def pixelate(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Reduce the image and enlarge it again without smoothing."""
    return apply_pixelate(image, constants("pixelate", severity, table))


def apply_pixelate(image: Image, c: float) -> Image:
    """Reduce both sides by the factor ``c`` and enlarge again to blocks of one colour.

    Rows of pixels are averaged first and rounded, then columns, as by Pillow's box filter.
    """
    height, width = image.shape[:2]
    narrow = _shrink_rows(cv2.transpose(image), int(width * c))
    small = _shrink_rows(cv2.transpose(narrow), int(height * c))
    four = cv2.cvtColor(small, cv2.COLOR_RGB2RGBA)  # four channels are faster to gather
    wide = cv2.cvtColor(four.take(_blocks(width, len(small[0])), axis=1), cv2.COLOR_RGBA2RGB)
    enlarged: Image = wide.take(_blocks(height, len(small)), axis=0)
    return enlarged


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
    mean = total.astype(np.float32)
    mean *= (1 / lengths).astype(np.float32)[:, None]
    mean += np.float32(0.5)
    shrunk: Image = mean.astype(np.uint8).reshape(count, *image.shape[1:])
    return shrunk


@cache
def _runs(length: int, count: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Cut ``length`` rows into ``count`` runs; returns their starts and lengths.

    A row belongs to a run if its middle lies inside; where the last bit decides, the arithmetic is
    that of Pillow's box filter.
    """
    size = length / count
    middle = (np.arange(count) + 0.5) * size
    starts = np.floor(middle - 0.5 * size + 0.5).astype(np.intp)
    ends = np.minimum(np.floor(middle + 0.5 * size + 0.5).astype(np.intp), length)
    starts += (starts - middle + 0.5) * (1 / size) <= -0.5
    ends -= (ends - 1 - middle + 0.5) * (1 / size) > 0.5
    return starts, ends - starts


@cache
def _blocks(length: int, count: int) -> npt.NDArray[np.intp]:
    """Return the block, of ``count``, of each of ``length`` pixels, [length]."""
    numbers = np.arange(count, dtype=np.float32)[None]
    nearest = cv2.resize(numbers, (length, 1), interpolation=cv2.INTER_NEAREST_EXACT)
    blocks: npt.NDArray[np.intp] = nearest[0].astype(np.intp)
    return blocks
