"""Metrics: other people's numbers, fractions worked out by hand, and what is refused."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import subprocess
import sys
from fractions import Fraction as F
from pathlib import Path

import numpy as np
import pytest

from ferc_core import FercError, registry
from ferc_core.errors import DataError, RequestError
from ferc_metrics.reliability import reliability_bins

SHARED = Path(__file__).resolve().parents[3] / "shared"
HARD = ["accuracy", "macro_f1", "nll", "brier", "ece", "mce", "ada_ece", "classwise_ece", "kse"]
EXPECTED = ["nll", "brier", "ece", "mce", "ada_ece", "classwise_ece", "kse"]
SOFT = [f"soft_{n}" for n in EXPECTED] + ["soft_ece_ferc", "soft_ada_ece_ferc", "soft_kse_ferc"]


def metric(name, probs, targets, **options):
    return registry().metrics[name](probs, targets, **options)


def two_classes(scores, hits):
    """Rows [s, 1 - s] that predict class 0 with score s >= 1/2, with labels that hit or not."""
    s = np.array([float(score) for score in scores])
    return np.stack([s, 1 - s], axis=1), 1 - np.array(hits)


# --- the authors' own functions on ten samples (fuller precision: ../shared/golden) ---------------

PROBS = [
    [0.92, 0.03, 0.03, 0.02],
    [0.1, 0.7, 0.15, 0.05],
    [0.4, 0.3, 0.2, 0.1],
    [0.05, 0.05, 0.6, 0.3],
    [0.25, 0.25, 0.26, 0.24],
    [0.02, 0.08, 0.1, 0.8],
    [0.55, 0.25, 0.15, 0.05],
    [0.15, 0.45, 0.25, 0.15],
    [0.05, 0.9, 0.03, 0.02],
    [0.3, 0.1, 0.25, 0.35],
]
LABELS = [0, 1, 1, 2, 3, 3, 2, 1, 0, 3]
# each label softened by a = 0, .1, ... .9: (1 - a) onehot + a / 4
SOFT_LABELS = [[(1 - i / 10) * (k == c) + i / 40 for k in range(4)] for i, c in enumerate(LABELS)]

# key of golden.json -> metric, its options, value
GOLDEN = {
    "accuracy": ("accuracy", {}, 0.6),
    "macro_f1": ("macro_f1", {}, 0.5916666666666667),
    "nll": ("nll", {}, 1.0546296967080386),
    "brier_sum_over_classes": ("brier", {}, 0.57144),
    "ece15": ("ece", {}, 0.253),
    "mce15": ("mce", {}, 0.55),
    "adaece15": ("ada_ece", {"legacy": True}, 0.40300002694129944),  # computed in float32
    "adaece3": ("ada_ece", {"bins": 3, "legacy": True}, 0.15700000524520874),
    "cece15": ("classwise_ece", {"legacy": True}, 0.2510000169277191),
    "kse": ("kse", {}, 0.08900000000000008),
    "soft_nll": ("soft_nll", {}, 1.2657931936892972),
    "soft_ece15_expected_acc": ("soft_ece", {}, 0.18050000000000005),
    "soft_ece15": ("soft_ece_ferc", {}, 0.10350000000000001),
    "soft_adaece15": ("soft_ada_ece_ferc", {"legacy": True}, 0.1355000138282776),
    "soft_kse": ("soft_kse_ferc", {}, 0.03849999999999998),
}


@pytest.mark.parametrize("key", GOLDEN)
def test_agrees_with_the_authors_functions(key):
    name, options, value = GOLDEN[key]
    targets = SOFT_LABELS if name.startswith("soft_") else LABELS
    tolerance = 1e-7 if options.get("legacy") else 1e-12
    assert metric(name, PROBS, targets, **options) == pytest.approx(value, abs=tolerance)


def test_brier_is_the_authors_times_the_number_of_classes():
    assert metric("brier", PROBS, LABELS) / 4 == pytest.approx(0.14286, abs=1e-12)
    assert metric("soft_brier", PROBS, SOFT_LABELS) / 4 == pytest.approx(0.0495975, abs=1e-12)


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_the_numbers_above_are_those_of_the_golden_file():
    golden = json.loads((SHARED / "golden/golden.json").read_text())["metrics"]
    assert golden["probs"] == PROBS
    assert golden["labels"] == LABELS
    assert np.allclose(golden["soft_labels"], SOFT_LABELS, rtol=0, atol=1e-15)
    assert {key: golden[key] for key in GOLDEN} == {
        key: value for key, (*_, value) in GOLDEN.items()
    }


# --- by hand --------------------------------------------------------------------------------------


def test_a_score_on_an_edge_falls_in_the_bin_below():
    # five bins: .5 and .6 share (.4, .6], gap |1 - 1.1| / 2; .7 alone in (.6, .8], gap .7
    probs, labels = two_classes([0.5, 0.6, 0.7], [0, 1, 0])
    assert metric("ece", probs, labels, bins=5) == pytest.approx(F(1, 30) + F(7, 30))
    assert metric("mce", probs, labels, bins=5) == pytest.approx(F(7, 10))
    assert reliability_bins(probs, labels, bins=5).count.tolist() == [0, 0, 2, 1, 0]


@pytest.mark.parametrize("bins", range(1, 25))
def test_every_edge_is_right_closed_up_to_24_bins(bins):
    edges = np.arange(1, bins + 1)
    others = np.tile((1 - edges / bins)[:, None] / 99, 99)  # too small to be predicted
    probs = np.hstack([(edges / bins)[:, None], others])
    wanted = np.ones(bins)
    assert (
        reliability_bins(probs, np.zeros(len(edges), int), bins).count.tolist() == wanted.tolist()
    )


def test_a_float32_score_is_taken_for_the_number_it_is():
    fifth = np.full((1, 5), 0.2)  # 3/15 in float64; slightly more in float32
    assert reliability_bins(fifth, [0]).count.argmax() == 2
    assert reliability_bins(fifth.astype(np.float32), [0]).count.argmax() == 3


def test_float32_probabilities_give_nearly_the_float64_value():
    rng = np.random.default_rng(1)
    probs, labels = rng.dirichlet(np.ones(5), 300), rng.integers(0, 5, 300)
    for name in HARD + SOFT:
        small = metric(name, probs.astype(np.float32), labels)
        assert small == pytest.approx(metric(name, probs, labels), abs=1e-5), name


def test_a_certain_prediction_is_in_the_last_bin():
    found = reliability_bins([[1.0, 0.0], [0.0, 1.0]], [0, 0])
    assert found.count.tolist() == [0] * 14 + [2]
    assert found.accuracy[-1] == 0.5
    assert np.isnan(found.accuracy[:-1]).all()
    assert found.gap.tolist() == [0.0] * 14 + [0.5]


@pytest.mark.parametrize("name", HARD + SOFT)
def test_a_score_above_one_by_rounding_counts_as_one(name):
    above, exact = np.array([[1 + 1e-7, -1e-7]]), np.array([[1.0, 0.0]])
    for label in (0, 1):
        assert metric(name, above, [label]) == metric(name, exact, [label])


def test_adaptive_bins_hold_equal_numbers_and_every_sample():
    # two bins: {.5, .6} gap |1 - 1.1|, {.7, .8} gap |1 - 1.5|; both over N = 4
    probs, labels = two_classes([0.5, 0.6, 0.7, 0.8], [1, 0, 1, 0])
    assert metric("ada_ece", probs, labels, bins=2) == pytest.approx(F(1, 40) + F(5, 40))
    # the authors' edges .5, .7, .8: {.6, .7} gap |1 - 1.3|, {.8} gap .8; .5 is left out
    assert metric("ada_ece", probs, labels, bins=2, legacy=True) == pytest.approx(
        F(3, 40) + F(8, 40)
    )


def test_adaptive_bins_with_a_remainder_are_larger_at_the_front():
    # five scores in two bins are 3 + 2: {.5, .6, .7} gap |2 - 1.8|, {.8, .9} gap |0 - 1.7|
    probs, labels = two_classes([0.9, 0.8, 0.7, 0.6, 0.5], [0, 0, 1, 1, 0])
    assert metric("ada_ece", probs, labels, bins=2) == pytest.approx(F(2, 50) + F(17, 50))


def test_adaptive_bins_never_split_a_tie():
    # the three .6 stay together though a half is two: gap |1 - 1.8|; .8 alone: |1 - .8|
    probs, labels = two_classes([0.6, 0.6, 0.6, 0.8], [1, 0, 0, 1])
    for order in ([0, 1, 2, 3], [1, 2, 0, 3], [3, 2, 0, 1]):
        value = metric("ada_ece", probs[order], labels[order], bins=2)
        assert value == pytest.approx(F(8, 40) + F(2, 40))


def test_adaptive_bins_of_one_score_are_one_bin():
    probs, labels = two_classes([0.7] * 4, [1, 1, 0, 0])
    assert metric("ada_ece", probs, labels) == pytest.approx(F(1, 5))  # |1/2 - 7/10|
    assert metric("ada_ece", probs, labels, legacy=True) == 0  # all are left out


def test_more_adaptive_bins_than_samples_leave_each_score_alone():
    probs, labels = two_classes([0.6, 0.8], [1, 0])
    assert metric("ada_ece", probs, labels, bins=15) == pytest.approx((F(2, 5) + F(4, 5)) / 2)


def test_a_class_probability_of_zero_counts():
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
def test_kse_looks_only_behind_a_block_of_ties(hits):
    # inside the block of .6 the sums would be -.4 or .6, by order; behind it they are .2
    probs, labels = two_classes([0.6, 0.6], hits)
    assert metric("kse", probs, labels) == pytest.approx(F(1, 10))


def test_a_wrong_guess_of_a_flat_label():
    # predicted class 3 with .3; y = 1/8 everywhere, whose first largest class is 0
    probs, flat = np.full((1, 8), 0.1), np.full((1, 8), 0.125)
    probs[0, 3] = 0.3
    for name in ("ece", "ada_ece", "kse"):
        assert metric(f"soft_{name}", probs, flat) == pytest.approx(F(3, 10) - F(1, 8))
        assert metric(f"soft_{name}_ferc", probs, flat) == pytest.approx(F(7, 8) - F(3, 10))


def test_soft_right_is_the_share_of_the_predicted_class():
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


def test_nll_of_a_sure_and_right_prediction_is_zero_without_a_sign():
    for name in ("nll", "soft_nll"):
        value = metric(name, [[1.0, 0.0]], [0])
        assert (value, math.copysign(1, value)) == (0.0, 1.0)


def test_one_sample():
    probs, labels = [[0.7, 0.2, 0.1]], [1]
    for name in ("ece", "mce", "ada_ece", "kse"):
        assert metric(name, probs, labels) == pytest.approx(F(7, 10)), name
    assert metric("ada_ece", probs, labels, legacy=True) == 0
    assert metric("classwise_ece", probs, labels) == pytest.approx(F(7 + 8 + 1, 30))
    assert metric("nll", probs, labels) == pytest.approx(-math.log(0.2))
    assert metric("brier", probs, labels) == pytest.approx(F(49 + 64 + 1, 100))


@pytest.mark.parametrize("name", HARD + SOFT)
def test_one_class_is_always_right(name):
    higher = registry().metrics[name].higher_is_better
    assert metric(name, np.ones((3, 1)), [0, 0, 0]) == (1.0 if higher else 0.0)


# --- what is refused ------------------------------------------------------------------------------

GOOD = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


def broken(value, column=1, row=1):
    probs = GOOD.copy()
    probs[row, column] = value
    return probs


BAD = {
    "nan": (broken(np.nan), [0, 1, 2], "probs row 1 holds nan"),
    "infinite": (broken(np.inf), [0, 1, 2], "probs row 1 holds inf"),
    "negative": (broken(-0.1), [0, 1, 2], "probs row 1 holds -0.1"),
    "logits": (GOOD * 10, [0, 1, 2], "logits"),
    "sum below": (broken(0.7), [0, 1, 2], "probs row 1 sums to 0.9"),
    "sum above": (broken(0.9), [0, 1, 2], "probs row 1 sums to 1.1"),
    "empty": (np.empty((0, 3)), np.empty(0, int), "probs is empty"),
    "empty list": ([], [], "probs is empty"),
    "no classes": (np.empty((3, 0)), [0, 1, 2], "probs is empty"),
    "one dimension": ([0.7, 0.3], [0, 1], r"shape \[N, K\]"),
    "words": ([["a", "b"]], [0], "no array of numbers"),
    "ragged probs": ([[0.5, 0.5], [1.0]], [0, 0], "no array of numbers"),
    "ragged targets": (GOOD, [[1.0], [0.5, 0.5], [1.0]], "targets is no array"),
    "label too large": (GOOD, [0, 3, 1], "targets row 1 has label 3"),
    "label negative": (GOOD, [0, 1, -1], "targets row 2 has label -1"),
    "label no integer": (GOOD, [0.0, 1.0, 2.0], "whole class numbers"),
    "fewer targets": (GOOD, [0, 1], "3 rows"),
    "no targets": (GOOD, [], "3 rows"),
    "targets of other width": (GOOD, np.eye(3)[:, :2], "3 classes"),
    "target of nan": (GOOD, broken(np.nan), "targets row 1 holds nan"),
    "target sum": (GOOD, broken(0.5), "targets row 1 sums to 0.7"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", HARD + SOFT)
def test_bad_arrays_are_refused_by_row(name, case):
    probs, targets, message = BAD[case]
    with pytest.raises(DataError, match=message) as caught:
        metric(name, probs, targets)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_rows_of_rounded_tables_pass():
    assert metric("accuracy", [[0.333, 0.333, 0.333], [0.005, 0.5, 0.5]], [0, 1]) == 1


@pytest.mark.parametrize("name", HARD)
def test_a_hard_metric_refuses_soft_labels_and_names_the_soft_one(name):
    remedy = f"soft_{name}" if name in EXPECTED else "annotated class"
    targets = [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]
    with pytest.raises(RequestError, match=f"row 1 .* 0.75 .*{remedy}"):
        metric(name, GOOD, targets)


@pytest.mark.parametrize("name", [n for n in HARD + SOFT if "ece" in n or "mce" in n])
@pytest.mark.parametrize("bins", [0, -3, 1.5, "15", None])
def test_a_number_of_bins_that_is_none_is_refused(name, bins):
    with pytest.raises(RequestError, match="bins must be"):
        metric(name, GOOD, [0, 1, 2], bins=bins)
    with pytest.raises(RequestError, match="bins must be"):
        reliability_bins(GOOD, [0, 1, 2], bins)


@pytest.mark.parametrize("name", ["nll", "soft_nll"])
@pytest.mark.parametrize("clamp", [0, 1, -1e-6, math.nan])
def test_a_clamp_that_is_no_probability_is_refused(name, clamp):
    with pytest.raises(FercError, match="clamp"):
        metric(name, GOOD, [0, 1, 2], clamp=clamp)


@pytest.mark.parametrize("name", HARD + SOFT)
def test_the_arguments_are_left_as_they_were(name):
    probs = np.array([[1 + 1e-8, -1e-8, 0.0], [0.3, 0.3, 0.4]])
    targets = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    before = probs.tobytes(), targets.tobytes()
    metric(name, probs, targets)
    assert (probs.tobytes(), targets.tobytes()) == before


# --- the door -------------------------------------------------------------------------------------


def test_every_metric_is_registered_with_its_target_and_direction():
    metrics = {n: m for n, m in registry().metrics.items() if n in HARD + SOFT}
    assert sorted(metrics) == sorted(HARD + SOFT)
    assert {n for n, m in metrics.items() if m.target == "soft"} == set(SOFT)
    assert {n for n, m in metrics.items() if m.higher_is_better} == {"accuracy", "macro_f1"}
    assert all(m.summary and m.source for m in metrics.values())
    assert {registry().metrics.owner(n).name for n in metrics} == {"ferc-metrics"}


@pytest.mark.parametrize("name", HARD + SOFT)
def test_a_metric_returns_a_plain_float(name):
    assert type(metric(name, PROBS, LABELS)) is float


def test_listing_the_metrics_loads_no_numpy():
    code = (
        "import sys, ferc_metrics.plugin as plugin\n"
        "found = []\n"
        "plugin.register_metrics(found.append)\n"
        "assert len(found) == 19 and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "module", ["classification", "proper", "calibration", "soft_calibration", "reliability"]
)
def test_the_examples_in_the_docstrings_are_right(module):
    result = doctest.testmod(importlib.import_module(f"ferc_metrics.{module}"))
    assert result.failed == 0
    assert result.attempted > 0
