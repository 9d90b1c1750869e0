"""Metrics that take more than probabilities and labels: validation, clean images, ensembles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mutual_info_score, roc_auc_score

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_metrics.inputs import MetricInputError

RNG = np.random.default_rng(0)
PROBS = RNG.dirichlet(np.full(5, 0.5), 200)
LABELS = np.array([RNG.choice(5, p=row) for row in PROBS])


def measure(name: str, probs=PROBS, targets=LABELS, **given) -> float:
    return registry().metrics[name](probs, targets, **given)


# Conformal sets


def sets(probs, known, level: float) -> list[list[int]]:
    """The sets, by the smallest threshold that enough validation samples meet."""
    scores = sorted(1 - p[y] for p, y in zip(*known, strict=True))
    enough = [q for i, q in enumerate(scores, 1) if i >= level * (len(scores) + 1) - 1e-9]
    q = enough[0] if enough else 2
    return [[k for k, p in enumerate(row) if 1 - p <= q] for row in probs]


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99, 0.999])
def test_sets_are_those_of_the_definition(level):
    known = PROBS[:60], LABELS[:60]
    found = sets(PROBS[60:], known, level)
    given = {"validation": known, "level": level}
    hit = np.mean([label in each for label, each in zip(LABELS[60:], found, strict=True)])
    assert measure("conformal_coverage", PROBS[60:], LABELS[60:], **given) == hit
    size = measure("conformal_size", PROBS[60:], LABELS[60:], **given)
    assert size == pytest.approx(np.mean(list(map(len, found))))


def test_sets_hold_the_label_as_often_as_promised_whatever_the_model():
    """Exchangeable samples of a model that is far from calibrated, 400 times."""
    found = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        probs = rng.dirichlet(np.full(4, 0.3), 100)
        labels = np.where(rng.random(100) < 0.5, probs.argmax(axis=1), rng.integers(4, size=100))
        known = probs[:50], labels[:50]
        found.append(measure("conformal_coverage", probs[50:], labels[50:], validation=known))
    assert 0.895 < np.mean(found) < 0.93  # at least .9, at most .9 + 1/51 without ties


def test_too_few_validation_samples_leave_all_classes_in():
    known = PROBS[:5], LABELS[:5]
    assert measure("conformal_coverage", validation=known) == 1
    assert measure("conformal_size", validation=known) == 5


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, "much", True])
def test_a_level_outside_0_and_1_is_refused(level):
    for name in ("conformal_coverage", "conformal_size"):
        with pytest.raises(RequestError, match="level must be between 0 and 1"):
            measure(name, validation=(PROBS, LABELS), level=level)


def test_a_validation_split_that_is_none_is_refused():
    with pytest.raises(MetricInputError, match="probs is empty"):
        measure("conformal_coverage", validation=(np.empty((0, 5)), []))


# Confidence


@pytest.mark.parametrize("digits", [9, 1])
def test_the_auroc_is_that_of_scikit_learn(digits):
    probs = RNG.dirichlet(np.full(5, 0.8), 150).round(digits)
    probs /= probs.sum(axis=1, keepdims=True)
    s = np.concatenate([PROBS.max(axis=1), probs.max(axis=1)])
    expected = roc_auc_score(np.repeat([1, 0], [200, 150]), s)
    assert measure("clean_auroc", probs, LABELS[:150], clean=PROBS) == pytest.approx(expected)


def test_the_auroc_at_its_ends():
    sure, unsure = [[1.0, 0.0]] * 3, [[0.5, 0.5]] * 3
    assert measure("clean_auroc", unsure, [0] * 3, clean=sure) == 1
    assert measure("clean_auroc", sure, [0] * 3, clean=unsure) == 0
    assert measure("clean_auroc", sure, [0] * 3, clean=sure) == 0.5
    assert measure("clean_auroc", [[0.9, 0.1]], [0], clean=[[0.9, 0.1]]) == 0.5


def test_the_correlation_with_visibility_is_that_of_scipy():
    v = (PROBS.max(axis=1) + RNG.normal(0, 0.3, 200)).round(1)
    expected = spearmanr(PROBS.max(axis=1), v).statistic
    assert measure("visibility_correlation", visibility=v) == pytest.approx(expected)


def test_a_correlation_with_what_is_always_the_same_is_undefined():
    assert np.isnan(measure("visibility_correlation", visibility=np.full(200, 0.4)))
    assert np.isnan(measure("visibility_correlation", [[0.9, 0.1]], [0], visibility=[0.5]))
    assert np.isnan(
        measure("visibility_correlation", np.ones((3, 1)), [0] * 3, visibility=[1, 2, 3])
    )


def test_visibilities_that_are_none_are_refused():
    for wrong in ([0.5], np.full(200, np.nan)):
        with pytest.raises(MetricInputError, match="visibility must be 200 finite numbers"):
            measure("visibility_correlation", visibility=wrong)


def test_mean_confidence():
    assert measure("mean_confidence", [[0.9, 0.1], [0.4, 0.6]], [0, 0]) == pytest.approx(0.75)
    assert measure("mean_confidence", np.ones((3, 1)), [0, 0, 0]) == 1


# Ensembles


def test_disagreement_is_the_mutual_information():
    """Of tables of counts, by scikit-learn: rows are members, columns classes."""
    tables = RNG.integers(1, 9, (30, 4, 5))
    tables = tables * 2520 // tables.sum(axis=2, keepdims=True)  # nearly the same size each
    members = tables / tables.sum(axis=2, keepdims=True)
    expected = []
    for table in members:
        counts = np.round(table * 100_000).astype(int)
        expected.append(mutual_info_score(None, None, contingency=counts))
    found = measure("disagreement", members.mean(axis=1), LABELS[:30], members=members)
    assert found == pytest.approx(np.mean(expected), abs=1e-5)


def test_models_that_agree_and_models_that_do_not():
    same = np.stack([PROBS, PROBS, PROBS], axis=1)
    assert measure("disagreement", members=same) == pytest.approx(0, abs=1e-12)
    apart = np.tile(np.eye(2)[None], (4, 1, 1))
    given = {"members": apart}
    assert measure("disagreement", [[0.5, 0.5]] * 4, [0] * 4, **given) == pytest.approx(np.log(2))
    assert measure("disagreement", PROBS, LABELS, members=PROBS[:, None]) == 0


def test_disagreement_is_compared_with_the_entropy_of_votes():
    members = RNG.dirichlet(np.full(5, 0.7), (200, 3))
    probs = members.mean(axis=1)
    votes = RNG.multinomial(10, probs) / 10

    def entropy(p):
        return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=-1)

    information = entropy(probs) - entropy(members).mean(axis=1)
    expected = spearmanr(information, entropy(votes)).statistic
    given = {"members": members, "distribution": votes}
    assert measure("disagreement_correlation", probs, LABELS, **given) == pytest.approx(expected)
    one_hot = {"members": members, "distribution": np.eye(5)[LABELS]}
    assert np.isnan(measure("disagreement_correlation", probs, LABELS, **one_hot))


def test_members_of_another_shape_or_mean_are_refused():
    with pytest.raises(MetricInputError, match=r"members must have shape \[200, M, 5\]"):
        measure("disagreement", members=PROBS)
    with pytest.raises(MetricInputError, match="probs must be the mean of members"):
        measure("disagreement", members=np.full((200, 2, 5), 0.2))
