"""Metrics of small samples, worked out by hand as fractions."""

from __future__ import annotations

import math
from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest
from helpers.metric_samples import BINNED, EVERY, metric

from ferc_core import registry
from ferc_metrics.reliability import reliability_bins


def two_classes(scores, hits):
    """Rows [s, 1 - s] that predict class 0 with score s >= 1/2, with labels that hit or not."""
    s = np.array([float(score) for score in scores])
    return np.stack([s, 1 - s], axis=1), 1 - np.array(hits)


def test_a_score_on_an_edge_falls_in_the_bin_below():
    # five bins: .5 and .6 share (.4, .6], gap |1 - 1.1| / 2; .7 alone in (.6, .8], gap .7
    probs, labels = two_classes([0.5, 0.6, 0.7], [0, 1, 0])
    assert metric("ece", probs, labels, bins=5) == pytest.approx(F(1, 30) + F(7, 30))
    assert metric("mce", probs, labels, bins=5) == pytest.approx(F(7, 10))
    assert reliability_bins(probs, labels, bins=5).count.tolist() == [0, 0, 2, 1, 0]


def test_every_bin_includes_its_right_edge_up_to_24_bins():
    for bins in range(1, 25):
        edges = np.arange(1, bins + 1) / bins
        others = np.tile((1 - edges)[:, None] / 99, 99)  # too small to be predicted
        found = reliability_bins(np.hstack([edges[:, None], others]), np.zeros(bins, int), bins)
        assert found.count.tolist() == [1] * bins


def test_a_float32_score_is_not_rounded_to_the_nearest_edge():
    fifth = np.full((1, 5), 0.2)  # 3/15 in float64; slightly more in float32
    assert reliability_bins(fifth, [0]).count.argmax() == 2
    assert reliability_bins(fifth.astype(np.float32), [0]).count.argmax() == 3


def test_float32_probabilities_give_almost_the_float64_value():
    rng = np.random.default_rng(1)
    probs, labels = rng.dirichlet(np.ones(5), 300), rng.integers(0, 5, 300)
    for name in EVERY:
        small = metric(name, probs.astype(np.float32), labels)
        assert small == pytest.approx(metric(name, probs, labels), abs=1e-5), name


def test_a_certain_prediction_is_in_the_last_bin():
    found = reliability_bins([[1.0, 0.0], [0.0, 1.0]], [0, 0])
    assert found.count.tolist() == [0] * 14 + [2]
    assert found.accuracy[-1] == 0.5
    assert np.isnan(found.accuracy[:-1]).all()
    assert found.gap.tolist() == [0.0] * 14 + [0.5]


def test_a_score_above_one_by_rounding_counts_as_one():
    for name, label, excess in product(EVERY, (0, 1), (1e-7, 0.0)):
        above = metric(name, [[1 + 1e-7, -excess]], [label])
        assert above == metric(name, [[1.0, 0.0]], [label]), name


def test_adaptive_bins_hold_equally_many_samples():
    # two bins: {.5, .6} gap |1 - 1.1|, {.7, .8} gap |1 - 1.5|; both over N = 4
    probs, labels = two_classes([0.5, 0.6, 0.7, 0.8], [1, 0, 1, 0])
    assert metric("ada_ece", probs, labels, bins=2) == pytest.approx(F(1, 40) + F(5, 40))
    # the authors' edges .5, .7, .8: {.6, .7} gap |1 - 1.3|, {.8} gap .8; .5 is left out
    assert metric("ada_ece", probs, labels, bins=2, legacy=True) == pytest.approx(
        F(3, 40) + F(8, 40)
    )


def test_the_first_adaptive_bins_take_the_remainder():
    # five scores in two bins are 3 + 2: {.5, .6, .7} gap |2 - 1.8|, {.8, .9} gap |0 - 1.7|
    probs, labels = two_classes([0.9, 0.8, 0.7, 0.6, 0.5], [0, 0, 1, 1, 0])
    assert metric("ada_ece", probs, labels, bins=2) == pytest.approx(F(2, 50) + F(17, 50))


def test_adaptive_bins_never_split_a_tie():
    # the three .6 stay together although a half is two: gap |1 - 1.8|; .8 alone: |1 - .8|
    probs, labels = two_classes([0.6, 0.6, 0.6, 0.8], [1, 0, 0, 1])
    for order in ([0, 1, 2, 3], [1, 2, 0, 3], [3, 2, 0, 1]):
        value = metric("ada_ece", probs[order], labels[order], bins=2)
        assert value == pytest.approx(F(8, 40) + F(2, 40))


def test_adaptive_bins_of_equal_scores_are_one_bin():
    probs, labels = two_classes([0.7] * 4, [1, 1, 0, 0])
    assert metric("ada_ece", probs, labels) == pytest.approx(F(1, 5))  # |1/2 - 7/10|
    assert metric("ada_ece", probs, labels, legacy=True) == 0  # all are left out


def test_more_adaptive_bins_than_samples_hold_one_score_each():
    probs, labels = two_classes([0.6, 0.8], [1, 0])
    assert metric("ada_ece", probs, labels, bins=15) == pytest.approx((F(2, 5) + F(4, 5)) / 2)


def test_a_class_probability_of_zero_counts_in_the_classwise_error():
    # class 0: both in the last bin, |1 - 2| / 2; class 1: both at 0, |1 - 0| / 2
    probs, labels = [[1.0, 0.0], [1.0, 0.0]], [1, 0]
    assert metric("classwise_ece", probs, labels) == F(1, 2)
    assert metric("classwise_ece", probs, labels, legacy=True) == F(1, 4)  # class 1 left out


def test_classes_without_labels_count_in_the_classwise_error():
    # class 0: |1 - .5|, class 1: .25, class 2: .25
    assert metric("classwise_ece", [[0.5, 0.25, 0.25]], [0]) == pytest.approx(F(1, 3))


def test_kse_is_the_largest_running_gap_not_the_last():
    # + .6, then + .9 - 1: the running sums are .6 and .5
    probs, labels = two_classes([0.6, 0.9], [0, 1])
    assert metric("kse", probs, labels) == pytest.approx(F(3, 10))


@pytest.mark.parametrize("hits", [[1, 0], [0, 1]])
def test_kse_is_evaluated_only_at_the_end_of_a_block_of_ties(hits):
    # inside the block of .6 the sums would be -.4 or .6, by order; at its end they are .2
    probs, labels = two_classes([0.6, 0.6], hits)
    assert metric("kse", probs, labels) == pytest.approx(F(1, 10))


def test_a_wrong_prediction_of_a_uniform_label():
    # predicted class 3 with .3; y = 1/8 everywhere, whose first largest class is 0
    probs, uniform = np.full((1, 8), 0.1), np.full((1, 8), 0.125)
    probs[0, 3] = 0.3
    for name in ("ece", "ada_ece", "kse"):
        assert metric(f"soft_{name}", probs, uniform) == pytest.approx(F(3, 10) - F(1, 8))
        assert metric(f"soft_{name}_ferc", probs, uniform) == pytest.approx(F(7, 8) - F(3, 10))


def test_the_soft_outcome_is_the_probability_of_the_predicted_class():
    probs, y = [[0.7, 0.2, 0.1]], [[0.2, 0.5, 0.3]]
    for name in ("soft_ece", "soft_mce", "soft_ada_ece", "soft_kse"):
        assert metric(name, probs, y) == pytest.approx(F(7, 10) - F(1, 5)), name
    for name in ("soft_ece_ferc", "soft_ada_ece_ferc", "soft_kse_ferc"):
        assert metric(name, probs, y) == pytest.approx(F(7, 10) - F(1, 2)), name
    assert metric("soft_classwise_ece", probs, y) == pytest.approx((F(5) + F(3) + F(2)) / 30)
    assert metric("soft_brier", probs, y) == pytest.approx(F(25 + 9 + 4, 100))


def test_the_first_of_tied_classes_is_predicted():
    assert metric("accuracy", [[0.5, 0.5], [0.5, 0.5]], [0, 1]) == F(1, 2)


def test_macro_f1_leaves_out_classes_that_never_occur():
    # predicted 0 0 1 1, labelled 0 1 1 1: F1 2/3 and 4/5; classes 2 and 3 do not occur
    probs = np.eye(4)[[0, 0, 1, 1]]
    assert metric("macro_f1", probs, [0, 1, 1, 1]) == pytest.approx((F(2, 3) + F(4, 5)) / 2)


def test_macro_f1_counts_a_class_that_is_only_predicted_or_only_labelled():
    # class 0: 2/3; class 1 predicted alone: 0; class 2 labelled alone: 0
    probs = np.eye(3)[[0, 0, 1]]
    assert metric("macro_f1", probs, [0, 2, 0]) == pytest.approx(F(1, 2) / 3)


def test_nll_of_an_impossible_label_is_finite():
    assert metric("nll", [[1.0, 0.0]], [1]) == pytest.approx(1022 * math.log(2))  # tiny = 2^-1022
    assert metric("nll", [[1.0, 0.0]], [1], clamp=1e-6) == pytest.approx(6 * math.log(10))
    assert metric("soft_nll", [[1.0, 0.0]], [[0.5, 0.5]], clamp=1e-6) == pytest.approx(
        3 * math.log(10)
    )


def test_nll_of_a_certain_correct_prediction_is_positive_zero():
    for name in ("nll", "soft_nll"):
        value = metric(name, [[1.0, 0.0]], [0])
        assert (value, math.copysign(1, value)) == (0.0, 1.0)


def test_every_error_of_a_single_sample():
    probs, labels = [[0.7, 0.2, 0.1]], [1]
    for name in ("ece", "mce", "ada_ece", "kse"):
        assert metric(name, probs, labels) == pytest.approx(F(7, 10)), name
    assert metric("ada_ece", probs, labels, legacy=True) == 0
    assert metric("classwise_ece", probs, labels) == pytest.approx(F(7 + 8 + 1, 30))
    assert metric("nll", probs, labels) == pytest.approx(-math.log(0.2))
    assert metric("brier", probs, labels) == pytest.approx(F(49 + 64 + 1, 100))


def test_with_one_class_every_metric_is_perfect():
    for name in EVERY:
        best = 1.0 if registry().metrics[name].higher_is_better else 0.0
        assert metric(name, np.ones((3, 1)), [0, 0, 0]) == best, name


def test_fifteen_bins_are_the_default():
    rng = np.random.default_rng(2)
    probs, labels = rng.dirichlet(np.ones(4), 300), rng.integers(0, 4, 300)
    for name in BINNED:
        assert metric(name, probs, labels) == metric(name, probs, labels, bins=15), name
        assert metric(name, probs, labels) != metric(name, probs, labels, bins=14), name
