"""Filters that several corruptions share, in single precision.

An image is flat here: rows of pixels of ``step`` channels. Every sum is over the same products in
the same order on every processor; see `ferc_corruptions.compiled`.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_corruptions.compiled import Flat, Real, U, Whole, compiled, read_only
from ferc_corruptions.rounding import Doubles, Floats

DIGITS = Context(prec=40)  # far beyond double precision
FEW = 4  # products that are added up at a time
REPEAT, MIRROR, MIRROR_101 = range(3)  # what is beyond an edge: aaa|abc, cba|abc, dcb|abc


def exponential(x: float) -> float:
    """Return e**x correctly rounded, which the C library does not promise."""
    return float(DIGITS.exp(Decimal(x)))


@cache
def gaussian_kernel(sigma: float, reach: float = 4.0) -> Doubles:
    """Return the taps of a normalised Gaussian cut off at ``reach`` standard deviations."""
    radius = int(reach * sigma + 0.5)
    if radius == 0:
        return np.ones(1)
    return _normalised([-0.5 / sigma**2 * i**2 for i in range(-radius, radius + 1)])


@cache
def taps(sigma: float, reach: float = 4.0, times: float = 1.0) -> Floats:
    """Return a Gaussian from its middle on for `smooth`, an even number of taps after the first."""
    kernel = gaussian_kernel(sigma, reach) * times
    half = kernel[len(kernel) // 2 :].astype(np.float32)
    return read_only(np.pad(half, (0, (len(half) + 1) % 2)))


@cache
def line_kernel(radius: int, sigma: float) -> Doubles:
    """Return the 2 radius + 1 taps of half a Gaussian, from its middle on, normalised."""
    return _normalised([-(i**2) / (2 * sigma**2) for i in range(2 * radius + 1)], sigma)


def _normalised(exponents: list[float], sigma: float | None = None) -> Doubles:
    """Return weights e**exponent over their sum, with the roundings of the reference."""
    weights = np.array([exponential(x) for x in exponents])
    if sigma:
        weights /= math.sqrt(2 * math.pi) * sigma
    kernel: Doubles = weights / weights.sum()
    kernel.setflags(write=False)
    return kernel


@compiled
def within(i: Whole, n: Whole, edge: Whole) -> Whole:
    """Return which of ``n`` pixels is shown at place ``i`` of a line, within or beyond it."""
    if edge == REPEAT:
        return min(max(i, 0), n - 1)
    if edge == MIRROR:
        i %= 2 * n
        return min(i, 2 * n - 1 - i)
    i %= 2 * n - 2
    return min(i, 2 * n - 2 - i)


@compiled
def _scale(out: Flat, o: Whole, a: Flat, p: Whole, weight: Real, n: Whole) -> None:
    for x in range(n):
        out[o + x] = np.float32(a[p + x]) * weight


@compiled
def _add_pairs(
    out: Flat, o: Whole, a: Flat, p: Whole, q: Whole, v: Real, r: Whole, s: Whole, w: Real, n: Whole
) -> None:
    for x in range(n):
        near = (np.float32(a[p + x]) + np.float32(a[q + x])) * v
        out[o + x] += near + (np.float32(a[r + x]) + np.float32(a[s + x])) * w


@compiled
def _add_four(
    out: Flat,
    o: Whole,
    a: Flat,
    p: Whole,
    q: Whole,
    r: Whole,
    s: Whole,
    weights: Flat,
    k: Whole,
    n: Whole,
) -> None:
    t, u, v, w = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
    for x in range(n):
        out[o + x] += (a[p + x] * t + a[q + x] * u) + (a[r + x] * v + a[s + x] * w)


@compiled
def _fill_ends(
    line: Flat, o: Whole, before: Whole, width: Whole, after: Whole, step: Whole, edge: Whole
) -> None:
    """Fill a row that starts at ``o`` before and after the ``width`` pixels that it has."""
    for end, count in ((-before, before), (width, after)):
        for i in range(end, end + count):
            into, source = o + (before + i) * step, o + (before + within(i, width, edge)) * step
            for channel in range(step):
                line[into + channel] = line[source + channel]


@compiled
def smooth(
    image: Flat, height: Whole, width: Whole, step: Whole, down: Flat, across: Flat, edge: Whole
) -> Floats:
    """Filter rows with the kernel ``across`` and columns with ``down``, both by `taps`."""
    n, tall, wide = width * step, len(down) - 1, len(across) - 1
    out = np.empty(height * n, np.float32)
    line = np.empty(n + 2 * wide * step, np.float32)
    middle = U(wide * step)
    for y in range(height):
        _scale(line, middle, image, U(y * n), down[0], U(n))
        for i in range(1, tall, 2):
            a, b = within(y - i, height, edge), within(y + i, height, edge)
            c, d = within(y - i - 1, height, edge), within(y + i + 1, height, edge)
            v, w = down[i], down[i + 1]
            _add_pairs(line, middle, image, U(a * n), U(b * n), v, U(c * n), U(d * n), w, U(n))
        _fill_ends(line, np.int64(0), wide, width, wide, step, edge)
        row = U(y * n)
        _scale(out, row, line, middle, across[0], U(n))
        for i in range(1, wide, 2):
            p, q = U((wide - i) * step), U((wide + i) * step)
            r, s = U((wide - i - 1) * step), U((wide + i + 1) * step)
            _add_pairs(out, row, line, p, q, across[i], r, s, across[i + 1], U(n))
    return out


@compiled
def _padded(
    image: Flat,
    height: Whole,
    width: Whole,
    step: Whole,
    ends: tuple[int, int, int, int],
    edge: Whole,
) -> Floats:
    above, below, before, after = ends
    n = (before + width + after) * step
    out = np.empty((above + height + below) * n, np.float32)
    for y in range(-above, height + below):
        o = (above + y) * n
        source = U(within(y, height, edge) * width * step)
        _scale(out, U(o + before * step), image, source, np.float32(1), U(width * step))
        _fill_ends(out, o, before, width, after, step, edge)
    return out


@compiled
def filter_few(
    whole: Flat, height: Whole, n: Whole, stride: Whole, places: Flat, weights: Flat
) -> Floats:
    """Add up the values of ``whole`` that are ``places`` after each one, times ``weights``.

    Rows of ``whole`` have ``stride`` values, those of the result ``n``. The number of places is a
    multiple of `FEW`.
    """
    out = np.zeros(height * n, np.float32)
    for y in range(height):
        row, line = U(y * n), U(y * stride)
        for k in range(0, len(weights), FEW):
            p, q, r, s = places[k], places[k + 1], places[k + 2], places[k + 3]
            _add_four(out, row, whole, line + p, line + q, line + r, line + s, weights, k, U(n))
    return out


@compiled
def filter_round(
    whole: Flat, height: Whole, n: Whole, stride: Whole, step: Whole, quarter: Floats
) -> Floats:
    """Filter with a kernel of which ``quarter`` is the part from its middle on.

    Of both sums of a row, its weights in the middle count half. Their number is even. Rows of
    ``whole`` have ``stride`` values, those of the result ``n``.
    """
    tall, wide = len(quarter) - 1, len(quarter[0]) - 1
    out = np.zeros(height * n, np.float32)
    pair = np.empty(stride, np.float32)
    for y in range(height):
        row, line = U(y * n), (y + tall) * stride
        for dy in range(tall + 1):
            _add(pair, whole, U(line - dy * stride), U(line + dy * stride), U(stride))
            for dx in range(0, wide, 2):
                v, w = quarter[dy, dx], quarter[dy, dx + 1]
                if v > 0:
                    p, q = U((wide - dx) * step), U((wide + dx) * step)
                    r, s = U((wide - dx - 1) * step), U((wide + dx + 1) * step)
                    _add_pairs(out, row, pair, p, q, v, r, s, w, U(n))
    return out


@compiled
def _add(out: Flat, a: Flat, p: Whole, q: Whole, n: Whole) -> None:
    for x in range(n):
        out[x] = a[p + x] + a[q + x]


@compiled
def total_of(image: Flat, channel: Whole, n: Whole) -> Whole:
    """Return the sum of a channel of ``n`` pixels of three."""
    total = np.int64(0)
    for x in range(n):
        total += np.int64(image[channel + U(3) * x])
    return total


def shape_of(image: npt.NDArray[Any]) -> tuple[int, int, int]:
    """Return the height, the width and the channels of [H, W(, 3)]."""
    height, width = image.shape[:2]
    return height, width, image.size // (height * width)


def padded(image: npt.NDArray[Any], ends: tuple[int, int, int, int], edge: int) -> tuple[Flat, int]:
    """Return [H, W(, 3)] in single precision with ``ends`` more pixels above, below, before, after.

    It is flat; the second result is the length of its rows.
    """
    height, width, step = shape_of(image)
    _, _, before, after = ends
    whole = read_only(image.astype(np.float32))
    return _padded(whole, height, width, step, ends, edge), (before + width + after) * step


def gaussian_smooth(image: npt.NDArray[Any], sigma: float) -> Floats:
    """Blur uint8 or float32 [H, W(, 3)] with a Gaussian, the edge pixels repeated outwards."""
    kernel = taps(sigma)
    flat = smooth(read_only(image), *shape_of(image), kernel, kernel, REPEAT)
    return flat.reshape(image.shape)


def line_blur(image: npt.NDArray[Any], radius: int, sigma: float, angle: float) -> Floats:
    """Smear uint8 or float32 [H, W(, 3)] along a line, the edge pixels repeated outwards.

    The line has 2 radius + 1 taps, half a Gaussian of ``sigma`` pixels, and points ``angle``
    degrees down from the horizontal. Its kernel sums to 1 for images of any size; the reference
    drops taps outside the image and so darkens images smaller than the line.
    """
    turn, weights = math.radians(angle), _few_by_few(radius, sigma)
    steps = np.minimum(np.arange(len(weights)), 2 * radius)
    ys = np.ceil(steps * math.sin(turn) - 0.5).astype(np.int64)
    xs = np.ceil(steps * math.cos(turn) - 0.5).astype(np.int64)
    above, below, before, after = -int(ys.min()), int(ys.max()), -int(xs.min()), int(xs.max())
    whole, stride = padded(image, (above, below, before, after), REPEAT)
    height, width, step = shape_of(image)
    places = (ys + above) * stride + (xs + before) * step
    few = filter_few(whole, height, width * step, stride, places.astype(U), weights)
    return few.reshape(image.shape)


@cache
def _few_by_few(radius: int, sigma: float) -> Floats:
    """Return the taps of a line in single precision, and zeros for a multiple of `FEW`."""
    kernel = line_kernel(radius, sigma).astype(np.float32)
    return read_only(np.pad(kernel, (0, -len(kernel) % FEW)))


def enlarge(image: npt.NDArray[Any], factors: tuple[float, ...], cut: bool = True) -> Floats:
    """Return the sum of linear enlargements of the middle of [H, W(, 3)] by ``factors`` above 1.

    The middle ``length / factor`` pixels of a line, rounded up, are stretched to ``length`` or a
    few pixels more; the outermost pixels become the ends. Where they are ``cut``, only the first
    ``length`` of these count; else there is one factor, and all of them do.
    """
    height, width, step = shape_of(image)
    down, across = (_stretching(side, factors, cut) for side in (height, width))
    flat = _enlarged(read_only(image.astype(np.float32)), width * step, step, *down, *across)
    return flat.reshape(down[0].shape[1], across[0].shape[1], *image.shape[2:])


@lru_cache(maxsize=1024)  # one per size: datasets of mixed sizes must not fill the memory
def _stretching(
    length: int, factors: tuple[float, ...], cut: bool
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return where each pixel of an enlarged line takes its value.

    It lies between a pixel and the next one: the first array [F, L] says which, the second how far.
    """
    counts = [math.ceil(length / factor) for factor in factors]
    sizes = [round(count * factor) for count, factor in zip(counts, factors, strict=True)]
    shown = length if cut else sizes[0]
    places = np.empty((len(factors), shown), np.int64)
    parts = np.empty((len(factors), shown), np.float32)
    for f, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        place = np.arange(shown) * ((count - 1) / (size - 1))
        before = np.minimum(place.astype(np.int64), count - 2)
        places[f], parts[f] = before + (length - count) // 2, place - before
    return places, parts


@compiled
def _enlarged(
    image: Flat,
    stride: Whole,
    step: Whole,
    rows: npt.NDArray[np.int64],
    row_parts: Floats,
    columns: npt.NDArray[np.int64],
    column_parts: Floats,
) -> Floats:
    """Add up enlargements of rows of ``stride`` values."""
    # an enlargement needs two stretched rows at a time, and keeps the lower one for the next
    several, height = rows.shape
    width = columns.shape[1]
    n = width * step
    stretched = np.empty(several * 2 * n, np.float32)
    known = np.full(several * 2, -1)
    out = np.zeros(height * n, np.float32)
    for y in range(height):
        for f in range(several):
            top = rows[f, y]
            for row in range(top, top + 2):
                slot = 2 * f + row % 2
                if known[slot] != row:
                    known[slot] = row
                    places, parts, o, p = columns[f], column_parts[f], U(slot * n), U(row * stride)
                    if step == 1:
                        _stretch(stretched, o, image, p, places, parts, U(width))
                    else:
                        _stretch_three(stretched, o, image, p, places, parts, U(width))
            upper, lower = U((2 * f + top % 2) * n), U((2 * f + 1 - top % 2) * n)
            _add_between(out, U(y * n), stretched, upper, lower, row_parts[f, y], U(n))
    return out


@compiled
def _stretch(out: Flat, o: Whole, a: Flat, p: Whole, places: Flat, parts: Flat, n: Whole) -> None:
    for x in range(n):
        i, part = p + U(places[x]), parts[x]
        out[o + x] = a[i] * (np.float32(1) - part) + a[i + U(1)] * part


@compiled
def _stretch_three(
    out: Flat, o: Whole, a: Flat, p: Whole, places: Flat, parts: Flat, n: Whole
) -> None:
    for x in range(n):
        i, j, part = p + U(3) * U(places[x]), o + U(3) * x, parts[x]
        rest = np.float32(1) - part
        out[j] = a[i] * rest + a[i + U(3)] * part
        out[j + U(1)] = a[i + U(1)] * rest + a[i + U(4)] * part
        out[j + U(2)] = a[i + U(2)] * rest + a[i + U(5)] * part


@compiled
def _add_between(out: Flat, o: Whole, a: Flat, p: Whole, q: Whole, part: Real, n: Whole) -> None:
    rest = np.float32(1) - part
    for x in range(n):
        out[o + x] += a[p + x] * rest + a[q + x] * part
