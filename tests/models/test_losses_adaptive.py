"""Class-adaptive label smoothing: penalties, how the multipliers adapt, and resuming."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.colours import fit, saved, stop_after, task
from helpers.losses import beside_ce, hard, logits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor

from ferc_models.losses import build_loss
from ferc_models.losses.adaptive import PENALTIES, ClassAdaptive, cals_alm
from ferc_models.saved.state import FILE
from ferc_models.saved.tensors import read_tensors

pytestmark = pytest.mark.usefixtures("one_thread")

# ../shared/golden/golden.json, "alm": made with the authors' functions, in float32
H = (-2.0, -0.5, 0.0, 0.5, 2.0)
MULTIPLIER = (9.999999974752427e-07, 0.10000000149011612, 0.5, 1.0, 0.20000000298023224)
GOLDEN = {  # penalty: values, slopes
    "phr": (
        (-4.999999980020986e-13, -0.005000000353902578, 0.0, 0.625, 2.4000000953674316),
        (0.0, 0.0, 0.5, 1.5, 2.200000047683716),
    ),
    "p2": (
        (
            -6.666666649834951e-07,
            -0.03333333507180214,
            0.0,
            0.7708333134651184,
            2.5333333015441895,
        ),
        (1.1111111319905831e-07, 0.04444444552063942, 0.5, 2.125, 3.0),
    ),
    "p3": (
        (-6.666666649834951e-07, -0.03333333507180214, 0.0, 0.75, 1.2000000476837158),
        (1.1111111319905831e-07, 0.04444444552063942, 0.5, 2.0, 1.0),
    ),
}
THREE = np.full(3, 1 / 3)
NO_TARGETS = torch.zeros(1, 3)


def adaptive(**options: str | float) -> ClassAdaptive:
    return cals_alm(3, THREE, **options)  # type: ignore[arg-type]


def excess(*h: float, margin: float = 10) -> Tensor:
    """Logits of one image whose h are these; the first must be that of the largest, -1."""
    return torch.tensor([[-margin * (1 + value) for value in h]])


@pytest.mark.parametrize("penalty", GOLDEN)
def test_penalties_and_their_slopes_match_the_reference(penalty: str) -> None:
    h = torch.tensor(H, requires_grad=True)
    values = PENALTIES[penalty](h, torch.tensor(MULTIPLIER), torch.ones(5))
    values.sum().backward()
    assert h.grad is not None
    np.testing.assert_allclose(values.detach().numpy(), GOLDEN[penalty][0], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(h.grad.numpy(), GOLDEN[penalty][1], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("penalty", ["p2", "p3"])
def test_the_pole_of_the_other_branch_leaves_the_gradient_finite(penalty: str) -> None:
    h = torch.tensor([1.0, 0.5], requires_grad=True)
    PENALTIES[penalty](h, torch.ones(2), torch.tensor([1.0, 2.0])).sum().backward()  # rho h = 1
    assert h.grad is not None
    assert torch.isfinite(h.grad).all()


def test_the_loss_is_cross_entropy_and_the_mean_penalty() -> None:
    """At the start, lambda = 1e-6 and rho = 1, only the squares of positive h matter."""
    x = logits().detach()
    h = (x.amax(dim=1, keepdim=True) - x - 2) / 2
    squares = h.clamp_min(0).square().mean() / 2
    assert beside_ce("cals-alm(margin=2)", x, hard()) == pytest.approx(squares.item(), rel=1e-5)


def test_multipliers_become_the_mean_slopes() -> None:
    module = adaptive()
    x = torch.cat([excess(-1, 0.5, 2), excess(-1, 1.5, -0.5)])
    module.after_epoch(x, NO_TARGETS)  # slope of phr: max(0, lambda + rho h), clamped from below
    np.testing.assert_allclose(module.multiplier, [1e-6, 1 + 1e-6, 1 + 1e-6], rtol=1e-6)
    module.after_epoch(x, NO_TARGETS)
    np.testing.assert_allclose(module.multiplier, [1e-6, 2, (3 + 0.5) / 2], rtol=1e-5)


def test_rho_grows_where_the_excess_does_not_shrink() -> None:
    module = adaptive(rho_step=2)
    for h, rho in (
        ((-1, 1.0, 1.0), (1, 1, 1)),  # not the second epoch
        ((-1, 1.0, 0.8), (1, 1.2, 1)),  # the second has not come down, the third has
        ((-1, 2.0, 0.1), (1, 1.2, 1)),
        ((-1, 1.7, 0.2), (1, 1.2, 1.2)),  # compared with the previous epoch
        ((-1, 1.0, -0.5), (1, 1.2, 1.2)),
        ((-1, 1.0, 0.1), (1, 1.44, 1.44)),  # above 0 where it was below
    ):
        module.after_epoch(excess(*h), NO_TARGETS)
        np.testing.assert_allclose(module.rho, rho, rtol=1e-6)
    assert module.epochs.item() == 6


def test_rho_stays_in_the_first_epoch_and_ends_at_10() -> None:
    module = adaptive(rho_step=1)
    module.after_epoch(excess(-1, 1.0, 1.0), NO_TARGETS)
    assert module.rho.tolist() == [1, 1, 1]
    for _ in range(30):
        module.after_epoch(excess(-1, 1.0, 1.0), NO_TARGETS)
    assert module.rho.tolist() == [1, 10, 10]


@given(
    penalty=st.sampled_from(sorted(PENALTIES)),
    epochs=st.lists(
        arrays(np.float32, (4, 3), elements=st.floats(-1e4, 1e4, width=32)), max_size=4
    ),
)
@settings(max_examples=30, deadline=None)
def test_multipliers_and_rho_stay_in_their_bounds(penalty: str, epochs: list[np.ndarray]) -> None:
    module = adaptive(penalty=penalty, rho_step=1)
    for x in epochs:
        module.after_epoch(torch.tensor(x), NO_TARGETS)
        assert ((module.multiplier > 9e-7) & (module.multiplier <= 1e6)).all()
        assert ((module.rho >= 1) & (module.rho <= 10)).all()


def test_adapting_leaves_logits_and_buffers_without_gradients() -> None:
    module, x = adaptive(), excess(-1, 2.0, 0.5).requires_grad_()
    with torch.no_grad():
        module.after_epoch(x, NO_TARGETS)
    assert x.grad is None
    assert not any(buffer.requires_grad for buffer in module.buffers())


# --- resuming -----------------------------------------------------------------------------------

LOSS = "ce+cals-alm(margin=0.01,rho_step=1)"
NETWORK_MULTIPLIER = re.compile(r"network\..*\.multiplier")


def test_the_state_of_the_objective_holds_the_multipliers() -> None:
    first, second = (build_loss(LOSS, 3, THREE) for _ in range(2))
    for value in (1.0, 2.0):
        first.after_epoch(excess(-1, value, 0.5), NO_TARGETS)
    second.load_state_dict(first.state_dict())
    for module in (first, second):
        module.after_epoch(excess(-1, 3.0, 0.1), NO_TARGETS)
    state = second.state_dict()
    assert len(state) == 4
    assert all(torch.equal(state[name], value) for name, value in first.state_dict().items())
    x, y = torch.tensor([[3.0, -1, 0]]), torch.tensor([[0.0, 1, 0]])
    assert first(x, y).item() == second(x, y).item()


def test_a_resumed_training_has_the_same_multipliers(tmp_path: Path) -> None:
    whole, stopped = (task(tmp_path / n, loss=LOSS, epochs=2) for n in ("whole", "stopped"))
    with pytest.raises(KeyboardInterrupt):
        fit(task(stopped.directory, loss=LOSS, epochs=2, progress=stop_after(1)))
    assert saved(stopped) == saved(whole)
    assert (stopped.directory / FILE).read_bytes() == (whole.directory / FILE).read_bytes()
    kept, _ = read_tensors(stopped.directory / FILE)
    (multiplier,) = (kept[name] for name in kept if NETWORK_MULTIPLIER.fullmatch(name))
    assert multiplier.max() > 0.1  # it took part
