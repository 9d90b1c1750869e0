"""Losses on uncertainty, pairs of classes and exponents that vary: what is special about each."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_losses import UNIFORM, hard, logits
from torch import Tensor
from torch.nn import functional as F

from ferc_core.errors import RequestError
from ferc_models.losses import build_loss

EVEN = np.array([0.5, 0.5])


def value(expression: str, x: Tensor, y: Tensor) -> float:
    """What a loss adds to cross-entropy."""
    prior = np.full(x.shape[1], 1 / x.shape[1])
    whole = build_loss(expression, x.shape[1], prior)(x, y)
    return (whole - build_loss("ce", x.shape[1], prior)(x, y)).item()


def predictions(*confidences: float) -> Tensor:
    """Logits of two classes, the first with these probabilities."""
    p = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([p, 1 - p], dim=1).log()


def of_class(*labels: int, classes: int = 2) -> Tensor:
    return F.one_hot(torch.tensor(labels), classes).double()


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# --- AvUC ---------------------------------------------------------------------------------------


def test_avuc_is_that_of_the_corrected_reference() -> None:
    assert value("avuc", logits(), hard()) == pytest.approx(8.336107210950484, abs=1e-9)
    area = math.exp(-8.336107210950484 / 3)
    assert area == pytest.approx(0.062119060469542006, abs=1e-9)


def test_avuc_of_two_images_by_hand() -> None:
    """The sure one is right, the other is wrong and uncertain at all thresholds but the last."""
    x, y = predictions(0.9, 0.6), of_class(0, 1)
    accurate_certain = 0.9 * (1 - math.tanh(entropy(0.9)))
    inaccurate_certain = 0.4 * (1 - math.tanh(entropy(0.6)))
    last = accurate_certain / (accurate_certain + inaccurate_certain)
    area = 19 * 0.05 + 0.05 * (1 + last) / 2  # 20 intervals, AvU = 1 except at the last threshold
    assert value("avuc", x, y) == pytest.approx(-3 * math.log(area), abs=1e-9)
    assert value("avuc(beta=1)", x, y) == pytest.approx(-math.log(area), abs=1e-9)


def test_avuc_of_the_opposite_case_by_hand() -> None:
    """The sure one is wrong, the other right: good at the last threshold alone."""
    accurate = 0.6 * (1 - math.tanh(entropy(0.6)))
    inaccurate = 0.1 * (1 - math.tanh(entropy(0.9)))
    area = 0.05 * accurate / (accurate + inaccurate) / 2
    whole = value("avuc", predictions(0.9, 0.6), of_class(1, 0))
    assert whole == pytest.approx(-3 * math.log(area), abs=1e-7)


def test_avuc_of_wrong_and_certain_images_leaves_learning_to_cross_entropy() -> None:
    x, y = predictions(0.9, 0.9).requires_grad_(), of_class(1, 1)
    build_loss("avuc", 2, EVEN)(x, y).backward()
    assert x.grad is not None
    assert value("avuc", x.detach(), y) == pytest.approx(-3 * math.log(1e-10))
    torch.testing.assert_close(x.grad, (torch.softmax(x.detach(), dim=1) - y) / 2)


@pytest.mark.parametrize("expression", ["avuc", "soft-avuc"])
def test_each_image_is_right_or_wrong_by_its_own_label(expression: str) -> None:
    """The reference took one label for the whole batch."""
    x = torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [0, 0, 1.0]], dtype=torch.float64)
    all_right = value(expression, x, of_class(0, 1, 2, classes=3))
    one_wrong = value(expression, x, of_class(0, 1, 0, classes=3))
    same_label = value(expression, x, of_class(0, 0, 0, classes=3))
    assert len({all_right, one_wrong, same_label}) == 3
    soft = 0.6 * of_class(0, 1, 0, classes=3) + 0.4 / 3
    assert value(expression, x, soft) == pytest.approx(one_wrong)


# --- Soft-AvUC ----------------------------------------------------------------------------------


def soft_avuc_by_hand(samples: list[tuple[float, bool]], temperature: float, th: float) -> float:
    """The loss of images of two classes, (confidence, right), step by step."""
    good = bad = 0.0
    for confidence, right in samples:
        u = entropy((1 - 1e-5) * confidence + 1e-5 / 2)
        e = min(max(u / math.log(2), 1e-6), 1 - 1e-6)
        odds = e * (1 - th) / ((1 - e) * th)
        q = 1 / (1 + odds ** (-1 / temperature))
        certain, uncertain = (1 - q) * (1 - math.tanh(u)), q * math.tanh(u)
        good += certain if right else uncertain
        bad += uncertain if right else certain
    return math.log(1 + bad / max(good, 1e-5))


@pytest.mark.parametrize("options", [(1.0, 0.5), (0.5, 0.3), (0.01, 0.1)])
def test_soft_avuc_by_hand(options: tuple[float, float]) -> None:
    samples = [(0.99, True), (0.9, False), (0.7, True), (0.6, False)]
    x = predictions(*(confidence for confidence, _ in samples))
    y = of_class(*(0 if right else 1 for _, right in samples))
    found = value(f"soft-avuc(temperature={options[0]},threshold={options[1]})", x, y)
    assert found == pytest.approx(soft_avuc_by_hand(samples, *options), abs=1e-9)


def test_soft_avuc_has_the_options_of_ferc_c() -> None:
    x, y = logits(), hard()
    written = "soft-avuc(temperature=0.01,threshold=0.1,weight=1)"
    assert value("soft-avuc", x, y) == value(written, x, y)
    assert value("soft-avuc(weight=3)", x, y) == pytest.approx(3 * value("soft-avuc", x, y))


def test_soft_avuc_with_nothing_good_is_bounded() -> None:
    samples = [(0.999, False), (0.999, False)]  # wrong and certain
    found = value("soft-avuc", predictions(0.999, 0.999), of_class(1, 1))
    assert found == pytest.approx(soft_avuc_by_hand(samples, 0.01, 0.1))
    assert found == pytest.approx(math.log(2e5), rel=0.01)  # 2 / 1e-5


# --- focal-adaptive -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "gamma"), [(0.1, 5), (0.19, 5), (0.21, 3), (0.49, 3), (0.51, 1.5), (0.9, 1.5)]
)
def test_the_exponent_belongs_to_the_probability_of_the_target(p: float, gamma: float) -> None:
    found = build_loss("focal-adaptive(gamma=1.5)", 2, EVEN)(predictions(p), of_class(0))
    assert found.item() == pytest.approx(-((1 - p) ** gamma) * math.log(p))


def test_the_exponent_is_3_from_a_fifth_on_where_nothing_else_is_asked() -> None:
    x, y = predictions(0.3, 0.9), of_class(0, 0)
    adaptive = build_loss("focal-adaptive", 2, EVEN)(x, y)
    assert adaptive.item() == pytest.approx(build_loss("focal(gamma=3)", 2, EVEN)(x, y).item())


# --- CPC ----------------------------------------------------------------------------------------


def test_pairwise_constraints_are_those_of_the_reference_on_logits() -> None:
    # golden.json, "cpc_on_logits"; the reference adds 1e-7 to the differences of its 25 pairs,
    # which lie evenly around 0, where the slope of log sigmoid is a half
    bdc, bec = 0.8386926698379297, 1.000891515942911 + 0.5 * 25 * 0.5 * 1e-7 / 20
    assert value("cpc", logits(), hard()) == pytest.approx(bdc + bec, abs=1e-12)
    options = "cpc(lambda_bdc=0.1,lambda_bec=2)"
    assert value(options, logits(), hard()) == pytest.approx(0.1 * bdc + 2 * bec, abs=1e-12)


def test_pairwise_constraints_of_three_classes_by_hand() -> None:
    x, y = torch.tensor([[2.0, 1.0, -1.0]], dtype=torch.float64), of_class(0, classes=3)
    bdc = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))) / 2
    pairs = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2)) + 2 * math.log(2)
    assert value("cpc(lambda_bec=0)", x, y) == pytest.approx(bdc)
    assert value("cpc(lambda_bdc=0)", x, y) == pytest.approx(0.5 * pairs / 2)


@given(st.lists(st.floats(-20, 20), min_size=5, max_size=5))
@settings(deadline=None)
def test_pairwise_exclusion_is_least_where_the_other_logits_are_equal(row: list[float]) -> None:
    x, y = torch.tensor([row], dtype=torch.float64), of_class(2, classes=5)
    equal = value("cpc(lambda_bdc=0)", torch.zeros_like(x), y)
    assert equal == pytest.approx(0.5 * 16 * math.log(2) / 12)
    assert value("cpc(lambda_bdc=0)", x, y) >= equal - 1e-9


def test_pairwise_constraints_need_three_classes() -> None:
    with pytest.raises(RequestError, match="'cpc' compares classes beside the target: K = 2 < 3"):
        build_loss("cpc", 2, EVEN)


def test_class_weights_reach_the_cross_entropy_of_pairwise_constraints() -> None:
    prior = np.array([0.1, 0.2, 0.1, 0.3, 0.2, 0.1])
    expression = "class_weights=balanced"
    constraints = value("cpc", logits(), hard())
    weighted = build_loss(f"cpc({expression})", 6, prior)(logits(), hard())
    ce = build_loss(f"ce({expression})", 6, prior)(logits(), hard())
    assert (weighted - ce).item() == pytest.approx(constraints)
    assert ce.item() > build_loss("ce", 6, UNIFORM)(logits(), hard()).item()
