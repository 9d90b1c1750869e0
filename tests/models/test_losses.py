"""Losses: values and gradients of the reference, laws, and expressions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_models.losses import build_loss

UNIFORM = np.full(6, 1 / 6)

# ../shared/golden/golden.json, "losses": made with the reference's functions
LOGITS = (
    (2.0, -1.0, 0.5, 0.0, -0.5, 1.0),
    (0.1, 0.2, -0.3, 0.4, 0.0, -0.2),
    (-1.0, 3.0, 0.0, 12.5, 1.0, 2.0),
    (5.0, -6.0, 1.0, 0.0, 2.0, -4.0),
)
LABELS = (0, 3, 1, 4)
CLASS_WEIGHTS = np.array([1.0, 2.0, 1.5, 3.0, 1.2, 2.5])
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
        "hard": (4.067441764141584, 1.644045453415947),
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
# the reference's MaxEnt rounds to float32 on its way; the rest agrees to 1e-12
TOLERANCE = {"maxent": 2e-7}
# sums over the classes of target share times cost
BY_CLASS = ["ce", "focal", "focal(gamma=2)", "inv-focal", "poly", "label-smoothing"]
SOFT = [
    *BY_CLASS,
    "avuc",
    "soft-avuc",
    "soft-avuc(temperature=1,threshold=0.5)",
    "maxent",
    "maxent(strength=0.5)",
    "maxent(strength=dual,constraint=both,target=global+local)",
    "maxent+mbls",
    "mbls",
    "cals-alm",
    "cals-alm(penalty=p2,margin=1)",
    "cals-alm(penalty=p3,margin=1)",
]
HARD = ["focal-adaptive", "cpc", "cpc(lambda_bdc=0.1)"]  # these refuse soft targets
EVERY = SOFT + HARD


def logits(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(LOGITS, dtype=dtype, requires_grad=True)


def hard() -> Tensor:
    return F.one_hot(torch.tensor(LABELS), 6).double()


def targets_of(kind: str) -> Tensor:
    return 0.7 * hard() + 0.3 / 6 if kind == "soft" else hard()


def with_option(expression: str, option: str) -> str:
    return f"{expression[:-1]},{option})" if "(" in expression else f"{expression}({option})"


@pytest.mark.parametrize(("expression", "kind"), [(e, kind) for e in GOLDEN for kind in GOLDEN[e]])
def test_values_and_gradients_are_those_of_the_reference(expression: str, kind: str) -> None:
    value, gradients = GOLDEN[expression][kind]
    tolerance = TOLERANCE.get(expression, 1e-12)
    prior = UNIFORM
    if kind == "hard_weighted":  # classes this frequent have just the weights of the reference
        prior = (1 / CLASS_WEIGHTS) / (1 / CLASS_WEIGHTS).sum()
        expression = with_option(expression, "class_weights=balanced")
    x = logits()
    loss = build_loss(expression, 6, prior)(x, targets_of(kind))
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=tolerance)
    assert x.grad is not None
    assert x.grad.abs().sum().item() == pytest.approx(gradients, abs=tolerance)


@pytest.mark.parametrize("expression", FIRST_ROW)
def test_gradient_of_a_sample_is_that_of_the_reference(expression: str) -> None:
    x = logits()
    build_loss(expression, 6, UNIFORM)(x, hard()).backward()
    assert x.grad is not None
    np.testing.assert_allclose(
        x.grad[0].numpy(), FIRST_ROW[expression], atol=TOLERANCE.get(expression, 1e-12)
    )


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ("margin=8,weight=1,reduction=sum", 5.375),
        ("margin=8,weight=1,reduction=mean", 0.8958333333333334),
        ("margin=10,weight=1,reduction=sum", 2.25),
        ("margin=10,weight=1", 0.375),
        ("weight=0.1", 0.0375),
    ],
)
def test_margin_penalty_is_that_of_the_reference(options: str, value: float) -> None:
    both = build_loss(f"ce+mbls({options})", 6, UNIFORM)(logits(), hard())
    alone = build_loss("ce", 6, UNIFORM)(logits(), hard())
    assert (both - alone).item() == pytest.approx(value, abs=1e-12)


def test_margin_penalty_pulls_the_largest_logit_down_and_the_distant_ones_up() -> None:
    x, y = logits(), torch.zeros(4, 6, dtype=torch.float64)  # no target: ce is silent
    build_loss("mbls(margin=8,weight=1,reduction=sum)", 6, UNIFORM)(x, y).backward()
    assert x.grad is not None
    assert x.grad[2].tolist() == [-0.25, -0.25, -0.25, 1.25, -0.25, -0.25]
    assert x.grad[3].tolist() == [0.5, -0.25, 0.0, 0.0, 0.0, -0.25]
    assert x.grad[:2].abs().sum() == 0  # all within the margin


def test_maxent_multiplier_is_one_clamped_newton_step() -> None:
    expected = (1.6520086291160192, 2.394526988921616, 2.9999076706614973, 0.23872719507296278)
    multipliers = (0.20735348928555297, 0.03841866904029041, 0.0, 1.0)
    for row, (mean, multiplier) in enumerate(zip(expected, multipliers, strict=True)):
        x, y = logits()[row : row + 1], hard()[row : row + 1]
        penalty = build_loss("maxent", 6, UNIFORM)(x, y) - build_loss("focal", 6, UNIFORM)(x, y)
        assert penalty.item() == pytest.approx(multiplier * abs(mean - 2.5), abs=1e-9)


def test_maxent_of_a_fixed_strength_pushes_from_both_sides() -> None:
    y = F.one_hot(torch.tensor([0, 5]), 6).double()
    x = 3 * y  # as far below the middle of the indices as above it
    one_sided, two_sided = (
        [
            (build_loss(e, 6, UNIFORM)(x[i : i + 1], y[i : i + 1])).item()
            - build_loss("focal", 6, UNIFORM)(x[i : i + 1], y[i : i + 1]).item()
            for i in (0, 1)
        ]
        for e in ("maxent", "maxent(strength=0.5)")
    )
    assert one_sided[0] > 0.1
    assert one_sided[1] == 0
    assert two_sided[0] == pytest.approx(two_sided[1])
    assert two_sided[0] > 0.1


@pytest.mark.parametrize("expression", EVERY)
def test_gradients_agree_with_finite_differences(expression: str) -> None:
    loss = build_loss(expression, 6, UNIFORM)
    targets = torch.rand(5, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets = targets / targets.sum(dim=1, keepdim=True)
    if expression in HARD:
        targets = F.one_hot(targets.argmax(dim=1), 6).double()
    x = 6 * torch.randn(5, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), x.requires_grad_(True))


def test_these_tests_know_every_loss() -> None:
    assert {e.partition("(")[0] for e in EVERY} == set(registry().losses)


def test_one_hot_targets_give_the_usual_cross_entropy_and_focal_loss() -> None:
    x, labels = logits(), torch.tensor(LABELS)
    usual = F.cross_entropy(x, labels)
    assert build_loss("ce", 6, UNIFORM)(x, hard()).item() == pytest.approx(usual.item(), abs=1e-12)
    p = torch.softmax(x, dim=1).gather(1, labels[:, None])
    focal = -((1 - p) ** 2 * p.log()).mean()
    ours = build_loss("focal(gamma=2)", 6, UNIFORM)(x, hard())
    assert ours.item() == pytest.approx(focal.item(), abs=1e-12)


def test_label_smoothing_is_that_of_torch() -> None:
    x = logits()
    for alpha, kind in ((0.1, "hard"), (0.3, "soft"), (0.0, "soft"), (1.0, "hard")):
        usual = F.cross_entropy(x, targets_of(kind), label_smoothing=alpha)
        ours = build_loss(f"label-smoothing(alpha={alpha})", 6, UNIFORM)(x, targets_of(kind))
        assert ours.item() == pytest.approx(usual.item(), abs=1e-12)
    ours = build_loss("label-smoothing", 6, UNIFORM)(x, hard())
    assert ours.item() == pytest.approx(3.7724710227911142, abs=1e-12)  # golden.json


@pytest.mark.parametrize("expression", BY_CLASS)
def test_mixed_targets_cost_the_mixed_losses(expression: str) -> None:
    loss, other = build_loss(expression, 6, UNIFORM), hard().roll(1, dims=1)
    mixed = loss(logits(), 0.3 * hard() + 0.7 * other)
    parts = 0.3 * loss(logits(), hard()) + 0.7 * loss(logits(), other)
    assert mixed.item() == pytest.approx(parts.item(), abs=1e-12)


@pytest.mark.parametrize("expression", SOFT)
def test_soft_targets_that_are_nearly_hard_cost_nearly_the_same(expression: str) -> None:
    loss = build_loss(expression, 6, UNIFORM)
    nearly = (1 - 1e-9) * hard() + 1e-9 / 6
    assert loss(logits(), nearly).item() == pytest.approx(loss(logits(), hard()).item(), abs=1e-6)


@pytest.mark.parametrize("expression", HARD)
def test_soft_targets_are_refused_where_they_make_no_sense(expression: str) -> None:
    loss, name = build_loss(expression, 6, UNIFORM), expression.partition("(")[0]
    for targets in (targets_of("soft"), hard() + hard().roll(1, dims=1), 0 * hard()):
        with pytest.raises(RequestError, match=f"loss '{name}' needs hard targets"):
            loss(logits(), targets)


@pytest.mark.parametrize("expression", [e for e in EVERY if e[:4] not in ("mbls", "cals")])
def test_balanced_weights_of_even_classes_are_none(expression: str) -> None:
    if expression == "maxent+mbls":  # a preset without options
        expression = "maxent"
    none, balanced = (
        build_loss(with_option(expression, f"class_weights={word}"), 6, UNIFORM)(logits(), hard())
        for word in ("none", "balanced")
    )
    assert none.item() == balanced.item()
    uneven = np.array([0.05, 0.05, 0.1, 0.3, 0.2, 0.3])
    weighted = build_loss(with_option(expression, "class_weights=balanced"), 6, uneven)
    assert weighted(logits(), hard()).item() > none.item() + 0.1


@pytest.mark.parametrize("expression", EVERY)
@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4), st.floats(-1000, 1000))
@settings(max_examples=20, deadline=None)
def test_a_shift_of_all_logits_changes_no_loss(
    expression: str, row: list[float], shift: float
) -> None:
    loss = build_loss(expression, 4, np.full(4, 0.25))
    x = torch.tensor([row, [1.0, 0, 0, 3]], dtype=torch.float64)
    y = F.one_hot(torch.tensor([0, 2]), 4).double()
    if (x.sort(dim=1).values.diff(dim=1) < 1e-9).any(dim=1)[0]:
        x[0] = torch.arange(4)  # rounding would decide which of equal logits is the largest
    assert loss(x + shift, y).item() == pytest.approx(loss(x, y).item(), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("expression", EVERY)
@pytest.mark.parametrize("label", [0, 2, 5])
def test_extreme_logits_have_a_finite_loss_and_gradient(expression: str, label: int) -> None:
    rows = [[1e4, -1e4, 0, 0, 0, 0], [-1e4] * 5 + [1e4], [1e4] * 6, [0.0] * 6, [-1e4, 1e4] * 3]
    x = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
    y = F.one_hot(torch.full((len(rows),), label), 6).float()
    loss = build_loss(expression, 6, UNIFORM)(x, y)
    loss.backward()
    assert x.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("expression", EVERY)
def test_a_batch_of_one_image_has_a_finite_loss_and_gradient(expression: str) -> None:
    loss = build_loss(expression, 6, UNIFORM)
    for row in ([2.0, -1, 0.5, 0, -0.5, 1], [1e4, -1e4, 0, 0, 0, 0], [0.0] * 6):
        for y in torch.eye(6)[[0, 1, 5]]:
            x = torch.tensor([row], requires_grad=True)
            loss(x, y[None]).backward()
            assert x.grad is not None
            assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("expression", [e for e in SOFT if "both" not in e] + ["focal-adaptive"])
def test_two_classes_are_enough(expression: str) -> None:
    x = torch.tensor([[2.0, -1.0], [1e4, -1e4], [0.0, 0.5]], requires_grad=True)
    loss = build_loss(expression, 2, np.array([0.5, 0.5]))(x, torch.eye(2)[[0, 1, 1]])
    loss.backward()
    assert x.grad is not None
    assert torch.isfinite(loss)
    assert x.grad.abs().sum() > 0


def test_a_confidently_wrong_sample_still_learns() -> None:
    x = torch.tensor([[40.0, -40.0]], requires_grad=True)  # p of the target is below float32's 1
    build_loss("focal", 2, np.array([0.5, 0.5]))(x, torch.tensor([[0.0, 1.0]])).backward()
    assert x.grad is not None
    assert x.grad[0, 1] < -0.9


@pytest.mark.parametrize("expression", EVERY)
def test_half_precision_logits_are_computed_in_float32(expression: str) -> None:
    loss = build_loss(expression, 6, UNIFORM)
    half = logits(torch.bfloat16).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = loss(half, hard())
    assert mixed.dtype == torch.float32
    assert mixed.item() == loss(half.float(), hard()).item()


def test_balanced_weights_stay_finite_for_a_class_without_images() -> None:
    loss = build_loss("ce(class_weights=balanced)", 3, np.array([0.8, 0.2, 0.0]))
    x, even = torch.zeros(1, 3), torch.full((1, 3), 1 / 3)
    assert loss(x, even).item() == pytest.approx(np.log(3) * (1 + 4 + 4) / 3)
