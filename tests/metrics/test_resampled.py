"""The fast forms for many resamples equal the metrics on the resamples themselves."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.metric_samples import metric, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core import registry
from ferc_core.spec import resolve
from ferc_metrics.inputs import MetricInputError

RESAMPLED = {name: entry.resampled for name, entry in registry().metrics.items() if entry.resampled}


def check(name, probs, targets, rows):
    """Compare with the metric on the rows [D, N] of each resample."""
    n, k = probs.shape
    counts = np.array([np.bincount(drawn, minlength=n) for drawn in rows], np.float64)
    distributions = np.eye(k)[targets] if targets.ndim == 1 else targets
    found = resolve(RESAMPLED[name])(probs, distributions, counts)
    expected = [metric(name, probs[drawn], targets[drawn]) for drawn in rows]
    assert found.shape == (len(rows),)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_metrics_of_the_summaries_have_a_fast_form():
    shown = {name for name, entry in registry().metrics.items() if entry.views}
    assert set(RESAMPLED) - shown == {"mean_confidence"}
    assert shown <= set(RESAMPLED)
    assert "ece" in shown


@pytest.mark.parametrize("name", RESAMPLED)
@given(sample=samples(), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=50)
def test_fast_forms_equal_the_metric_of_each_resample(name, sample, seed):
    """Also where probabilities are tied, 0, or on the edge of a bin, and classes are missing."""
    n = len(sample.labels)
    rows = np.random.default_rng(seed).integers(n, size=(4, n))
    check(name, sample.probs, sample.targets(name), rows)


@pytest.mark.parametrize("name", RESAMPLED)
def test_fast_forms_equal_the_metric_of_a_thousand_samples(name):
    rng = np.random.default_rng(0)
    probs, soft = rng.dirichlet(np.full(8, 0.4), (2, 1000))
    targets = soft if name.startswith("soft_") else rng.integers(8, size=1000)
    check(name, probs, targets, rng.integers(1000, size=(20, 1000)))


def test_bad_arrays_are_refused():
    for function in RESAMPLED.values():
        with pytest.raises(MetricInputError, match="probs row 0 sums to 2"):
            resolve(function)([[1.0, 1.0]], [[1.0, 0.0]], np.ones((1, 1)))
