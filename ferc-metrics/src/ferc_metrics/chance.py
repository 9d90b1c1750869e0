"""Is a calibration error more than chance?

A calibrated model of N samples has an error, too, for its accuracy in a bin is that of a few
samples. How large it would be is known: the outcomes of a calibrated model are drawn with its own
confidences. So they are drawn, and the error is compared with theirs (consistency resampling).
"""

from __future__ import annotations

from hashlib import blake2b
from numbers import Integral

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_metrics.inputs import Floats, check_bins
from ferc_metrics.outcomes import hits
from ferc_metrics.reliability import BINS, ascending, equal_width, tally

DRAWS, MOST_DRAWS = 1000, 1_000_000
PIECE = 4_000_000  # random numbers that are in memory at a time
MANY = 1000  # samples of a bin whose number of hits is drawn from a normal distribution


def ece_p(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, bins: int = BINS, draws: int = DRAWS
) -> float:
    """Return the probability that a calibrated model with these confidences has an `ece` as large.

    Below 0.05 the model is not calibrated, at the level 5 %: of calibrated models, 5 % are called
    so. In (0, 1]. Outcomes are drawn ``draws`` times, by random numbers that depend on the
    confidences alone; where a bin has over 1,000 samples, its hits are drawn from a normal
    distribution.

    ``probs``, ``targets`` and ``bins`` as in `ferc_metrics.calibration.ece`, and so are its errors.
    Source: Bröcker and Smith 2007, Weather and Forecasting 22; for classifiers Vaicenavicius et al.
    2019, arXiv:1902.06977.

    >>> probs = [[0.9, 0.1]] * 100
    >>> ece_p(probs, [0] * 90 + [1] * 10) > 0.5, ece_p(probs, [0] * 60 + [1] * 40) < 0.002
    (True, True)
    """
    check_bins(bins)
    check_draws(draws)
    s, a = hits(probs, targets, "use 'soft_ece'")
    index = equal_width(s, bins)
    found = tally(s, a, index, bins)
    observed = np.abs(found.accuracy_sum - found.confidence_sum).sum()
    rng, gaps = seeded(s[ascending(s)]), np.zeros(draws)
    for b in np.flatnonzero(found.count):
        gaps += drawn_gaps(np.sort(s[index == b]), draws, rng)
    # What is as large as the error itself, to rounding, counts as large.
    return float((1 + np.sum(gaps >= observed - 1e-9 * len(s))) / (draws + 1))


def drawn_gaps(s: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Return |hits - sum of scores| of a bin in each draw, [draws]."""
    if len(s) > MANY:
        return np.abs(rng.normal(0, np.sqrt(np.sum(s * (1 - s))), draws))
    at_once = max(1, PIECE // len(s))
    sizes = [min(at_once, draws - start) for start in range(0, draws, at_once)]
    counts = [(rng.random((size, len(s))) < s).sum(axis=1) for size in sizes]
    gaps: Floats = np.abs(np.concatenate(counts) - s.sum())
    return gaps


def check_draws(draws: int) -> None:
    """Raise `RequestError` unless ``draws`` is a whole number from 1 to a million."""
    whole = isinstance(draws, Integral) and not isinstance(draws, bool)
    if not whole or not 1 <= draws <= MOST_DRAWS:
        raise RequestError(f"draws must be a whole number from 1 to {MOST_DRAWS:,}, not {draws!r}")


def seeded(predictions: Floats) -> np.random.Generator:
    """Return random numbers that depend on predictions, given in an order of their own.

    Not the same numbers for every model: their chance would be in all tests alike.
    """
    seed = blake2b(predictions.round(6).tobytes(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(seed))
