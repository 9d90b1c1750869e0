"""Parity with ``imagecorruptions``: given the same random field, at most one grey level apart.

The reference draws from NumPy's global generator. A `Tape` replaces it and records the draws, so
that our pure ``apply_`` functions can be given the same field.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import product

import cv2
import numpy as np
import pytest
from helpers.scenes import BENCHMARK, CORRUPTIONS, RANDOM, SEVERITIES, rmse

from ferc_corruptions import blur, digital, elastic, extras, noise, weather
from ferc_corruptions.filters import exponential
from ferc_corruptions.severities import constants

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    reference = pytest.importorskip("imagecorruptions")
    numba = pytest.importorskip("numba")
    data = pytest.importorskip("skimage.data")

LONGEST_LINE = 41  # pixels

pytestmark = pytest.mark.filterwarnings("ignore")  # those of the reference

SIZES = ((224, 224), (100, 100), (48, 48), (112, 96), (32, 32), (33, 61), (375, 500), (1024, 771))


class Tape:
    """Replaces ``numpy.random``; ``log`` holds standard draws: normal, in (-1, 1), counts."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.log: list[np.ndarray] = []

    def keep(self, draw):
        self.log.append(draw)
        return draw

    def normal(self, loc=0.0, scale=1.0, size=None):
        return loc + scale * self.keep(self.rng.standard_normal(size))

    def uniform(self, low=0.0, high=1.0, size=None):
        return low + (high - low) * (self.keep(self.rng.uniform(-1, 1, size)) + 1) / 2

    def poisson(self, lam):
        return self.keep(self.rng.poisson(lam))


def taped(monkeypatch, call: Callable[[], np.ndarray], seed: int):
    """Return what a call returns and draws, with an exponential that no processor alters."""
    tape = Tape(seed)
    with monkeypatch.context() as patch:
        patch.setattr(np, "exp", np.vectorize(exponential))
        for name in ("normal", "uniform", "poisson"):
            patch.setattr(np.random, name, getattr(tape, name))
        return call(), tape.log


@numba.njit
def glass_steps(seed: int, count: int, reach: int) -> np.ndarray:
    """Return what the reference's compiled glass blur draws: (dx, dy), the last pixel first."""
    np.random.seed(seed)  # noqa: NPY002
    steps = np.empty((count, 2), np.int64)
    for i in range(count):
        dx, dy = np.random.randint(-reach, reach, size=(2,))  # noqa: NPY002
        steps[i, 0] = dx
        steps[i, 1] = dy
    return steps


def glass_field(image: np.ndarray, seed: int, c: tuple[float, int, int]) -> np.ndarray:
    _, reach, rounds = c
    shape = (rounds, image.shape[0] - 2 * reach, image.shape[1] - 2 * reach)
    steps = glass_steps(seed, int(np.prod(shape)), reach).reshape(*shape, 2)[:, ::-1, ::-1]
    return (steps[..., 1] + reach) * 2 * reach + steps[..., 0] + reach


def by_rank(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a field in order, and the rank of each."""
    values, ranks = np.unique(field, return_inverse=True)
    return values, ranks.reshape(field.shape)


def impulse_field(image: np.ndarray, seed: int, c: float) -> np.ndarray:
    """Return the reference's two draws for each value, whether it is hit and to what, as ranks."""
    rng = np.random.default_rng(seed)
    hit, salt = rng.random(image.shape) <= c, rng.random(image.shape) <= 0.5
    return np.where(hit, np.where(salt, 0, 65535), 32768).astype(np.uint16)


def both(monkeypatch, name: str, image: np.ndarray, severity: int, seed: int):
    """Return the reference's image and ours of the same random field."""
    seeded = {"seed": seed} if name in {"impulse_noise", "glass_blur"} else {}
    theirs, log = taped(
        monkeypatch, lambda: reference.corrupt(image, severity, name, **seeded), seed
    )
    c = constants(name, severity)
    if name == "gaussian_noise":
        levels, ranks = by_rank(np.floor(255 * c * log[0]).astype(np.int16))
        ours = noise.apply_gaussian_noise(image, ranks, levels)
    elif name == "speckle_noise":
        factors, ranks = by_rank((1 + c * log[0]).astype(np.float32))
        ours = noise.apply_speckle_noise(image, ranks, factors)
    elif name == "shot_noise":
        ours = noise.apply_shot_noise(log[0], c)
    elif name == "impulse_noise":
        ours = noise.apply_impulse_noise(image, impulse_field(image, seed, c), c)
    elif name == "motion_blur":
        ours = blur.apply_motion_blur(image, 45 * log[0], c)
    elif name == "glass_blur":
        ours = blur.apply_glass_blur(image, glass_field(image, seed, c), c)
    elif name == "snow":
        ours = weather.apply_snow(image, log[0], -90 + 45 * log[1], c)
    elif name == "spatter":
        ours = weather.apply_spatter(image, log[0], c)
    elif name == "elastic_transform":
        ours = elastic.apply_elastic_transform(image, np.stack(log), np.zeros((3, 2)), c)
    else:
        module = blur if name.endswith("blur") else digital
        ours = getattr(module, f"apply_{name}")(image, c)
    return theirs, ours


def distance(theirs: np.ndarray, ours: np.ndarray) -> tuple[int, float]:
    difference = np.abs(theirs.astype(int) - ours)
    return int(difference.max()), float(difference.mean())


def photo(height: int, width: int) -> np.ndarray:
    return cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("name", BENCHMARK)
def test_a_photograph_differs_by_at_most_one_level(monkeypatch, name):
    for size, severity in product(SIZES, SEVERITIES):
        if size[0] > 300 and severity in ((2, 4) if size[0] < 1000 else (1, 2, 3, 4)):
            continue  # the reference is slow here
        if name in ("motion_blur", "snow") and min(size) < LONGEST_LINE:
            continue  # the reference loses what of its line is outside the image
        most, mean = distance(*both(monkeypatch, name, photo(*size), severity, 7 * severity))
        assert most <= 1, (size, severity)
        assert mean < 0.005, (size, severity)


@pytest.mark.parametrize("name", BENCHMARK)
def test_random_colours_and_greys_differ_by_at_most_one_level(monkeypatch, name):
    pixels = np.random.default_rng(3).integers(0, 256, (64, 49, 3), dtype=np.uint8)
    for image in (pixels, np.repeat(pixels[..., :1], 3, axis=2)):
        for severity in SEVERITIES:
            most, mean = distance(*both(monkeypatch, name, image, severity, severity))
            assert most <= 1, severity
            assert mean < 0.006, severity


@pytest.mark.parametrize("name", [n for n in BENCHMARK if n != "contrast"])
def test_flat_images_agree_although_the_reference_truncates(monkeypatch, name):
    """All but contrast: its mean, summed value by value, is off by a rounding error."""
    for level in (0, 1, 37, 100, 128, 201, 254, 255):
        image = np.full((40, 45, 3), (level, 255 - level, level // 2), np.uint8)
        for severity in SEVERITIES:
            most, mean = distance(*both(monkeypatch, name, image, severity, level))
            assert most <= 1, (level, severity)
            assert mean < 0.05, (level, severity)


@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", RANDOM)
def test_whole_calls_degrade_an_image_as_much_as_the_reference(monkeypatch, name, severity):
    """With fields that we draw ourselves, the root mean squared errors of many seeds agree."""
    image, count = photo(48, 48), 60
    error = np.empty((2, count))
    for seed in range(count):
        seeded = {"seed": seed} if name in {"impulse_noise", "glass_blur"} else {}
        theirs, _ = taped(
            monkeypatch,
            lambda s=seed, k=seeded: reference.corrupt(image, severity, name, **k),
            seed,
        )
        ours = CORRUPTIONS[name](image, severity, np.random.default_rng(seed))
        for i, made in enumerate((theirs, ours)):
            error[i, seed] = rmse(made, image)
    gap = abs(error[0].mean() - error[1].mean())
    assert gap < 4.5 * np.sqrt(error.var(axis=1, ddof=1).sum() / count)


def test_elastic_constants_match_the_library():
    for severity, times in zip(SEVERITIES, (0.05, 0.065, 0.085, 0.1, 0.12), strict=True):
        length, sigma, shear = constants("elastic_transform", severity)
        assert length == pytest.approx(250 * times * 0.005)
        assert (sigma, shear) == (0.01, 0)


def test_plasma_matches_the_reference(monkeypatch):
    module = reference.corruptions
    for decay in (2, 1.7, 1.4):
        cloud, log = taped(monkeypatch, lambda d=decay: module.plasma_fractal(64, d), 5)
        # both draw in the order middles, top edges, left edges
        draws = iter(log)
        ours = extras.plasma(64, decay, lambda shape, draws=draws: next(draws))
        assert np.abs(cloud - ours).max() < 1e-5


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_and_frost_differ_by_at_most_one_level(monkeypatch, severity):
    image, cloud = photo(96, 112), np.random.default_rng(1).random((128, 128), np.float32)
    c = constants("fog", severity)
    with monkeypatch.context() as patch:
        patch.setattr(reference.corruptions, "plasma_fractal", lambda **_: cloud)
        theirs = reference.corrupt(image, severity, "fog")
    most, mean = distance(theirs, extras.apply_fog(image, cloud[:96, :112], c))
    assert most <= 1
    assert mean < 0.005

    # texture 2, cropped at row 7 and column 9
    choice = iter((2, 7, 9))
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "randint", lambda *_: next(choice))
        theirs = reference.corrupt(image, severity, "frost")
    texture = extras._texture("frost3.png")
    size = tuple(int(np.ceil(side * 1.1)) for side in texture.shape[1::-1])
    texture = cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)[7:103, 9:121]
    most, mean = distance(theirs, extras.apply_frost(image, texture, constants("frost", severity)))
    assert most <= 1
    assert mean < 0.05
