"""Score s and outcome a of each prediction, float64 [N] each, in [0, 1].

The score is the largest probability of a row; of tied classes the first is predicted. The outcome
is how correct the prediction was: the three functions differ in it alone, and agree where the
targets are one-hot.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Floats, Ints, hard_labels, probabilities, soft_labels


def hits(probs: npt.ArrayLike, targets: npt.ArrayLike, soft_form: str) -> tuple[Floats, Floats]:
    """Return s and a = 1 where the label is predicted, else 0; errors name ``soft_form``."""
    p = probabilities(probs)
    labels = hard_labels(targets, p, f"use {soft_form!r}")
    predicted, s = _predicted(p)
    return s, (predicted == labels).astype(np.float64)


def expected_hits(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return s and a = y[predicted], the chance that a label drawn from y is predicted."""
    p = probabilities(probs)
    y = soft_labels(targets, p)
    predicted, s = _predicted(p)
    return s, y[np.arange(len(y)), predicted]


def authors_hits(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return s and a = max y where argmax y is predicted, else 1 - max y.

    This is what the FER-C authors' ECE.py computes: for a uniform y of 8 classes a wrong
    prediction has the outcome 0.875. It equals `expected_hits` for K = 2.
    """
    p = probabilities(probs)
    y = soft_labels(targets, p)
    predicted, s = _predicted(p)
    largest = y.max(axis=1)
    return s, np.where(predicted == y.argmax(axis=1), largest, 1 - largest)


def _predicted(p: Floats) -> tuple[Ints, Floats]:
    predicted = p.argmax(axis=1)
    return predicted, p[np.arange(len(p)), predicted]
