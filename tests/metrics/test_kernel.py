"""The kernel calibration error: by definition, unbiased, and a test of the right size."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_metrics import kernel


def skce(probs, labels) -> float:
    return registry().metrics["skce"](probs, labels)


def p_of(probs, labels, draws: int = 199) -> float:
    return registry().metrics["skce_p"](probs, labels, draws=draws)


def model(n: int, seed: int, sharp: float = 1.0, k: int = 3):
    """A model whose labels are drawn from its own probabilities, then made too sharp."""
    rng = np.random.default_rng([n, seed])
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    weights = np.exp(sharp * logits)
    return weights / weights.sum(axis=1, keepdims=True), labels


def by_definition(probs, labels) -> float:
    """The mean over pairs, pair by pair."""
    n, k = probs.shape
    apart = [np.abs(probs[i] - probs[j]).sum() / 2 for i in range(n) for j in range(i)]
    width = np.median(apart)
    residuals = np.eye(k)[labels] - probs
    total = sum(
        np.exp(-np.abs(probs[i] - probs[j]).sum() / 2 / width) * residuals[i] @ residuals[j]
        for i in range(n)
        for j in range(n)
        if i != j
    )
    return total / (n * (n - 1))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_over_pairs(seed):
    probs, labels = model(40, seed, sharp=1 + seed / 2)
    assert skce(probs, labels) == pytest.approx(by_definition(probs, labels), abs=1e-12)


@pytest.mark.parametrize("name", ["skce", "skce_p"])
@pytest.mark.parametrize("most", [4000, 100])
def test_the_order_of_rows_does_not_matter(monkeypatch, name, most):
    monkeypatch.setattr(kernel, "TOGETHER", most)
    probs, labels = model(300, 0)
    probs = probs.round(1) / probs.round(1).sum(axis=1, keepdims=True)  # with ties
    order = np.random.default_rng(0).permutation(300)
    metric = registry().metrics[name]
    found, other = metric(probs, labels), metric(probs[order], labels[order])
    assert found == pytest.approx(other, abs=1e-12)


def test_it_is_unbiased():
    """Of calibrated models its mean is 0; in blocks it has the same mean as over all pairs."""
    found = [skce(*model(50, seed)) for seed in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    probs, labels = model(8000, 0, sharp=2)
    parts = np.array_split(np.arange(8000), 4)
    together = np.mean([skce(probs[rows], labels[rows]) for rows in parts])
    assert skce(probs, labels) == pytest.approx(together, rel=0.1)


def test_calibrated_models_are_called_uncalibrated_as_often_as_promised():
    found = [p_of(*model(60, seed)) for seed in range(400)]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.08)


def test_in_blocks_too(monkeypatch):
    monkeypatch.setattr(kernel, "TOGETHER", 1000)
    found = [p_of(*model(4000, seed)) for seed in range(200)]
    assert np.mean(np.array(found) <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert p_of(*model(4000, 0, sharp=2)) < 0.001


def test_a_model_that_is_too_sharp_is_seen():
    assert np.mean([p_of(*model(400, seed, sharp=2)) < 0.05 for seed in range(20)]) > 0.9


def test_it_sees_what_the_largest_probability_does_not():
    """The wrong one of the two other classes: the confidence is right, the distribution not."""
    probs = np.tile([0.6, 0.3, 0.1], (500, 1))
    labels = np.repeat([0, 1, 2], [300, 50, 150])
    assert registry().metrics["ece_p"](probs, labels) > 0.5
    assert p_of(probs, labels) < 0.01


def test_extremes():
    assert skce([[0.7, 0.3]], [0]) == 0
    assert p_of([[0.7, 0.3]], [0]) == 1
    assert skce([[1.0, 0.0]] * 5, [0] * 5) == 0
    assert skce([[1.0, 0.0]] * 5, [1] * 5) == pytest.approx(2)
    assert p_of([[1.0, 0.0]] * 50, [1] * 50) < 0.01
    assert p_of([[1.0, 0.0]] * 50, [0] * 50) == 1
    assert skce(np.ones((3, 1)), [0, 0, 0]) == 0


def test_bad_draws_are_refused():
    with pytest.raises(RequestError, match="draws must be a whole number"):
        p_of([[0.7, 0.3]], [0], draws=0)
