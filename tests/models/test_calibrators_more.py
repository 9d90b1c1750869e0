"""What every post-hoc calibrator promises, whichever it is."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import softmax

from ferc_core import registry
from ferc_core.base.calls import parse_call
from ferc_core.errors import DataError, RequestError, UnknownNameError

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

# those for which n samples alike are one of weight n: no folds, batches, or places j/n
COUNTING = [
    name for name in NAMES if not any(word in name for word in ("cv", "ada", "mass", "spline"))
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fit(text: str, logits: Any, targets: Any, domains: Any = None) -> Any:
    """Fit a calibrator written as on the command line; three domains where it needs some."""
    call = parse_call(text)
    entry = registry().calibrators[call.name]
    entry.check_options(call.options)
    options = dict(call.options)
    if entry.domains:
        options["domains"] = np.arange(len(logits)) % 3 if domains is None else domains
    return entry(logits, targets, **options)


def sample(seed: int, n: int = 60, k: int = 4) -> tuple[Any, Any]:
    """Logits [n, k] and classes [n] drawn from softmax(logits / 2)."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(n, k))
    return logits, (logits / 2 + rng.gumbel(size=(n, k))).argmax(axis=1)


def hostile() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    logits, labels = sample(1)
    signs = np.where(rng.random((50, 4)) < 0.5, 1e4, -1e4)
    return {
        "two classes": sample(2, k=2),
        "one class": (rng.normal(size=(9, 1)), np.zeros(9, int)),
        "a class without a sample": (logits, labels % 3),
        "all samples of one class": (logits, np.zeros(60, int)),
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


@pytest.mark.parametrize("case", hostile())
@pytest.mark.parametrize("name", NAMES)
def test_probabilities_whatever_it_was_fitted_on(name: str, case: str) -> None:
    logits, labels = hostile()[case]
    k = logits.shape[1]
    far = 1e4 * np.concatenate([np.eye(k), -np.eye(k), np.ones((1, k))])
    new = np.concatenate([logits, far, np.random.default_rng(1).normal(size=(20, k))])
    probs = fit(name, logits, labels)(new)
    assert probs.dtype == np.float64
    assert np.isfinite(probs).all()
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_samples_does_not_matter(name: str) -> None:
    logits, labels = sample(3)
    logits[10:20] = logits[:10]  # ties
    domains = np.arange(60) % 3
    order = np.random.default_rng(0).permutation(60)
    one = fit(name, logits, labels, domains)(logits)
    other = fit(name, logits[order], labels[order], domains[order])(logits)
    np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_classes_and_their_one_hot_shares_give_the_same_bytes(name: str) -> None:
    logits, labels = sample(4)
    one, other = (fit(name, logits, targets)(logits) for targets in (labels, np.eye(4)[labels]))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", COUNTING)
def test_shares_count_like_that_many_samples(name: str) -> None:
    """A share of 1/4 and 3/4 is one sample of the one class and three of the other."""
    logits = np.repeat(sample(5, n=15)[0], 4, axis=0)
    labels = np.tile([0, 1, 1, 1], 15)
    shares = np.tile([0.25, 0.75, 0, 0], (15, 1))
    # domains by quarter of a sample, so that each holds whole ones
    domains = np.arange(15) % 3
    hard = fit(name, logits, labels, np.repeat(domains, 4))(logits)
    soft = fit(name, logits[::4], shares, domains)(logits)
    np.testing.assert_allclose(hard, soft, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_transform_is_pure_and_can_be_recorded_and_pickled(name: str) -> None:
    logits, labels = sample(6)
    kept, kept_labels = logits.copy(), labels.copy()
    transform = fit(name, logits, labels)
    probs = transform(logits)
    np.testing.assert_array_equal(transform(logits), probs)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(transform))(logits), probs)
    np.testing.assert_array_equal(logits, kept)
    np.testing.assert_array_equal(labels, kept_labels)
    assert json.loads(json.dumps(transform.parameters(), allow_nan=False))
    assert transform(np.empty((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("name", NAMES)
def test_broken_input_is_refused_in_one_sentence(name: str) -> None:
    logits, labels = sample(7)
    for bad_logits, bad_targets, message in (
        (np.empty((0, 3)), np.empty(0, int), "no samples"),
        (np.where(np.eye(60, 4) > 0, np.nan, logits), labels, "logits of row 0 are not finite"),
        ([[1.0, 2.0], [1.0]], [0, 1], "logits are no array of numbers"),
        (logits, labels + 1, "is class 4, not 0 to 3"),
        (logits, labels[:-1], "targets must be 60 class numbers"),
        (logits, np.full((60, 4), 0.5), "row 0 are no shares that sum to 1"),
        (logits, [[1.0], [0.5, 0.5]] * 30, "targets are no array"),
    ):
        with pytest.raises(DataError, match=message):
            fit(name, bad_logits, bad_targets)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "temperature"])
def test_logits_of_other_classes_are_refused(name: str) -> None:
    with pytest.raises(DataError, match="fitted on 4 classes, but the logits have 5"):
        fit(name, *sample(8))(np.zeros((2, 5)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("matrix(lam=-1)", "'lam' must be a number of at least 0"),
        ("matrix(mu=best)", "'mu' must be cv or a number, not 'best'"),
        ("dirichlet(variant=half)", "'variant' must be full or diagonal or fixed-diagonal"),
        ("dirichlet(variant=diagonal,lam=1)", "are for the variant full, not 'diagonal'"),
        ("isotonic(top_label=1)", "'top_label' must be true or false, not 1"),
        ("histogram(bins=0)", "'bins' must be a whole number of at least 1, not 0"),
        ("histogram(bins=2.5)", "'bins' must be a whole number"),
        ("histogram(binning=wide)", "'binning' must be equal-width or equal-mass"),
        ("spline(knots=1)", "'knots' must be a whole number of at least 2"),
        ("ada-ts(epochs=0)", "'epochs' must be a whole number of at least 1"),
        ("ada-ts(seed=-1)", "'seed' must be a whole number of at least 0"),
        ("multi-domain-ts(ridge=-1)", "'ridge' must be a number of at least 0"),
        ("multi-domain-ts(target=square)", "'target' must be log or linear"),
    ],
)
def test_a_wrong_option_is_named(name: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        fit(name, *sample(9))


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="bin"):
        fit("histogram(bin=3)", *sample(9))


def test_calibrating_brings_a_sharp_model_nearer_to_the_truth() -> None:
    """Drawn from softmax(l / 2): each calibrator must do better than softmax(l) on new samples."""
    logits, labels = sample(10, n=800)
    new, _ = sample(11, n=2000)
    truth = softmax(new / 2, axis=1)

    def distance(probs: Any) -> float:
        return float(np.square(probs - truth).sum(axis=1).mean())

    for name in NAMES:
        if name != "ada-ts(epochs=2,width=8)":
            assert distance(fit(name, logits, labels)(new)) < 0.5 * distance(softmax(new, axis=1))


def test_no_calibrator_imports_torch_before_it_needs_it() -> None:
    code = (
        "import sys\n"
        "from ferc_core import registry\n"
        "for entry in registry().calibrators.values(): entry.check_options({}), entry.loaded\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
