"""What is particular to single corruptions."""

from __future__ import annotations

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from helpers.scenes import CORRUPTIONS, SEVERITIES, generator, grey, rmse, scene

from ferc_core.errors import RequestError
from ferc_corruptions import extras
from ferc_corruptions.blur import apply_glass_blur, apply_motion_blur
from ferc_corruptions.severities import TABLES, constants
from ferc_corruptions.weather import apply_spatter

STILL = (0.1, 1, 1)  # glass blur: a Gaussian too narrow to blur, reach 1, one round


def test_glass_blur_copies_from_the_last_pixel_to_the_first():
    """Reach 1 moves rows and columns 2 .. side - 1; step 2 (dy + 1) + dx + 1 says from where."""
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    from_itself = np.full((1, 38, 38), 3)
    assert np.array_equal(apply_glass_blur(image, from_itself, STILL), image)

    from_the_left = np.full((1, 38, 38), 2)  # not yet overwritten: the image shifts
    expected = image.copy()
    expected[2:, 2:] = image[2:, 1:-1]
    assert np.array_equal(apply_glass_blur(image, from_the_left, STILL), expected)

    field = from_itself.copy()
    field[0, 5, 6] = 0  # pixel (7, 8) copies (6, 7), which stays: no swap
    made = apply_glass_blur(image, field, STILL)
    assert np.array_equal(made[7, 8], image[6, 7])
    assert np.array_equal(made[6, 7], image[6, 7])


def test_glass_blur_follows_chains_through_overwritten_pixels():
    """With reach 2, a step to the right reaches a pixel that was overwritten just before."""
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    from_the_right = np.full((1, 36, 36), 4 * 2 + 3)
    made = apply_glass_blur(image, from_the_right, (0.1, 2, 1))
    assert np.array_equal(made[3:39, 3:39], np.repeat(image[3:39, 39:], 36, axis=1))


@pytest.mark.parametrize("angle", [-45.0, -10.0, 0.0, 33.0, 45.0])
def test_motion_blur_keeps_the_brightness_of_images_smaller_than_its_line(angle):
    for severity in SEVERITIES:
        made = apply_motion_blur(grey(200, 32), angle, constants("motion_blur", severity))
        assert np.abs(made.astype(int) - 200).max() <= 1, severity


def test_horizontal_motion_blur_stays_in_its_row():
    image = np.zeros((64, 64, 3), np.uint8)
    image[30, 40] = 255
    made = apply_motion_blur(image, 0.0, (10, 3))
    assert not np.delete(made, 30, axis=0).any()
    assert made[30, 40, 0] > made[30, 39, 0] > made[30, 36, 0] > 0
    assert not made[30, 41:].any()


def test_spatter_without_drops_returns_a_copy_of_the_image():
    image = scene(32, 33)
    for table, severity in product(TABLES, SEVERITIES):
        c = constants("spatter", severity, table)
        made = apply_spatter(image, np.full(image.shape[:2], -9.0), c)
        assert np.array_equal(made, image)
        assert not np.shares_memory(made, image)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_adds_its_constant_to_the_largest_channel(severity):
    image = scene()
    made = CORRUPTIONS["brightness"](image, severity, generator())
    assert np.all(made.astype(int) >= image.astype(int) - 1)  # truncation
    added = made.max(axis=2).astype(int) - image.max(axis=2)
    assert np.all((added >= 25 * severity - 1) | (made.max(axis=2) == 255))


def test_brightness_and_saturation_of_hand_computed_pixels():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:] = (200, 100, 50)  # V = 200, S = 3/4
    bright = CORRUPTIONS["brightness"](image, 1, generator())[0, 0]
    assert bright.tolist() == [225, 112, 56]  # x 225.5 / 200
    pale = CORRUPTIONS["saturate"](image, 1, generator())[0, 0]
    assert pale.tolist() == [200, 170, 155]  # 200 - (200 - x) * 0.3
    red = CORRUPTIONS["saturate"](grey(100, 32), 4, generator())[0, 0]
    assert red[0] == 100  # grey has hue 0
    assert set(red[1:].tolist()) <= {89, 90}  # 100 * 0.9


def test_saturate_leaves_grey_images_unchanged_at_severities_1_to_3():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.kron(levels, np.ones((2, 2), np.uint8))[..., None].repeat(3, axis=2)
    for table, severity in product(TABLES, SEVERITIES):
        made = CORRUPTIONS["saturate"](image, severity, generator(), table=table)
        assert np.array_equal(made, image) is (severity <= 3), (table, severity)


def test_contrast_shrinks_the_distance_to_the_mean():
    image = grey(100, 32)
    image[:16] = 200  # mean 150
    made = CORRUPTIONS["contrast"](image, 1, generator())
    assert set(np.unique(made).tolist()) <= {129, 130, 169, 170}  # 150 -+ 50 * 0.4


def test_pixelate_at_one_half_averages_two_by_two():
    image = scene(64, 64)
    made = CORRUPTIONS["pixelate"](image, 2, generator())
    blocks = made.reshape(32, 2, 32, 2, 3)
    assert np.ptp(blocks, axis=(1, 3)).max() == 0
    means = image.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(blocks[:, 0, :, 0] - means).max() <= 1


@pytest.mark.parametrize(
    "name", ["gaussian_blur", "defocus_blur", "zoom_blur", "glass_blur", "elastic_transform"]
)
def test_blurs_leave_a_flat_image_flat(name):
    for table, severity in product(TABLES, SEVERITIES):
        made = CORRUPTIONS[name](grey(130, 48), severity, generator(), table=table)
        # the kernels of defocus blur at severities 4 and 5 sum to 1.013 and 1.011
        assert np.abs(made.astype(int) - 130).max() <= 2
        assert np.ptp(made) == 0


def test_zoom_blur_changes_the_rim_more_than_the_middle():
    image = scene(120, 120)
    made = CORRUPTIONS["zoom_blur"](image, 1, generator())
    middle, rim = np.s_[50:70, 50:70], np.s_[:20]
    assert rmse(made[middle], image[middle]) < 0.8 * rmse(made[rim], image[rim])


# --- frost ----------------------------------------------------------------------------------------


def test_frost_overlays_a_random_part_of_a_texture():
    pytest.importorskip("imagecorruptions")
    image = scene(60, 45)
    made = [CORRUPTIONS["frost"](image, 5, generator(seed)) for seed in range(3)]
    assert all(part.shape == image.shape for part in made)
    assert not np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], CORRUPTIONS["frost"](image, 5, generator(0)))


def test_frost_without_its_textures_names_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    extras._texture.cache_clear()
    with pytest.raises(RequestError, match=r'pip install "ferc-corruptions\[frost\]"'):
        extras.frost(scene(), 1, generator())


def test_frost_does_not_import_the_package_of_its_textures():
    pytest.importorskip("imagecorruptions")
    code = (
        "import sys, numpy as np; from ferc_corruptions.extras import frost;"
        "frost(np.zeros((32, 32, 3), np.uint8), 1, np.random.default_rng(0));"
        "sys.exit('imagecorruptions' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
