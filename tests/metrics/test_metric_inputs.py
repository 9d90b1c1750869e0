"""What metrics refuse: one sentence that names the row or the remedy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.metric_samples import BINNED, EVERY, HARD, PAIRS, metric

from ferc_core.errors import DataError, FercError, RequestError
from ferc_metrics.inputs import MetricInputError
from ferc_metrics.reliability import reliability_bins

GOOD = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
LABELS = [0, 1, 2]


def broken(value, column=1, row=1):
    probs = GOOD.copy()
    probs[row, column] = value
    return probs


def refusal(probs, targets, name="soft_nll"):
    """Return the sentence with which a metric refuses arrays."""
    with pytest.raises(MetricInputError) as caught:
        metric(name, probs, targets)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_metric_checks_probabilities_and_targets():
    for name in EVERY:
        assert refusal(broken(np.nan), LABELS, name).startswith("probs row 1 holds nan")
        assert refusal(GOOD, [0, 1, 3], name).startswith("targets row 2 has label 3")
        assert refusal(GOOD, broken(0.5), name).startswith("targets row 1 sums to 0.7")
    assert issubclass(MetricInputError, DataError)
    assert issubclass(MetricInputError, ValueError)


def test_values_outside_0_to_1_are_refused():
    for value, shown in ((np.nan, "nan"), (np.inf, "inf"), (-0.1, "-0.1"), (1.1, "1.1")):
        assert refusal(broken(value), LABELS).startswith(f"probs row 1 holds {shown}")
        assert refusal(GOOD, broken(value)).startswith(f"targets row 1 holds {shown}")
    assert "not logits" in refusal(GOOD * 10, LABELS)


def test_rows_that_do_not_sum_to_1_are_refused():
    assert refusal(broken(0.7), LABELS).startswith("probs row 1 sums to 0.9, not 1")
    assert refusal(broken(0.9), LABELS).startswith("probs row 1 sums to 1.1, not 1")


def test_rows_printed_with_three_digits_are_accepted():
    assert metric("accuracy", [[0.333, 0.333, 0.333], [0.005, 0.5, 0.5]], [0, 1]) == 1


def test_empty_arrays_are_refused():
    for probs, targets in (
        (np.empty((0, 3)), np.empty(0, int)),
        ([], []),
        (np.empty((3, 0)), LABELS),
    ):
        assert refusal(probs, targets).startswith("probs is empty")


def test_shapes_that_do_not_match_are_refused():
    assert "shape [N, K]" in refusal([0.7, 0.3], [0, 1])
    for targets in ([0, 1], [], np.eye(3)[:, :2], np.eye(3)[None]):
        assert "probs has 3 rows and 3 classes" in refusal(GOOD, targets)


def test_labels_that_are_not_class_numbers_are_refused():
    assert refusal(GOOD, [0, 3, 1]).startswith("targets row 1 has label 3")
    assert refusal(GOOD, [0, 1, -1]).startswith("targets row 2 has label -1")
    for targets in ([0.0, 1.0, 2.0], [True, False, True]):
        assert "whole class numbers" in refusal(GOOD, targets)


def test_values_that_are_not_arrays_of_numbers_are_refused():
    assert "probs is not an array of numbers" in refusal([[0.5, 0.5], [1.0]], [0, 0])
    assert "targets is not an array" in refusal(GOOD, [[1.0], [0.5, 0.5], [1.0]])
    for probs in ([["a", "b"]], [["0.5", "0.5"]], None):
        assert "probs must hold real numbers" in refusal(probs, [0])


@pytest.mark.parametrize(
    ("lossy", "reason"),
    [
        (lambda a: a.astype(complex), "must hold real numbers, but its dtype is complex128"),
        (lambda a: a.astype(object), "must hold real numbers, but its dtype is object"),
        (lambda a: np.ma.masked_greater(a, 0.75), "has masked values"),
    ],
    ids=["complex", "object", "masked"],
)
def test_arrays_that_would_lose_something_are_refused(lossy, reason):
    assert refusal(lossy(GOOD), LABELS).startswith(f"probs {reason}")
    assert refusal(GOOD, lossy(GOOD)).startswith(f"targets {reason}")


def test_a_masked_array_without_masked_values_is_accepted():
    plain = metric("ece", GOOD, LABELS)
    assert metric("ece", np.ma.array(GOOD), np.ma.array(LABELS)) == plain


def test_tensors_are_accepted_unless_they_require_gradients():
    torch = pytest.importorskip("torch")
    probs = torch.tensor(GOOD, requires_grad=True)
    sentence = "is a tensor that requires gradients; pass"
    assert refusal(probs, LABELS) == f"probs {sentence} probs.detach()"
    assert refusal(GOOD, probs) == f"targets {sentence} targets.detach()"
    assert "probs is not an array of numbers" in refusal(list(probs), LABELS)
    labels = torch.tensor(LABELS)
    assert metric("ece", probs.detach(), labels) == metric("ece", GOOD, LABELS)


def test_a_hard_metric_refuses_soft_labels_and_names_the_soft_metric():
    targets = [[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 1.0]]
    for name in HARD:
        remedy = f"soft_{name}" if name in PAIRS else "annotated class"
        with pytest.raises(RequestError, match=f"row 1 .* 0.75 .*{remedy}"):
            metric(name, GOOD, targets)


def test_a_number_of_bins_must_be_a_positive_integer():
    for bins in (0, -3, 1.5, "15", None, True, 10**9):
        for name in BINNED:
            with pytest.raises(RequestError, match="bins must be"):
                metric(name, GOOD, LABELS, bins=bins)
        with pytest.raises(RequestError, match="bins must be"):
            reliability_bins(GOOD, LABELS, bins)


@pytest.mark.parametrize("name", ["nll", "soft_nll"])
def test_a_clamp_must_be_between_0_and_1(name):
    for clamp in (0, 1, -1e-6, math.nan, "0.5", None):
        with pytest.raises(FercError, match="clamp must be a probability"):
            metric(name, GOOD, LABELS, clamp=clamp)


def test_the_arguments_are_left_unchanged():
    probs = np.array([[1 + 1e-8, -1e-8, 0.0], [0.3, 0.3, 0.4]])
    targets = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    before = probs.tobytes(), targets.tobytes()
    for name in EVERY:
        metric(name, probs, targets)
        assert (probs.tobytes(), targets.tobytes()) == before, name
