"""Reading images: usual files become uint8 RGB, bad ones a sentence with the path."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferc_core.errors import BadImageError, RequestError
from ferc_core.images.io import read_image, resize, to_rgb

RED, GREEN, BLUE = (200, 0, 0), (0, 150, 0), (0, 0, 100)


def quarters(height: int = 40, width: int = 60) -> np.ndarray:
    """RGB image: red above left, green above right, blue below."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = RED
    image[: height // 2, width // 2 :] = GREEN
    image[height // 2 :] = BLUE
    return image


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """The bytes of a file; channels are given as RGB or RGBA."""
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    return cv2.imencode(suffix, image)[1].tobytes()


def with_exif(jpeg: bytes, orientation: int, thumbnail: bytes = b"") -> bytes:
    """Put an EXIF segment with an orientation (and a thumbnail) into a JPEG file."""
    entry = b"\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, orientation, 0, 0])
    body = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + entry + b"\0\0\0\0" + thumbnail
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


@pytest.fixture
def write(tmp_path):
    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_colours_come_back_as_rgb(write, suffix):
    image = read_image(write(f"face{suffix}", encoded(quarters(), suffix)))
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, quarters())


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_back_approximately(write, suffix):
    image = read_image(write(f"face{suffix}", encoded(quarters(), suffix))).astype(int)
    for (row, column), colour in {(5, 5): RED, (5, 50): GREEN, (35, 30): BLUE}.items():
        assert np.abs(image[row, column] - colour).max() <= 12


def test_the_content_decides_and_not_the_suffix(write):
    image = read_image(write("face.jpg", encoded(quarters(), ".png")))
    np.testing.assert_array_equal(image, quarters())


def test_a_grey_image_has_three_equal_channels(write):
    grey = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60).astype(np.uint8)
    image = read_image(write("face.png", encoded(grey, ".png")))
    assert image.shape == (40, 60, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[..., channel], grey)


def test_transparency_is_dropped_and_colours_stay(write):
    rgba = np.dstack([quarters(), np.zeros((40, 60), np.uint8)])
    np.testing.assert_array_equal(read_image(write("f.png", encoded(rgba, ".png"))), quarters())


def test_sixteen_bits_are_scaled_to_eight(write):
    deep = np.full((40, 60), 65535, np.uint16)
    deep[0, :4] = [0, 128, 129, 257 * 100]
    image = read_image(write("face.png", encoded(deep, ".png")))
    assert image[0, :5, 0].tolist() == [0, 0, 1, 100, 255]


def test_the_orientation_of_the_camera_is_applied(write):
    upright = read_image(write("face.jpg", encoded(quarters(), ".jpg")))
    turned = read_image(write("turned.jpg", with_exif(encoded(quarters(), ".jpg"), 6)))
    np.testing.assert_array_equal(turned, np.rot90(upright, -1))


def test_unicode_paths_are_read(write):
    image = read_image(write("Gesicht ä 顔.png", encoded(quarters(), ".png")))
    np.testing.assert_array_equal(image, quarters())


def test_comments_and_profiles_of_a_png_are_skipped_silently(write, capfd):
    png = encoded(quarters(), ".png")
    after_header = 8 + 25
    odd = chunk(b"iCCP", b"odd\0\0nonsense") + chunk(b"tEXt", b"\0")
    path = write("face.png", png[:after_header] + odd + png[after_header:])
    np.testing.assert_array_equal(read_image(path), quarters())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm"])
def test_a_cut_file_is_refused_and_nothing_is_printed(write, capfd, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    data = encoded(noise, suffix)
    for kept in (0.03, 0.5, 0.9, 1):
        path = write(f"cut{suffix}", data[: int(kept * len(data)) - 1])
        with pytest.raises(BadImageError, match=path.name):
            read_image(path)
    assert capfd.readouterr() == ("", "")


def test_the_end_of_a_thumbnail_is_not_taken_for_that_of_the_image(write):
    thumbnail = encoded(quarters(16, 16), ".jpg")
    whole = with_exif(encoded(quarters(), ".jpg"), 1, thumbnail)
    assert read_image(write("whole.jpg", whole)).shape == (40, 60, 3)
    path = write("cut.jpg", whole[: len(whole) - 20])
    assert b"\xff\xd9" in path.read_bytes()
    with pytest.raises(BadImageError, match="cut short"):
        read_image(path)


def test_a_jpeg_that_is_cut_within_its_size_is_refused(write):
    whole = encoded(quarters(), ".jpg")
    frame = whole.index(b"\xff\xc0")
    for kept in range(frame + 1, frame + 12):
        with pytest.raises(BadImageError, match="cut"):
            read_image(write("cut.jpg", whole[:kept]))


def test_bytes_after_the_end_are_ignored(write):
    for suffix in (".png", ".jpg"):
        path = write(f"padded{suffix}", encoded(quarters(), suffix) + b"\0\0\0padding")
        assert read_image(path).shape == (40, 60, 3)


def test_a_damaged_png_is_refused_and_nothing_is_printed(write, capfd):
    data = bytearray(encoded(quarters(), ".png"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadImageError, match="damaged"):
        read_image(write("bad.png", bytes(data)))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("data", "word"), [(b"", "empty"), (b"not an image but a text", "damaged")]
)
def test_a_file_that_is_not_an_image_is_named(write, capfd, data, word):
    path = write("bad.png", data)
    with pytest.raises(BadImageError, match=word) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(BadImageError) as caught:
            read_image(path)
        assert str(path) in str(caught.value)


def test_floating_point_images_are_refused(write):
    path = write("deep.tif", encoded(np.ones((40, 60), np.float32), ".tif"))
    with pytest.raises(BadImageError, match=r"deep\.tif.*float32"):
        read_image(path)


def test_to_rgb_takes_grey_rgb_and_rgba():
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    expected = np.stack([grey] * 3, axis=2)
    np.testing.assert_array_equal(to_rgb(grey), expected)
    np.testing.assert_array_equal(to_rgb(grey[..., None]), expected)
    np.testing.assert_array_equal(to_rgb(quarters()), quarters())
    rgba = np.dstack([quarters(), np.zeros((40, 60), np.uint8)])
    np.testing.assert_array_equal(to_rgb(rgba), quarters())


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8)]
)
def test_to_rgb_refuses_other_arrays(array):
    with pytest.raises(BadImageError, match="must"):
        to_rgb(array)


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 80), st.integers(0, 255))
def test_resize_gives_the_size_and_keeps_a_flat_colour(height, width, side, value):
    image = np.full((height, width, 3), (value, 7, 255), np.uint8)
    resized = resize(image, side)
    assert resized.shape == (side, side, 3)
    assert resized.dtype == np.uint8
    assert (resized == (value, 7, 255)).all()


def test_shrinking_averages_areas():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (resize(stripes, 32) == 100).all()


def test_shrinking_one_direction_averages_while_the_other_grows():
    stripes = np.zeros((16, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (resize(stripes, 32) == 100).all()


def test_growing_interpolates_between_pixels():
    step = np.zeros((2, 2, 3), np.uint8)
    step[:, 1] = 200
    # pixel centres at -1/4, 1/4, 3/4, 5/4 of the way
    assert resize(step, 4)[0, :, 0].tolist() == [0, 50, 150, 200]


def test_resize_returns_the_input_where_it_has_the_size():
    image = quarters(32, 32)
    assert resize(image, 32) is image


def test_resize_refuses_an_impossible_size():
    with pytest.raises(RequestError, match="at least 1"):
        resize(quarters(), 0)
