"""Vector and matrix scaling and Dirichlet calibration: softmax(W x + b)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ferc_models.calibrators.dirichlet import fit_dirichlet
from ferc_models.calibrators.matrix import fit_matrix
from ferc_models.calibrators.temperature import fit_temperature
from ferc_models.calibrators.vector import fit_vector

GRID = [10.0**power for power in range(-5, 2)]


def nll(probs: Any, labels: Any) -> float:
    return float(-np.log(np.maximum(probs[np.arange(len(labels)), labels], 1e-300)).mean())


def normal(seed: int, n: int, k: int, scale: float = 2.0) -> Any:
    return scale * np.random.default_rng(seed).normal(size=(n, k))


def drawn(seed: int, scores: Any) -> Any:
    """Classes drawn from softmax(scores)."""
    gumbel = np.random.default_rng(seed).gumbel(size=scores.shape)
    return (scores + gumbel).argmax(axis=1)


@given(st.integers(0, 1000), st.integers(2, 6))
@settings(max_examples=10, deadline=None)
def test_vector_scaling_recovers_a_planted_vector(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    w, b = rng.uniform(0.2, 3, k), rng.normal(size=k)
    logits, new = normal(seed, 200, k), normal(seed + 1, 50, k)
    found = fit_vector(logits, softmax(w * logits + b, axis=1))
    np.testing.assert_allclose(found(new), softmax(w * new + b, axis=1), atol=1e-5)
    np.testing.assert_allclose(found.weights, w, atol=1e-3)
    # a constant added to b changes nothing, so the search leaves its sum at 0
    np.testing.assert_allclose(found.bias, b - b.mean(), atol=1e-3)


def test_vector_scaling_recovers_a_vector_from_drawn_classes() -> None:
    w, b = np.array([0.5, 1.0, 2.0]), np.array([1.0, 0.0, -1.0])
    logits = normal(0, 20_000, 3)
    found = fit_vector(logits, drawn(1, w * logits + b))
    np.testing.assert_allclose(found.weights, w, atol=0.1)
    np.testing.assert_allclose(found.bias, b, atol=0.1)


@given(st.integers(0, 1000), st.integers(2, 5))
@settings(max_examples=6, deadline=None)
def test_matrix_scaling_without_regularisation_recovers_a_planted_matrix(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    w, b = np.eye(k) + 0.3 * rng.normal(size=(k, k)), rng.normal(size=k)
    logits, new = normal(seed, 300, k), normal(seed + 1, 50, k)
    found = fit_matrix(logits, softmax(logits @ w.T + b, axis=1), lam=0, mu=0)
    np.testing.assert_allclose(found(new), softmax(new @ w.T + b, axis=1), atol=1e-4)


@given(st.integers(0, 1000), st.integers(2, 5))
@settings(max_examples=6, deadline=None)
def test_full_dirichlet_calibration_recovers_a_planted_map_of_log_p(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    w, b = np.eye(k) + 0.3 * rng.normal(size=(k, k)), rng.normal(size=k)
    logits, new = normal(seed, 300, k), normal(seed + 1, 50, k)
    soft = softmax(log_softmax(logits, axis=1) @ w.T + b, axis=1)
    found = fit_dirichlet(logits, soft, lam=0, mu=0)
    expected = softmax(log_softmax(new, axis=1) @ w.T + b, axis=1)
    np.testing.assert_allclose(found(new), expected, atol=1e-4)
    # log p knows no constant added to the logits
    np.testing.assert_allclose(found(new + 7), expected, atol=1e-4)


def test_the_diagonal_variants_are_vector_and_temperature_scaling_of_log_p() -> None:
    logits = normal(2, 300, 4)
    labels = drawn(3, logits / 2)
    log_p = log_softmax(logits, axis=1)
    diagonal = fit_dirichlet(logits, labels, variant="diagonal")
    np.testing.assert_allclose(diagonal(logits), fit_vector(log_p, labels)(log_p), atol=1e-12)
    fixed = fit_dirichlet(logits, labels, variant="fixed-diagonal")
    np.testing.assert_allclose(
        fixed(logits), fit_temperature(logits, labels)(logits), rtol=1e-6, atol=1e-9
    )
    assert fixed.parameters()["bias"] == [0, 0, 0, 0]


def test_strong_regularisation_gives_a_diagonal_without_intercept() -> None:
    logits = normal(4, 400, 3)
    labels = drawn(5, logits @ (np.eye(3) / 2 + 0.3) + [1.0, 0.0, -1.0])
    found = fit_matrix(logits, labels, lam=1e6, mu=1e6)
    np.testing.assert_allclose(found.weights, np.diag(np.diag(found.weights)), atol=1e-5)
    np.testing.assert_allclose(found.bias, 0, atol=1e-5)
    best = minimize(lambda w: nll(softmax(w * logits, axis=1), labels), np.ones(3), tol=1e-10)
    np.testing.assert_allclose(np.diag(found.weights), best.x, atol=1e-3)


def test_intercept_and_matrix_are_regularised_separately() -> None:
    logits = normal(6, 400, 3)
    labels = drawn(7, logits @ (np.eye(3) + 0.5 * normal(8, 3, 3, 1)) + [2.0, 0.0, -2.0])
    no_bias = fit_matrix(logits, labels, lam=0, mu=1e6)
    assert np.abs(no_bias.bias).max() < 1e-4
    assert np.abs(no_bias.weights - np.diag(np.diag(no_bias.weights))).max() > 0.1
    no_matrix = fit_matrix(logits, labels, lam=1e6, mu=0)
    assert np.abs(no_matrix.weights - np.diag(np.diag(no_matrix.weights))).max() < 1e-4
    np.testing.assert_allclose(no_matrix(logits), fit_vector(logits, labels)(logits), atol=1e-3)


def test_the_regularised_optimum_by_hand() -> None:
    # constant logits of 0 leave the intercept alone: for two classes with soft 3/4 and 1/4 the
    # slope is p - 3/4 + mu b = 0 with p = sigmoid(2 b), b the intercept of the first
    for mu in (0.0, 0.3, 5.0):
        b = fit_matrix(np.zeros((4, 2)), [0, 0, 0, 1], lam=1, mu=mu).bias
        assert b[0] == pytest.approx(-b[1], abs=1e-8)
        assert 1 / (1 + np.exp(-2 * b[0])) - 0.75 + mu * b[0] == pytest.approx(0, abs=1e-7)


def test_cross_validation_regularises_noise_but_not_a_signal() -> None:
    noise = fit_matrix(normal(9, 20, 4), np.arange(20) % 4).parameters()
    assert noise["lam"] == 10
    logits = normal(10, 1200, 4)
    w = np.eye(4) + np.roll(np.eye(4), 1, axis=1)
    labels = drawn(11, logits @ w.T + [2.0, 0.0, 0.0, -2.0])
    planted = fit_matrix(logits, labels).parameters()
    assert planted["lam"] < 0.1
    assert planted["mu"] < 0.1
    assert {planted["lam"], planted["mu"]} <= set(GRID)


def test_one_strength_may_be_given_and_the_other_chosen() -> None:
    logits = normal(12, 60, 3)
    found = fit_dirichlet(logits, drawn(13, logits), lam=0.25).parameters()
    assert found["lam"] == 0.25
    assert found["mu"] in GRID


@given(st.integers(0, 10_000), st.sampled_from([0.01, 1.0, 30.0, 1e4]), st.integers(2, 60))
@settings(max_examples=8, deadline=None)
def test_no_fit_is_worse_on_its_samples_than_no_calibration(
    seed: int, scale: float, n: int
) -> None:
    logits = normal(seed, n, 3, scale)
    labels = drawn(seed + 1, normal(seed + 2, n, 3))
    before = float(-log_softmax(logits, axis=1)[np.arange(n), labels].mean())
    for fit, options in (
        (fit_vector, {}),
        (fit_matrix, {"lam": 0.01, "mu": 0.01}),
        (fit_matrix, {"lam": 10, "mu": 0}),
        (fit_dirichlet, {"lam": 0.01, "mu": 0.01}),
        (fit_dirichlet, {"variant": "diagonal"}),
        (fit_dirichlet, {"variant": "fixed-diagonal"}),
    ):
        after = nll(fit(logits, labels, **options)(logits), labels)
        assert after <= before * (1 + 1e-9) + 1e-12
