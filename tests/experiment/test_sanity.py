"""A wrong set-up of a model is noticed: classes in another order, one missing, a sigmoid."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core.experiment.sanity import signs, signs_of_probs, wrong_order

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger")
K = len(CLASSES)


def model(n: int, right: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [N, K] of a model that is right on a fraction of the faces, and the labels [N]."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(K, size=n)
    predicted = np.where(rng.random(n) < right, labels, rng.integers(K, size=n))
    return rng.normal(0, 1, (n, K)) + 5 * np.eye(K)[predicted], labels


@pytest.mark.parametrize("right", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("n", [8, 100, 3000])
def test_the_right_order_raises_no_alarm(n, right):
    for seed in range(20):
        logits, labels = model(n, right, seed)
        assert not list(signs(logits, labels, CLASSES))


def test_two_classes_that_are_swapped_are_named():
    logits, labels = model(400, 0.6)
    (text,) = signs(logits[:, [0, 1, 3, 2, 4, 5, 6]], labels, CLASSES)
    assert "sad and surprise seem to be swapped" in text
    assert "name its outputs with classes=" in text


def test_an_alphabetic_order_is_named_class_by_class():
    logits, labels = model(400, 0.6)
    order = np.argsort(CLASSES)  # of anger, disgust, ...
    (text,) = signs(logits[:, order], labels, CLASSES)
    for output, k in enumerate(order):
        assert (f"{CLASSES[output]} seems to be {CLASSES[k]}" in text) == (output != k)
    right = np.mean(logits.argmax(axis=1) == labels)
    assert f"right on {100 * right:.1f} %" in text


def test_a_model_that_confuses_two_classes_is_not_misread():
    rng = np.random.default_rng(0)
    labels = rng.integers(K, size=1000)
    predicted = np.where(labels == 4, np.where(rng.random(1000) < 0.5, 3, 4), labels)
    assert wrong_order(predicted, labels, CLASSES) == ""


def test_a_class_that_is_padded_is_noticed():
    logits, labels = model(60, 0.6)
    logits[:, 5] = -1000
    (text,) = signs(logits, labels, CLASSES)
    assert "its probability of disgust is never above 1e-06" in text
    assert "--classes neutral --classes happy" in text
    assert "--classes disgust" not in text


def test_a_sigmoid_is_noticed():
    logits, labels = model(60, 0.6)
    (text,) = signs(1 / (1 + np.exp(-logits)), labels, CLASSES)
    assert "all lie between 0 and 1" in text


def test_probabilities_made_elsewhere_are_looked_at_too():
    logits, labels = model(400, 0.6)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert not list(signs_of_probs(probs, labels, CLASSES))
    (text,) = signs_of_probs(probs[:, [1, 0, 2, 3, 4, 5, 6]], labels, CLASSES)
    assert "neutral and happy seem to be swapped" in text
