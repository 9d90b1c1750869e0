"""Is a calibration error more than chance? The test has the size that it claims, and power."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_metrics import chance


def p_value(probs, labels, **options) -> float:
    return registry().metrics["ece_p"](probs, labels, **options)


def model(n: int, k: int, seed: int, sharp: float = 1.0):
    """A model whose labels are drawn from its own probabilities, then made too sharp."""
    rng = np.random.default_rng([n, k, seed])
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    weights = np.exp(sharp * logits)
    return weights / weights.sum(axis=1, keepdims=True), labels


def rejected(n: int, k: int, sharp: float, times: int) -> float:
    found = [p_value(*model(n, k, seed, sharp), draws=199) for seed in range(times)]
    return float(np.mean(np.array(found) <= 0.05))


@pytest.mark.parametrize(("n", "k"), [(100, 2), (100, 7), (400, 7)])
def test_of_calibrated_models_one_in_twenty_is_rejected(n, k):
    low, high = binom.ppf([0.001, 0.999], 400, 0.05) / 400
    assert low <= rejected(n, k, 1.0, 400) <= high


def test_a_model_that_is_too_sharp_is_found():
    assert rejected(400, 7, 1.5, 40) > 0.9


def test_one_bin_by_the_binomial_distribution():
    probs, labels = np.array([[0.8, 0.2]] * 50), np.repeat([0, 1], [34, 16])
    distance = abs(34 - 40)
    exact = binom.cdf(40 - distance, 50, 0.8) + binom.sf(40 + distance - 1, 50, 0.8)
    assert p_value(probs, labels, draws=20_000) == pytest.approx(exact, abs=0.01)


def test_large_bins_are_drawn_from_the_normal_distribution(monkeypatch):
    probs, labels = model(3000, 3, 0, 1.05)
    normal = p_value(probs, labels)
    monkeypatch.setattr(chance, "MANY", 10**9)
    assert p_value(probs, labels) == pytest.approx(normal, abs=0.05)


def test_the_order_of_samples_and_the_size_of_pieces_do_not_matter(monkeypatch):
    probs, labels = model(300, 5, 1, 1.2)
    order = np.random.default_rng(0).permutation(300)
    found = p_value(probs, labels)
    assert found == p_value(probs[order], labels[order])
    monkeypatch.setattr(chance, "PIECE", 1000)
    assert found == p_value(probs, labels)


def test_certain_and_right_is_not_rejected():
    assert p_value([[1.0, 0.0]] * 20, [0] * 20) == 1
    assert p_value([[1.0, 0.0]] * 20, [0] * 19 + [1], draws=99) == 0.01


@pytest.mark.parametrize("draws", [0, 1.5, True, 10**7])
def test_a_wrong_number_of_draws_is_refused(draws):
    with pytest.raises(RequestError, match="draws must be a whole number from 1 to 1,000,000"):
        p_value([[0.7, 0.3]], [0], draws=draws)
