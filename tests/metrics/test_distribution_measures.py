"""Measures between predicted and label distributions, against other people's and by definition."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import distance
from scipy.stats import entropy

from ferc_core import registry

NAMES = ("kl", "js", "chebyshev", "clark", "canberra", "cosine", "intersection", "dist_ce",
         "ent_ce", "rank_cs")  # fmt: skip


def measure(name: str, p, y) -> float:
    return registry().metrics[name](p, y)


def sample(n: int, k: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Distributions without zeros, and votes of ten people, which have zeros and ties."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(k), n)
    return p, rng.multinomial(10, rng.dirichlet(np.ones(k)), n) / 10


def in_order(p: np.ndarray, y: np.ndarray) -> bool:
    """Whether p orders every two classes that y tells apart as y does."""
    pairs = combinations(range(len(p)), 2)
    return all((p[i] > p[j]) == (y[i] > y[j]) and p[i] != p[j] for i, j in pairs if y[i] != y[j])


ORACLES = {
    "kl": lambda p, y: entropy(y, p),
    "js": lambda p, y: distance.jensenshannon(p, y) ** 2,
    "chebyshev": distance.chebyshev,
    "canberra": distance.canberra,
    "cosine": lambda p, y: 1 - distance.cosine(p, y),
    "intersection": lambda p, y: 1 - distance.cityblock(p, y) / 2,
    "dist_ce": lambda p, y: distance.cityblock(p, y) / 2,
    "ent_ce": lambda p, y: abs(entropy(p) - entropy(y)),
    "rank_cs": in_order,
    "clark": lambda p, y: np.sqrt(
        sum(((b - a) / (b + a)) ** 2 for a, b in zip(p, y, strict=True) if a + b > 0)
    ),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "k"), [(1, 2), (50, 3), (200, 8)])
def test_measures_are_those_of_scipy_or_of_their_definition(name, n, k):
    p, y = sample(n, k)
    expected = np.mean([ORACLES[name](a, b) for a, b in zip(p, y, strict=True)])
    assert measure(name, p, y) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 6))
@settings(max_examples=50, deadline=None)
def test_the_order_of_classes_with_ties_on_both_sides(seed, k):
    rng = np.random.default_rng(seed)
    p, y = (rng.multinomial(5, np.ones(k) / k, 20) / 5 for _ in range(2))
    expected = np.mean([in_order(a, b) for a, b in zip(p, y, strict=True)])
    assert measure("rank_cs", p, y) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_same_distribution_is_best_of_all(name):
    y = np.unique(sample(50, 5)[0], axis=0)
    best = 1.0 if name in ("cosine", "intersection", "rank_cs") else 0.0
    assert measure(name, y, y) == pytest.approx(best, abs=1e-12)
    assert measure(name, sample(len(y), 5, seed=3)[0], y) != pytest.approx(best)


@pytest.mark.parametrize("name", NAMES)
def test_zeros_and_one_class_are_finite(name):
    p, y = np.array([[1.0, 0, 0], [0, 1, 0]]), np.array([[0, 0, 1.0], [0, 1, 0]])
    assert np.isfinite(measure(name, p, y))
    assert np.isfinite(measure(name, np.ones((3, 1)), np.ones((3, 1))))


@pytest.mark.parametrize("name", NAMES)
def test_class_numbers_are_one_hot(name):
    p, _ = sample(30, 4)
    labels = np.arange(30) % 4
    assert measure(name, p, labels) == measure(name, p, np.eye(4)[labels])
