"""Random fields: what a corruption draws before it changes the image.

The given generator may be slow (a counter-based one is), so each field draws one short seed from it
and expands the seed with SFC64 to 16-bit integers. Everything else is a table over these: 2**16
values are far more than 8-bit images can show, and a lookup costs a tenth of a transform.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

RANKS = 1 << 16


def uniform16(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Return independent integers, uniform over 0 .. 65535."""
    count = math.prod(shape)
    bits = np.random.SFC64(rng.integers(1 << 32, size=4, dtype=np.uint32))
    raw: npt.NDArray[np.uint64] = bits.random_raw(-(-count // 4))
    return raw.view(np.uint16)[:count].reshape(shape)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return independent standard normal values, within +-4.4."""
    return normal_quantiles().take(uniform16(rng, shape))


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return independent values, uniform over the open interval (-1, 1)."""
    ranks = uniform16(rng, shape).astype(np.float32)
    ranks += np.float32(0.5 - RANKS / 2)
    ranks *= np.float32(2 / RANKS)
    return ranks


def below(bound: int, rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return independent integers, uniform over 0 .. bound - 1 to one part in 65536 / bound."""
    scaled = uniform16(rng, shape).astype(np.int32)
    scaled *= bound
    scaled >>= 16
    return scaled


@cache
def normal_quantiles() -> npt.NDArray[np.float32]:
    """Return the normal quantiles at the midpoints of 65536 equal intervals of probability,
    scaled to variance 1."""
    quantile = NormalDist().inv_cdf
    upper = np.array([quantile((RANKS // 2 + i + 0.5) / RANKS) for i in range(RANKS // 2)])
    both = np.concatenate([-upper[::-1], upper])
    table: npt.NDArray[np.float32] = (both / both.std()).astype(np.float32)
    table.setflags(write=False)
    return table
