"""Properties that hold for any sample."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from helpers.metric_samples import FERC, HARD, LEGACY, PAIRS, SOFT, metric, samples
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ferc_metrics.reliability import reliability_bins

quick = settings(deadline=None, max_examples=50)
bin_numbers = st.integers(1, 30)


def close(value):
    return pytest.approx(value, abs=1e-12)


def has_unique_maxima(rows):
    return all(np.count_nonzero(row == row.max()) == 1 for row in rows)


@given(sample=samples(), data=st.data())
@quick
def test_row_order_does_not_matter(sample, data):
    order = data.draw(st.permutations(range(len(sample.labels))))
    for name in HARD + SOFT:
        probs, targets = sample.probs, sample.targets(name)
        moved = metric(name, probs[order], targets[order])
        assert moved == close(metric(name, probs, targets)), name


@given(sample=samples(classes=(2, 5), largest=6), data=st.data())
@quick
def test_class_order_does_not_matter(sample, data):
    probs, soft = sample.probs, sample.soft
    assume(has_unique_maxima(probs))  # of tied classes the first is predicted
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
def test_soft_metrics_of_one_hot_labels_equal_the_hard_ones(sample):
    probs, one_hot = sample.probs, sample.one_hot
    for name, legacy in [*product(PAIRS, [False]), *product(LEGACY, [True])]:
        options = {"legacy": True} if legacy else {}
        hard = metric(name, probs, sample.labels, **options)
        assert metric(name, probs, one_hot, **options) == hard, name
        for form in [f"soft_{name}"] + ([f"soft_{name}_ferc"] if name in FERC else []):
            assert metric(form, probs, one_hot, **options) == close(hard), form
            assert metric(form, probs, sample.labels, **options) == close(hard), form


@given(sample=samples(classes=(2, 2)))
@quick
def test_the_authors_soft_metrics_equal_the_expected_ones_for_two_classes(sample):
    for name in FERC:
        ours = metric(f"soft_{name}", sample.probs, sample.soft)
        assert metric(f"soft_{name}_ferc", sample.probs, sample.soft) == close(ours), name


@given(sample=samples(classes=(2, 3), largest=4), bins=st.integers(1, 8))
@quick
def test_a_soft_signed_gap_is_the_expected_hard_one_and_an_absolute_gap_at_most(sample, bins):
    """The expectation is over labels drawn from the soft ones."""
    probs, soft = sample.probs, sample.soft
    n, k = probs.shape
    accuracy, gap = np.zeros(bins), np.zeros(bins)
    for labels in product(range(k), repeat=n):
        chance = np.prod(soft[np.arange(n), labels])
        hard = reliability_bins(probs, labels, bins)
        accuracy += chance * hard.accuracy_sum
        gap += chance * hard.gap
    found = reliability_bins(probs, soft, bins)
    assert found.accuracy_sum == close(accuracy)
    assert (found.gap <= gap + 1e-12).all()


def test_the_soft_error_can_be_zero_where_every_drawn_label_has_an_error():
    probs = [[0.6, 0.4]]
    assert metric("soft_ece", probs, probs) == 0
    assert [metric("ece", probs, [label]) for label in (0, 1)] == [close(0.4), close(0.6)]


@given(sample=samples(), bins=bin_numbers)
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


@given(sample=samples(), bins=bin_numbers, data=st.data())
@quick
def test_the_bins_of_two_parts_add_up_to_the_bins_of_the_whole(sample, bins, data):
    cut = data.draw(st.integers(1, len(sample.labels)))
    assume(cut < len(sample.labels))
    probs, soft = sample.probs, sample.soft
    parts = [reliability_bins(probs[rows], soft[rows], bins) for rows in (np.s_[:cut], np.s_[cut:])]
    whole = reliability_bins(probs, soft, bins)
    for field in ("count", "confidence_sum", "accuracy_sum"):
        assert sum(getattr(part, field) for part in parts) == close(getattr(whole, field))


@given(sample=samples(), bins=bin_numbers)
@quick
def test_ece_and_mce_are_computed_from_the_reliability_bins(sample, bins):
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


@given(sample=samples(), bins=bin_numbers)
@quick
def test_every_error_lies_between_the_gap_of_the_means_and_mce(sample, bins):
    probs, labels = sample.probs, sample.labels
    overall = abs(metric("accuracy", probs, labels) - probs.max(axis=1).mean())
    assert metric("ece", probs, labels, bins=1) == close(overall)
    ece = metric("ece", probs, labels, bins=bins)
    assert overall - 1e-12 <= ece <= metric("mce", probs, labels, bins=bins) + 1e-12
    assert metric("ada_ece", probs, labels, bins=bins) >= overall - 1e-12
    assert metric("kse", probs, labels) >= overall - 1e-12


@given(sample=samples())
@quick
def test_proper_scores_are_best_at_the_label_distribution(sample):
    probs, soft = sample.probs, sample.soft
    assert metric("soft_brier", soft, soft) == 0
    assert metric("soft_nll", probs, soft) >= metric("soft_nll", soft, soft) - 1e-12
    for name in (n for n in SOFT if "classwise" in n or n in ("soft_ece", "soft_mce", "soft_kse")):
        assert metric(name, soft, soft) == close(0), name


def test_errors_of_a_calibrated_model_vanish_with_n():
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
