"""Isotonic regression, histogram binning and splines: maps of single probabilities."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.isotonic import IsotonicRegression

from ferc_core.errors import RequestError
from ferc_metrics.calibration import ece, kse
from ferc_models.calibrators.histogram import fit_histogram
from ferc_models.calibrators.isotonic import fit_isotonic
from ferc_models.calibrators.score_maps import shared
from ferc_models.calibrators.spline import fit_spline

# five samples of two classes: the probability of class 1, and the class
P1 = np.array([0.1, 0.3, 0.3, 0.6, 0.9])
LABELS = np.array([0, 1, 0, 1, 1])


def two(p1: Any) -> Any:
    """Logits [N, 2] whose softmax gives class 1 the probability p1."""
    p1 = np.asarray(p1, dtype=float)
    return np.log(np.stack([1 - p1, p1], axis=1))


def sample(seed: int, n: int, k: int = 5) -> tuple[Any, Any]:
    """Logits that are too sharp by a factor that depends on the sample, and their classes."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(n, k))
    labels = (logits + rng.gumbel(size=(n, k))).argmax(axis=1)
    return logits * np.where(logits.max(axis=1, keepdims=True) > 1.5, 3.0, 1.2), labels


# --- isotonic


@given(st.integers(0, 1000), st.booleans())
@settings(max_examples=12, deadline=None)
def test_isotonic_maps_are_those_of_scikit_learn_for_each_class(seed: int, soft: bool) -> None:
    logits, labels = sample(seed, 80)
    soft = np.random.default_rng(seed).dirichlet(np.ones(5), 80) if soft else np.eye(5)[labels]
    new = sample(seed + 1, 50)[0]
    p, q = softmax(logits, axis=1), softmax(new, axis=1)

    def column(k: int) -> Any:
        known = IsotonicRegression(out_of_bounds="clip").fit(p[:, k], soft[:, k])
        fitted, curve = known.predict(p[:, k]), known.y_thresholds_
        least = 1 / (np.array([np.isclose(fitted, value).sum() for value in curve]) + 2)
        smooth = np.maximum.accumulate(np.clip(curve, least, 1 - least))
        return np.interp(q[:, k], known.X_thresholds_, smooth)

    mapped = np.stack([column(k) for k in range(5)], axis=1)
    expected = mapped / mapped.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit_isotonic(logits, soft)(new), expected, atol=1e-12)


def test_isotonic_maps_do_not_decrease() -> None:
    by_class = fit_isotonic(*sample(0, 300)).parameters()["classes"]
    confidence = fit_isotonic(*sample(0, 300), top_label=True).parameters()["confidence"]
    for curve in (*by_class, confidence):
        assert (np.diff(curve["scores"]) > 0).all()
        assert (np.diff(curve["probabilities"]) >= 0).all()
        assert 0 <= min(curve["probabilities"]) <= max(curve["probabilities"]) <= 1


def test_top_label_must_be_true_or_false() -> None:
    with pytest.raises(RequestError, match="'top_label' must be true or false, not 'yes'"):
        fit_isotonic(two(P1), LABELS, top_label="yes")


def test_isotonic_by_hand() -> None:
    # class 1: outcomes 0, (1, 0 tied), 1, 1 at .1, .3, .6, .9: the tie is its mean. Of one sample
    # 0 becomes 1/3, of two 1 becomes 3/4; class 0 likewise
    found = fit_isotonic(two(P1), LABELS)
    assert found(two([0.3]))[0] == pytest.approx([0.5, 0.5])
    assert found(two([0.2]))[0] == pytest.approx([7 / 12, 5 / 12])  # halfway: 1/3 and 1/2
    assert found(two([0.01]))[0] == pytest.approx([2 / 3, 1 / 3])
    assert found(two([0.99]))[0] == pytest.approx([1 / 4, 3 / 4])


def test_top_label_isotonic_by_hand() -> None:
    # confidences .9, .7, .7, .6, .9; right 1, 0, 1, 1, 1: .6 and .7 are pooled to 2/3
    found = fit_isotonic(two(P1), LABELS, top_label=True)
    assert found(two([0.6, 0.3, 0.9, 0.01])) == pytest.approx(
        np.array([[1 / 3, 2 / 3], [2 / 3, 1 / 3], [1 / 4, 3 / 4], [3 / 4, 1 / 4]])
    )


def test_a_row_of_equal_scores_becomes_uniform() -> None:
    sure = np.log(0.8 * np.eye(3) + 0.1 * (1 - np.eye(3)))
    for fit in (fit_isotonic, fit_histogram):
        probs = fit(sure, [0, 1, 2])(np.array([[0.1, 0.1, 0.1]]) * 0)
        assert probs[0] == pytest.approx([1 / 3] * 3)


# --- histogram


def test_histogram_of_each_class_by_hand() -> None:
    # class 1: 1/3 in (0, .5], 1 of two in (.5, 1], which is 3/4; class 0: 0 of two, 1/4, and 2/3
    found = fit_histogram(two(P1), LABELS, bins=2)
    assert found(two([0.2, 0.8])) == pytest.approx(np.array([[2 / 3, 1 / 3], [1 / 4, 3 / 4]]))
    # exactly 1/2 is in the lower bin of both: 1/4 and 1/3, divided by their sum
    assert found([[1.0, 1.0]])[0] == pytest.approx([3 / 7, 4 / 7])


def test_histogram_of_the_confidence_by_hand() -> None:
    # confidences .9, .7, .7, .6, .9; right 1, 0, 1, 1, 1; nothing below a half
    found = fit_histogram(two(P1), LABELS, bins=4, top_label=True)
    assert found.parameters()["confidence"] == {
        "edges": [0, 0.25, 0.5, 0.75, 1],
        "values": pytest.approx([0.125, 0.375, 2 / 3, 3 / 4]),  # an empty bin has its centre
    }
    assert found([[1.0, 1.0]])[0] == pytest.approx([0.5, 0.5])  # the predicted class is kept
    assert found(two([0.7, 0.2])) == pytest.approx(np.array([[1 / 3, 2 / 3], [3 / 4, 1 / 4]]))


def test_bins_of_equal_mass_do_not_split_ties() -> None:
    logits, labels = two([0.6, 0.7, 0.7, 0.8, 0.9]), np.array([1, 1, 0, 1, 1])
    for bins, edges, values in (
        (2, [0, 0.7, 1], [2 / 3, 3 / 4]),
        (3, [0, 0.7, 0.8, 1], [2 / 3, 2 / 3, 2 / 3]),  # parts .6 .7 | .7 .8 | .9
        (99, [0, 0.6, 0.7, 0.8, 1], [2 / 3, 0.5, 2 / 3, 2 / 3]),
    ):
        found = fit_histogram(logits, labels, bins=bins, binning="equal-mass", top_label=True)
        assert found.parameters()["confidence"] == {
            "edges": pytest.approx(edges),
            "values": pytest.approx(values),
        }


def test_soft_targets_are_averaged() -> None:
    soft = np.array([[0.25, 0.75], [0.5, 0.5]])
    found = fit_histogram(two([0.6, 0.8]), soft, bins=2)
    assert found(two([0.9]))[0] == pytest.approx([0.375, 0.625])


def test_each_new_confidence_is_the_accuracy_of_its_samples() -> None:
    logits, labels = sample(3, 3000)
    predicted = logits.argmax(axis=1)
    found = fit_histogram(logits, labels, top_label=True)(logits)
    confidence = found[np.arange(3000), predicted]
    assert len(np.unique(confidence)) > 5
    for value in np.unique(confidence):
        among = confidence == value
        assert (predicted == labels)[among].mean() == pytest.approx(value)


# --- spline


def test_the_spline_by_hand() -> None:
    # two knots make a straight line. Confidences .6 (right) and .8 (wrong): H = 0, .2, -.2 at
    # t = 0, 1/2, 1, whose least-squares slope is -.2
    logits = np.log([[0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    found = fit_spline(logits, [0, 0], knots=2)
    assert found.parameters()["confidence"] == {
        "scores": pytest.approx([0.6, 0.8]),
        "probabilities": pytest.approx([0.4, 0.6]),
    }
    new = np.log([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.45, 0.35, 0.2], [0.02, 0.02, 0.96]])
    assert found(new) == pytest.approx(
        np.array(
            [
                [0.4, 0.4, 0.2],  # 3 : 1 would be .45 and .15, above the predicted class
                [0.5 * 2 / 3, 0.5, 0.5 / 3],  # halfway between the two
                [0.4, 0.6 * 7 / 11, 0.6 * 4 / 11],  # constant below
                [0.2, 0.2, 0.6],  # and above
            ]
        )
    )


def test_the_spline_is_the_natural_cubic_least_squares_spline() -> None:
    """Against the truncated-power basis of Hastie et al., Elements of Statistical Learning, 5.4."""
    logits, labels = sample(4, 200)
    probs = softmax(logits, axis=1)
    order = np.argsort(probs.max(axis=1))
    s = probs.max(axis=1)[order]
    a = (probs.argmax(axis=1) == labels)[order]
    t = np.arange(201) / 200
    places = np.linspace(0, 1, 6)

    def tail(x: Any, k: int, power: int) -> Any:
        cut = [np.maximum(x - place, 0) ** power for place in (places[k], 1.0)]
        return (cut[0] - cut[1]) / (1 - places[k]) * (3 if power == 2 else 1)

    basis = np.stack([t**0, t, *(tail(t, k, 3) - tail(t, 4, 3) for k in range(4))], axis=1)
    slopes = np.stack([t * 0, t**0, *(tail(t, k, 2) - tail(t, 4, 2) for k in range(4))], axis=1)
    summed = np.concatenate([[0], np.cumsum(a - s)]) / 200
    weights = np.linalg.lstsq(basis, summed)[0]
    expected = np.clip(s + (slopes @ weights)[1:], 1 / 202, 201 / 202)
    found = fit_spline(logits, labels).parameters()["confidence"]
    np.testing.assert_allclose(found["scores"], s, atol=1e-12)
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-8)


@given(st.integers(0, 1000), st.floats(-0.2, 0.2))
@settings(max_examples=20, deadline=None)
def test_a_constant_gap_is_removed_exactly(seed: int, gap: float) -> None:
    s = np.random.default_rng(seed).uniform(0.55, 0.75, 40)
    found = fit_spline(two(s), np.stack([1 - s - gap, s + gap], axis=1))
    np.testing.assert_allclose(found(two(s))[:, 1], np.maximum(s + gap, 0.5), atol=1e-9)


def test_the_spline_lowers_the_ks_error_on_new_samples() -> None:
    logits, labels = sample(6, 4000)
    predicted = logits.argmax(axis=1)
    hits = (predicted == labels).astype(int)

    def ks_error(probs: Any) -> float:
        s = probs[np.arange(4000), predicted]
        order = np.argsort(s, kind="stable")
        return float(np.abs(np.cumsum((hits - s)[order])).max() / 4000)

    before = ks_error(softmax(logits, axis=1))
    assert before == pytest.approx(kse(softmax(logits, axis=1), labels))
    assert before > 0.1
    assert ks_error(fit_spline(*sample(5, 2000))(logits)) < 0.2 * before


def test_the_other_classes_keep_their_proportions_at_a_confidence_of_one() -> None:
    # in doubles the softmax of the first is exactly 1, 0, 0
    logits = np.array([[800.0, 2.0, 1.0], [9.0, 1.0, 0.0]])
    probs = fit_spline(logits, [0, 1], knots=2)(logits)
    assert probs[0, 0] < 1
    assert probs[0, 1] / probs[0, 2] == pytest.approx(np.e)


# --- the predicted class, and probabilities of 0


TOP = {
    "spline": fit_spline,
    "isotonic": partial(fit_isotonic, top_label=True),
    "histogram": partial(fit_histogram, top_label=True),
}


@pytest.mark.parametrize("name", TOP)
@pytest.mark.parametrize("k", [2, 3, 7, 10])
@pytest.mark.parametrize("scale", [0.01, 1.0, 5.0, 1000.0])
def test_the_predicted_class_is_kept(name: str, k: int, scale: float) -> None:
    rng = np.random.default_rng(k)
    logits = scale * rng.normal(size=(500, k))
    logits[::7] = np.round(logits[::7])  # ties
    labels = rng.integers(k, size=500)  # a model that is right no more often than chance
    found = TOP[name](logits, labels)
    new = scale * rng.normal(size=(2000, k))
    for scores in (logits, new, np.zeros((3, k))):
        probs = found(scores)
        assert (probs.argmax(axis=1) == scores.argmax(axis=1)).all()
        np.testing.assert_allclose(probs.sum(axis=1), 1, atol=1e-12)
        assert (probs >= 0).all()


@pytest.mark.parametrize("name", TOP)
def test_the_confidence_is_the_one_that_was_fitted(name: str) -> None:
    logits, labels = sample(1, 4000, k=8)
    found = TOP[name](logits, labels)
    new, truth = sample(2, 4000, k=8)
    assert ece(softmax(new, axis=1), truth) > 0.1
    probs, fitted = found(new), found.confidence(softmax(new, axis=1).max(axis=1))
    np.testing.assert_allclose(probs.max(axis=1), np.maximum(fitted, 1 / 8), atol=1e-9)
    assert ece(probs, truth) < 0.05


@pytest.mark.parametrize("top_label", [False, True])
@pytest.mark.parametrize("fit", [fit_isotonic, fit_histogram])
def test_no_nll_is_a_clamp(fit: Any, top_label: bool) -> None:
    logits, labels = sample(3, 300, k=8)
    found = fit(logits, labels, top_label=top_label)
    new, truth = sample(4, 3000, k=8)
    before = -log_softmax(new, axis=1)[np.arange(3000), truth].mean()
    each = -np.log(found(new)[np.arange(3000), truth])
    assert each.max() < 30
    assert each.mean() < before


def test_shares_above_the_cap_go_to_the_others_in_proportion() -> None:
    parts = shared(
        np.array([0.7]), np.array([[0.0, 0.6, 0.3, 0.1]]), np.array([[False, True, True, True]]),
        np.array([0.3]),
    )  # fmt: skip
    assert parts[0] == pytest.approx([0, 0.3, 0.3, 0.1])
