"""Functions of arrays that are the same on every processor."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from ferc_core.base.exact import exponential, power


def test_exponentials_are_right_to_two_units_of_the_last_place():
    x = np.random.default_rng(0).uniform(-1, 1, 5000) * np.repeat([1, 30, 700], [1000, 2000, 2000])
    expected = np.array([float(Decimal(value).exp()) for value in x.tolist()])
    assert (np.abs(exponential(x) - expected) <= 2 * np.spacing(expected)).all()
    assert exponential(np.array([0.0, -800, -np.inf])).tolist() == [1, 0, 0]


@pytest.mark.parametrize("exponent", [1, 2.0, 4, 64, 0.5, 2.5, 65, 1e300, np.inf])
def test_powers_are_those_of_numpy(exponent):
    x = np.linspace(0, 1, 101)
    np.testing.assert_allclose(power(x, exponent), x**exponent, rtol=1e-13)
