"""The valence-arousal mixture (paper, eqs 5-6): its moments, its posterior, its fallback."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.golden import golden
from helpers.mixtures import CLASSES, oracle_points, posterior, split
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core.errors import DataError
from ferc_core.labels import mixture as gmm
from ferc_core.labels.schemes import base_targets


def test_parameters_match_the_authors():
    expected = golden("gmm")
    points, labels = oracle_points()
    mixture = gmm.fit(points, labels, 3)
    for part in ("pi", "mu", "sigma"):
        np.testing.assert_allclose(getattr(mixture, part), expected[part])
    np.testing.assert_allclose(mixture.posterior(points[:3]), expected["first3"], rtol=1e-6)
    assert mixture.fallback == ()


def test_posterior_is_that_of_the_densities():
    points, labels = oracle_points()
    mixture = gmm.fit(points, labels, 3)
    np.testing.assert_allclose(mixture.posterior(points), posterior(mixture, points))


def test_posterior_far_from_every_mean_is_a_distribution():
    """The densities underflow there: 0/0 in the authors' code."""
    points, labels = oracle_points()
    gamma = gmm.fit(points * 0.05, labels, 3).posterior(np.array([[1.0, 1.0], [-1.0, 1.0]]))
    assert np.isfinite(gamma).all()
    np.testing.assert_allclose(gamma.sum(axis=1), 1)


@given(seed=st.integers(0, 2**32 - 1), n=st.integers(12, 60))
@settings(max_examples=50)
def test_ordinary_classes_have_the_authors_moments(seed, n):
    rows = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    kept = rows[(np.abs(rows - rows.mean(axis=0)) < rows.std(axis=0)).all(axis=1)]
    if len(kept) < 4:
        return
    mixture = gmm.fit(rows, np.zeros(n, int), 1)
    np.testing.assert_allclose(mixture.mu[0], kept.mean(axis=0), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(mixture.sigma[0], np.cov(kept.T, bias=True), rtol=1e-12, atol=1e-15)
    assert mixture.fallback == ()


# Too few rows, or rows on a line, within one standard deviation


OTHERS = [[0.5, 0.1], [0.6, -0.2], [0.4, 0.3], [0.5, 0.0]]
LINE = [[x / 10, x / 10] for x in range(1, 9)]
NEARLY = [[-0.9, 0.9], [0.9, -0.8], *([x / 10, 0.05 + x / 30] for x in range(-4, 5))]


@pytest.mark.parametrize(
    "rows",
    [[[0.1, 0.2]], [[0.1, 0.2]] * 4, [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]], LINE, NEARLY],
)
def test_a_class_without_an_area_takes_all_its_rows_whatever_their_order(rows):
    labels = np.array([0] * len(rows) + [1] * 4)
    expected = np.cov(np.array(rows).T, bias=True).reshape(2, 2) + 1e-6 * np.eye(2)
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(len(rows))
        points = np.array([*np.array(rows)[order], *OTHERS])
        mixture = gmm.fit(points, labels, 3)
        assert 0 in mixture.fallback
        np.testing.assert_allclose(mixture.sigma[0], expected, atol=1e-15)
        gamma = mixture.posterior(points)
        assert np.isfinite(gamma).all()
        assert (gamma[:, 2] == 0).all()  # a class without rows has no weight
        assert gamma[: len(rows), 0].min() > 0


def test_no_order_of_few_faces_changes_a_label():
    """At 10 to 5 faces a class 13 to 72 % of datasets once had labels that depended on it."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        points, labels = rng.uniform(-1, 1, (16, 2)).round(2), np.repeat([0, 1], 8)
        order = rng.permutation(16)
        one, other = (
            gmm.fit(points[rows], labels[rows], 2).posterior(points)
            for rows in (slice(None), order)
        )
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_rows_exactly_one_deviation_away_lie_outside_whatever_the_rounding():
    rows = np.array([[0.1, 0.7], [0.3, 0.7], [0.1, 0.3], [0.3, 0.3]])
    for scale in (1, 1 / 3, 0.7):
        assert len(gmm.within_one_deviation(rows * scale)) == 0


def test_a_note_names_the_classes_that_took_the_fallback():
    cloud, labels = oracle_points()
    faces = split([2] * 8 + labels[:150].tolist(), [*LINE, *cloud[:150]])
    (note,) = base_targets("fused", faces, faces, CLASSES).notes
    assert note.startswith("mixture: low fitted on all training faces of their class")
    faces = split(labels, cloud)
    assert base_targets("gmm", faces, faces, CLASSES).notes == ()


def test_a_mixture_without_rows_is_refused():
    with pytest.raises(DataError, match="needs training rows, and there are none"):
        gmm.fit(np.empty((0, 2)), np.empty(0, int), 3)
