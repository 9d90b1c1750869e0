"""The bootstrap: draws of images, and scores on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core.errors import PluginError
from ferc_core.plugins.host import registry
from ferc_core.results.bootstrap import Bootstrap, Predictions, percentiles, pieces
from ferc_core.results.weighted import FORMS, at_once
from ferc_core.spec import Metric

N, K = 60, 3
LABELS = np.random.default_rng(7).integers(K, size=N)


def accuracies(dataset: str, right: list[bool] | np.ndarray, resamples: int) -> np.ndarray:
    """Return the share of ``right`` in each draw, through the metric."""
    labels = np.zeros(len(right), np.int64)
    probs = np.where(np.asarray(right)[:, None], [0.9, 0.1], [0.1, 0.9])
    _, *draws = pieces(resamples)
    asked = [Predictions(probs, labels, np.eye(2)[labels], ("accuracy",), d) for d in draws]
    return np.concatenate([Bootstrap(dataset)(each)[0] for each in asked])


# The bootstrap itself


def test_percentiles_are_the_middle():
    low, high = percentiles(np.arange(101.0)[None], 0.9)
    assert (low.tolist(), high.tolist()) == (pytest.approx([5]), pytest.approx([95]))


def test_one_image_leaves_nothing_to_draw():
    assert accuracies("toyfaces", [True], 50).tolist() == [1.0] * 50


def test_two_images_are_drawn_as_two_coins_are_thrown():
    """Of right and wrong: both wrong 1/4, one of each 1/2, both right 1/4."""
    found = accuracies("toyfaces", [True, False], 4000)
    for share, expected in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25)):
        assert np.mean(found == share) == pytest.approx(expected, abs=0.03)
    assert [float(end) for end in percentiles(found, 0.95)] == [0, 1]
    assert [float(end) for end in percentiles(found, 0.4)] == [0.5, 0.5]


@given(n=st.integers(1, 50), resamples=st.integers(1, 350), more=st.integers(0, 350))
@settings(max_examples=25, deadline=None)
def test_a_draw_is_n_of_n_rows_and_the_same_however_many_there_are(n, resamples, more):
    one, other = (
        np.concatenate([Bootstrap("toyfaces").rows(n, draws) for draws in pieces(number)])
        for number in (resamples, resamples + more)
    )
    assert one.shape == (1 + resamples, n)
    assert one[0].tolist() == list(range(n))  # the images themselves
    assert 0 <= one.min() <= one.max() < n
    assert (other[: 1 + resamples] == one).all()


def test_other_draws_and_datasets_draw_other_images():
    draws = range(1, 101)
    rows = Bootstrap("toyfaces").rows(100, draws)
    assert len(np.unique(rows, axis=0)) == 100
    assert (Bootstrap("toyfaces").rows(100, range(101, 201)) != rows).any(axis=1).all()
    assert (Bootstrap("ferplus").rows(100, draws) != rows).any(axis=1).all()


@pytest.mark.parametrize("name", [*FORMS, "brier", "soft_ada_ece"])
def test_a_score_of_a_draw_is_the_metric_of_its_rows(name):
    probs = np.random.default_rng(0).dirichlet(np.ones(K), N)
    target = 0.7 * np.eye(K)[LABELS] + 0.1
    bootstrap, draws = Bootstrap("toyfaces"), range(1, 6)
    (found,) = bootstrap(Predictions(probs, LABELS, target, (name,), draws))
    metric = registry().metrics[name]
    targets = target if metric.target == "soft" else LABELS
    assert found == pytest.approx(
        [metric(probs[rows], targets[rows]) for rows in bootstrap.rows(N, draws)], abs=1e-12
    )


@given(data=st.data(), n=st.integers(1, 30), k=st.integers(2, 5))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", FORMS)
def test_forms_say_what_the_metrics_say(name, data, n, k):
    """Also where probabilities are tied, 0, or on the edge of a bin, and classes are missing."""
    metric, rng = registry().metrics[name], np.random.default_rng(data.draw(st.integers(0, 2**32)))
    steps = data.draw(st.sampled_from([3, 15, 1000]))
    probs, soft = (rng.multinomial(steps, rng.dirichlet(np.ones(k)), n) / steps for _ in "ab")
    targets = soft if metric.target == "soft" else rng.integers(k, size=n)
    rows = rng.integers(n, size=(4, n))
    counts = np.array([np.bincount(drawn, minlength=n) for drawn in rows], np.float64)
    found = at_once(metric, probs, targets, counts)
    assert found is not None
    expected = [metric(probs[drawn], targets[drawn]) for drawn in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_metric_that_only_has_the_name_of_a_form_is_not_mistaken_for_it():
    probs = np.random.default_rng(0).dirichlet(np.ones(K), N)
    other = Metric("ece", lambda p, y: float(p.max()), summary="Another.", source="-")
    assert at_once(other, probs, LABELS, np.ones((1, N))) is None


def test_the_interval_of_accuracy_holds_the_truth_about_as_often_as_it_says():
    rng, truth, covered, widths = np.random.default_rng(0), 0.7, [], []
    for number in range(200):
        found = accuracies(f"simulation {number}", rng.random(100) < truth, 100)
        low, high = percentiles(found, 0.95)
        covered.append(low <= truth <= high)
        widths.append(high - low)
    assert 0.90 <= np.mean(covered) <= 0.97
    # the normal approximation: 2 * 1.96 * sqrt(p (1 - p) / N)
    assert np.mean(widths) == pytest.approx(3.92 * np.sqrt(truth * (1 - truth) / 100), rel=0.1)


def test_a_metric_that_cannot_take_a_draw_is_named():
    with pytest.raises(PluginError, match="metric 'accuracy' failed on resampled images"):
        Bootstrap("toyfaces")(
            Predictions(np.full((2, 2), np.nan), LABELS[:2], np.eye(2), ("accuracy",), range(1))
        )
