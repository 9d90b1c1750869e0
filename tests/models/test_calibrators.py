"""The post-hoc calibrator ``temperature``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ferc_core.errors import DataError
from ferc_models.calibrators.temperature import Temperature, fit_temperature


def nll(logits: Any, targets: Any, temperature: float = 1.0) -> float:
    """Mean cross-entropy of softmax(logits / temperature) to targets [N, K]."""
    return float(-(targets * log_softmax(logits / temperature, axis=1)).sum(axis=1).mean())


def sample(seed: int, n: int = 200, k: int = 5) -> tuple[Any, Any]:
    """Logits [n, k] and classes [n] drawn from their softmax."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, k))
    gumbel = rng.gumbel(size=(n, k))
    return logits, (logits + gumbel).argmax(axis=1)


@settings(max_examples=40)
@given(st.floats(0.06, 19), st.integers(0, 100), st.integers(2, 8))
def test_temperature_of_scaled_true_probabilities_is_recovered(
    true: float, seed: int, k: int
) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(k), size=20)
    fitted = fit_temperature(true * np.log(p), p)
    assert fitted.temperature == pytest.approx(true, rel=1e-6)
    np.testing.assert_allclose(fitted(true * np.log(p)), p, atol=1e-6)


def test_temperature_is_recovered_from_drawn_classes() -> None:
    logits, labels = sample(0, n=20_000)
    for true in (0.2, 4.0):
        assert fit_temperature(true * logits, labels).temperature == pytest.approx(true, rel=0.05)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0.3, 5))
def test_no_other_temperature_has_a_smaller_nll(seed: int, scale: float) -> None:
    logits, labels = sample(seed, n=60)
    logits, soft = scale * logits, np.eye(5)[labels]
    best = nll(logits, soft, fit_temperature(logits, labels).temperature)
    searched = minimize_scalar(lambda t: nll(logits, soft, t), bounds=(0.05, 20), method="bounded")
    assert best <= searched.fun + 1e-12
    assert best <= nll(logits, soft)


def test_calibrated_probabilities_keep_the_predicted_class() -> None:
    logits, labels = sample(3)
    probs = fit_temperature(logits, labels)(logits)
    assert probs.dtype == np.float64
    np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(probs.argmax(axis=1), logits.argmax(axis=1))


def test_float32_logits_are_fitted_in_float64() -> None:
    logits, labels = sample(4)
    logits = logits.astype(np.float32)
    assert fit_temperature(logits, labels) == fit_temperature(logits.astype(np.float64), labels)


def test_two_classes_by_hand() -> None:
    # one wrong in four: softmax(l / T) must give 3/4, so 4 / T = log 3
    fitted = fit_temperature([[4.0, 0.0]] * 4, [0, 0, 0, 1])
    assert fitted.temperature == pytest.approx(4 / np.log(3), rel=1e-9)
    assert fitted([[4.0, 0.0]])[0] == pytest.approx([0.75, 0.25])


def test_a_fit_without_an_optimum_ends_at_a_bound_or_leaves_the_logits() -> None:
    for logits, labels, temperature in (
        ([[3.0, 0.0], [0.0, 1.0]], [0, 1], 0.05),  # all right: as sharp as possible
        ([[3.0, 0.0], [0.0, 1.0]], [1, 0], 20.0),  # all wrong: as flat as possible
        ([[2.0, 2.0], [0.0, 0.0]], [0, 1], 1.0),  # nothing to scale
        ([[5.0]], [0], 1.0),
        ([[1e6, -1e6, 0.0]], [0], 1.0),  # right at every temperature
    ):
        assert fit_temperature(logits, labels).temperature == temperature


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.empty((0, 3)), np.empty(0, int), "without samples"),
        ([[1.0, 0.0], [-np.inf, 1.0]], [0, 1], "logits of row 1 are not finite"),
        ([1.0, 2.0], [0, 1], r"shape \[N, K\], not \[2\]"),
        ([[1.0, 0.0]], [-1], "row 0 is class -1, not 0 to 1"),
        ([[1.0, 0.0]], [0, 1], "targets must be 1 class numbers"),
        ([[1.0, 0.0]], [0.0], "targets must be 1 class numbers"),
        ([[1.0, 0.0]], [[0.5, np.nan]], "targets of row 0 are not finite"),
        ([[1.0, 0.0]], [[1.5, -0.5]], "row 0 are not probabilities that sum to 1"),
    ],
)
def test_broken_input_is_refused(logits: Any, targets: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_temperature(logits, targets)


def test_the_transform_refuses_broken_logits_and_takes_empty_ones() -> None:
    transform = Temperature(2.0)
    with pytest.raises(DataError, match="row 1 are not finite"):
        transform([[0.0, 1.0], [np.nan, 1.0]])
    assert transform(np.empty((0, 4))).shape == (0, 4)


def test_the_plugin_and_its_calibrators_do_not_import_torch() -> None:
    code = (
        "import sys, ferc_models.plugin\n"
        "heavy = {'torch', 'timm', 'numpy', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from ferc_core import registry\n"
        "for entry in registry().calibrators.values(): entry.loaded\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
