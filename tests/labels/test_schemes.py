"""Soft labels: the mixture, fusion, softening (paper, eqs 5-11)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.commands import SHARED
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferc_core import FercError, registry
from ferc_core.faces import FaceSplit
from ferc_core.labels import mixture as gmm
from ferc_core.labels.schemes import base_targets, one_hot

unit = st.floats(0, 1)


def targets_of(weights: np.ndarray) -> np.ndarray:
    return (weights + 1e-3) / (weights + 1e-3).sum(axis=1, keepdims=True)


def split(labels, va=None, dist=None) -> FaceSplit:
    return FaceSplit(
        ids=tuple(f"s{i}" for i in range(len(labels))),
        labels=np.array(labels),
        read=lambda i: np.zeros((40, 40, 3), np.uint8),
        valence_arousal=None if va is None else np.array(va, float),
        distributions=None if dist is None else np.array(dist, float),
    )


def oracle_points() -> tuple[np.ndarray, np.ndarray]:
    """The three clouds of golden.json `gmm`."""
    rng = np.random.RandomState(0)
    means, counts = [(0.1, -0.1), (0.7, 0.2), (-0.6, -0.3)], [60, 90, 50]
    clouds = [
        rng.normal(m, (0.12, 0.15), (n, 2)).round(4) for m, n in zip(means, counts, strict=True)
    ]
    return np.concatenate(clouds), np.repeat([0, 1, 2], counts)


def test_mixture_parameters_match_the_authors():
    points, labels = oracle_points()
    mixture = gmm.fit(points, labels, 3)
    np.testing.assert_allclose(mixture.pi, [0.3, 0.45, 0.25])
    np.testing.assert_allclose(
        mixture.mu,
        [
            [0.10213571428571432, -0.09220714285714285],
            [0.6847560975609756, 0.19968292682926828],
            [-0.6061809523809523, -0.33872857142857143],
        ],
    )
    np.testing.assert_allclose(mixture.sigma[0, 0], [0.004502711581632652, 0.0006829345408163267])


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_mixture_matches_the_golden_file():
    golden = json.loads((SHARED / "golden" / "golden.json").read_text())["gmm"]
    points, labels = oracle_points()
    mixture = gmm.fit(points, labels, 3)
    np.testing.assert_allclose(mixture.mu, golden["mu"])
    np.testing.assert_allclose(mixture.sigma, golden["sigma"])
    np.testing.assert_allclose(mixture.posterior(points[:3]), golden["first3"], rtol=1e-6)


def test_posterior_far_from_every_mean_is_a_distribution():
    """The densities underflow there: 0/0 in the authors' code."""
    points, labels = oracle_points()
    gamma = gmm.fit(points * 0.05, labels, 3).posterior(np.array([[1.0, 1.0], [-1.0, 1.0]]))
    assert np.isfinite(gamma).all()
    np.testing.assert_allclose(gamma.sum(axis=1), 1)


@pytest.mark.parametrize(
    "rows", [[[0.1, 0.2]], [[0.1, 0.2]] * 4, [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]]
)
def test_a_degenerate_class_still_has_a_gaussian(rows):
    points = np.array([*rows, [0.5, 0.1], [0.6, -0.2], [0.4, 0.3], [0.5, 0.0]])
    labels = np.array([0] * len(rows) + [1] * 4)
    gamma = gmm.fit(points, labels, 3).posterior(points)
    assert np.isfinite(gamma).all()
    assert (gamma[:, 2] == 0).all()  # a class without rows has no share
    assert (gamma[: len(rows)].argmax(axis=1) == 0).all()


@given(arrays(float, (5, 4), elements=unit), arrays(float, 5, elements=unit))
def test_softening_keeps_a_distribution_and_its_largest_class(weights, v):
    y = targets_of(weights)
    soft = registry().label_schemes["ferc"](y, v)
    np.testing.assert_allclose(soft.sum(axis=1), 1)
    assert (soft >= 0).all()
    top = y.argmax(axis=1)
    assert (soft[range(5), top] >= soft.max(axis=1) - 1e-12).all()


def test_softening_ends():
    y = targets_of(np.array([[3.0, 1, 0, 0], [0, 0, 1, 0]]))
    soft = registry().label_schemes["ferc"]
    np.testing.assert_array_equal(soft(y, np.ones(2)), y)
    np.testing.assert_allclose(soft(y, np.zeros(2)), 0.25)


def test_softening_by_hand():
    """v = 1/2 and k = 2: a = 1/4, so 3/4 + 1/16 = 13/16 stays on the class (eq. 10)."""
    soft = registry().label_schemes["ferc"](np.eye(4)[[2]], np.array([0.5]))
    np.testing.assert_allclose(soft, [[1 / 16, 1 / 16, 13 / 16, 1 / 16]])
    harder = registry().label_schemes["ferc"](np.eye(4)[[2]], np.array([0.5]), exponent=1)
    np.testing.assert_allclose(harder, [[1 / 8, 1 / 8, 5 / 8, 1 / 8]])


def test_top_entry_is_monotone_in_visibility():
    v = np.linspace(0, 1, 21)
    y = np.tile([[0.7, 0.2, 0.1]], (21, 1))
    assert (np.diff(registry().label_schemes["ferc"](y, v)[:, 0]) > 0).all()


def test_label_smoothing_by_hand():
    smooth = registry().label_schemes["label-smoothing"](np.eye(4)[[0]], np.zeros(1))
    np.testing.assert_allclose(smooth, [[0.925, 0.025, 0.025, 0.025]])


@pytest.mark.parametrize("name", ["one-hot", "gmm", "fused", "dataset"])
def test_other_schemes_do_not_look_at_visibility(name):
    y = targets_of(np.array([[3.0, 1, 0, 0]]))
    np.testing.assert_array_equal(registry().label_schemes[name](y, np.zeros(1)), y)


def test_fused_base_mixes_the_annotated_class_with_the_mixture():
    points, labels = oracle_points()
    faces = split(labels, points)
    gamma, _ = base_targets("gmm", faces, faces, 3)
    fused, _ = base_targets("fused", faces, faces, 3, fusion=0.25)
    np.testing.assert_allclose(fused, 0.25 * np.eye(3)[labels] + 0.75 * gamma)


def test_fused_base_falls_back_to_distributions_then_to_the_class():
    dist = [[0.6, 0.4], [0.2, 0.8]]
    known, origin = base_targets("fused", split([0, 1], dist=dist), split([0, 1]), 2)
    np.testing.assert_allclose(known, dist)
    assert "distributions" in origin
    plain, origin = base_targets("fused", split([0, 1]), split([0, 1]), 2)
    np.testing.assert_array_equal(plain, one_hot(np.array([0, 1]), 2))
    assert "annotated class" in origin


@pytest.mark.parametrize("base", ["gmm", "dataset"])
def test_a_base_that_the_data_lacks_is_refused(base):
    with pytest.raises(FercError, match=f"label scheme '{base}' needs"):
        base_targets(base, split([0, 1]), split([0, 1]), 2)


def test_mixture_is_fitted_on_the_training_split_alone():
    points, labels = oracle_points()
    train = split(labels, points)
    moved = split([0, 0], [[0.9, 0.9], [-0.9, 0.9]])
    gamma, _ = base_targets("gmm", moved, train, 3)
    np.testing.assert_allclose(gamma, gmm.fit(points, labels, 3).posterior(moved.valence_arousal))


def test_bad_options_are_refused():
    with pytest.raises(FercError, match="above 0"):
        registry().label_schemes["ferc"](np.eye(2), np.ones(2), exponent=0)
    with pytest.raises(FercError, match="between 0 and 1"):
        registry().label_schemes["label-smoothing"](np.eye(2), np.ones(2), epsilon=2)
