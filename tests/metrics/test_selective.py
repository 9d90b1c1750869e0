"""Selective prediction: against definitions over all orders of ties, and closed forms."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ferc_core import registry
from ferc_core.errors import RequestError

NAMES = ("aurc", "excess_aurc", "augrc", "accuracy_at_coverage")


def measure(name: str, probs, labels, **options) -> float:
    return registry().metrics[name](probs, labels, **options)


def two(confidence, right):
    """Probabilities of two classes with these confidences, and labels that hit or miss."""
    s = np.asarray(confidence, float)
    return np.stack([s, 1 - s], axis=1), np.where(right, 0, 1)


def sample(n: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.5, 1, n)
    return s, rng.random(n) < s


def curve(right) -> np.ndarray:
    """Risk of the n first, n = 1 .. N."""
    return np.cumsum(1 - np.asarray(right, float)) / np.arange(1, 1 + len(right))


def test_the_area_is_the_mean_of_the_risks():
    s, right = sample(300)
    order = np.argsort(-s)
    assert measure("aurc", *two(s, right)) == pytest.approx(curve(right[order]).mean())


def test_ties_count_as_the_mean_over_their_orders():
    s, right = np.array([0.9, 0.8, 0.8, 0.8, 0.6]), np.array([1, 0, 1, 1, 0])
    orders = [[0, *middle, 4] for middle in permutations([1, 2, 3])]
    risks = [curve(right[order]) for order in orders]
    assert measure("aurc", *two(s, right)) == pytest.approx(np.mean(risks))
    at = [1 - risk[2] for risk in risks]
    found = measure("accuracy_at_coverage", *two(s, right), coverage=0.6)
    assert found == pytest.approx(np.mean(at))


def test_the_excess_is_0_where_all_errors_come_last():
    s, right = np.linspace(1, 0.5, 50), np.arange(50) < 37
    assert measure("excess_aurc", *two(s, right)) == 0
    assert measure("excess_aurc", *two(s, right[::-1])) > 0.3
    s, right = sample(200)
    best = np.arange(200) < right.sum()
    excess = measure("aurc", *two(s, right)) - curve(best).mean()
    assert measure("excess_aurc", *two(s, right)) == pytest.approx(excess)


def test_the_generalised_area_is_that_of_auroc_and_accuracy():
    """AUGRC = (1 - AUROC) acc (1 - acc) + (1 - acc)^2 / 2, Traub et al. 2024, eq. 7."""
    for s, right in (sample(500), (np.round(sample(500)[0], 1), sample(500)[1])):
        accuracy = right.mean()
        expected = (1 - roc_auc_score(right, s)) * accuracy * (1 - accuracy)
        expected += (1 - accuracy) ** 2 / 2
        assert measure("augrc", *two(s, right)) == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_extremes(name):
    one = measure(name, [[0.7, 0.3]], [0])
    assert one == (1.0 if name == "accuracy_at_coverage" else 0.0)
    right, wrong = (measure(name, *two([0.9, 0.8], [r, r])) for r in (True, False))
    assert np.isfinite([right, wrong]).all()
    assert (right > wrong) == (name == "accuracy_at_coverage") or name == "excess_aurc"


def test_all_of_them_is_the_accuracy():
    s, right = sample(100)
    assert measure("accuracy_at_coverage", *two(s, right), coverage=1) == right.mean()


@pytest.mark.parametrize("coverage", [0, 1.5, "half", True])
def test_a_wrong_coverage_is_refused(coverage):
    with pytest.raises(RequestError, match="coverage must be a fraction above 0"):
        measure("accuracy_at_coverage", [[0.7, 0.3]], [0], coverage=coverage)


def test_label_distributions_are_refused():
    with pytest.raises(RequestError, match="pass class numbers"):
        measure("aurc", [[0.7, 0.3]], [[0.5, 0.5]])
