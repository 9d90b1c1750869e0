"""Losses on uncertainty, pairs of classes and adaptive exponents: what is special about each."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers.losses import UNIFORM, beside_ce, gradient, hard, logits, value
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ferc_core.errors import RequestError
from ferc_models.losses import build_loss


def predictions(*confidences: float) -> Tensor:
    """Logits of two classes, the first with these probabilities."""
    p = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([p, 1 - p], dim=1).log()


def of_class(*labels: int, classes: int = 2) -> Tensor:
    return F.one_hot(torch.tensor(labels), classes).double()


def entropy(p: float) -> float:
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# --- AvUC ---------------------------------------------------------------------------------------


def test_avuc_matches_the_corrected_reference() -> None:
    assert beside_ce("avuc", logits(), hard()) == pytest.approx(8.336107210950484, abs=1e-9)


def test_avuc_of_two_images_by_hand() -> None:
    """The certain one is right; the other is wrong, uncertain at all thresholds but the last."""
    x, y = predictions(0.9, 0.6), of_class(0, 1)
    accurate_certain = 0.9 * (1 - math.tanh(entropy(0.9)))
    inaccurate_certain = 0.4 * (1 - math.tanh(entropy(0.6)))
    last = accurate_certain / (accurate_certain + inaccurate_certain)
    area = 19 * 0.05 + 0.05 * (1 + last) / 2  # 20 intervals, AvU = 1 except at the last threshold
    assert beside_ce("avuc", x, y) == pytest.approx(-3 * math.log(area), abs=1e-9)
    assert beside_ce("avuc(beta=1)", x, y) == pytest.approx(-math.log(area), abs=1e-9)


def test_avuc_of_the_opposite_case_by_hand() -> None:
    """The certain one is wrong, the other right: good at the last threshold alone."""
    accurate = 0.6 * (1 - math.tanh(entropy(0.6)))
    inaccurate = 0.1 * (1 - math.tanh(entropy(0.9)))
    area = 0.05 * accurate / (accurate + inaccurate) / 2
    found = beside_ce("avuc", predictions(0.9, 0.6), of_class(1, 0))
    assert found == pytest.approx(-3 * math.log(area), abs=1e-7)


def test_avuc_has_no_gradient_where_all_images_are_wrong_and_certain() -> None:
    x, y = predictions(0.9, 0.9), of_class(1, 1)
    assert beside_ce("avuc", x, y) == pytest.approx(-3 * math.log(1e-10))
    torch.testing.assert_close(gradient("avuc", x, y), gradient("ce", x, y))


@pytest.mark.parametrize("expression", ["avuc", "soft-avuc"])
def test_each_image_is_right_or_wrong_by_its_own_target(expression: str) -> None:
    """The reference took one label for the whole batch."""
    x = torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [0, 0, 1.0]], dtype=torch.float64)
    all_right = beside_ce(expression, x, of_class(0, 1, 2, classes=3))
    one_wrong = beside_ce(expression, x, of_class(0, 1, 0, classes=3))
    same_label = beside_ce(expression, x, of_class(0, 0, 0, classes=3))
    assert len({all_right, one_wrong, same_label}) == 3
    soft = 0.6 * of_class(0, 1, 0, classes=3) + 0.4 / 3
    assert beside_ce(expression, x, soft) == pytest.approx(one_wrong)


@pytest.mark.parametrize("expression", ["avuc", "soft-avuc"])
def test_each_class_with_the_largest_target_value_is_right(expression: str) -> None:
    x = torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [0, 0, 1.0]], dtype=torch.float64)
    uniform = torch.full((3, 3), 1 / 3, dtype=torch.float64)
    all_right = beside_ce(expression, x, of_class(0, 1, 2, classes=3))
    assert beside_ce(expression, x, uniform) == pytest.approx(all_right)
    half = torch.tensor([[0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]], dtype=torch.float64)
    last_wrong = beside_ce(expression, x, of_class(0, 1, 1, classes=3))
    assert beside_ce(expression, x, half) == pytest.approx(last_wrong)


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


def test_soft_avuc_by_hand() -> None:
    samples = [(0.99, True), (0.9, False), (0.7, True), (0.6, False)]
    x = predictions(*(confidence for confidence, _ in samples))
    y = of_class(*(0 if right else 1 for _, right in samples))
    for temperature, threshold in ((1.0, 0.5), (0.01, 0.1)):
        found = beside_ce(f"soft-avuc(temperature={temperature},threshold={threshold})", x, y)
        by_hand = soft_avuc_by_hand(samples, temperature, threshold)
        assert found == pytest.approx(by_hand, abs=1e-9)
    assert beside_ce("soft-avuc(weight=3)", x, y) == pytest.approx(3 * found)  # FER-C's defaults


def test_soft_avuc_with_nothing_good_is_bounded() -> None:
    found = beside_ce("soft-avuc", predictions(0.999, 0.999), of_class(1, 1))  # wrong and certain
    assert found == pytest.approx(soft_avuc_by_hand([(0.999, False)] * 2, 0.01, 0.1))
    assert found == pytest.approx(math.log(2e5), rel=0.01)  # 2 / 1e-5


# --- focal-adaptive -----------------------------------------------------------------------------


def test_the_exponent_depends_on_the_probability_of_the_target() -> None:
    for p, gamma in ((0.1, 5), (0.19, 5), (0.21, 3), (0.49, 3), (0.51, 1.5), (0.9, 1.5)):
        found = value("focal-adaptive(gamma=1.5)", predictions(p), of_class(0))
        assert found == pytest.approx(-((1 - p) ** gamma) * math.log(p)), p
    x, y = predictions(0.3, 0.9), of_class(0, 0)
    assert value("focal-adaptive", x, y) == pytest.approx(value("focal(gamma=3)", x, y))


# --- CPC ----------------------------------------------------------------------------------------


def test_pairwise_constraints_match_the_reference_on_logits() -> None:
    # golden.json, "cpc_on_logits"; the reference adds 1e-7 to the differences of its 25 pairs,
    # which lie evenly around 0, where the slope of log sigmoid is a half
    bdc, bec = 0.8386926698379297, 1.000891515942911 + 0.5 * 25 * 0.5 * 1e-7 / 20
    assert beside_ce("cpc", logits(), hard()) == pytest.approx(bdc + bec, abs=1e-12)
    options = "cpc(lambda_bdc=0.1,lambda_bec=2)"
    assert beside_ce(options, logits(), hard()) == pytest.approx(0.1 * bdc + 2 * bec, abs=1e-12)


def test_pairwise_constraints_of_three_classes_by_hand() -> None:
    x, y = torch.tensor([[2.0, 1.0, -1.0]], dtype=torch.float64), of_class(0, classes=3)
    bdc = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3))) / 2
    pairs = math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2)) + 2 * math.log(2)
    assert beside_ce("cpc(lambda_bec=0)", x, y) == pytest.approx(bdc)
    assert beside_ce("cpc(lambda_bdc=0)", x, y) == pytest.approx(0.5 * pairs / 2)


@given(st.lists(st.floats(-20, 20), min_size=5, max_size=5))
@settings(max_examples=30, deadline=None)
def test_pairwise_exclusion_is_smallest_for_equal_other_logits(row: list[float]) -> None:
    x, y = torch.tensor([row], dtype=torch.float64), of_class(2, classes=5)
    equal = beside_ce("cpc(lambda_bdc=0)", torch.zeros_like(x), y)
    assert equal == pytest.approx(0.5 * 16 * math.log(2) / 12)
    assert beside_ce("cpc(lambda_bdc=0)", x, y) >= equal - 1e-9


def test_pairwise_constraints_need_three_classes() -> None:
    with pytest.raises(RequestError, match="'cpc' needs at least 3 classes, not 2"):
        build_loss("cpc", 2, np.array([0.5, 0.5]))


def test_class_weights_apply_to_the_cross_entropy_of_pairwise_constraints() -> None:
    prior = np.array([0.1, 0.2, 0.1, 0.3, 0.2, 0.1])
    weighted = value("cpc(class_weights=balanced)", logits(), hard(), prior)
    ce = value("ce(class_weights=balanced)", logits(), hard(), prior)
    assert weighted - ce == pytest.approx(beside_ce("cpc", logits(), hard()))
    assert ce > value("ce", logits(), hard(), UNIFORM)
