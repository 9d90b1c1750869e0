"""Properties of every post-hoc calibrator."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from ferc_core import registry
from ferc_core.base.calls import parse_call
from ferc_core.errors import DataError, RequestError

NAMES = (
    "temperature",
    "vector",
    "matrix(lam=cv,mu=1)",
    "matrix(lam=0,mu=0)",
    "dirichlet(lam=0.1,mu=cv)",
    "dirichlet(variant=diagonal)",
    "dirichlet(variant=fixed-diagonal)",
    "isotonic",
    "isotonic(top_label=true)",
    "histogram",
    "histogram(binning=equal-mass)",
    "histogram(top_label=true)",
    "spline",
    "ada-ts(epochs=2,width=8)",
    "multi-domain-ts",
    "multi-domain-ts(target=linear)",
)

# those for which n samples alike are one of weight n: no folds, batches, or smoothing by n
OTHERS = ("cv", "ada", "isotonic", "histogram", "spline")
COUNTING = [name for name in NAMES if not any(word in name for word in OTHERS)]


pytestmark = pytest.mark.usefixtures("one_thread")


def fit(text: str, logits: Any, targets: Any, domains: Any = None) -> Any:
    """Fit a calibrator written as on the command line; three domains where it needs some."""
    chosen = registry().calibrators.choose(text)
    if chosen.entry.domains:
        domains = np.arange(len(logits)) % 3 if domains is None else domains
        return chosen(logits, targets, domains=domains)
    return chosen(logits, targets)


def sample(seed: int, n: int = 60, k: int = 4) -> tuple[Any, Any]:
    """Logits [n, k] and classes [n] drawn from softmax(logits / 2)."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(n, k))
    return logits, (logits / 2 + rng.gumbel(size=(n, k))).argmax(axis=1)


def hostile() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    logits, labels = sample(1, n=30)
    signs = np.where(rng.random((50, 4)) < 0.5, 1e4, -1e4)
    return {
        "two classes": sample(2, k=2),
        "one class": (rng.normal(size=(9, 1)), np.zeros(9, int)),
        "a class without a sample": (logits, labels % 3),
        "all samples of one class": (logits, np.zeros(30, int)),
        "all right": (logits, logits.argmax(axis=1)),
        "all wrong": (logits, logits.argmin(axis=1)),
        "constant logits": (np.full((40, 4), 2.0), rng.integers(0, 4, 40)),
        "fewer samples than classes": (rng.normal(size=(3, 8)), np.array([0, 1, 7])),
        "one sample": (rng.normal(size=(1, 5)), np.array([2])),
        "every sample ten times": (np.repeat(logits[:5], 10, axis=0), np.arange(50) % 4),
        "logits of 1e4": (signs, rng.integers(0, 4, 50)),
        "logits around 1e4": (1e4 * rng.normal(size=(50, 4)), rng.integers(0, 4, 50)),
    }


def test_every_registered_calibrator_is_tested_here() -> None:
    assert {parse_call(text).name for text in NAMES} == set(registry().calibrators)


@pytest.mark.parametrize("name", NAMES)
def test_every_fit_gives_probabilities(name: str) -> None:
    for case, (logits, labels) in hostile().items():
        k = logits.shape[1]
        far = 1e4 * np.concatenate([np.eye(k), -np.eye(k), np.ones((1, k))])
        new = np.concatenate([logits, far, np.random.default_rng(1).normal(size=(20, k))])
        probs = fit(name, logits, labels)(new)
        assert probs.dtype == np.float64, case
        assert np.isfinite(probs).all(), case
        assert (probs >= 0).all(), case
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12, err_msg=case)


@pytest.mark.parametrize("name", NAMES)
def test_a_fit_is_pure_and_independent_of_order_and_form(name: str) -> None:
    logits, labels = sample(3)
    logits[10:20] = logits[:10]  # ties
    domains = np.arange(60) % 3
    kept, kept_labels = logits.copy(), labels.copy()
    transform = fit(name, logits, labels, domains)
    probs = transform(logits)
    order = np.random.default_rng(0).permutation(60)
    other = fit(name, logits[order], labels[order], domains[order])(logits)
    np.testing.assert_allclose(probs, other, rtol=1e-9, atol=1e-12)
    one_hot = fit(name, logits, np.eye(4)[labels], domains)(logits)
    np.testing.assert_array_equal(probs, one_hot)
    np.testing.assert_array_equal(transform(logits), probs)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transform))(logits), probs)
    np.testing.assert_array_equal(logits, kept)
    np.testing.assert_array_equal(labels, kept_labels)
    assert json.loads(json.dumps(transform.parameters(), allow_nan=False))
    assert transform(np.empty((0, 4))).shape == (0, 4)
    if name != "temperature":  # which depends on no number of classes
        with pytest.raises(DataError, match="fitted on 4 classes, but the logits have 5"):
            transform(np.zeros((2, 5)))


def test_soft_targets_count_like_several_samples() -> None:
    """Probabilities of 1/4 and 3/4 are one sample of one class and three of the other."""
    logits = np.repeat(sample(5, n=15)[0], 4, axis=0)
    labels = np.tile([0, 1, 1, 1], 15)
    soft = np.tile([0.25, 0.75, 0, 0], (15, 1))
    # domains by quarter of a sample, so that each holds whole ones
    domains = np.arange(15) % 3
    for name in COUNTING:
        several = fit(name, logits, labels, np.repeat(domains, 4))(logits)
        one = fit(name, logits[::4], soft, domains)(logits)
        np.testing.assert_allclose(several, one, atol=1e-5, err_msg=name)


def test_broken_input_is_refused_by_every_calibrator() -> None:
    logits, labels = sample(7)
    for name in NAMES:
        for bad_logits, bad_targets, message in (
            (np.empty((0, 3)), np.empty(0, int), "without samples"),
            (np.where(np.eye(60, 4) > 0, np.nan, logits), labels, "logits of row 0 are not finite"),
            ([[1.0, 2.0], [1.0]], [0, 1], "logits are not an array of numbers"),
            (logits, labels + 1, "is class 4, not 0 to 3"),
            (logits, [[1.0], [0.5, 0.5]] * 30, "targets are not an array"),
        ):
            with pytest.raises(DataError, match=message):
                fit(name, bad_logits, bad_targets)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("matrix(lam=-1)", "'lam' must be a number of at least 0"),
        ("matrix(mu=best)", "'mu' must be cv or a number, not 'best'"),
        ("dirichlet(variant=half)", "'variant' must be full or diagonal or fixed-diagonal"),
        ("dirichlet(variant=diagonal,lam=1)", "need variant=full, not diagonal"),
        ("isotonic(top_label=1)", "'top_label' of 'isotonic' must be true or false, not 1"),
        ("histogram(bins=0)", "'bins' must be a whole number from 1 to 10,000, not 0"),
        ("histogram(binning=wide)", "'binning' must be equal-width or equal-mass"),
        ("spline(knots=1)", "'knots' must be a whole number from 2 to 1,000, not 1"),
        ("spline(knots=1000000000)", "'knots' must be a whole number from 2 to 1,000"),
        ("histogram(bins=1000000000)", "'bins' must be a whole number from 1 to 10,000"),
        ("ada-ts(epochs=1000000000)", "'epochs' must be a whole number from 1 to 100,000"),
        ("ada-ts(width=1000000000)", "'width' must be a whole number from 2 to 8,192"),
        ("ada-ts(latent=1000000000)", "'latent' must be a whole number from 1 to 1,024"),
        ("ada-ts(epochs=0)", "'epochs' must be a whole number from 1 to 100,000, not 0"),
        ("multi-domain-ts(target=square)", "'target' must be log or linear"),
    ],
)
def test_a_wrong_option_is_named(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        fit(name, *sample(9))


def test_calibration_brings_a_sharp_model_nearer_to_the_truth() -> None:
    """Drawn from softmax(l / 2): each calibrator must do better than softmax(l) on new samples."""
    logits, labels = sample(10, n=800)
    new, _ = sample(11, n=2000)
    truth = softmax(new / 2, axis=1)

    def distance(probs: Any) -> float:
        return float(np.square(probs - truth).sum(axis=1).mean())

    for name in NAMES:
        if name != "ada-ts(epochs=2,width=8)":
            assert distance(fit(name, logits, labels)(new)) < 0.5 * distance(softmax(new, axis=1))
