"""Debiased, swept and smooth calibration errors: by definition, and free of what chance makes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from ferc_core import registry

NAMES = ("debiased_ece", "ece_sweep", "smooth_ece")


def measure(name: str, probs, labels, **options) -> float:
    return registry().metrics[name](probs, labels, **options)


def two(s, right):
    s = np.asarray(s, float)
    return np.stack([s, 1 - s], axis=1), np.where(right, 0, 1)


def model(n: int, seed: int, sharp: float = 1.0, k: int = 7):
    """A model whose labels are drawn from its own probabilities, then made too sharp."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    weights = np.exp(sharp * logits)
    return weights / weights.sum(axis=1, keepdims=True), labels


def means(name: str, n: int, sharp: float = 1.0, times: int = 60) -> float:
    return float(np.mean([measure(name, *model(n, seed, sharp)) for seed in range(times)]))


def test_a_bin_by_hand():
    s, right = [0.8] * 10, [1] * 7 + [0] * 3
    expected = np.sqrt(max(0.1**2 - 0.7 * 0.3 / 9, 0))
    assert measure("debiased_ece", *two(s, right), bins=1) == pytest.approx(expected)
    s, right = [0.9] * 20, [1] * 10 + [0] * 10
    expected = np.sqrt(0.4**2 - 0.25 / 19)
    assert measure("debiased_ece", *two(s, right), bins=3) == pytest.approx(expected)


def swept(s, right) -> float:
    """The error as the paper's algorithm has it, for scores without ties."""
    order = np.argsort(s)
    s, right = np.asarray(s)[order], np.asarray(right, float)[order]
    best = [np.arange(len(s))]
    for bins in range(2, len(s) + 1):
        edges = np.arange(bins + 1) * len(s) // bins
        parts = [np.arange(a, b) for a, b in pairwise(edges)]
        accuracy = [right[part].mean() for part in parts]
        if any(b < a - 1e-12 for a, b in pairwise(accuracy)):
            break
        best = parts
    return sum(abs(right[part].sum() - s[part].sum()) for part in best) / len(s)


@pytest.mark.parametrize("seed", range(10))
def test_the_sweep_is_that_of_its_algorithm(seed):
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.5, 1, 80)
    right = rng.random(80) < s**2
    assert measure("ece_sweep", *two(s, right)) == pytest.approx(swept(s, right))


def test_the_order_of_ties_does_not_matter():
    s, right = np.repeat([0.6, 0.8, 0.9], 30), np.arange(90) % 4 > 0
    order = np.random.default_rng(0).permutation(90)
    for name in NAMES:
        found, other = measure(name, *two(s, right)), measure(name, *two(s[order], right[order]))
        assert found == pytest.approx(other, abs=1e-12)


def smooth(s, right) -> float:
    """The fixed point by its definition: images of the kernel at both ends, a fine integral."""
    t = (np.arange(20_000) + 0.5) / 20_000

    def smoothed(sigma: float) -> float:
        images = np.concatenate([2 * m + sign * s for m in range(-4, 5) for sign in (1, -1)])
        gaps = np.tile(right - s, 18)
        total = sum(g * norm.pdf(t, x, sigma) for g, x in zip(gaps, images, strict=True))
        return float(np.abs(total).mean() / len(s))

    return float(brentq(lambda sigma: smoothed(sigma) - sigma, 1e-3, 1, xtol=1e-5))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_smooth_error_is_the_fixed_point(seed):
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.5, 1, 40)
    right = (rng.random(40) < s - 0.15 * seed).astype(float)
    assert measure("smooth_ece", *two(s, right)) == pytest.approx(smooth(s, right), abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_extremes(name):
    assert measure(name, [[1.0, 0.0]] * 5, [0] * 5) == pytest.approx(0, abs=1e-3)
    assert 0 <= measure(name, [[0.7, 0.3]], [0]) <= 1
    assert measure(name, [[1.0, 0.0]] * 50, [1] * 50) > 0.4
    assert measure(name, np.ones((3, 1)), [0, 0, 0]) == pytest.approx(0, abs=1e-3)


def test_chance_makes_less_of_them_than_of_the_binned_error():
    """Of calibrated models with 400 samples: what each says of an error that is 0."""
    binned = means("ece", 400)
    assert binned > 0.05
    for name in NAMES:
        assert means(name, 400) < 0.75 * binned, name


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_too_sharp_is_seen(name):
    assert means(name, 1000, sharp=2.0, times=10) > 3 * means(name, 1000, times=10)
