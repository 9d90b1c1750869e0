"""Label noise: how many training labels change, and into which classes."""

from __future__ import annotations

import numpy as np
import pytest

from ferc_core.data.noise import flip_labels

LABELS = np.arange(200) % 7


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.25, 1.0])
def test_exact_noise_changes_its_fraction_into_other_classes(rate):
    noisy = flip_labels(LABELS, rate, 7, seed=3)
    assert (noisy != LABELS).sum() == int(rate * 200)
    assert set(noisy) <= set(range(7))
    np.testing.assert_array_equal(noisy, flip_labels(LABELS, rate, 7, seed=3))
    if 0 < rate < 1:
        assert (noisy != flip_labels(LABELS, rate, 7, seed=4)).any()


def test_the_authors_noise_changes_fewer_labels_and_the_same_for_every_seed():
    """Rows are drawn with replacement, and a class may be drawn that the row already has."""
    labels = np.arange(20_000) % 7
    noisy = flip_labels(labels, 0.3, 7, seed=3, scheme="ferc")
    expected = (1 - np.exp(-0.3)) * 6 / 7
    assert (noisy != labels).mean() == pytest.approx(expected, abs=0.01)
    np.testing.assert_array_equal(noisy, flip_labels(labels, 0.3, 7, seed=4, scheme="ferc"))


def test_noise_leaves_its_input_alone():
    labels = LABELS.copy()
    for scheme in ("exact", "ferc"):
        flip_labels(labels, 0.5, 7, seed=0, scheme=scheme)
    np.testing.assert_array_equal(labels, LABELS)
