"""Proper scores split into calibration and refinement, by isotonic regression (CORP).

Of a probability s for an event, the recalibrated one is the isotonic (non-decreasing) fit of the
outcomes to s. With S a score:

    S(s) = calibration + refinement,  refinement = S(recalibrated),  calibration = the rest

Calibration (MCB) is what a monotone recalibration would mend, from 0 up; refinement (UNC - DSC) is
what is left: how poorly right and wrong predictions are told apart. The lower, the better, both.
On the samples themselves the fit is too good, so calibration is not 0 for a calibrated model
(docs/uncertainty.md).

``view="top"``: s is the largest probability and the event that its class is the label.
``view="binary"``: s is the probability of the second of two classes. ``probs`` are float [N, K],
rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K]. Bad arrays raise
`MetricInputError`; soft rows and bad options raise `RequestError`. Source: Dimitriadis, Gneiting
and Jordan 2021, PNAS 118 (arXiv:2008.03033), eq. 4.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_metrics.inputs import Floats, hard_labels, probabilities
from ferc_metrics.outcomes import hits
from ferc_metrics.proper import SMALLEST
from ferc_metrics.reliability import ascending
from ferc_metrics.sharing import remembered

VIEWS = ("top", "binary")


def brier_calibration(probs: npt.ArrayLike, targets: npt.ArrayLike, *, view: str = "top") -> float:
    """Return the calibration part of the mean of (s - a)^2, in [0, 1].

    >>> round(brier_calibration([[0.8, 0.2]] * 4, [0, 0, 1, 1]), 6)  # (.8 - .5)^2
    0.09
    """
    score, refined = parts(squared, probs, targets, view)
    return max(score - refined, 0.0)


def brier_refinement(probs: npt.ArrayLike, targets: npt.ArrayLike, *, view: str = "top") -> float:
    """Return the refinement part of the mean of (s - a)^2, in [0, 1/4].

    >>> round(brier_refinement([[0.8, 0.2]] * 4, [0, 0, 1, 1]), 6)
    0.25
    """
    return parts(squared, probs, targets, view)[1]


def nll_calibration(probs: npt.ArrayLike, targets: npt.ArrayLike, *, view: str = "top") -> float:
    """Return the calibration part of the binary negative log-likelihood in nats, from 0 up.

    Probabilities of 0 count as in `ferc_metrics.proper.nll`.

    >>> round(nll_calibration([[0.8, 0.2]] * 4, [0, 0, 1, 1]), 6)  # -log(.8 .2) / 2 - log 2
    0.223144
    """
    score, refined = parts(log_loss, probs, targets, view)
    return max(score - refined, 0.0)


def nll_refinement(probs: npt.ArrayLike, targets: npt.ArrayLike, *, view: str = "top") -> float:
    """Return the refinement part of the binary negative log-likelihood in nats, in [0, log 2].

    >>> round(nll_refinement([[0.8, 0.2]] * 4, [0, 0, 1, 1]), 6)  # log 2
    0.693147
    """
    return parts(log_loss, probs, targets, view)[1]


def parts(
    score: Callable[[Floats, Floats], float],
    probs: npt.ArrayLike,
    targets: npt.ArrayLike,
    view: str,
) -> tuple[float, float]:
    """Return the score of the probabilities, and that of the recalibrated ones."""
    s, a = events(probs, targets, view)
    return score(s, a), max(score(recalibrated(s, a), a), 0.0)


def events(probs: npt.ArrayLike, targets: npt.ArrayLike, view: str) -> tuple[Floats, Floats]:
    """Return the probability of an event and whether it happened, float64 [N] each."""
    if view not in VIEWS:
        raise RequestError(f"view must be one of {', '.join(VIEWS)}, not {view!r}")
    if view == "top":
        return hits(probs, targets)
    p = probabilities(probs)
    labels = hard_labels(targets, p, "pass class numbers")
    if p.shape[1] != 2:
        raise RequestError(f"the binary view takes 2 classes, not {p.shape[1]}; use view=top")
    return p[:, 1], labels.astype(np.float64)


@remembered
def recalibrated(s: Floats, a: Floats) -> Floats:
    """Return the isotonic fit of outcomes a to scores s, [N]; equal scores get equal values."""
    from scipy.optimize import isotonic_regression

    order = ascending(s)
    starts = np.flatnonzero(np.diff(s[order], prepend=-1))  # of blocks of equal scores
    count = np.diff(starts, append=len(s))
    fit = isotonic_regression(np.add.reduceat(a[order], starts) / count, weights=count).x
    found: Floats = np.empty(len(s))
    found[order] = np.repeat(np.clip(fit, 0, 1), count)
    return found


def squared(s: Floats, a: Floats) -> float:
    """Return the mean squared error."""
    return float(np.mean(np.square(s - a)))


def log_loss(s: Floats, a: Floats) -> float:
    """Return the mean negative log-likelihood of binary outcomes."""
    given = np.where(a > 0, s, 1 - s)  # a is 0 or 1
    return 0.0 - float(np.mean(np.log(np.maximum(given, SMALLEST))))
