"""Losses: values and gradients of the reference, and laws that hold for all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.losses import (
    BY_CLASS,
    EVERY,
    HARD,
    LABELS,
    MAXENT,
    MAXENT_ROUNDING,
    SOFT,
    UNIFORM,
    beside_ce,
    gradient,
    hard,
    logits,
    targets_of,
    value,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_models.losses import build_loss

CLASS_WEIGHTS = np.array([1.0, 2.0, 1.5, 3.0, 1.2, 2.5])
# ../shared/golden/golden.json, "losses"
GOLDEN = {  # expression: targets: value, sum of absolute gradients
    "ce": {
        "hard": (3.661221022791114, 1.5907784524100903),
        "hard_weighted": (6.9162887201357295, 2.952206015971681),
        "soft": (3.9949710227911135, 1.2935553685399936),
    },
    "focal": {
        "hard": (3.457152009542112, 1.630165021400957),
        "hard_weighted": (6.5350143878536056, 3.0822106275285845),
        "soft": (3.8094777016457777, 1.323094291128026),
    },
    "focal(gamma=2)": {
        "hard": (3.319463363840772, 1.6083526748262886),
        "hard_weighted": (6.260193196777231, 3.0700890108113006),
        "soft": (3.6787991396785142, 1.3167986754732572),
    },
    "focal(gamma=3)": {
        "hard": (3.2192886744798086, 1.5731039316600501),
        "hard_weighted": (6.0536473858255615, 2.9966079475638687),
        "soft": (3.5798915730397316, 1.3320232672016656),
    },
    "maxent": {
        "hard": (MAXENT, 1.644045453415947),
        "hard_weighted": (7.145304142453078, 3.093524183963858),
        "soft": (4.41976745624525, 1.5153559419776859),
    },
    "inv-focal": {
        "hard": (3.8652900360401166, 1.5513918834192237),
        "hard_weighted": (7.297563052417855, 2.8222014044147783),
        "soft": (4.180464343936451, 1.2662401233522957),
    },
    "inv-focal(gamma=2)": {
        "hard": (4.13573941683678, 1.450806398862823),
        "hard_weighted": (7.785290525905728, 2.550070564583688),
        "soft": (4.420772424259858, 1.199577320891678),
    },
    # the reference counts K - 1 = 5 too much and has no weights in the second term
    "poly": {
        "hard": (9.45661024899616 - 5, 1.8267691748219046),
        "soft": (9.801743481134645 - 5, 1.4504094838438024),
    },
}
FIRST_ROW = {  # gradient of the first sample, hard targets without weights
    "ce": (
        -0.11546242633740772,
        0.006698231377986014,
        0.03001939035731539,
        0.018207680637593572,
        0.011043516548956571,
        0.04949360741555621,
    ),
    "focal": (
        -0.0918269203083042,
        0.00532708326391397,
        0.023874330840664062,
        0.014480513634985646,
        0.008782875488005626,
        0.039362117080734914,
    ),
    "maxent": (
        0.008214306439767364,
        0.008193581467298884,
        0.024664227211651076,
        0.006081060560557074,
        -0.0026464053016515264,
        -0.04450677037762284,
    ),
    "inv-focal": (
        -0.13909793236651125,
        0.008069379492058057,
        0.03616444987396672,
        0.0219348476402015,
        0.013304157609907516,
        0.059625097750377505,
    ),
    "inv-focal(gamma=2)": (
        -0.15473376608397754,
        0.00897644887687466,
        0.04022965282193756,
        0.024400517866099994,
        0.014799662198655528,
        0.06632748432040989,
    ),
    "poly": (
        -0.17759856509193023,
        0.010302886567685535,
        0.046174334123329115,
        0.028006149337614375,
        0.016986588233753777,
        0.07612860682954747,
    ),
}

PENALTIES = ("mbls", "cals-alm")


def with_option(expression: str, option: str) -> str:
    return f"{expression[:-1]},{option})" if "(" in expression else f"{expression}({option})"


@pytest.mark.parametrize("expression", GOLDEN)
def test_values_and_gradients_match_the_reference(expression: str) -> None:
    tolerance = MAXENT_ROUNDING if expression == "maxent" else 1e-12
    for kind, (expected, gradients) in GOLDEN[expression].items():
        prior, text = UNIFORM, expression
        if kind == "hard_weighted":  # classes this frequent have just the weights of the reference
            prior = (1 / CLASS_WEIGHTS) / (1 / CLASS_WEIGHTS).sum()
            text = with_option(expression, "class_weights=balanced")
        x = logits()
        loss = build_loss(text, 6, prior)(x, targets_of(kind))
        loss.backward()
        assert x.grad is not None
        assert loss.item() == pytest.approx(expected, abs=tolerance), kind
        assert x.grad.abs().sum().item() == pytest.approx(gradients, abs=tolerance), kind
        if kind == "hard" and expression in FIRST_ROW:
            np.testing.assert_allclose(x.grad[0], FIRST_ROW[expression], atol=tolerance)


def test_margin_penalty_matches_the_reference() -> None:
    for options, expected in (
        ("margin=8,weight=1,reduction=sum", 5.375),
        ("margin=8,weight=1,reduction=mean", 0.8958333333333334),
        ("margin=10,weight=1,reduction=sum", 2.25),
        ("weight=0.1", 0.0375),
    ):
        found = beside_ce(f"ce+mbls({options})", logits(), hard())
        assert found == pytest.approx(expected, abs=1e-12), options


def test_margin_penalty_pulls_the_largest_logit_down_and_distant_ones_up() -> None:
    no_target = torch.zeros(4, 6, dtype=torch.float64)  # for which cross-entropy is 0
    found = gradient("mbls(margin=8,weight=1,reduction=sum)", logits(), no_target)
    assert found[2].tolist() == [-0.25, -0.25, -0.25, 1.25, -0.25, -0.25]
    assert found[3].tolist() == [0.5, -0.25, 0.0, 0.0, 0.0, -0.25]
    assert found[:2].abs().sum() == 0  # all within the margin


def test_maxent_multiplier_is_one_clamped_newton_step() -> None:
    means = (1.6520086291160192, 2.394526988921616, 2.9999076706614973, 0.23872719507296278)
    multipliers = (0.20735348928555297, 0.03841866904029041, 0.0, 1.0)
    for row, (mean, multiplier) in enumerate(zip(means, multipliers, strict=True)):
        x, y = logits()[row : row + 1], hard()[row : row + 1]
        penalty = value("maxent", x, y) - value("focal", x, y)
        assert penalty == pytest.approx(multiplier * abs(mean - 2.5), abs=1e-9)


def test_maxent_of_a_fixed_strength_pushes_from_both_sides() -> None:
    y = F.one_hot(torch.tensor([0, 5]), 6).double()
    x = 3 * y  # as far below the middle of the indices as above it

    def penalties(expression: str) -> list[float]:
        rows = [(x[i : i + 1], y[i : i + 1]) for i in (0, 1)]
        return [value(expression, *row) - value("focal", *row) for row in rows]

    below, above = penalties("maxent")
    assert below > 0.1
    assert above == 0
    below, above = penalties("maxent(strength=0.5)")
    assert below == pytest.approx(above)
    assert below > 0.1


def test_the_helpers_list_every_loss() -> None:
    assert {e.partition("(")[0] for e in EVERY} == set(registry().losses)


@pytest.mark.parametrize("expression", EVERY)
def test_gradients_agree_with_finite_differences(expression: str) -> None:
    loss = build_loss(expression, 6, UNIFORM)
    targets = torch.rand(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets = targets / targets.sum(dim=1, keepdim=True)
    if expression in HARD:
        targets = F.one_hot(targets.argmax(dim=1), 6).double()
    x = 6 * torch.randn(5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), x.requires_grad_(True))


@pytest.mark.parametrize("expression", EVERY)
def test_hostile_batches_have_finite_losses_and_gradients(expression: str) -> None:
    """Logits of 1e4 and equal ones, a single image, two classes."""
    rows = [[1e4, -1e4, 0, 0, 0, 0], [-1e4] * 5 + [1e4], [1e4] * 6, [0.0] * 6, [-1e4, 1e4] * 3]
    for label in (0, 2, 5):
        y = torch.eye(6)[[label] * len(rows)]
        assert torch.isfinite(gradient(expression, torch.tensor(rows), y)).all()
        for row in ([2.0, -1, 0.5, 0, -0.5, 1], rows[0], rows[3]):
            assert torch.isfinite(gradient(expression, torch.tensor([row]), y[:1])).all()
    if not any(word in expression for word in ("both", "cpc")):  # which need three classes
        x = torch.tensor([[2.0, -1.0], [1e4, -1e4], [0.0, 0.5]])
        assert gradient(expression, x, torch.eye(2)[[0, 1, 1]]).abs().sum() > 0


def test_half_precision_logits_are_computed_in_float32() -> None:
    half = logits(torch.bfloat16).detach()
    for expression in EVERY:
        loss = build_loss(expression, 6, UNIFORM)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = loss(half, hard())
        assert mixed.dtype == torch.float32, expression
        assert mixed.item() == loss(half.float(), hard()).item(), expression


@given(
    st.sampled_from(EVERY),
    st.lists(st.floats(-50, 50), min_size=4, max_size=4),
    st.floats(-1000, 1000),
)
@settings(max_examples=100, deadline=None)
def test_a_shift_of_all_logits_changes_no_loss(
    expression: str, row: list[float], shift: float
) -> None:
    x = torch.tensor([row, [1.0, 0, 0, 3]], dtype=torch.float64)
    y = F.one_hot(torch.tensor([0, 2]), 4).double()
    if (x.sort(dim=1).values.diff(dim=1) < 1e-9).any(dim=1)[0]:
        x[0] = torch.arange(4)  # rounding would decide which of equal logits is the largest
    found = value(expression, x + shift, y)
    assert found == pytest.approx(value(expression, x, y), rel=1e-7, abs=1e-7)


def test_hard_targets_give_the_usual_cross_entropy_and_focal_loss() -> None:
    x, labels = logits(), torch.tensor(LABELS)
    usual = F.cross_entropy(x, labels).item()
    assert value("ce", x, hard()) == pytest.approx(usual, abs=1e-12)
    p = torch.softmax(x, dim=1).gather(1, labels[:, None])
    focal = -((1 - p) ** 2 * p.log()).mean().item()
    assert value("focal(gamma=2)", x, hard()) == pytest.approx(focal, abs=1e-12)


def test_label_smoothing_is_that_of_torch() -> None:
    x = logits()
    for alpha, kind in ((0.1, "hard"), (0.3, "soft"), (1.0, "hard")):
        usual = F.cross_entropy(x, targets_of(kind), label_smoothing=alpha).item()
        found = value(f"label-smoothing(alpha={alpha})", x, targets_of(kind))
        assert found == pytest.approx(usual, abs=1e-12)
    assert value("label-smoothing", x, hard()) == pytest.approx(3.7724710227911142, abs=1e-12)


def test_soft_targets_mix_the_losses_of_hard_ones() -> None:
    other = hard().roll(1, dims=1)
    for expression in BY_CLASS:
        mixed = value(expression, logits(), 0.3 * hard() + 0.7 * other)
        parts = value(expression, logits(), hard()), value(expression, logits(), other)
        assert mixed == pytest.approx(0.3 * parts[0] + 0.7 * parts[1], abs=1e-12), expression


def test_nearly_hard_targets_cost_nearly_the_same() -> None:
    nearly = (1 - 1e-9) * hard() + 1e-9 / 6
    for expression in SOFT:
        found = value(expression, logits(), nearly)
        assert found == pytest.approx(value(expression, logits(), hard()), abs=1e-6), expression


def test_some_losses_refuse_soft_targets() -> None:
    for expression in HARD:
        name = expression.partition("(")[0]
        for targets in (targets_of("soft"), hard() + hard().roll(1, dims=1), 0 * hard()):
            with pytest.raises(RequestError, match=f"loss '{name}' needs hard targets.* 'ce'"):
                value(expression, logits(), targets)


def test_class_weights_apply_to_uneven_classes_only() -> None:
    uneven = np.array([0.05, 0.05, 0.1, 0.3, 0.2, 0.3])
    for expression in EVERY:
        if expression.startswith(PENALTIES) or expression == "maxent+mbls":
            continue
        weighted = with_option(expression, "class_weights=balanced")
        plain = value(expression, logits(), hard())
        assert value(weighted, logits(), hard()) == plain, expression
        assert value(weighted, logits(), hard(), uneven) > plain + 0.1, expression


def test_a_class_without_images_has_a_finite_weight() -> None:
    even = torch.full((1, 3), 1 / 3)
    found = value("ce(class_weights=balanced)", torch.zeros(1, 3), even, np.array([0.8, 0.2, 0.0]))
    assert found == pytest.approx(np.log(3) * (1 + 4 + 4) / 3)


def test_a_confidently_wrong_sample_still_has_a_gradient() -> None:
    x = torch.tensor([[40.0, -40.0]])  # p of the target is below float32's 1
    assert gradient("focal", x, torch.tensor([[0.0, 1.0]]))[0, 1] < -0.9
