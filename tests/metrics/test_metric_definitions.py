"""Metrics against oracles: definitions in exact fractions, the authors' code, scikit-learn."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sklearn.metrics
from helpers.golden import golden
from helpers.metric_samples import exact_rows, metric, samples
from hypothesis import given, settings
from hypothesis import strategies as st

bin_numbers = st.integers(1, 20)


def close(value):
    return pytest.approx(float(value), abs=1e-12)


# --- the definitions ------------------------------------------------------------------------------


def exact_scores(sample, kind):
    """Score and outcome of each sample; kind is "hard", "soft" or "ferc"."""
    pairs = []
    for p, y, label in zip(
        exact_rows(sample.weights), exact_rows(sample.soft_weights), sample.labels, strict=True
    ):
        predicted = p.index(max(p))
        if kind == "hard":
            outcome = Fraction(int(predicted == label))
        elif kind == "soft":
            outcome = y[predicted]
        else:
            outcome = max(y) if predicted == y.index(max(y)) else 1 - max(y)
        pairs.append((p[predicted], outcome))
    return pairs


def in_equal_width(pairs, bins):
    groups = [[] for _ in range(bins)]
    for s, a in pairs:
        inside = [b for b in range(bins) if Fraction(b, bins) < s <= Fraction(b + 1, bins)]
        groups[inside[0] if inside else 0].append((s, a))  # s = 0 belongs to the first
    return groups


def in_equal_mass(pairs, bins):
    parts = np.array_split(np.arange(len(pairs)), bins)
    part_of_rank = {int(rank): b for b, part in enumerate(parts) for rank in part}
    scores = sorted(s for s, _ in pairs)
    groups = [[] for _ in range(bins)]
    for s, a in pairs:
        groups[part_of_rank[scores.index(s)]].append((s, a))  # rank of the first of a tie
    return groups


def gaps(groups):
    return [abs(sum(a - s for s, a in group)) / len(group) if group else 0 for group in groups]


def mean_gap(groups):
    n = sum(map(len, groups))
    return sum(len(g) * gap for g, gap in zip(groups, gaps(groups), strict=True)) / n


def exact_classwise(sample, targets, bins):
    columns = zip(*exact_rows(sample.weights), strict=True), zip(*targets, strict=True)
    errors = [
        mean_gap(in_equal_width(list(zip(p, y, strict=True)), bins))
        for p, y in zip(*columns, strict=True)
    ]
    return sum(errors) / len(errors)


def exact_kse(pairs):
    thresholds = {s for s, _ in pairs}
    return max(abs(sum(s - a for s, a in pairs if s <= t)) for t in thresholds) / len(pairs)


@pytest.mark.parametrize(
    ("kind", "form"), [("hard", "{}"), ("soft", "soft_{}"), ("ferc", "soft_{}_ferc")]
)
@given(sample=samples(largest=12), bins=bin_numbers)
@settings(deadline=None, max_examples=100)
def test_errors_over_scores_equal_their_definitions(kind, form, sample, bins):
    pairs = exact_scores(sample, kind)

    def found(name, **options):
        name = form.format(name)
        return metric(name, sample.probs, sample.targets(name), **options)

    assert found("ece", bins=bins) == close(mean_gap(in_equal_width(pairs, bins)))
    assert found("ada_ece", bins=bins) == close(mean_gap(in_equal_mass(pairs, bins)))
    assert found("kse") == close(exact_kse(pairs))
    if kind != "ferc":
        assert found("mce", bins=bins) == close(max(gaps(in_equal_width(pairs, bins))))


@given(sample=samples(largest=12), bins=bin_numbers)
@settings(deadline=None, max_examples=60)
def test_classwise_error_equals_its_definition(sample, bins):
    for name, targets in (
        ("classwise_ece", sample.one_hot.tolist()),
        ("soft_classwise_ece", exact_rows(sample.soft_weights)),
    ):
        value = exact_classwise(sample, targets, bins)
        assert metric(name, sample.probs, sample.targets(name), bins=bins) == close(value)


# --- the authors' functions on ten samples --------------------------------------------------------

GOLDEN = {  # key of golden.json: metric and its options
    "accuracy": ("accuracy", {}),
    "macro_f1": ("macro_f1", {}),
    "nll": ("nll", {}),
    "brier_sum_over_classes": ("brier", {}),
    "ece15": ("ece", {}),
    "mce15": ("mce", {}),
    "adaece15": ("ada_ece", {"legacy": True}),
    "adaece3": ("ada_ece", {"bins": 3, "legacy": True}),
    "cece15": ("classwise_ece", {"legacy": True}),
    "kse": ("kse", {}),
    "soft_nll": ("soft_nll", {}),
    "soft_ece15_expected_acc": ("soft_ece", {}),
    "soft_ece15": ("soft_ece_ferc", {}),
    "soft_adaece15": ("soft_ada_ece_ferc", {"legacy": True}),
    "soft_kse": ("soft_kse_ferc", {}),
}


@pytest.mark.parametrize("key", GOLDEN)
def test_agrees_with_the_authors_functions(key):
    name, options = GOLDEN[key]
    known = golden("metrics")
    targets = known["soft_labels" if name.startswith("soft_") else "labels"]
    tolerance = 1e-7 if options.get("legacy") else 1e-12  # these the authors compute in float32
    assert metric(name, known["probs"], targets, **options) == pytest.approx(
        known[key], abs=tolerance
    )


def test_brier_is_the_authors_times_the_number_of_classes():
    known = golden("metrics")
    for name, targets, key in (
        ("brier", "labels", "brier_mean_over_classes"),
        ("soft_brier", "soft_labels", "soft_brier_mean"),
    ):
        assert metric(name, known["probs"], known[targets]) / 4 == close(known[key])


# --- scikit-learn ---------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(6), 200)
    labels = rng.integers(0, 5, 200)  # class 5 is never labelled
    predicted, known = probs.argmax(axis=1), range(6)
    oracle = sklearn.metrics
    assert metric("accuracy", probs, labels) == pytest.approx(
        oracle.accuracy_score(labels, predicted)
    )
    assert metric("macro_f1", probs, labels) == pytest.approx(
        oracle.f1_score(labels, predicted, average="macro", zero_division=0)
    )
    assert metric("nll", probs, labels) == pytest.approx(
        oracle.log_loss(labels, probs, labels=known)
    )
    binary = probs[:, :2] / probs[:, :2].sum(axis=1, keepdims=True)
    hit = labels % 2
    assert metric("brier", binary, hit) == pytest.approx(
        2 * oracle.brier_score_loss(hit, binary[:, 1])  # scikit-learn looks at one class of two
    )
