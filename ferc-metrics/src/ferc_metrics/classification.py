"""Classification metrics: accuracy and macro F1. Hard labels only.

``probs`` are float [N, K], rows summing to 1; ``targets`` are int [N] or exactly one-hot [N, K].
Of tied classes the first is predicted. Bad arrays raise `MetricInputError`, soft rows
`RequestError`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_metrics.inputs import Ints, hard_labels, probabilities


def accuracy(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the fraction of samples predicted correctly, in [0, 1]; higher is better.

    >>> accuracy([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], [0, 0, 0])
    0.6666666666666666
    """
    predicted, labels, _ = _predicted_and_labels(probs, targets)
    return float(np.mean(predicted == labels))


def macro_f1(probs: npt.ArrayLike, targets: npt.ArrayLike) -> float:
    """Return the unweighted mean of the classes' F1 scores, in [0, 1]; higher is better.

    F1 of a class is 2 TP / (predicted + labelled), which is 0 for a class that is never predicted
    correctly. A class that occurs neither among the labels nor among the predictions does not
    count, as in scikit-learn. Source: FER-C, eq. 1.

    >>> macro_f1([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], [0, 0])
    0.3333333333333333
    """
    predicted, labels, classes = _predicted_and_labels(probs, targets)
    hits = np.bincount(labels[predicted == labels], minlength=classes)
    seen = np.bincount(predicted, minlength=classes) + np.bincount(labels, minlength=classes)
    return float(np.mean(2 * hits[seen > 0] / seen[seen > 0]))


def _predicted_and_labels(probs: npt.ArrayLike, targets: npt.ArrayLike) -> tuple[Ints, Ints, int]:
    p = probabilities(probs)
    labels = hard_labels(targets, p, "pass the annotated class of each sample")
    return p.argmax(axis=1), labels, p.shape[1]
