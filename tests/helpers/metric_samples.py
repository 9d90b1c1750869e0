"""Samples that metrics are tested on, small and full of ties and of scores on bin edges."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ferc_core import registry

PAIRS = ["nll", "brier", "ece", "mce", "ada_ece", "classwise_ece", "kse"]  # with a soft form
FERC = ["ece", "ada_ece", "kse"]  # with a form of the authors
HARD = ["accuracy", "macro_f1", *PAIRS]
SOFT = [*(f"soft_{name}" for name in PAIRS), *(f"soft_{name}_ferc" for name in FERC)]
ESTIMATORS = ["debiased_ece", "ece_sweep", "smooth_ece", "ece_p", "skce", "skce_p"]
DECOMPOSITION = ["brier_calibration", "brier_refinement", "nll_calibration", "nll_refinement"]
IN_CONTEXT = [
    "conformal_coverage", "conformal_size", "clean_auroc", "visibility_correlation",
    "disagreement", "disagreement_correlation",
]  # fmt: skip
SELECTIVE = ["aurc", "excess_aurc", "augrc", "accuracy_at_coverage"]
DISTRIBUTIONS = [
    "kl", "js", "chebyshev", "clark", "canberra", "cosine", "intersection", "dist_ce", "ent_ce",
    "rank_cs",
]  # fmt: skip
EVERY = [*HARD, *SOFT, *ESTIMATORS, *DECOMPOSITION, *SELECTIVE, *DISTRIBUTIONS]
REGISTERED = [*EVERY, *IN_CONTEXT, "mean_confidence"]
BINNED = [name for name in HARD + SOFT if "ece" in name or "mce" in name]
LEGACY = ["ada_ece", "classwise_ece"]  # with the authors' edges as an option


def metric(name: str, probs: Any, targets: Any, **options: Any) -> float:
    """Return a registered metric."""
    return registry().metrics[name](probs, targets, **options)


@dataclass
class Sample:
    """N rows of K weights, integers 0 to 5: probabilities and soft targets are exact fractions."""

    weights: np.ndarray
    soft_weights: np.ndarray
    labels: np.ndarray

    @property
    def probs(self) -> np.ndarray:
        return self.weights / self.weights.sum(axis=1, keepdims=True)

    @property
    def soft(self) -> np.ndarray:
        return self.soft_weights / self.soft_weights.sum(axis=1, keepdims=True)

    @property
    def one_hot(self) -> np.ndarray:
        return np.eye(self.weights.shape[1], dtype=int)[self.labels]

    def targets(self, name: str) -> np.ndarray:
        """Return the targets that a metric takes."""
        return self.soft if name in (*SOFT, *DISTRIBUTIONS) else self.labels


def exact_rows(weights: np.ndarray) -> list[list[Fraction]]:
    """Return rows of weights as distributions in exact fractions."""
    return [[Fraction(int(w), int(row.sum())) for w in row] for row in weights]


@st.composite
def samples(draw: Any, classes: tuple[int, int] = (1, 5), largest: int = 20) -> Sample:
    """Draw a `Sample` of up to ``largest`` rows."""
    k, n = draw(st.integers(*classes)), draw(st.integers(1, largest))
    drawn = np.frombuffer(draw(st.binary(min_size=n * (2 * k + 1), max_size=n * (2 * k + 1))), "u1")
    weights, soft_weights = drawn[: 2 * n * k].reshape(2, n, k).astype(int) % 6
    for rows in (weights, soft_weights):
        rows[~rows.any(axis=1), -1] = 1
    return Sample(weights, soft_weights, drawn[2 * n * k :].astype(int) % k)
