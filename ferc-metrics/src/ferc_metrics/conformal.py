"""Split-conformal prediction sets, calibrated on the validation split.

The set of a sample holds every class whose score 1 - p_k is at most the threshold: the
ceil((M + 1) level)-th smallest score of the label among M clean validation samples, or infinity
(all classes) where M is too small. Of exchangeable samples at least ``level`` have their label in
their set, whatever the model; how far corrupted images fall short is what these measure.

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K];
``validation`` are the probabilities [M, K] and labels [M] of the validation split. Bad arrays raise
`MetricInputError`; soft rows and bad options raise `RequestError`. Source: Sadinle et al. 2019,
JASA 114 (arXiv:1609.00451); Angelopoulos and Bates 2021, arXiv:2107.07511, section 1.
"""

from __future__ import annotations

from numbers import Real
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_metrics.inputs import Floats, hard_labels, probabilities

LEVEL = 0.9
Known: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]  # probabilities and labels


def conformal_coverage(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, validation: Known, level: float = LEVEL
) -> float:
    """Return the fraction of samples whose label is in their set, in [0, 1]; at least ``level`` is
    promised where samples are like the validation split.

    >>> known = [[0.9, 0.1]] * 8 + [[0.6, 0.4]], [0] * 8 + [1]  # scores .1, ..., .1, .6
    >>> conformal_coverage([[0.95, 0.05], [0.5, 0.5]], [0, 1], validation=known, level=0.8)
    0.5
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, "pass class numbers")
    scores = 1 - p[np.arange(len(p)), labels]
    return float(np.mean(scores <= threshold(validation, level)))


def conformal_size(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, validation: Known, level: float = LEVEL
) -> float:
    """Return the mean number of classes in the sets, in [0, K]; the lower, the more they say.

    ``targets`` play no part.

    >>> known = [[0.9, 0.1]] * 9, [0] * 8 + [1]  # the ninth smallest score is .9
    >>> conformal_size([[0.8, 0.2], [0.05, 0.95]], [0, 1], validation=known)
    1.5
    """
    within = 1 - probabilities(probs) <= threshold(validation, level)
    return float(within.sum(axis=1).mean())


def threshold(validation: Known, level: float) -> float:
    """Return the largest score of a class in a set."""
    if not isinstance(level, Real) or isinstance(level, bool) or not 0 < level < 1:
        raise RequestError(f"level must be between 0 and 1, such as 0.9, not {level!r}")
    p = probabilities(validation[0])
    labels = hard_labels(validation[1], p, "pass class numbers")
    scores: Floats = np.sort(1 - p[np.arange(len(p)), labels])
    # less a rounding error: 10 times .9 is 9
    rank = int(np.ceil((len(scores) + 1) * float(level) - 1e-9))
    return float(scores[rank - 1]) if rank <= len(scores) else np.inf
