"""How losses are written: presets, sums, options, refusals, losses of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_losses import EVERY, TOLERANCE, UNIFORM, hard, logits

from ferc_core import registry
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.plugins.host import host
from ferc_models.losses import build_loss


def test_preset_is_the_objective_of_equation_14() -> None:
    preset = build_loss("maxent+mbls", 6, UNIFORM)(logits(), hard())
    written = build_loss("maxent + mbls(margin=10,weight=1,reduction=sum)", 6, UNIFORM)
    assert preset.item() == written(logits(), hard()).item()
    assert preset.item() == pytest.approx(4.067441764141584 + 2.25, abs=TOLERANCE["maxent"])


def test_terms_add_up_whatever_their_order() -> None:
    parts = [build_loss(e, 6, UNIFORM)(logits(), hard()) for e in ("ce", "focal(gamma=2)")]
    for expression in ("ce+focal(gamma=2)", "focal(gamma=2) + ce"):
        whole = build_loss(expression, 6, UNIFORM)(logits(), hard())
        assert whole.item() == pytest.approx(sum(parts).item())


@pytest.mark.parametrize("expression", [e for e in EVERY if e != "maxent+mbls"])
def test_every_loss_can_be_part_of_a_sum(expression: str) -> None:
    alone = build_loss(expression, 6, UNIFORM)(logits(), hard())
    if registry().losses[expression.partition("(")[0]].penalty:  # then there is ce beside it
        alone = alone - build_loss("ce", 6, UNIFORM)(logits(), hard())
    other = build_loss("focal(gamma=3)", 6, UNIFORM)(logits(), hard())
    for written in (f"{expression}+focal(gamma=3)", f"focal(gamma=3) + {expression}"):
        whole = build_loss(written, 6, UNIFORM)(logits(), hard())
        assert whole.item() == pytest.approx((alone + other).item(), abs=1e-12)


def test_penalties_alone_get_cross_entropy() -> None:
    for expression in ("mbls", "mbls(margin=3)"):
        alone = build_loss(expression, 6, UNIFORM)(logits(), hard())
        written = build_loss(f"ce+{expression}", 6, UNIFORM)(logits(), hard())
        assert alone.item() == written.item()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("focl", "unknown loss 'focl': did you mean 'focal'"),
        ("ce+mbsl", "unknown loss 'mbsl': did you mean 'mbls'"),
        ("mbls(margn=3)", "unknown option of 'mbls' 'margn': did you mean 'margin'"),
        ("mbls(num_classes=3)", "unknown option of 'mbls' 'num_classes'"),
        ("ce(gamma=2)", "unknown option of 'ce' 'gamma'"),
        ("mbls(margin=wide)", "option 'margin' must be a number of at least 0, not 'wide'"),
        ("mbls(weight=-1)", "option 'weight' must be a number of at least 0, not -1"),
        ("mbls(weight=nan)", "option 'weight' must be a number"),
        ("mbls(reduction=max)", "option 'reduction' must be mean or sum, not 'max'"),
        ("focal(gamma=0.5)", "option 'gamma' must be 0 or at least 1"),
        ("focal-adaptive(gamma=0.5)", "option 'gamma' must be 0 or at least 1"),
        ("inv-focal(gamma=-1)", "option 'gamma' must be a number of at least 0, not -1"),
        ("poly(epsilon=-2)", "option 'epsilon' must be a number of at least -1, not -2"),
        ("label-smoothing(alpha=1.5)", "option 'alpha' must be at most 1, not 1.5"),
        ("avuc(beta=much)", "option 'beta' must be a number of at least 0, not 'much'"),
        ("soft-avuc(temperature=0)", "option 'temperature' must be a number of at least 0.001"),
        ("soft-avuc(threshold=1)", "option 'threshold' must be between 0 and 1, not 1"),
        ("cpc(lambda_bec=-1)", "option 'lambda_bec' must be a number of at least 0, not -1"),
        ("cals-alm(penalty=relu)", "option 'penalty' must be phr or p2 or p3, not 'relu'"),
        ("cals-alm(margin=0)", "option 'margin' must be a number of at least 0.001, not 0"),
        ("cals-alm(rho_step=0)", "option 'rho_step' must be a number of at least 1, not 0"),
        ("cals-alm(rho_step=1.5)", "option 'rho_step' must be a whole number, not 1.5"),
        ("ce(class_weights=true)", "option 'class_weights' must be none or balanced"),
        ("ce++mbls", "a term is missing"),
        ("mbls(margin=3", "parentheses"),
    ],
)
def test_a_wrong_expression_is_refused_in_one_sentence(expression: str, message: str) -> None:
    with pytest.raises(RequestError, match=message.replace("(", r"\(")):
        build_loss(expression, 6, UNIFORM)


def test_an_unknown_loss_is_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError):
        build_loss("nothing-like-it", 6, UNIFORM)


@pytest.fixture
def single_file_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A plugin with a penalty that takes any options."""
    file = tmp_path / "squares.py"
    file.write_text(
        "from ferc_core import Loss, hookimpl\n"
        "def squares(num_classes, class_prior, **options):\n"
        "    return lambda logits, targets: options['weight'] * logits.square().mean()\n"
        "@hookimpl\n"
        "def register_losses(register):\n"
        "    register(Loss('squares', squares, penalty=True))\n"
    )
    monkeypatch.setenv("FERC_PLUGIN_FILES", str(file))
    host.cache_clear()
    yield
    monkeypatch.undo()
    host.cache_clear()


@pytest.mark.usefixtures("single_file_plugin")
def test_a_plugin_loss_is_added_like_our_own() -> None:
    with_plugin = build_loss("squares(weight=2)", 6, UNIFORM)(logits(), hard())
    without = build_loss("ce", 6, UNIFORM)(logits(), hard())
    assert (with_plugin - without).item() == pytest.approx(2 * logits().square().mean().item())
