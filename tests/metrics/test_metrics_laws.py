"""Laws of the metrics, on small samples full of ties and of scores that lie on edges.

Probabilities are ratios of small integers, so that an oracle can follow the definitions in exact
fractions; scikit-learn is an oracle for the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ferc_core import registry
from ferc_metrics.reliability import reliability_bins

PAIRS = ["nll", "brier", "ece", "mce", "ada_ece", "classwise_ece", "kse"]
FERC = ["ece", "ada_ece", "kse"]
HARD = ["accuracy", "macro_f1", *PAIRS]
SOFT = [*(f"soft_{name}" for name in PAIRS), *(f"soft_{name}_ferc" for name in FERC)]

BINNED = [name for name in HARD + SOFT if "ece" in name or "mce" in name]

quick = settings(deadline=None, max_examples=60)


def metric(name, probs, targets, **options):
    return registry().metrics[name](probs, targets, **options)


def close(value):
    return pytest.approx(value, abs=1e-12)


@dataclass
class Sample:
    """N rows in whole parts: probs = weights / their sum, and so are the soft targets."""

    weights: list[list[int]]
    soft_weights: list[list[int]]
    labels: list[int]

    @property
    def probs(self):
        return self._rows(self.weights)

    @property
    def soft(self):
        return self._rows(self.soft_weights)

    @property
    def one_hot(self):
        return np.eye(len(self.weights[0]))[self.labels]

    def targets(self, name):
        return self.soft if name.startswith("soft_") else np.array(self.labels)

    @staticmethod
    def _rows(weights):
        parts = np.array(weights, dtype=float)
        return parts / parts.sum(axis=1, keepdims=True)


@st.composite
def samples(draw, classes=(1, 5), largest=20):
    k = draw(st.integers(*classes))
    row = st.lists(st.integers(0, 5), min_size=k, max_size=k).filter(any)
    n = draw(st.integers(1, largest))
    rows = st.lists(row, min_size=n, max_size=n)
    labels = st.lists(st.integers(0, k - 1), min_size=n, max_size=n)
    return Sample(draw(rows), draw(rows), draw(labels))


def has_unique_maxima(rows):
    return all(np.count_nonzero(row == row.max()) == 1 for row in rows)


# --- the definitions, in exact fractions ----------------------------------------------------------


def exact_rows(weights):
    return [[Fraction(w, sum(row)) for w in row] for row in weights]


def exact_scores(sample, kind):
    """Score and outcome of each sample; kind is "hard", "soft" or "ferc"."""
    pairs = []
    for p, y, label in zip(
        exact_rows(sample.weights), exact_rows(sample.soft_weights), sample.labels, strict=True
    ):
        predicted = p.index(max(p))
        if kind == "hard":
            outcome = Fraction(predicted == label)
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


def exact_mean_gap(groups):
    n = sum(map(len, groups))
    return sum(len(g) * gap for g, gap in zip(groups, gaps(groups), strict=True)) / n


def exact_classwise(sample, targets, bins):
    columns = zip(*exact_rows(sample.weights), strict=True), zip(*targets, strict=True)
    errors = [
        exact_mean_gap(in_equal_width(list(zip(p, y, strict=True)), bins))
        for p, y in zip(*columns, strict=True)
    ]
    return sum(errors) / len(errors)


def exact_kse(pairs):
    thresholds = {s for s, _ in pairs}
    return max(abs(sum(s - a for s, a in pairs if s <= t)) for t in thresholds) / len(pairs)


@given(samples(), st.integers(1, 20))
@settings(deadline=None, max_examples=150)
def test_binned_errors_are_their_definitions(sample, bins):
    for kind, pattern in (("hard", "{}"), ("soft", "soft_{}"), ("ferc", "soft_{}_ferc")):
        pairs = exact_scores(sample, kind)
        for name, value in (
            ("ece", exact_mean_gap(in_equal_width(pairs, bins))),
            ("ada_ece", exact_mean_gap(in_equal_mass(pairs, bins))),
        ):
            full = pattern.format(name)
            found = metric(full, sample.probs, sample.targets(full), bins=bins)
            assert found == close(float(value)), full
        if kind != "ferc":
            full = pattern.format("mce")
            found = metric(full, sample.probs, sample.targets(full), bins=bins)
            assert found == close(float(max(gaps(in_equal_width(pairs, bins))))), full


@given(samples())
@quick
def test_kse_is_its_definition(sample):
    for kind, name in (("hard", "kse"), ("soft", "soft_kse"), ("ferc", "soft_kse_ferc")):
        value = float(exact_kse(exact_scores(sample, kind)))
        assert metric(name, sample.probs, sample.targets(name)) == close(value)


@given(samples(), st.integers(1, 20))
@quick
def test_classwise_error_is_its_definition(sample, bins):
    one_hot = [[int(k == c) for k in range(len(sample.weights[0]))] for c in sample.labels]
    for name, targets in (
        ("classwise_ece", one_hot),
        ("soft_classwise_ece", exact_rows(sample.soft_weights)),
    ):
        value = float(exact_classwise(sample, targets, bins))
        assert metric(name, sample.probs, sample.targets(name), bins=bins) == close(value)


# --- laws -----------------------------------------------------------------------------------------


@given(sample=samples(), data=st.data())
@quick
def test_the_order_of_the_rows_does_not_matter(sample, data):
    order = data.draw(st.permutations(range(len(sample.labels))))
    for name in HARD + SOFT:
        probs, targets = sample.probs, sample.targets(name)
        moved = metric(name, probs[order], targets[order])
        assert moved == close(metric(name, probs, targets)), name


@given(sample=samples(classes=(2, 5), largest=6), data=st.data())
@quick
def test_the_order_of_the_classes_does_not_matter(sample, data):
    probs, soft = sample.probs, sample.soft
    assume(has_unique_maxima(probs))  # of a tie the first class is taken
    order = data.draw(st.permutations(range(probs.shape[1])))
    renamed = np.array([order.index(label) for label in sample.labels])
    for name in HARD + SOFT:
        if name.endswith("_ferc") and not has_unique_maxima(soft):
            continue
        targets = soft[:, order] if name.startswith("soft_") else renamed
        moved = metric(name, probs[:, order], targets)
        assert moved == close(metric(name, probs, sample.targets(name))), name


@given(sample=samples(largest=8), times=st.integers(2, 4))
@quick
def test_repeating_all_samples_changes_nothing(sample, times):
    for name in HARD + SOFT:
        if "ada_ece" in name:
            continue  # its bins are cut by rank
        probs, targets = sample.probs, sample.targets(name)
        again = metric(name, np.tile(probs, (times, 1)), np.concatenate([targets] * times))
        assert again == close(metric(name, probs, targets)), name


@given(sample=samples())
@quick
def test_soft_metrics_of_one_hot_labels_are_the_hard_ones(sample):
    probs, one_hot = sample.probs, sample.one_hot
    for name, legacy in product(PAIRS, (False, True)):
        if legacy and name not in ("ada_ece", "classwise_ece"):
            continue
        options = {"legacy": True} if legacy else {}
        hard = metric(name, probs, sample.labels, **options)
        assert metric(name, probs, one_hot, **options) == hard, name
        for form in [f"soft_{name}"] + ([f"soft_{name}_ferc"] if name in FERC else []):
            assert metric(form, probs, one_hot, **options) == close(hard), form
            assert metric(form, probs, sample.labels, **options) == close(hard), form


@given(sample=samples(classes=(2, 2)))
@quick
def test_the_authors_forms_are_the_expected_ones_for_two_classes(sample):
    for name in FERC:
        ours = metric(f"soft_{name}", sample.probs, sample.soft)
        assert metric(f"soft_{name}_ferc", sample.probs, sample.soft) == close(ours), name


@given(sample=samples(classes=(2, 3), largest=4), bins=st.integers(1, 8))
@quick
def test_soft_bins_are_the_expectation_of_the_hard_ones_over_drawn_labels(sample, bins):
    probs, soft = sample.probs, sample.soft
    n, k = probs.shape
    expected = np.zeros(bins)
    for labels in product(range(k), repeat=n):
        chance = np.prod(soft[np.arange(n), labels])
        expected += chance * reliability_bins(probs, labels, bins).accuracy_sum
    assert reliability_bins(probs, soft, bins).accuracy_sum == close(expected)


@given(sample=samples(), bins=st.integers(1, 30))
@quick
def test_bins_hold_every_sample_once(sample, bins):
    found = reliability_bins(sample.probs, sample.soft, bins)
    full = found.count > 0
    assert len(found.count) == bins
    assert found.count.sum() == len(sample.labels)
    assert found.confidence_sum.sum() == close(sample.probs.max(axis=1).sum())
    assert np.isnan(found.confidence[~full]).all()
    lower = np.arange(bins)[full] / bins
    assert (found.confidence[full] > lower - 1e-12).all()
    assert (found.confidence[full] < lower + 1 / bins + 1e-12).all()


@given(sample=samples(), bins=st.integers(1, 30), data=st.data())
@quick
def test_bins_of_two_parts_add_up_to_those_of_the_whole(sample, bins, data):
    cut = data.draw(st.integers(1, len(sample.labels)))
    assume(cut < len(sample.labels))
    probs, soft = sample.probs, sample.soft
    parts = [reliability_bins(probs[rows], soft[rows], bins) for rows in (np.s_[:cut], np.s_[cut:])]
    whole = reliability_bins(probs, soft, bins)
    for field in ("count", "confidence_sum", "accuracy_sum"):
        assert sum(getattr(part, field) for part in parts) == close(getattr(whole, field))


@given(sample=samples(), bins=st.integers(1, 30))
@quick
def test_ece_and_mce_are_made_of_the_reliability_bins(sample, bins):
    found = reliability_bins(sample.probs, sample.labels, bins)
    full = found.count > 0
    gap = np.abs(found.accuracy[full] - found.confidence[full])
    ece = np.average(gap, weights=found.count[full])
    assert metric("ece", sample.probs, sample.labels, bins=bins) == close(ece)
    assert metric("mce", sample.probs, sample.labels, bins=bins) == close(gap.max())


@given(sample=samples())
@quick
def test_values_stay_in_their_range(sample):
    for name in HARD + SOFT:
        top = np.inf if "nll" in name else 2 if "brier" in name else 1
        assert 0 <= metric(name, sample.probs, sample.targets(name)) <= top + 1e-12, name


@given(sample=samples(), bins=st.integers(1, 30))
@quick
def test_no_error_is_below_the_gap_of_the_means_and_mce_is_the_largest(sample, bins):
    probs, labels = sample.probs, sample.labels
    overall = abs(metric("accuracy", probs, labels) - probs.max(axis=1).mean())
    assert metric("ece", probs, labels, bins=1) == close(overall)
    for name in ("ece", "ada_ece"):
        assert metric(name, probs, labels, bins=bins) >= overall - 1e-12
    assert metric("kse", probs, labels) >= overall - 1e-12
    assert (
        metric("ece", probs, labels, bins=bins) <= metric("mce", probs, labels, bins=bins) + 1e-12
    )


@given(sample=samples())
@quick
def test_proper_scores_are_best_at_the_label_distribution(sample):
    probs, soft = sample.probs, sample.soft
    assert metric("soft_brier", soft, soft) == 0
    assert metric("soft_nll", probs, soft) >= metric("soft_nll", soft, soft) - 1e-12
    for name in (n for n in SOFT if "classwise" in n or n in ("soft_ece", "soft_mce", "soft_kse")):
        assert metric(name, soft, soft) == close(0), name


@given(sample=samples())
@quick
def test_fifteen_bins_are_the_default(sample):
    for name in BINNED:
        probs, targets = sample.probs, sample.targets(name)
        assert metric(name, probs, targets) == metric(name, probs, targets, bins=15), name


# --- oracles and simulation -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
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


def test_a_calibrated_model_has_errors_that_vanish_with_n():
    rng = np.random.default_rng(0)
    errors = {}
    for n in (1_000, 100_000):
        probs = rng.dirichlet(np.ones(7), n)
        labels = (rng.random((n, 1)) > probs.cumsum(axis=1)).sum(axis=1).clip(max=6)
        for name in ("ece", "ada_ece", "classwise_ece", "kse"):
            errors[name, n] = metric(name, probs, labels)
    for name in ("ece", "ada_ece", "classwise_ece", "kse"):
        assert errors[name, 100_000] < 0.008, name
        assert errors[name, 100_000] < errors[name, 1_000] / 3, name
    sharp = probs**3 / (probs**3).sum(axis=1, keepdims=True)  # over-confident
    for name in ("ece", "ada_ece", "kse"):
        assert metric(name, sharp, labels) > 0.2, name
