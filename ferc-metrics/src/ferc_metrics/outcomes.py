"""Score s and outcome a of each prediction, float64 [N] each, in [0, 1].

The score is the largest probability of a row; of tied classes the first is predicted. The outcome
is how correct the prediction was: the three functions differ in it alone, and agree where the
targets are one-hot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Floats, Ints, hard_labels, probabilities, soft_labels
from ferc_metrics.sharing import remembered


def hits(
    probs: npt.ArrayLike, targets: npt.ArrayLike, instead: str = "pass class numbers"
) -> tuple[Floats, Floats]:
    """Return s and a = 1 where the label is predicted, else 0; for soft labels, errors say what to
    do ``instead``.
    """
    p = probabilities(probs)
    labels = hard_labels(targets, p, instead)
    predicted, s = prediction(p)
    return s, _equal(predicted, labels)


@remembered
def expected_hits(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return s and a = y[predicted], the chance that a label drawn from y is predicted."""
    p = probabilities(probs)
    y = soft_labels(targets, p)
    predicted, s = prediction(p)
    return s, y[np.arange(len(y)), predicted]


@remembered
def authors_hits(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return s and a = max y where argmax y is predicted, else 1 - max y.

    This is what the FER-C authors' ECE.py computes: for a uniform y of 8 classes a wrong
    prediction has the outcome 0.875. It equals `expected_hits` for K = 2.
    """
    p = probabilities(probs)
    y = soft_labels(targets, p)
    predicted, s = prediction(p)
    largest = y.max(axis=1)
    return s, np.where(predicted == y.argmax(axis=1), largest, 1 - largest)


@remembered
def prediction(p: Floats) -> tuple[Ints, Floats]:
    """Return the predicted class and its probability, [N] each."""
    predicted = p.argmax(axis=1)
    return predicted, p[np.arange(len(p)), predicted]


@remembered
def _equal(predicted: Ints, labels: Ints) -> Floats:
    found: Floats = (predicted == labels).astype(np.float64)
    return found
