"""Soft labels: what they start from, and how they soften with visibility (paper, eqs 7-11)."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.mixtures import CLASSES, oracle_points, parameters, split
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ferc_core import FercError, registry
from ferc_core.errors import RequestError
from ferc_core.labels import mixture as gmm
from ferc_core.labels.schemes import base_targets, one_hot

SCHEMES = registry().label_schemes
TWO = ("calm", "glad")

unit = st.floats(0, 1)


def targets_of(weights: np.ndarray) -> np.ndarray:
    return (weights + 1e-3) / (weights + 1e-3).sum(axis=1, keepdims=True)


# Softening


@given(arrays(float, (5, 4), elements=unit), arrays(float, 5, elements=unit))
def test_softening_keeps_a_distribution_and_its_largest_class(weights, v):
    y = targets_of(weights)
    soft = SCHEMES["ferc"](y, v)
    np.testing.assert_allclose(soft.sum(axis=1), 1)
    assert (soft >= 0).all()
    top = y.argmax(axis=1)
    assert (soft[range(5), top] >= soft.max(axis=1) - 1e-12).all()


def test_softening_leaves_a_visible_face_and_makes_a_lost_one_uniform():
    y = targets_of(np.array([[3.0, 1, 0, 0], [0, 0, 1, 0]]))
    np.testing.assert_array_equal(SCHEMES["ferc"](y, np.ones(2)), y)
    np.testing.assert_allclose(SCHEMES["ferc"](y, np.zeros(2)), 0.25)


def test_softening_by_hand():
    """v = 1/2 and k = 2: a = 1/4, so 3/4 + 1/16 = 13/16 stays on the class (eq. 10)."""
    soft = SCHEMES["ferc"](np.eye(4)[[2]], np.array([0.5]))
    np.testing.assert_allclose(soft, [[1 / 16, 1 / 16, 13 / 16, 1 / 16]])
    harder = SCHEMES["ferc"](np.eye(4)[[2]], np.array([0.5]), exponent=1)
    np.testing.assert_allclose(harder, [[1 / 8, 1 / 8, 5 / 8, 1 / 8]])


def test_largest_probability_grows_with_visibility():
    v = np.linspace(0, 1, 21)
    y = np.tile([[0.7, 0.2, 0.1]], (21, 1))
    assert (np.diff(SCHEMES["ferc"](y, v)[:, 0]) > 0).all()


def test_label_smoothing_by_hand():
    smooth = SCHEMES["label-smoothing"](np.eye(4)[[0]], np.zeros(1))
    np.testing.assert_allclose(smooth, [[0.925, 0.025, 0.025, 0.025]])


@pytest.mark.parametrize("name", ["one-hot", "gmm", "fused", "dataset"])
def test_other_schemes_ignore_visibility(name):
    y = targets_of(np.array([[3.0, 1, 0, 0]]))
    np.testing.assert_array_equal(SCHEMES[name](y, np.zeros(1)), y)
    assert not SCHEMES[name].uses_visibility


def test_bad_options_are_refused():
    with pytest.raises(FercError, match="above 0"):
        SCHEMES["ferc"](np.eye(2), np.ones(2), exponent=0)
    with pytest.raises(FercError, match="between 0 and 1"):
        SCHEMES["label-smoothing"](np.eye(2), np.ones(2), epsilon=2)


# What a scheme starts from


def test_fused_targets_mix_the_annotated_class_with_the_mixture():
    points, labels = oracle_points()
    faces = split(labels, points)
    gamma = base_targets("gmm", faces, faces, CLASSES).targets
    fused = base_targets("fused", faces, faces, CLASSES, fusion=0.25)
    np.testing.assert_allclose(fused.targets, 0.25 * np.eye(3)[labels] + 0.75 * gamma)
    assert "annotated class (0.25) fused with the valence-arousal mixture (0.75)" in fused.origin


def test_fused_targets_fall_back_to_distributions_then_to_the_class():
    dist = [[0.6, 0.4], [0.2, 0.8]]
    known = base_targets("fused", split([0, 1], dist=dist), split([0, 1]), TWO)
    np.testing.assert_allclose(known.targets, dist)
    assert "distributions" in known.origin
    plain = base_targets("fused", split([0, 1]), split([0, 1]), TWO)
    np.testing.assert_array_equal(plain.targets, one_hot(np.array([0, 1]), 2))
    assert "annotated class" in plain.origin


def test_distributions_are_scaled_to_sum_to_one():
    faces = split([0], dist=[[0.502, 0.5]])
    np.testing.assert_allclose(base_targets("dataset", faces, faces, TWO).targets.sum(), 1)


def test_the_mixture_is_fitted_on_the_training_split_alone():
    points, labels = oracle_points()
    train = split(labels, points)
    moved = split([0, 0], [[0.9, 0.9], [-0.9, 0.9]])
    gamma = base_targets("gmm", moved, train, CLASSES).targets
    np.testing.assert_allclose(gamma, gmm.fit(points, labels, 3).posterior(moved.valence_arousal))


@pytest.mark.parametrize("base", ["gmm", "dataset"])
def test_targets_that_the_data_lacks_are_refused(base):
    with pytest.raises(FercError, match=f"label scheme '{base}' needs"):
        base_targets(base, split([0, 1]), split([0, 1]), TWO)


# External mixtures


def test_a_datasets_own_parameters_as_an_external_mixture_change_nothing():
    points, labels = oracle_points()
    faces = split(labels, points)
    own = base_targets("fused", faces, faces, CLASSES).targets
    external = parameters().mixture(CLASSES, "clouds")
    again = base_targets("fused", faces, faces, CLASSES, external=external)
    np.testing.assert_array_equal(again.targets, own)


def test_an_external_mixture_needs_valence_and_arousal_of_the_scored_faces_alone():
    points, labels = oracle_points()
    external = parameters().mixture(CLASSES, "clouds")
    scored, train = split(labels, points), split(labels)
    gamma = base_targets("gmm", scored, train, CLASSES, external=external).targets
    np.testing.assert_array_equal(gamma, external.posterior(points))
    with pytest.raises(RequestError, match="use the mixture of another one with --gmm"):
        base_targets("gmm", scored, train, CLASSES)
