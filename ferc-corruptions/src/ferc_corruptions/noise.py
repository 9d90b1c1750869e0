"""Gaussian, shot, impulse and speckle noise.

Each corruption has two layers: a random field, and a pure ``apply_`` function that adds a given
field. Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.compiled import Flat, Whole, compiled, read_only
from ferc_corruptions.filters import exponential
from ferc_corruptions.rounding import SLACK, Floats, Image
from ferc_corruptions.severities import IMAGENET_C, constants


def gaussian_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Add Gaussian noise of constant strength."""
    steps = _gaussian_steps(constants("gaussian_noise", severity, table))
    return apply_gaussian_noise(image, fields.uniform16(rng, image.shape), steps)


def apply_gaussian_noise(image: Image, field: npt.NDArray[np.uint16], steps: Flat) -> Image:
    """Add to each value the levels that ``steps`` has for its rank in ``field`` [H, W, 3].

    ``steps`` [R] are normal values, rounded down: to truncate the sum of a level and a value is to
    add the value rounded down.
    """
    return _added(read_only(image), read_only(field), read_only(steps)).reshape(image.shape)


@compiled
def _added(image: Flat, field: Flat, steps: Flat) -> Image:
    out = np.empty(len(image), np.uint8)
    for i in range(len(image)):
        level = np.int32(image[i]) + np.int32(steps[field[i]])
        out[i] = np.uint8(min(max(level, np.int32(0)), np.int32(255)))
    return out


@cache
def _gaussian_steps(c: float) -> npt.NDArray[np.int16]:
    """Return the levels that noise of strength ``c`` (1 is full scale) adds, by rank, [65536]."""
    return read_only(np.floor(255 * c * fields.normal_quantiles()).astype(np.int16))


def speckle_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Add Gaussian noise proportional to each value."""
    factors = _speckle_factors(constants("speckle_noise", severity, table))
    return apply_speckle_noise(image, fields.uniform16(rng, image.shape), factors)


def apply_speckle_noise(image: Image, field: npt.NDArray[np.uint16], factors: Floats) -> Image:
    """Multiply each value by what ``factors`` [R] has for its rank in ``field`` [H, W, 3]."""
    return _multiplied(read_only(image), read_only(field), read_only(factors)).reshape(image.shape)


@compiled
def _multiplied(image: Flat, field: Flat, factors: Flat) -> Image:
    out = np.empty(len(image), np.uint8)
    for i in range(len(image)):
        value = np.float32(image[i]) * factors[field[i]] + np.float32(SLACK)
        out[i] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
    return out


@cache
def _speckle_factors(c: float) -> Floats:
    """Return 1 plus ``c`` times a standard normal value, by rank, [65536]."""
    return read_only(fields.normal_quantiles() * np.float32(c) + np.float32(1))


def impulse_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Set a fraction of the values to black or white."""
    c = constants("impulse_noise", severity, table)
    return apply_impulse_noise(image, fields.uniform16(rng, image.shape), c)


def apply_impulse_noise(image: Image, field: npt.NDArray[np.uint16], c: float) -> Image:
    """Set the lowest ``c / 2`` of the ranks in ``field`` [H, W, 3] to 255, the highest to 0."""
    each = round(c / 2 * fields.RANKS)
    return _replaced(read_only(image), read_only(field), each).reshape(image.shape)


@compiled
def _replaced(image: Flat, field: Flat, each: Whole) -> Image:
    salt, pepper = np.uint16(each), np.uint16(fields.RANKS - each)
    out = np.empty(len(image), np.uint8)
    for i in range(len(image)):
        value = np.uint8(255) if field[i] < salt else image[i]
        out[i] = np.uint8(0) if field[i] >= pepper else value
    return out


def shot_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Replace each value by a Poisson count of that mean, scaled back.

    The counts are drawn from an alias table for each grey level (Walker 1977), which holds the
    probability of every count to 2**-17: the high bits of a uniform number choose a column, the low
    ones choose between the two values in it.
    """
    c = constants("shot_noise", severity, table)
    ranks = read_only(fields.uniform16(rng, image.shape))
    return _counted(read_only(image), ranks, _columns(c), _alias_table(c)).reshape(image.shape)


@compiled
def _counted(image: Flat, ranks: Flat, columns: Whole, table: Flat) -> Image:
    room = fields.RANKS // columns  # a power of two, as columns are
    mask, bits = np.uint32(room - 1), np.uint32(0)
    while 1 << bits < room:
        bits += np.uint32(1)
    out = np.empty(len(image), np.uint8)
    for i in range(len(image)):
        rank = np.uint32(ranks[i])
        entry = table[np.uint32(image[i]) * np.uint32(columns) + (rank >> bits)]
        own = np.uint32(rank & mask < entry >> np.uint32(16))
        out[i] = np.uint8((entry >> (own * np.uint32(8))) & np.uint32(255))
    return out


def apply_shot_noise(counts: npt.NDArray[np.integer], c: int) -> Image:
    """Return the grey levels of photon ``counts``, where a white value has the mean ``c``."""
    levels = np.minimum(counts / c, 1) * 255
    return levels.astype(np.uint8)


def _columns(c: int) -> int:
    """Return the columns of the alias table: a power of two with room for the counts 0 .. c."""
    return 1 << c.bit_length()


@cache
def _alias_table(c: int) -> npt.NDArray[np.uint32]:
    """Return [256 * columns] entries: limit << 16 | own level << 8 | other level."""
    columns = _columns(c)
    rows, room = np.arange(256), fields.RANKS // columns
    weights = np.zeros((256, columns), np.int64)
    weights[:, : c + 1] = _poisson_ranks(c)
    level = np.zeros(columns, np.uint32)
    level[: c + 1] = apply_shot_noise(np.arange(c + 1), c)

    # each round settles the smallest open column, filled up from the largest one
    table = np.zeros((256, columns), np.uint32)
    settled = np.zeros((256, columns), bool)
    for _ in range(columns):
        poorest = np.where(settled, fields.RANKS + 1, weights).argmin(axis=1)
        richest = np.where(settled, -1, weights).argmax(axis=1)
        limit = weights[rows, poorest]
        table[rows, poorest] = limit << 16 | level[poorest].astype(np.int64) << 8 | level[richest]
        settled[rows, poorest] = True
        weights[rows, richest] -= room - limit
    return read_only(table)


def _poisson_ranks(c: int) -> npt.NDArray[np.int64]:
    """Divide 65536 ranks [256, c + 1] among the counts 0 .. c - 1 and "c or more" of each level."""
    mean = np.arange(256) / 255 * c
    mass = np.zeros((256, c + 1))
    mass[:, 0] = [exponential(-m) for m in mean.tolist()]
    for count in range(1, c):
        mass[:, count] = mass[:, count - 1] * mean / count
    mass[:, c] = [max(1 - math.fsum(row), 0) for row in mass.tolist()]

    total = np.array([[math.fsum(row)] for row in mass.tolist()])
    exact = mass / total * fields.RANKS
    ranks = np.floor(exact).astype(np.int64)
    missing = fields.RANKS - ranks.sum(axis=1, keepdims=True)
    order = np.argsort(np.argsort(ranks - exact, axis=1, kind="stable"), axis=1, kind="stable")
    shared: npt.NDArray[np.int64] = ranks + (order < missing)  # the largest remainders round up
    return shared
