"""Gaussian, shot, impulse and speckle noise.

Each corruption has two layers: a random field, and a pure ``apply_`` function that adds a given
field. Source: Hendrycks & Dietterich 2019, arXiv:1903.12261, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from ferc_corruptions import fields
from ferc_corruptions.rounding import Floats, Image, truncate
from ferc_corruptions.severities import IMAGENET_C, constants


def gaussian_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Add Gaussian noise of constant strength."""
    steps = _gaussian_steps(constants("gaussian_noise", severity, table))
    return apply_gaussian_noise(image, steps.take(fields.uniform16(rng, image.shape)))


def apply_gaussian_noise(image: Image, field: npt.NDArray[np.int16]) -> Image:
    """Add the whole grey levels of ``field`` [H, W, 3]: normal values, rounded down."""
    noisy = field + image
    np.clip(noisy, 0, 255, out=noisy)
    return noisy.astype(np.uint8)


@cache
def _gaussian_steps(c: float) -> npt.NDArray[np.int16]:
    """Return the levels that noise of strength ``c`` (1 is full scale) adds, by rank, [65536].

    To truncate the sum of a level and a value is to add the value rounded down.
    """
    steps: npt.NDArray[np.int16] = np.floor(255 * c * fields.normal_quantiles()).astype(np.int16)
    return steps


def speckle_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Add Gaussian noise proportional to each value."""
    c = constants("speckle_noise", severity, table)
    return apply_speckle_noise(image, fields.normal(rng, image.shape), c)


def apply_speckle_noise(image: Image, field: Floats, c: float) -> Image:
    """Multiply by 1 + ``c`` times the standard normal ``field`` [H, W, 3]."""
    noisy = field * np.float32(c)
    noisy += np.float32(1)
    noisy *= image
    return truncate(np.clip(noisy, 0, 255, out=noisy))


def impulse_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Set a fraction of the values to black or white."""
    c = constants("impulse_noise", severity, table)
    return apply_impulse_noise(image, fields.uniform16(rng, image.shape), c)


def apply_impulse_noise(image: Image, field: npt.NDArray[np.uint16], c: float) -> Image:
    """Set the lowest ``c / 2`` of the ranks in ``field`` [H, W, 3] to 255, the highest to 0."""
    each = round(c / 2 * fields.RANKS)
    salt = (field < each).view(np.uint8) * np.uint8(255)
    kept = (field < fields.RANKS - each).view(np.uint8) * np.uint8(255)
    salt |= image
    salt &= kept
    return salt


def shot_noise(
    image: Image, severity: int, rng: np.random.Generator, table: str = IMAGENET_C
) -> Image:
    """Replace each value by a Poisson count of that mean, scaled back.

    The counts are drawn from an alias table for each grey level (Walker 1977), which holds the
    probability of every count to 2**-17: the high bits of a uniform number choose a column, the low
    ones choose between the two values in it.
    """
    c = constants("shot_noise", severity, table)
    columns = _columns(c)
    ranks = fields.uniform16(rng, image.shape)
    room = fields.RANKS // columns  # a power of two, as columns are
    key = image * np.uint16(columns)
    key += ranks >> np.uint16(room.bit_length() - 1)
    entry = _alias_table(c).take(key)
    ranks &= np.uint16(room - 1)
    own = ranks < (entry >> np.uint32(16)).astype(np.uint16)
    entry >>= own.view(np.uint8) * np.uint8(8)
    return entry.astype(np.uint8)


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
    table.setflags(write=False)
    return table.ravel()


def _poisson_ranks(c: int) -> npt.NDArray[np.int64]:
    """Divide 65536 ranks [256, c + 1] among the counts 0 .. c - 1 and "c or more" of each level."""
    mean = np.arange(256)[:, None] / 255 * c
    count = np.arange(c)
    log_factorial = np.cumsum(np.log(np.maximum(count, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_mass = np.where(count > 0, count * np.log(mean), 0.0) - mean - log_factorial
    mass = np.exp(log_mass)
    mass = np.concatenate([mass, np.maximum(1 - mass.sum(axis=1, keepdims=True), 0)], axis=1)

    exact = mass / mass.sum(axis=1, keepdims=True) * fields.RANKS
    ranks = np.floor(exact).astype(np.int64)
    missing = fields.RANKS - ranks.sum(axis=1, keepdims=True)
    order = np.argsort(np.argsort(ranks - exact, axis=1, kind="stable"), axis=1, kind="stable")
    shared: npt.NDArray[np.int64] = ranks + (order < missing)  # the largest remainders round up
    return shared
