"""L2, SSIM, PSNR and the published arithmetic: degradations, 0 for identical images."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core import registry
from ferc_core.errors import RequestError
from ferc_corruptions.visibility import l2, l2_uint8, psnr

VISIBILITIES = registry().visibilities
ssim = VISIBILITIES["ssim"]
NAMES = ["l2", "l2-uint8", "psnr", "ssim"]


def pair(seed: int = 0, shape: tuple[int, int] = (64, 80), noise: float = 20.0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
    clean = cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC)
    return clean, np.clip(clean + rng.normal(0, noise, clean.shape), 0, 255).astype(np.uint8)


def flat(level: int) -> np.ndarray:
    return np.full((40, 50, 3), level, np.uint8)


def test_visibility_functions_are_registered_with_their_scopes():
    scopes = {name: VISIBILITIES[name].scope for name in NAMES}
    assert scopes == {"l2": "average", "ssim": "average", "psnr": "average", "l2-uint8": "image"}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), height=st.integers(32, 90), width=st.integers(32, 90))
def test_identical_images_have_no_degradation_and_others_some(name, seed, height, width):
    clean, corrupted = pair(seed, (height, width))
    assert VISIBILITIES[name](clean, clean.copy()) == 0
    value = VISIBILITIES[name](clean, corrupted)
    assert isinstance(value, float)
    assert 0 < value < math.inf


@pytest.mark.parametrize("name", ["l2", "psnr", "ssim"])
def test_more_noise_is_a_larger_degradation(name):
    values = [VISIBILITIES[name](*pair(1, noise=sigma)) for sigma in (2, 5, 10, 20, 40, 80)]
    assert values == sorted(values)
    assert values[0] < values[-1] / 3


@pytest.mark.parametrize("name", NAMES)
def test_images_of_different_sizes_are_refused(name):
    clean, _ = pair()
    with pytest.raises(RequestError, match="clean image is 80x64 and the corrupted one 80x63"):
        VISIBILITIES[name](clean, clean[1:])


def test_l2_of_hand_computed_images():
    assert l2(flat(0), flat(255)) == 1
    assert l2(flat(10), flat(61)) == pytest.approx(0.2)
    half = flat(100)
    half[:, :25] = 130
    assert l2(flat(100), half) == pytest.approx(30 / 255 / math.sqrt(2))


def test_psnr_is_the_loss_in_decibels_relative_to_an_error_of_one_level():
    assert psnr(flat(10), flat(13)) == pytest.approx(10)  # mean squared error 9
    assert psnr(flat(0), flat(255)) == pytest.approx(20 * math.log10(255), abs=1e-4)


def test_psnr_agrees_with_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    for noise in (3, 10, 40):
        clean, corrupted = pair(noise=noise)
        ratio = metrics.peak_signal_noise_ratio(clean, corrupted, data_range=255)
        error = 255**2 / 10 ** (ratio / 10)
        assert psnr(clean, corrupted) == pytest.approx(10 * math.log10(1 + error))


@pytest.mark.parametrize("shape", [(32, 32), (64, 80), (224, 224), (75, 131)])
@pytest.mark.parametrize("noise", [0.6, 8, 60])
def test_ssim_agrees_with_scikit_image(shape, noise):
    metrics = pytest.importorskip("skimage.metrics")
    clean, corrupted = pair(2, shape, noise)
    clean[: shape[0] // 2] = 255  # large values beside small variances
    for other in (corrupted, 255 - clean, np.full_like(clean, 255), clean // 2):
        expected = metrics.structural_similarity(
            clean,
            other,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=2,
            data_range=255,
        )
        assert ssim(clean, other) == pytest.approx(1 - expected, abs=1e-5)


def test_ssim_of_two_flat_images_is_that_of_their_means():
    c1 = (0.01 * 255) ** 2
    expected = 1 - (2 * 50 * 150 + c1) / (50**2 + 150**2 + c1)
    assert ssim(flat(50), flat(150)) == pytest.approx(expected, abs=1e-6)


def test_l2_uint8_wraps_differences_and_squares():
    assert l2_uint8(flat(10), flat(13)) == 9
    assert l2_uint8(flat(13), flat(10)) == 9  # (-3 mod 256)**2 = 253**2 = 9 mod 256
    assert l2_uint8(flat(0), flat(16)) == 0  # 256 mod 256
    assert l2_uint8(flat(0), flat(20)) == 400 - 256


def test_l2_uint8_of_dense_noise_is_near_the_mean_of_all_wrapped_squares():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    assert l2_uint8(a, b) == pytest.approx(105.5, abs=1)
