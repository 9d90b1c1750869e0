"""Scores of many draws of images at once, for the metrics that every summary shows.

A draw is a row of counts [N]: how often it holds each image. A sum over its images is one of
counts times numbers, and those of D draws come together: five to ten times faster than calling the
metric for each, and the same to 1e-12.

A form takes probabilities p [N, K], targets y [N, K] (one-hot where labels are hard) and counts
[D, N], float64, whose rows sum to N; it returns [D]. What a metric is, its own package says; the
forms only follow it, see `at_once`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.spec import Metric

Array = npt.NDArray[np.float64]
Form = Callable[[Array, Array, Array], Array]

BINS = 15  # paper, eq. 3
SMALLEST = np.finfo(np.float64).tiny  # no logarithm is taken of less
SAME = 1e-9  # a form and its metric differ by rounding alone


def at_once(metric: Metric, probs: Array, targets: npt.NDArray[Any], counts: Array) -> Array | None:
    """Return the metric on all draws [D], or None where no form gives what the metric gives.

    That is tried on the images themselves, so a metric that merely has the name of a form is
    not mistaken for it.
    """
    form = FORMS.get(metric.name)
    if form is None:
        return None
    y = np.eye(probs.shape[1])[targets] if targets.ndim == 1 else targets
    (known,) = form(probs, y, np.ones((1, len(probs))))
    return form(probs, y, counts) if abs(known - metric(probs, targets)) < SAME else None


def accuracy(p: Array, y: Array, counts: Array) -> Array:
    """The mean outcome."""
    return mean(outcome(p, y), counts)


def macro_f1(p: Array, y: Array, counts: Array) -> Array:
    """The mean of 2 TP / (predicted + labelled) over the classes that are in a draw."""
    k = p.shape[1]
    pairs = k * y.argmax(axis=1) + p.argmax(axis=1)
    confusion = sums(pairs, counts, k * k).reshape(-1, k, k)  # labelled, predicted
    hits = confusion.diagonal(axis1=1, axis2=2)
    seen = confusion.sum(axis=1) + confusion.sum(axis=2)
    f1: Array = (2 * hits / np.maximum(seen, 1)).sum(axis=1) / (seen > 0).sum(axis=1)
    return f1


def nll(p: Array, y: Array, counts: Array) -> Array:
    """The mean cross-entropy in nats."""
    return mean(-np.sum(y * np.log(np.maximum(p, SMALLEST)), axis=1), counts)


def ece(p: Array, y: Array, counts: Array) -> Array:
    """The sum over bins of confidence of |sum of gaps|, by N."""
    s, gaps = confidence_and_gap(p, y)
    bins = np.clip(np.ceil(BINS * s) - 1, 0, BINS - 1).astype(np.int64)
    of_bins: Array = np.abs(sums(bins, counts * gaps, BINS)).sum(axis=1)
    return of_bins / len(p)


def kse(p: Array, y: Array, counts: Array) -> Array:
    """The largest |running sum of gaps| behind a block of equal confidences, by N."""
    s, gaps = confidence_and_gap(p, y)
    order = np.argsort(s, kind="stable")
    ends_block = np.append(np.diff(s[order]) > 0, True)
    running = (np.cumsum(drawn[order])[ends_block] for drawn in counts * gaps)
    return np.array([np.abs(gap).max() for gap in running]) / len(p)


def outcome(p: Array, y: Array) -> Array:
    """How right each prediction is [N]: the share of the predicted class in its target."""
    found: Array = y[np.arange(len(p)), p.argmax(axis=1)]
    return found


def confidence_and_gap(p: Array, y: Array) -> tuple[Array, Array]:
    """The largest probability of each image [N], and what it exceeds the outcome by [N]."""
    s: Array = p.max(axis=1)
    return s, s - outcome(p, y)


# No products of matrices below: each worker would start as many threads as there are cores, and
# their number would change the last bits.


def mean(values: Array, counts: Array) -> Array:
    """The mean of values [N] in each draw."""
    total: Array = (counts * values).sum(axis=1)
    return total / len(values)


def sums(index: npt.NDArray[np.int64], weights: Array, bins: int) -> Array:
    """The sum of weights [D, N] in each bin, [D, bins]; index [N] says where an image belongs."""
    return np.array([np.bincount(index, drawn, bins) for drawn in weights])


FORMS: Mapping[str, Form] = MappingProxyType(
    {
        "accuracy": accuracy,
        "macro_f1": macro_f1,
        **dict.fromkeys(("nll", "soft_nll"), nll),
        **dict.fromkeys(("ece", "soft_ece"), ece),
        **dict.fromkeys(("kse", "soft_kse"), kse),
    }
)
