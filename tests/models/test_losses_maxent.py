"""Maximum-entropy losses: targets, moments, and multipliers that solve their equations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.losses import UNIFORM, hard, logits, targets_of
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional as F

from ferc_core.errors import RequestError
from ferc_models.losses import build_loss
from ferc_models.losses.maxent import dual
from ferc_models.losses.multipliers import multipliers

X = np.arange(6.0)
UNEVEN = np.array([0.3, 0.25, 0.2, 0.15, 0.07, 0.03])
MEAN, SECOND = 2.5, 55 / 6  # of an even index 0 ... 5
OPTIONS = [
    {"constraint": c, "target": t, "strength": s, "prior": p}
    for c, t, s, p in (
        ("mean", "global", "dual", "empirical"),
        ("mean", "local", "dual", "uniform"),
        ("variance", "local", 0.7, "uniform"),
        ("variance", "global+local", "dual", "empirical"),
        ("both", "global", 0.7, "empirical"),
        ("both", "global+local", "dual", "uniform"),
    )
]


def expression(**options: Any) -> str:
    return f"maxent({','.join(f'{k}={v}' for k, v in options.items())})"


def penalty(
    x: Tensor, y: Tensor, frequencies: np.ndarray[Any, Any] = UNIFORM, **options: Any
) -> Tensor:
    """What maxent adds to the focal loss, for these frequencies of the training classes."""
    whole = build_loss(expression(**options), x.shape[1], frequencies)(x, y)
    return whole - build_loss("focal", x.shape[1], frequencies)(x, y)


# --- targets and moments ------------------------------------------------------------------------

P = torch.softmax(logits().detach(), dim=1).numpy()
E, M2 = P @ X, P @ X**2
OWN, OWN_SOFT = np.array([0, 3, 1, 4]), 0.7 * np.array([0, 3, 1, 4]) + 0.3 * MEAN
OWN_SQUARE_SOFT = 0.7 * OWN**2 + 0.3 * SECOND


@pytest.mark.parametrize(
    ("constraint", "moment", "overall"),
    [("mean", "mean", MEAN), ("variance", "square", SECOND), ("both", "central", SECOND - MEAN**2)],
)
def test_distances_are_those_of_the_moments(constraint: str, moment: str, overall: float) -> None:
    for kind in ("hard", "soft"):
        mean, square = (OWN_SOFT, OWN_SQUARE_SOFT) if kind == "soft" else (OWN, OWN**2)
        found = {"mean": E, "square": M2, "central": M2 - E**2}[moment]
        own = {"mean": mean, "square": square, "central": square - mean**2}[moment]
        distance = {"global": np.abs(found - overall), "local": np.abs(found - own)}
        if constraint == "both":
            distance["global"] = distance["global"] + np.abs(E - MEAN)
            distance["local"] = distance["local"] + np.abs(E - mean)
        distance["global+local"] = distance["global"] + distance["local"]
        for target, wanted in distance.items():
            options = {"constraint": constraint, "target": target, "strength": 0.5}
            added = penalty(logits(), targets_of(kind), **options)
            assert added.item() == pytest.approx(0.5 * wanted.mean(), abs=1e-12), (kind, target)


def test_an_empirical_prior_has_the_mean_of_the_training_labels() -> None:
    mean = UNEVEN @ X
    for strength, weights in ((0.5, 0.5), ("newton1", np.clip((mean - E) / (M2 - E**2), 0, 1))):
        added = penalty(logits(), hard(), UNEVEN, strength=strength, prior="empirical")
        assert added.item() == pytest.approx((weights * np.abs(E - mean)).mean(), abs=1e-9)


# --- multipliers --------------------------------------------------------------------------------


def test_multipliers_of_two_classes_by_hand() -> None:
    """The mean of class 0 is to be 1/4, halfway between 1/2 and 0: odds of 3."""
    q = torch.full((1, 2), 0.5, dtype=torch.float64)
    assert dual("mean", "local", q)[:, 0] == pytest.approx([math.log(3), -math.log(3)])
    x, y = torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.eye(2, dtype=torch.float64)[:1]
    mean = 1 / (1 + math.e)
    added = penalty(x, y, np.array([0.5, 0.5]), target="global+local", strength="dual")
    assert added.item() == pytest.approx(math.log(3) * (abs(mean - 0.5) + mean))


def test_multipliers_of_opposite_classes_are_opposite() -> None:
    found = dual("mean", "local", torch.tensor(UNIFORM)[None])[:, 0]
    assert found == pytest.approx(-found[::-1])
    assert found[0] > found[1] > found[2] > 0  # the further from the middle, the stronger


distributions = (
    st.integers(3, 9)
    .flatmap(lambda k: arrays(np.float64, k, elements=st.floats(0.01, 1)))
    .map(lambda a: a / a.sum())
)


@given(distributions, st.sampled_from(["mean", "variance", "both"]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_dual_multipliers_solve_their_equations(
    q: np.ndarray[Any, Any], constraint: str, local: bool
) -> None:
    k = len(q)
    target = "local" if local else "global"
    try:
        found = dual(constraint, target, torch.tensor(q)[None])
    except RequestError:  # uniform ones, which have the global moments already
        assert not local
        assert np.ptp(q) < 1e-6 or constraint != "both"
        return
    x = np.arange(k)
    for c in range(k):
        mixed = (q + np.eye(k)[c]) / 2 if local else q
        mean, second = mixed @ x, mixed @ x**2
        t = {"mean": [x], "variance": [x**2], "both": [x, (x - mean) ** 2]}[constraint]
        exponent = -sum(a * b for a, b in zip(found[c], t, strict=True))
        p = np.exp(exponent - exponent.max())
        p /= p.sum()
        if constraint != "variance":
            assert p @ x == pytest.approx(mean, abs=1e-8 * k)
        if constraint != "mean":
            assert p @ x**2 == pytest.approx(second, abs=1e-8 * k**2)


def test_the_weight_is_the_absolute_multiplier_of_the_target_class() -> None:
    q = torch.tensor(UNEVEN)[None]
    weights = np.abs(dual("both", "global+local", q))[OWN]
    mean, central = UNEVEN @ X, UNEVEN @ X**2 - (UNEVEN @ X) ** 2
    by_mean = np.abs(E - mean) + np.abs(E - OWN)
    by_variance = np.abs(M2 - E**2 - central) + np.abs(M2 - E**2)  # a one-hot target has none
    options = {"constraint": "both", "target": "global+local", "strength": "dual"}
    added = penalty(logits(), hard(), UNEVEN, prior="empirical", **options)
    wanted = (weights[:, 0] * by_mean + weights[:, 1] * by_variance).mean()
    assert added.item() == pytest.approx(wanted, abs=1e-9)


def test_a_target_with_several_largest_values_gets_the_mean_of_their_multipliers() -> None:
    found = np.abs(dual("mean", "local", torch.tensor(UNIFORM)[None])[:, 0])
    options = {"target": "local", "strength": "dual"}
    x = logits()[:1].detach()
    for y, weight in (
        (torch.full((1, 6), 1 / 6, dtype=torch.float64), found.mean()),
        (torch.tensor([[0.5, 0, 0, 0.5, 0, 0]], dtype=torch.float64), found[[0, 3]].mean()),
    ):
        distance = abs(E[0] - (y.numpy() @ X)[0])
        assert penalty(x, y, **options).item() == pytest.approx(weight * distance, abs=1e-9)


def test_there_is_no_multiplier_at_the_edge_or_for_dependent_features() -> None:
    index = np.arange(3.0)[:, None]
    both = np.hstack([index, (index - 0.1) ** 2])
    assert multipliers(index, np.array([1.0, 0.0, 0.0])) is None
    assert multipliers(index, np.array([0.9, 0.1, 0.0])) is not None
    assert multipliers(both, np.array([0.9, 0.1, 0.0])) is None
    assert multipliers(both, np.array([0.92, 0.06, 0.02])) is not None
    dependent = np.hstack([index, 2 * index])
    assert multipliers(dependent, np.array([0.2, 0.5, 0.3])) is None


# --- numbers and combinations -------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: expression(**o))
def test_gradients_of_combinations_are_right_and_finite(options: dict[str, Any]) -> None:
    loss = build_loss(expression(**options), 6, UNEVEN)
    y = targets_of("soft")
    assert torch.autograd.gradcheck(lambda x: loss(x, y), logits())
    rows = [[1e4, -1e4, 0, 0, 0, 0], [-1e4] * 5 + [1e4], [1e4] * 6, [0.0] * 6]
    for label in (0, 2, 5):
        x = torch.tensor(rows, requires_grad=True)
        value = loss(x, F.one_hot(torch.full((4,), label), 6).float())
        value.backward()
        assert x.grad is not None
        assert torch.isfinite(value)
        assert torch.isfinite(x.grad).all()


def test_a_one_hot_prediction_below_the_mean_has_the_full_multiplier() -> None:
    """The reference divides by a variance of 0 there."""
    x = torch.tensor([[1e4, 0, 0, 0, 0, 0]], dtype=torch.float64)
    assert penalty(x, hard()[:1]).item() == MEAN


@pytest.mark.parametrize(
    ("options", "prior", "message"),
    [
        ({"strength": "twice"}, UNIFORM, "must be newton1 or dual or a number, not 'twice'"),
        ({"strength": -1}, UNIFORM, "option 'strength' must be a number of at least 0"),
        ({"constraint": "median"}, UNIFORM, "must be mean or variance or both, not 'median'"),
        ({"constraint": "variance"}, UNIFORM, "newton1 is for the global mean only"),
        ({"strength": "dual", "constraint": "both"}, UNIFORM, "already has the global moments"),
        (
            {"strength": 1, "target": "local", "prior": "empirical"},
            UNIFORM,
            "prior=empirical has no effect",
        ),
        ({"strength": 1, "constraint": "both"}, np.array([0.5, 0.5]), "at least 3 classes"),
        (
            {"strength": "dual", "target": "local", "prior": "empirical"},
            np.array([1.0, 0, 0]),
            "no finite multiplier",
        ),
    ],
)
def test_meaningless_options_are_refused(
    options: dict[str, Any], prior: np.ndarray[Any, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        build_loss(expression(**options), len(prior), prior)
