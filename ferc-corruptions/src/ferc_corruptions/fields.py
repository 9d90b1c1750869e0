"""Random fields: what a corruption draws before it changes the image.

The given generator may be slow (a counter-based one is), so each field draws one number from it and
expands that to 16-bit integers by SplitMix64 (Steele, Lea and Flood 2014,
doi:10.1145/2660193.2660195), which no value has to wait for. Everything else is a table over these:
2**16 values are far more than 8-bit images can show, and a lookup costs a tenth of a transform.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from ferc_corruptions.compiled import Flat, Whole, compiled, read_only

RANKS = 1 << 16
GAMMA = np.uint64(0x9E3779B97F4A7C15)  # the odd number next to 2**64 divided by the golden ratio
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniform16(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.uint16]:
    """Return independent integers, uniform over 0 .. 65535."""
    count = math.prod(shape)
    start = rng.integers(1 << 64, dtype=np.uint64)
    words = _split_mix(start, -(-count // 4))
    return words.view(np.uint16)[:count].reshape(shape)


@compiled
def _split_mix(start: Whole, count: Whole) -> npt.NDArray[np.uint64]:
    words = np.empty(count, np.uint64)
    for i in range(count):
        z = start + np.uint64(i + 1) * GAMMA
        z = (z ^ (z >> np.uint64(30))) * FIRST
        z = (z ^ (z >> np.uint64(27))) * SECOND
        words[i] = z ^ (z >> np.uint64(31))
    return words


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return independent standard normal values, within +-4.4."""
    return normal_quantiles().take(uniform16(rng, shape))


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return independent values, uniform over the open interval (-1, 1)."""
    return _centred(uniform16(rng, shape).reshape(-1)).reshape(shape)


@compiled
def _centred(ranks: Flat) -> npt.NDArray[np.float32]:
    out = np.empty(len(ranks), np.float32)
    for i in range(len(ranks)):
        out[i] = (np.float32(ranks[i]) + np.float32(0.5 - RANKS / 2)) * np.float32(2 / RANKS)
    return out


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
    spread = math.sqrt(math.fsum(upper**2) / len(upper))
    table = (np.concatenate([-upper[::-1], upper]) / spread).astype(np.float32)
    return read_only(table)
