"""Contrast, brightness, saturation, JPEG and pixelation; nothing here is random.

Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from ferc_corruptions.compiled import Flat, Real, U, Whole, compiled, read_only
from ferc_corruptions.filters import total_of
from ferc_corruptions.rounding import Image
from ferc_corruptions.severities import IMAGENET_C, constants


def contrast(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Move all values towards the mean of their channel."""
    return apply_contrast(image, constants("contrast", severity, table))


def apply_contrast(image: Image, c: float) -> Image:
    """Multiply the distance of every value to the mean of its channel by ``c``."""
    return _drawn_together(read_only(image), c).reshape(image.shape)


@compiled
def _drawn_together(image: Flat, c: Real) -> Image:
    pixels = U(len(image) // 3)
    levels = np.empty(3 * 256, np.uint8)
    for channel in range(3):
        mean = total_of(image, U(channel), pixels) / pixels / 255
        for level in range(256):
            levels[channel * 256 + level] = np.uint8(((level / 255 - mean) * c + mean) * 255)
    out = np.empty(len(image), np.uint8)
    _replace(out, image, levels, pixels)
    return out


@compiled
def _replace(out: Flat, image: Flat, levels: Flat, n: Whole) -> None:
    for x in range(n):
        red, green, blue = x * U(3), x * U(3) + U(1), x * U(3) + U(2)
        out[red] = levels[image[red]]
        out[green] = levels[U(256) + U(image[green])]
        out[blue] = levels[U(512) + U(image[blue])]


def brightness(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Raise the value (the largest channel) of every pixel, hue and saturation unchanged."""
    return apply_brightness(image, constants("brightness", severity, table))


def apply_brightness(image: Image, c: float) -> Image:
    """Add ``c`` (1 is full scale) to the V of HSV."""
    return _looked_up(read_only(image), _brightened(c)).reshape(image.shape)


@compiled
def _looked_up(image: Flat, table: Flat) -> Image:
    out = np.empty(len(image), np.uint8)
    _replace_by_value(out, image, table, U(len(image) // 3))
    return out


@compiled
def _replace_by_value(out: Flat, image: Flat, table: Flat, n: Whole) -> None:
    for x in range(n):
        red, green, blue = x * U(3), x * U(3) + U(1), x * U(3) + U(2)
        row = U(256) * U(max(image[red], image[green], image[blue]))
        out[red] = table[row + U(image[red])]
        out[green] = table[row + U(image[green])]
        out[blue] = table[row + U(image[blue])]


@cache
def _brightened(c: float) -> Image:
    """Return the new level of every (value, level) pair, [256 * 256]; level <= value counts."""
    value, level = np.arange(256)[:, None] / 255, np.arange(256) / 255
    with np.errstate(divide="ignore", invalid="ignore"):
        saturation = np.where(value > 0, (value - level) / value, 0)
    table = np.clip(value + c, 0, 1) * (1 - saturation) * 255
    return read_only(np.clip(table, 0, 255).astype(np.uint8))


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
    return _resaturated(read_only(image), float(c[0]), float(c[1])).reshape(image.shape)


@compiled
def _resaturated(image: Flat, factor: Real, offset: Real) -> Image:
    out = np.empty(len(image), np.uint8)
    for i in range(U(0), U(len(image)), U(3)):
        red, green, blue = image[i], image[i + U(1)], image[i + U(2)]
        high, low = max(red, green, blue), min(red, green, blue)
        value, least = high / 255, low / 255
        span = value - least
        saturation = span / value if high else 0.0
        saturation = min(max(saturation * factor + offset, 0.0), 1.0)
        lowered = between = np.uint8((1 - saturation) * value * 255)
        if high != low:
            middle = np.int64(red) + green + blue - high - low
            position = _hue_position((middle / 255 - least) / span, red, green, blue)
            between = np.uint8((1 - position * saturation) * value * 255)
        for channel in range(U(3)):
            level = image[i + channel]
            if level == high and (high != low or not channel):
                out[i + channel] = high
            else:
                out[i + channel] = lowered if level == low else between
    return out


@compiled
def _hue_position(part: Real, red: Whole, green: Whole, blue: Whole) -> Real:
    """Return how far the middle channel is from the largest one, 0 to 1, computed from the hue.

    ``part`` says where it is between the smallest and the largest one. The hue, 0 to 6, lies in the
    sector of the largest channel, towards the middle one; red's hues below 0 count from the end.
    """
    if red >= green and red >= blue:
        sector, rising = 0.0, green >= blue
    elif green >= blue:
        sector, rising = 2.0, blue >= red
    else:
        sector, rising = 4.0, red >= green
    hue = (sector + part if rising else sector - part) / 6
    mixed = sector + 1 if rising else sector - 1  # where the two larger channels are equal
    if hue < 0:
        hue += 1
        mixed += 6
    return abs(hue * 6 - mixed)


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
    rows, columns = (_runs(side, int(side * c)) for side in (height, width))
    blocks = _blocks(height, int(height * c)), _blocks(width, int(width * c))
    return _in_blocks(read_only(image), *rows, *columns, *blocks).reshape(image.shape)


@compiled
def _in_blocks(
    image: Flat,
    tops: Flat,
    heights: Flat,
    lefts: Flat,
    widths: Flat,
    block_of_row: Flat,
    block_of_column: Flat,
) -> Image:
    height, n, few = len(block_of_row), len(block_of_column) * 3, len(lefts) * 3
    narrow = np.empty(height * few, np.uint8)
    for y in range(height):
        _average_columns(narrow, U(y * few), image, U(y * n), lefts, widths, U(len(lefts)))
    out = np.empty(height * n, np.uint8)
    total, small = np.empty(few, np.int32), np.empty(few, np.uint8)
    done = -1
    for y in range(height):
        block = block_of_row[y]
        if block == done:
            _copy(out, U(y * n), U((y - 1) * n), U(n))
            continue
        total *= 0
        for row in range(tops[block], tops[block] + heights[block]):
            _add_row(total, narrow, U(row * few), U(few))
        _divide(small, total, np.float32(1) / np.float32(heights[block]), U(few))
        _spread(out, U(y * n), small, block_of_column, U(n // 3))
        done = block
    return out


@compiled
def _copy(out: Flat, o: Whole, p: Whole, n: Whole) -> None:
    for x in range(n):
        out[o + x] = out[p + x]


@compiled
def _average_columns(
    out: Flat, o: Whole, image: Flat, p: Whole, lefts: Flat, widths: Flat, n: Whole
) -> None:
    for x in range(n):
        red, green, blue = np.int32(0), np.int32(0), np.int32(0)
        first = p + U(3) * U(lefts[x])
        for i in range(first, first + U(3) * U(widths[x]), U(3)):
            red += np.int32(image[i])
            green += np.int32(image[i + U(1)])
            blue += np.int32(image[i + U(2)])
        part, j = np.float32(1) / np.float32(widths[x]), o + U(3) * x
        out[j] = _rounded(red, part)
        out[j + U(1)] = _rounded(green, part)
        out[j + U(2)] = _rounded(blue, part)


@compiled
def _rounded(total: Whole, part: Real) -> Whole:
    return np.uint8(np.float32(total) * part + np.float32(0.5))


@compiled
def _add_row(total: Flat, a: Flat, p: Whole, n: Whole) -> None:
    for x in range(n):
        total[x] += np.int32(a[p + x])


@compiled
def _divide(out: Flat, total: Flat, part: Real, n: Whole) -> None:
    for x in range(n):
        out[x] = _rounded(total[x], part)


@compiled
def _spread(out: Flat, o: Whole, small: Flat, block: Flat, n: Whole) -> None:
    for x in range(n):
        i, j = U(3) * U(block[x]), o + U(3) * x
        out[j], out[j + U(1)], out[j + U(2)] = small[i], small[i + U(1)], small[i + U(2)]


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
