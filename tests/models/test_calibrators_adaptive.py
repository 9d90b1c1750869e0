"""Calibrators with a temperature for each sample: ``ada-ts`` and ``multi-domain-ts``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from ferc_core.errors import DataError, RequestError
from ferc_metrics.proper import nll
from ferc_models.calibrators.ada_ts import fit_ada_ts
from ferc_models.calibrators.multi_domain import fit_multi_domain
from ferc_models.calibrators.temperature import fit_temperature

pytestmark = pytest.mark.usefixtures("one_thread")


def two_temperatures(seed: int, n: int, k: int = 5) -> tuple[Any, Any, Any]:
    """Logits, classes, and temperatures: 5 where the first logit is positive, else 1."""
    rng = np.random.default_rng(seed)
    logits = 3 * rng.normal(size=(n, k))
    true = np.where(logits[:, 0] > 0, 5.0, 1.0)
    return logits, (logits / true[:, None] + rng.gumbel(size=(n, k))).argmax(axis=1), true


# --- ada-ts


def test_ada_ts_finds_temperatures_that_depend_on_the_sample() -> None:
    logits, labels, _ = two_temperatures(0, 400)
    new, classes, true = two_temperatures(1, 3000)
    found = fit_ada_ts(logits, labels)
    best = nll(softmax(new / true[:, None], axis=1), classes)
    plain = nll(fit_temperature(logits, labels)(new), classes)
    # at least 40 % of the loss of a single temperature is recovered
    assert nll(found(new), classes) - best < 0.6 * (plain - best)
    t = found.temperatures(new)
    assert t[true == 5].mean() > 1.5 * t[true == 1].mean()
    told = found.parameters()
    assert 0.001 <= told["smallest_temperature"] <= told["mean_temperature"]
    assert (told["epochs"], told["latent"], told["width"], told["seed"]) == (100, 16, 128, 0)


def test_ada_ts_depends_on_the_seed_but_not_on_the_order() -> None:
    logits, labels, _ = two_temperatures(2, 200)
    order = np.random.default_rng(0).permutation(200)
    first = fit_ada_ts(logits, labels, epochs=2)(logits)
    again = fit_ada_ts(logits[order], labels[order], epochs=2)(logits)
    np.testing.assert_array_equal(first, again)
    assert (fit_ada_ts(logits, labels, epochs=2, seed=1)(logits) != first).any()


def test_ada_ts_restores_the_state_of_torch() -> None:
    before = torch.get_rng_state()
    with torch.no_grad():
        fit_ada_ts(*two_temperatures(3, 50)[:2], epochs=1)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_ada_ts_keeps_the_predicted_class_and_learns_from_soft_targets() -> None:
    logits, _, true = two_temperatures(4, 100)
    soft = softmax(logits / true[:, None], axis=1)
    found = fit_ada_ts(logits, soft, epochs=5)
    np.testing.assert_array_equal(found(logits).argmax(axis=1), logits.argmax(axis=1))
    longer = fit_ada_ts(logits, soft, epochs=40)
    errors = [np.square(f(logits) - soft).sum(axis=1).mean() for f in (found, longer)]
    assert errors[1] < errors[0]


# --- multi-domain-ts

SHAPES = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]])  # what is true in either domain
TRUE = np.array([1.5, 4.0])


def two_domains(seed: int, n: int = 60) -> tuple[Any, Any, Any]:
    """Logits T log p, soft p and domains; p has a shape for each domain, in any class order."""
    rng = np.random.default_rng(seed)
    domains = rng.integers(0, 2, n)
    p = rng.permuted(SHAPES[domains], axis=1)
    return TRUE[domains][:, None] * np.log(p), p, domains


@pytest.mark.parametrize("target", ["log", "linear"])
def test_two_planted_domain_temperatures_are_recovered(target: str) -> None:
    logits, soft, domains = two_domains(0)
    found = fit_multi_domain(logits, soft, domains=10 * domains, target=target)
    told = found.parameters()["domain_temperatures"]
    assert told == {"0": pytest.approx(1.5), "10": pytest.approx(4.0)}
    new, true, which = two_domains(1)
    np.testing.assert_allclose(found.temperatures(new), TRUE[which], rtol=5e-3)
    np.testing.assert_allclose(found(new), true, atol=2e-3)


def test_without_a_ridge_they_are_recovered_exactly() -> None:
    logits, soft, domains = two_domains(2)
    found = fit_multi_domain(logits, soft, domains=domains, ridge=0)
    np.testing.assert_allclose(found.temperatures(logits), TRUE[domains], rtol=1e-6)


def test_an_infinite_ridge_gives_the_mean_of_log_t() -> None:
    logits, soft, domains = two_domains(3)
    found = fit_multi_domain(logits, soft, domains=domains, ridge=1e12)
    mean = np.exp(np.log(TRUE)[domains].mean())
    np.testing.assert_allclose(found.temperatures(logits), mean, rtol=1e-6)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_one_domain_is_temperature_scaling(seed: int) -> None:
    logits, labels, _ = two_temperatures(seed, 80)
    found = fit_multi_domain(logits, labels, domains=np.full(80, 3))
    np.testing.assert_allclose(
        found(logits), fit_temperature(logits, labels)(logits), rtol=1e-9, atol=1e-12
    )


def test_temperatures_ignore_class_order_and_constants_and_stay_in_bounds() -> None:
    logits, soft, domains = two_domains(4)
    found = fit_multi_domain(logits, soft, domains=domains)
    t = found.temperatures(logits)
    np.testing.assert_allclose(found.temperatures(logits[:, ::-1] + 5), t, rtol=1e-9)
    far = found.temperatures(np.concatenate([1e4 * logits, -1e4 * logits]))
    assert 0.05 <= far.min() <= far.max() <= 20


def test_unseen_sharpness_gets_a_temperature_in_between() -> None:
    """Fitted on sharp and on blunt logits, new ones in between get a temperature in between."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=(3000, 5))
    labels = (base + rng.gumbel(size=base.shape)).argmax(axis=1)
    strengths = np.repeat([1.0, 6.0], 1500)
    found = fit_multi_domain(
        strengths[:, None] * base, labels, domains=(strengths > 1).astype(np.int64)
    )
    blunt, between, sharp = (found.temperatures(s * base).mean() for s in (1, 3, 6))
    assert blunt < between < sharp


def test_domains_are_needed_and_checked() -> None:
    logits, soft, domains = two_domains(6)
    with pytest.raises(RequestError, match="multi-domain-ts needs domains"):
        fit_multi_domain(logits, soft)
    for bad in (domains[:-1], domains.astype(float), domains[:, None]):
        with pytest.raises(DataError, match="domains must be 60 whole numbers"):
            fit_multi_domain(logits, soft, domains=bad)
