"""The bootstrap: draws of images, and scores on them."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.stored import LABELS, SOFT, K, N
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core import registry
from ferc_core.base.calls import Call
from ferc_core.errors import FercError
from ferc_core.experiment.cases import Context
from ferc_core.plugins.registry import Chosen
from ferc_core.results.bootstrap import Bootstrap, Predictions, interval, pieces, portions, rows_of
from ferc_core.spec import Metric

MEMBERS = np.random.default_rng(0).dirichlet(np.ones(K), (N, 3))
PROBS = MEMBERS.mean(axis=1)
CONTEXT = Context(PROBS[::-1], PROBS[:, 0], PROBS, MEMBERS, (PROBS[:20], LABELS[:20]))


def chosen(metric: Metric | str) -> tuple[Chosen[Metric], ...]:
    """One metric, as predictions are asked for it."""
    if isinstance(metric, str):
        return (registry().metrics.choose(metric),)
    return (Chosen(metric, Call(metric.name)),)


def accuracies(dataset: str, right: list[bool] | np.ndarray, resamples: int) -> np.ndarray:
    """Return the fraction of ``right`` in each draw, by the metric."""
    labels = np.zeros(len(right), np.int64)
    probs = np.where(np.asarray(right)[:, None], [0.9, 0.1], [0.1, 0.9])
    _, *draws = pieces(range(1 + resamples))
    asked = [Predictions(probs, labels, np.eye(2)[labels], chosen("accuracy"), d) for d in draws]
    return np.concatenate([Bootstrap(dataset)(each)[0] for each in asked])


# The draws


def test_an_interval_is_the_middle_of_the_draws_without_their_bias():
    draws = np.arange(101.0) - 1000
    assert interval(-950.0, draws, 0.9) == (pytest.approx(-995), pytest.approx(-905))
    # ten too high, as the score may be: from what is around 970 below to what is around 960
    assert interval(-960.0, draws, 0.9) == (pytest.approx(-1015), pytest.approx(-915))
    assert interval(-940.0, draws, 0.9) == (pytest.approx(-985), pytest.approx(-885))


def test_an_interval_of_what_is_never_negative_ends_at_0_and_holds_its_score():
    assert interval(10.0, np.arange(101.0), 0.9) == (0, pytest.approx(55))
    assert interval(3.0, np.array([1.0] * 9 + [100]), 0.5) == (0, 3)


def test_one_image_leaves_nothing_to_draw():
    assert accuracies("toyfaces", [True], 50).tolist() == [1.0] * 50


def test_two_images_are_drawn_as_two_coins_are_thrown():
    """Of right and wrong: both wrong 1/4, one of each 1/2, both right 1/4."""
    found = accuracies("toyfaces", [True, False], 4000)
    for fraction, expected in ((0.0, 0.25), (0.5, 0.5), (1.0, 0.25)):
        assert np.mean(found == fraction) == pytest.approx(expected, abs=0.03)
    assert interval(0.5, found, 0.95) == pytest.approx((0, 1), abs=0.02)
    assert interval(0.5, found, 0.4) == pytest.approx((0.5, 0.5), abs=0.02)


def test_draws_are_those_of_every_version():
    """Intervals of earlier runs can be computed again to the bit."""
    rows = rows_of("toyfaces", 8, range(1, 4))
    assert rows.tolist() == [
        [3, 0, 3, 5, 3, 1, 2, 2],
        [7, 4, 3, 1, 3, 5, 7, 2],
        [4, 4, 7, 5, 5, 3, 7, 6],
    ]


@given(n=st.integers(1, 50), resamples=st.integers(1, 350), more=st.integers(0, 350))
@settings(max_examples=25, deadline=None)
def test_a_draw_is_n_of_n_rows_and_the_same_however_many_there_are(n, resamples, more):
    one, other = (
        np.concatenate([rows_of("toyfaces", n, draws) for draws in pieces(range(1 + number))])
        for number in (resamples, resamples + more)
    )
    assert one.shape == (1 + resamples, n)
    assert one[0].tolist() == list(range(n))  # the images themselves
    assert 0 <= one.min() <= one.max() < n
    assert (other[: 1 + resamples] == one).all()


def test_other_draws_and_datasets_draw_other_images():
    draws = range(1, 101)
    rows = rows_of("toyfaces", 100, draws)
    assert len(np.unique(rows, axis=0)) == 100
    assert (rows_of("toyfaces", 100, range(101, 201)) != rows).any(axis=1).all()
    assert (rows_of("ferplus", 100, draws) != rows).any(axis=1).all()


def test_portions_are_all_draws_cut_where_pieces_are():
    for n in (10, 3553, 10**6):
        parts = portions(1000, n)
        assert [i for part in parts for i in part] == list(range(1001))
        cut = [piece for part in parts for piece in pieces(part)]
        assert cut == pieces(range(1001))
    assert len(portions(1000, 10)) == 1
    assert len(portions(1000, 10**6)) == 11


# Scores on draws


def scored(metric: Metric | str) -> np.ndarray | FercError:
    """A metric on the first five draws."""
    asked = Predictions(PROBS, LABELS, SOFT, chosen(metric), range(1, 6), CONTEXT)
    return Bootstrap("toyfaces")(asked)[0]


def one_by_one(metric: Metric) -> list[float]:
    """A metric of the rows of the first five draws."""
    targets = SOFT if metric.target == "soft" else LABELS
    rows = rows_of("toyfaces", N, range(1, 6))
    return [
        metric(PROBS[drawn], targets[drawn], **CONTEXT.rows(drawn).given_to(metric))
        for drawn in rows
    ]


def test_a_score_of_a_draw_is_the_metric_of_its_rows():
    """Whether the metric has a fast form for many draws or not."""
    metrics = registry().metrics
    assert {metric.resampled is None for metric in metrics.values()} == {True, False}
    for name, metric in metrics.items():
        assert scored(name) == pytest.approx(one_by_one(metric), abs=1e-9), name


@pytest.mark.parametrize("target", ["hard", "soft"])
def test_a_form_that_says_something_else_than_its_metric_is_not_used(target):
    def largest(probs, targets):
        return float(probs.max())

    def wrong(probs, targets, counts):
        return np.full(len(counts), 7.0)

    metric = Metric("largest", largest, target=target, resampled=wrong)
    assert scored(metric).tolist() == one_by_one(metric)


def test_a_metric_that_fails_is_returned_as_its_error():
    def broken(probs, targets):
        raise ZeroDivisionError("no\nimages")

    found = scored(Metric("broken", broken))
    assert isinstance(found, FercError)
    assert str(found) == "ZeroDivisionError: no images"


def test_the_interval_of_accuracy_contains_the_truth_about_as_often_as_stated():
    rng, truth, covered, widths = np.random.default_rng(0), 0.7, [], []
    for number in range(200):
        right = rng.random(100) < truth
        found = accuracies(f"simulation {number}", right, 100)
        low, high = interval(float(right.mean()), found, 0.95)
        covered.append(low <= truth <= high)
        widths.append(high - low)
    assert 0.90 <= np.mean(covered) <= 0.97
    # the normal approximation: 2 * 1.96 * sqrt(p (1 - p) / N)
    assert np.mean(widths) == pytest.approx(3.92 * np.sqrt(truth * (1 - truth) / 100), rel=0.1)
