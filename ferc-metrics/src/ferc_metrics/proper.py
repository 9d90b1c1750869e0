"""Proper scores: likelihood and squared error of the predicted distribution.

``probs`` are float [N, K], rows summing to 1. Hard forms take int [N] or exactly one-hot [N, K]
targets, soft forms label distributions [N, K] (int [N] is read as one-hot). Lower is better. Bad
arrays raise `MetricInputError`; soft rows for a hard form and bad options raise `RequestError`.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_metrics.inputs import Floats, hard_labels, probabilities, soft_labels
from ferc_metrics.sharing import remembered

# The smallest probability in a logarithm: one that underflowed to 0 costs 708.4 nats, and the mean
# stays finite.
SMALLEST = float(np.finfo(np.float64).tiny)


def nll(probs: npt.ArrayLike, targets: npt.ArrayLike, *, clamp: float = SMALLEST) -> float:
    """Return the mean negative log-likelihood of the labels in nats, from 0 up.

    Probabilities below ``clamp``, in (0, 1), are raised to it before the logarithm; the FER-C
    authors use 1e-6. Source: FER-C, eq. 2.

    >>> round(nll([[0.5, 0.5], [0.25, 0.75]], [0, 0]), 6)  # (log 2 + log 4) / 2
    1.039721
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, "use 'soft_nll'")
    return 0.0 - float(np.mean(_log(p[np.arange(len(p)), labels], clamp)))  # 0 - 0 is no -0


def soft_nll(probs: npt.ArrayLike, targets: npt.ArrayLike, *, clamp: float = SMALLEST) -> float:
    """Return the mean cross-entropy -sum_k y_k log p_k in nats; at least the entropy of y.

    ``clamp`` as in `nll`. Source: FER-C, eq. 2.

    >>> round(soft_nll([[0.5, 0.5]], [[0.25, 0.75]]), 6)
    0.693147
    """
    p = probabilities(probs)
    y = soft_labels(targets, p)
    return 0.0 - float(np.sum(y * _log(p, clamp)) / len(p))


def brier(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the squared error to the one-hot label, summed over classes, in [0, 2].

    The FER-C authors average over classes, which is this divided by K. Source: Brier (1950),
    Monthly Weather Review 78.

    >>> round(brier([[0.7, 0.2, 0.1]], [0]), 6)  # .09 + .04 + .01
    0.14
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, "use 'soft_brier'")
    return _squared_error(p, soft_labels(labels, p))


def soft_brier(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the squared error to the label distribution, summed over classes, in [0, 2].

    0 where p = y. Source: as `brier`, with y in place of the one-hot label.

    >>> round(soft_brier([[0.7, 0.3]], [[0.6, 0.4]]), 6)
    0.02
    """
    p = probabilities(probs)
    return _squared_error(p, soft_labels(targets, p))


@remembered
def logarithms(p: Floats) -> Floats:
    """Return log p, finite where p is 0: p log p is 0 there."""
    found: Floats = np.log(np.maximum(p, SMALLEST))
    return found


def _log(p: Floats, clamp: float) -> Floats:
    if not isinstance(clamp, Real) or not 0 < clamp < 1:
        raise RequestError(f"clamp must be a probability between 0 and 1, not {clamp!r}")
    return logarithms(p) if clamp == SMALLEST else np.log(np.maximum(p, clamp))


def _squared_error(p: Floats, y: Floats) -> float:
    return float(np.sum(np.square(p - y)) / len(p))
