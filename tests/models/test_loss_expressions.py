"""How objectives are written: presets, sums, options, refusals, losses of plugins."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from helpers.losses import (
    EVERY,
    MAXENT,
    MAXENT_ROUNDING,
    UNIFORM,
    beside_ce,
    hard,
    logits,
    value,
)

from ferc_core import registry
from ferc_core.errors import PluginError, RequestError
from ferc_core.plugins import host
from ferc_core.plugins.objective import canonical
from ferc_models.losses import build_loss


def cost(expression: str) -> float:
    return value(expression, logits(), hard())


def test_preset_is_the_objective_of_equation_14() -> None:
    preset = cost("maxent+mbls")
    assert preset == pytest.approx(MAXENT + 2.25, abs=MAXENT_ROUNDING)
    assert preset == cost("maxent + mbls(margin=10,weight=1,reduction=sum)")
    entry = registry().losses["maxent+mbls"](6, UNIFORM)
    assert entry(logits(), hard()).item() == preset


def test_preset_has_an_alias_and_keeps_its_weights_in_larger_sums() -> None:
    for text in ("maxent + mbls", "mbls+maxent", "ferc", " ferc "):
        assert cost(text) == cost("maxent+mbls"), text
        assert canonical(text) == "maxent+mbls"
    larger = cost("focal+maxent+mbls(margin=10,weight=1,reduction=sum)")
    for text in ("maxent+mbls+focal", "focal+ferc", "mbls+focal+maxent"):
        assert cost(text) == pytest.approx(larger, abs=1e-12), text
    with_options = cost("maxent(gamma=2)+mbls")  # no longer the preset: mbls has its own weight
    assert with_options == pytest.approx(cost("maxent(gamma=2)") + 0.0375, abs=1e-12)


def test_sums_give_the_same_bits_in_every_order() -> None:
    terms = ("ce", "focal(gamma=2)", "mbls(margin=3)", "poly")
    assert len({cost("+".join(order)) for order in permutations(terms)}) == 1
    assert len({canonical("+".join(order)) for order in permutations(terms)}) == 1


def test_every_loss_adds_up_with_another() -> None:
    other = cost("focal(gamma=3)")
    for expression in EVERY:
        name = expression.partition("(")[0]
        alone = cost(expression)
        if registry().losses[name].penalty:  # which has cross-entropy beside it
            alone = beside_ce(expression, logits(), hard())
        whole = cost(f"{expression}+focal(gamma=3)")
        assert whole == pytest.approx(alone + other, abs=1e-12), expression


def test_penalties_alone_get_cross_entropy() -> None:
    for expression in ("mbls", "mbls(margin=3)", "mbls+cals-alm"):
        assert cost(expression) == cost(f"ce+{expression}")


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("focl", "unknown loss 'focl': did you mean 'focal'"),
        ("ce+mbsl", "unknown loss 'mbsl': did you mean 'mbls'"),
        ("mbls(margn=3)", "unknown option of 'mbls' 'margn': did you mean 'margin'"),
        ("mbls(margin=wide)", "option 'margin' of 'mbls' must be a number, not 'wide'"),
        ("mbls(weight=-1)", "option 'weight' must be a number of at least 0, not -1"),
        ("mbls(weight=nan)", "option 'weight' must be a number"),
        ("mbls(reduction=max)", "option 'reduction' must be mean or sum, not 'max'"),
        ("focal(gamma=0.5)", "option 'gamma' must be 0 or at least 1"),
        ("poly(epsilon=-2)", "option 'epsilon' must be a number of at least -1, not -2"),
        ("label-smoothing(alpha=1.5)", "option 'alpha' must be at most 1, not 1.5"),
        ("soft-avuc(temperature=0)", "option 'temperature' must be a number of at least 0.001"),
        ("soft-avuc(threshold=1)", "option 'threshold' must be between 0 and 1, not 1"),
        ("cals-alm(penalty=relu)", "option 'penalty' must be phr or p2 or p3, not 'relu'"),
        ("cals-alm(rho_step=1.5)", "option 'rho_step' of 'cals-alm' must be a whole number"),
        ("ce(class_weights=true)", "option 'class_weights' must be none or balanced"),
        ("ce++mbls", "a term is missing"),
    ],
)
def test_a_wrong_expression_is_refused(expression: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        build_loss(expression, 6, UNIFORM)


PLUGIN = """
from ferc_core import Loss, hookimpl

def squares(num_classes, class_prior, **options):
    return lambda logits, targets: options["weight"] * logits.square().mean()

def broken(num_classes, class_prior):
    raise ZeroDivisionError("oh no")

def number(num_classes, class_prior):
    return 3.0

@hookimpl
def register_losses(register):
    register(Loss("squares", squares, penalty=True))
    register(Loss("broken", broken))
    register(Loss("number", number))
"""


@pytest.fixture
def _plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "losses.py"
    file.write_text(PLUGIN)
    monkeypatch.setattr(host, "_host", host.Host((file,)))


@pytest.mark.usefixtures("_plugin")
def test_a_plugin_loss_is_added_like_a_built_in_one() -> None:
    expected = 2 * logits().square().mean().item()
    assert beside_ce("squares(weight=2)", logits(), hard()) == pytest.approx(expected)


@pytest.mark.usefixtures("_plugin")
def test_a_plugin_loss_that_cannot_be_built_is_named() -> None:
    with pytest.raises(PluginError, match="'broken' cannot be built: ZeroDivisionError: oh no"):
        build_loss("ce+broken", 6, UNIFORM)
    with pytest.raises(PluginError, match="'number' is a float, which cannot be called"):
        build_loss("number", 6, UNIFORM)
