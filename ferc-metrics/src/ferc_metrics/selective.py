"""Selective prediction: how much is gained where the least confident predictions are left out.

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K].
Samples are accepted in the order of their confidence, the largest probability; the coverage is the
fraction that is accepted, the risk the fraction of errors among these. Equal confidences are
accepted in any order: the measures are their expectation over these orders. Bad arrays raise
`MetricInputError`; soft rows and bad options raise `RequestError`.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_metrics.inputs import Floats
from ferc_metrics.outcomes import hits
from ferc_metrics.reliability import ascending
from ferc_metrics.sharing import remembered


def aurc(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean over n = 1 .. N of the risk of the
    n most confident samples, in [0, 1].

    Source: Geifman et al. 2019, arXiv:1805.08206, section 2.

    >>> round(aurc([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [0, 1, 0]), 6)  # (0 + 1/2 + 1/3) / 3
    0.277778
    """
    errors = accepted_errors(probs, targets)
    return float(np.mean(errors / np.arange(1, 1 + len(errors))))


def excess_aurc(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return `aurc` less that of the best order, in which all errors come last; from 0 up.

    Source: Geifman et al. 2019, arXiv:1805.08206, section 4, with the exact area of the best order.

    >>> round(excess_aurc([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [0, 1, 0]), 6)  # less 1/9
    0.166667
    """
    errors = accepted_errors(probs, targets)
    n = np.arange(1, 1 + len(errors))
    best = np.maximum(n - (len(n) - errors[-1]), 0)
    return max(float(np.mean((errors - best) / n)), 0.0)


def augrc(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the area under the generalised risk-coverage curve, in [0, 1/2]: the integral over the
    coverage of the fraction of all samples that are accepted and wrong.

    Source: Traub et al. 2024, arXiv:2407.01032, eq. 5.

    >>> round(augrc([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]], [0, 1, 0]), 6)  # (1/2 + 1) / 9
    0.166667
    """
    errors = np.concatenate([[0.0], accepted_errors(probs, targets)])
    n = len(errors) - 1
    return float(np.sum(errors[1:] + errors[:-1]) / 2 / n**2)


def accuracy_at_coverage(
    probs: npt.ArrayLike, targets: npt.ArrayLike, *, coverage: float = 0.8
) -> float:
    """Return the accuracy of the most confident samples, ``coverage`` of all in (0, 1], at least
    one; higher is better.

    >>> accuracy_at_coverage([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], [0, 0, 0, 1])
    1.0
    """
    if not isinstance(coverage, Real) or isinstance(coverage, bool) or not 0 < coverage <= 1:
        raise RequestError(f"coverage must be a fraction above 0, at most 1, not {coverage!r}")
    errors = accepted_errors(probs, targets)
    accepted = max(1, round(float(coverage) * len(errors)))
    return float(1 - errors[accepted - 1] / accepted)


@remembered
def accepted_errors(probs: npt.ArrayLike, targets: npt.ArrayLike) -> Floats:
    """Return the expected number of errors among the n most confident samples, n = 1 .. N, [N]."""
    s, a = hits(probs, targets)
    order = ascending(s)[::-1]
    starts = np.flatnonzero(np.diff(s[order], prepend=2))  # of blocks of equal confidences
    count = np.diff(starts, append=len(s))
    errors: Floats = np.cumsum(np.repeat(np.add.reduceat(1 - a[order], starts) / count, count))
    return errors
