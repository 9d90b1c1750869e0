"""Functions of arrays that give the same bytes on every processor.

Libraries choose other instructions for an exponential or a power where the processor has them, and
the last bit depends on it. These are made of additions, multiplications and roundings alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEAST = -746.0  # e**LEAST is 0 in double precision
LN2_HIGH = 5954088943 / 2**33  # the first bits of log 2: multiples of it are exact
LN2_LOW = 7.440617110012397e-11  # what is left of it
TERMS = 14  # of the series, to the last bit for |x| <= log(2) / 2
MOST_FACTORS = 64


def exponential(x: Array) -> Array:
    """Return e**x of values up to 700, to within a few units of the last place."""
    x = np.maximum(x, LEAST)
    twos = np.rint(x / (LN2_HIGH + LN2_LOW))
    rest = (x - twos * LN2_HIGH) - twos * LN2_LOW
    series = np.ones_like(x)
    for n in range(TERMS, 0, -1):
        series = series * rest / n + 1
    whole: Array = np.ldexp(series, twos.astype(np.int64))
    return whole


def power(x: Array, exponent: float) -> Array:
    """Return x**exponent; the same on every processor for whole exponents from 1 to 64."""
    if exponent not in range(1, MOST_FACTORS + 1):
        other: Array = x**exponent
        return other
    product = x
    for _ in range(int(exponent) - 1):
        product = product * x
    return product
