"""Random fields, and the noise corruptions made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.scenes import CORRUPTIONS, SEVERITIES, generator, grey

from ferc_corruptions import fields, noise
from ferc_corruptions.severities import constants


def test_ranks_are_uniform_and_independent():
    ranks = fields.uniform16(generator(), (1 << 20,)).astype(float)
    spread = fields.RANKS / math.sqrt(12)
    assert abs(ranks.mean() - (fields.RANKS - 1) / 2) < 5 * spread / math.sqrt(len(ranks))
    counts = np.bincount(ranks.astype(int) >> 8, minlength=256)
    assert (((counts - 4096) ** 2) / 4096).sum() < 255 + 5 * math.sqrt(2 * 255)
    for lag in (1, 2, 3, 4, 224):  # four ranks share one 64-bit number
        assert abs(np.corrcoef(ranks[lag:], ranks[:-lag])[0, 1]) < 5 / math.sqrt(len(ranks))


def test_normal_values_have_the_moments_and_tails_of_a_normal_distribution():
    table = fields.normal_quantiles().astype(float)
    assert table.mean() == pytest.approx(0, abs=1e-6)
    assert table.std() == pytest.approx(1, abs=1e-6)
    assert np.mean(table**4) == pytest.approx(3, abs=0.01)
    for z in (0.5, 1, 2, 3, 4):
        tail = math.erfc(z / math.sqrt(2)) / 2
        assert np.mean(table > z) == pytest.approx(tail, abs=1.5 / fields.RANKS)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_has_its_standard_deviation_and_clips_like_a_normal(severity):
    c = constants("gaussian_noise", severity)
    made = CORRUPTIONS["gaussian_noise"](grey(128, 512), severity, generator()).astype(float)
    for level in (0, 255):
        edge = (1 - 128) if level == 0 else 255 - 128  # below 1 is cut to 0
        tail = math.erfc(abs(edge) / 255 / c / math.sqrt(2)) / 2
        error = math.sqrt(tail / made.size)
        assert abs(np.mean(made == level) - tail) < 5 * error + 1e-5
    inside = made[(made > 0) & (made < 255)] - 127.5  # truncation costs half a level
    assert abs(inside.mean()) < 0.5
    if severity == 1:
        assert inside.std() == pytest.approx(255 * c, rel=5e-3)


def test_speckle_noise_is_proportional_to_the_value():
    def make(level):
        return CORRUPTIONS["speckle_noise"](grey(level), 1, generator()).astype(float)

    assert not make(0).any()
    assert make(60).std() == pytest.approx(60 * 0.15, rel=0.01)
    assert make(120).std() == pytest.approx(120 * 0.15, rel=0.01)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_noise_sets_its_fraction_of_values_half_to_black_half_to_white(severity):
    made = CORRUPTIONS["impulse_noise"](grey(100, 512), severity, generator())
    each = constants("impulse_noise", severity) / 2
    error = 5 * math.sqrt(each / made.size)
    assert abs(np.mean(made == 255) - each) < error
    assert abs(np.mean(made == 0) - each) < error
    assert set(np.unique(made)) == {0, 100, 255}
    hit = made != 100  # channels are hit independently
    assert abs(np.mean(hit[..., 0] & hit[..., 1]) - 4 * each**2) < 0.01


def poisson(mean: float, up_to: int) -> np.ndarray:
    mass = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(up_to)]
    return np.array([*mass, 1 - sum(mass)])


@pytest.mark.parametrize("c", [3, 5, 12, 25, 60, 15, 30, 50, 100, 250])
def test_the_alias_table_of_shot_noise_is_the_poisson_distribution_of_each_level(c):
    entries = noise._alias_table(c).reshape(256, -1).astype(np.int64)
    room = fields.RANKS // entries.shape[1]
    limit, own, other = entries >> 16, entries >> 8 & 255, entries & 255
    for level in (1, 2, 77, 128, 254, 255):
        ranks = np.bincount(own[level], limit[level], 256)
        ranks += np.bincount(other[level], room - limit[level], 256)
        expected = np.zeros(256)
        shown = noise.apply_shot_noise(np.arange(c + 1), c)
        np.add.at(expected, shown, poisson(level / 255 * c, c))
        assert np.abs(ranks / fields.RANKS - expected).max() < 2 / fields.RANKS


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_draws_poisson_counts(severity):
    c, level = constants("shot_noise", severity), 90
    made = CORRUPTIONS["shot_noise"](grey(level, 512), severity, generator())
    shown = noise.apply_shot_noise(np.arange(c + 1), c)
    seen = np.array([np.mean(made == value) for value in shown])
    expected = poisson(level / 255 * c, c)
    assert np.all(np.abs(seen - expected) < 5 * np.sqrt(expected / made.size) + 2e-5)


def test_shot_noise_leaves_black_unchanged():
    for severity in SEVERITIES:
        assert not CORRUPTIONS["shot_noise"](grey(0, 64), severity, generator()).any()


def test_small_integers_are_uniform():
    for bound in (4, 16, 36, 64):
        counts = np.bincount(fields.below(bound, generator(), (1 << 20,)), minlength=bound)
        expected = (1 << 20) / bound
        assert len(counts) == bound
        assert (((counts - expected) ** 2) / expected).sum() < bound + 5 * math.sqrt(2 * bound)
