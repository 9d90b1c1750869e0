"""Scores split by isotonic regression: against model-diagnostics, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_metrics.inputs import MetricInputError

PARTS = ("calibration", "refinement")


def split(score: str, probs, labels, **options) -> tuple[float, float]:
    """Return calibration and refinement."""
    return tuple(registry().metrics[f"{score}_{part}"](probs, labels, **options) for part in PARTS)


def model(n: int, seed: int, sharp: float = 1.0, k: int = 4, digits: int = 9):
    rng = np.random.default_rng([n, seed])
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    weights = np.exp(sharp * logits)
    probs = weights / weights.sum(axis=1, keepdims=True)
    if digits < 9:  # the other classes share what is left
        s = probs.max(axis=1, keepdims=True).round(digits).clip(0.5, 0.9)
        probs = np.where(probs == probs.max(axis=1, keepdims=True), s, (1 - s) / (k - 1))
    return probs, labels


@pytest.mark.parametrize(("digits", "seed"), [(9, 0), (1, 1), (9, 2)])  # also with many ties
@pytest.mark.parametrize("score", ["brier", "nll"])
def test_they_are_those_of_model_diagnostics(score, seed, digits):
    from model_diagnostics.scoring import LogLoss, SquaredError, decompose

    probs, labels = model(300, seed, 1.7, digits=digits)
    s = np.clip(probs.max(axis=1), 1e-12, 1 - 1e-12)
    hits = (probs.argmax(axis=1) == labels).astype(float)
    function = {"brier": SquaredError(), "nll": LogLoss()}[score]
    (row,) = decompose(hits, s, scoring_function=function).to_dicts()
    calibration, refinement = split(score, probs, labels)
    assert calibration == pytest.approx(row["miscalibration"], abs=1e-9)
    assert refinement == pytest.approx(row["uncertainty"] - row["discrimination"], abs=1e-9)


def test_the_binary_view_is_that_of_the_second_class():
    from model_diagnostics.scoring import SquaredError, decompose

    probs, labels = model(200, 0, 2.0, k=2)
    (row,) = decompose(
        labels.astype(float), probs[:, 1], scoring_function=SquaredError()
    ).to_dicts()
    calibration, refinement = split("brier", probs, labels, view="binary")
    assert calibration == pytest.approx(row["miscalibration"], abs=1e-9)
    assert refinement == pytest.approx(row["uncertainty"] - row["discrimination"], abs=1e-9)
    # the squared error of both classes is twice that of one
    brier, nll = (registry().metrics[name](probs, labels) for name in ("brier", "nll"))
    assert 2 * (calibration + refinement) == pytest.approx(brier)
    assert sum(split("nll", probs, labels, view="binary")) == pytest.approx(nll)


@pytest.mark.parametrize("score", ["brier", "nll"])
def test_making_a_model_too_sharp_moves_calibration_alone(score):
    (calibrated, refined), (sharp, same) = (
        split(score, *model(4000, 0, sharp, k=2)) for sharp in (1.0, 2.0)
    )
    assert same == pytest.approx(refined, abs=1e-12)  # the order of the scores is the same
    assert sharp > 3 * calibrated


@pytest.mark.parametrize("score", ["brier", "nll"])
def test_extremes(score):
    assert split(score, [[1.0, 0.0]] * 5, [0] * 5) == (0, 0)
    calibration, refinement = split(score, [[1.0, 0.0]] * 5, [1] * 5)
    assert (calibration > 0.9, refinement) == (True, 0)
    assert split(score, [[0.7, 0.3]], [0])[1] == 0  # one sample is fitted exactly
    assert split(score, np.ones((3, 1)), [0, 0, 0]) == (0, 0)


def test_the_order_of_ties_does_not_matter():
    probs, labels = model(200, 3, digits=1)
    order = np.random.default_rng(0).permutation(200)
    assert split("nll", probs, labels) == pytest.approx(split("nll", probs[order], labels[order]))


def test_bad_input_is_refused():
    with pytest.raises(RequestError, match="view must be one of top, binary, not 'side'"):
        split("brier", [[0.7, 0.3]], [0], view="side")
    with pytest.raises(RequestError, match="the binary view takes 2 classes, not 3"):
        split("nll", [[0.5, 0.3, 0.2]], [0], view="binary")
    with pytest.raises(MetricInputError, match="sums to 2"):
        split("nll", [[1.0, 1.0]], [0])
