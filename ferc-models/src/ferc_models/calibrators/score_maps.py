"""Calibrators that change probabilities one at a time, by a map of [0, 1] to itself.

Either each class has its own map, and the rows are divided by their sums, which may change the
predicted class; or one map changes the confidence, which is the largest probability, and the other
classes divide the rest in their old proportions, which keeps it.

A map never returns 0 or 1: from n samples no more than their number can be learned, and one wrong
face at a probability of 0 would make any NLL infinite. A value fitted on n samples lies between
1/(n + 2) and 1 - 1/(n + 2), where Laplace's rule of succession puts what never or always happened.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ferc_models.calibrators.inputs import Floats, check_logits


class ScoreMap(Protocol):
    """A map of scores [M] in [0, 1] to probabilities [M] in [0, 1]."""

    def __call__(self, scores: Floats) -> Floats:
        """Return the probability for each score."""
        ...

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        ...


CLOSE = 1e-9  # how far below the predicted class others stay, in parts of its probability

FitMap = Callable[[Floats, Floats], ScoreMap]  # scores [N] and outcomes [N], both in [0, 1]


@dataclass(frozen=True, eq=False)
class Interpolated:
    """Linear interpolation between points (ascending scores, probabilities), constant outside."""

    scores: Floats
    probabilities: Floats

    def __call__(self, scores: Floats) -> Floats:
        """Return the probability for each score."""
        return np.interp(scores, self.scores, self.probabilities)

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"scores": self.scores.tolist(), "probabilities": self.probabilities.tolist()}


@dataclass(frozen=True, eq=False)
class OneVsRest:
    """A map for each class, to be called with logits."""

    maps: tuple[ScoreMap, ...]

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Return probabilities [M, K] for finite logits [M, K]; a row of zeros becomes 1/K."""
        probs = softmax(check_logits(logits, len(self.maps)), axis=1)
        mapped = np.stack([f(probs[:, k]) for k, f in enumerate(self.maps)], axis=1)
        total = mapped.sum(axis=1, keepdims=True)
        uniform = np.full_like(mapped, 1 / len(self.maps))
        return np.divide(mapped, total, out=uniform, where=total > 0)

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"classes": [f.parameters() for f in self.maps]}


@dataclass(frozen=True, eq=False)
class TopLabel:
    """A map of the confidence, to be called with logits of ``classes`` classes."""

    confidence: ScoreMap
    classes: int

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Return probabilities [M, K] for finite logits [M, K].

        The predicted class gets the new confidence s', but more than 1/K, and stays the largest.
        The others divide 1 - s' in their old proportions; what would make one of them as large as
        s' goes to the rest.
        """
        scores = check_logits(logits, self.classes)
        if self.classes == 1:
            return np.ones_like(scores)
        predicted, confidence = top_label(scores)
        rows = np.arange(len(scores))
        least = 1 / (1 + (self.classes - 1) * (1 - CLOSE))
        kept = np.clip(self.confidence(confidence), least, 1)
        others = scores.copy()
        others[rows, predicted] = -np.inf
        # From their own logits: beside a confidence of 1 their probabilities are all 0.
        free = np.ones(scores.shape, bool)
        free[rows, predicted] = False
        probs = shared(1 - kept, softmax(others, axis=1), free, kept * (1 - CLOSE))
        probs[rows, predicted] = kept
        return probs

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"confidence": self.confidence.parameters()}


def shared(mass: Floats, weights: Floats, free: npt.NDArray[np.bool_], highest: Floats) -> Floats:
    """Return masses [M] shared among the ``free`` classes in proportion to weights [M, K], none of
    them above ``highest`` [M]; what exceeds it goes to the others in proportion.
    """
    parts = mass[:, None] * weights
    for _ in range(weights.shape[1]):
        above = free & (parts > highest[:, None])
        if not above.any():
            break
        free = free & ~above
        parts = np.where(above, highest[:, None], parts)
        left = mass - np.where(free, 0, parts).sum(axis=1)
        open_ = np.where(free, weights, 0)
        total = open_.sum(axis=1, keepdims=True)
        even = free / np.maximum(free.sum(axis=1, keepdims=True), 1)
        shares = np.divide(open_, total, out=even, where=total > 0)
        parts = np.where(free, np.maximum(left, 0)[:, None] * shares, parts)
    return parts


def smoothed(values: Floats, counts: npt.ArrayLike) -> Floats:
    """Return values that were fitted on ``counts`` samples, at least 1 / (n + 2) from 0 and 1."""
    least = 1 / (np.asarray(counts, np.float64) + 2)
    return np.clip(values, least, 1 - least)


def fit_one_vs_rest(scores: Floats, soft: Floats, fit: FitMap) -> OneVsRest:
    """Return maps of p_k to the target value of class k, fitted on logits and targets [N, K]."""
    probs = softmax(scores, axis=1)
    return OneVsRest(tuple(fit(probs[:, k], soft[:, k]) for k in range(scores.shape[1])))


def fit_top_label(scores: Floats, soft: Floats, fit: FitMap) -> TopLabel:
    """Return a map of the confidence to the target value of the predicted class."""
    predicted, confidence = top_label(scores)
    hits = soft[np.arange(len(scores)), predicted]
    return TopLabel(fit(confidence, hits), scores.shape[1])


def top_label(scores: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the predicted class [N], the first of equals, and its probability [N]."""
    return scores.argmax(axis=1), softmax(scores, axis=1).max(axis=1)
