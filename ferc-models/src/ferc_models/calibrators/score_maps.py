"""Calibrators that change probabilities one at a time, by a map of [0, 1] to itself.

Either each class has its own map, and the rows are divided by their sums; or one map changes the
confidence, which is the largest probability, and the other classes divide the rest in their old
proportions.
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

        The predicted class gets the new confidence s'; the others divide 1 - s' in their old
        proportions. One of them becomes the largest where s' falls below it.
        """
        scores = check_logits(logits, self.classes)
        if self.classes == 1:
            return np.ones_like(scores)
        predicted, confidence = top_label(scores)
        rows = np.arange(len(scores))
        raised = self.confidence(confidence)
        others = scores.copy()
        others[rows, predicted] = -np.inf
        # From their own logits: beside a confidence of 1 their probabilities are all 0.
        probs: Floats = softmax(others, axis=1) * (1 - raised)[:, None]
        probs[rows, predicted] = raised
        return probs

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record."""
        return {"confidence": self.confidence.parameters()}


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
