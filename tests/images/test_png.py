"""PNG files: lossless, and the same bytes on every machine."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferc_core.images.png import encode


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return (levels * levels >> 8).astype(np.uint8)


def decoded(content: bytes) -> np.ndarray:
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_another_decoder_reads_the_same_pixels(height, width, seed):
    image = noise(height, width, seed)
    np.testing.assert_array_equal(decoded(encode(image)), image)


@pytest.mark.parametrize(
    "image", [noise(224, 224), noise(40, 500), np.full((300, 300, 3), 7, np.uint8)]
)
def test_the_bytes_are_those_of_the_standard_library(image):
    content = encode(image)
    start = content.index(b"IDAT")
    length = int.from_bytes(content[start - 4 : start], "big")
    body = content[start + 4 : start + 4 + length]
    deflate = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_HUFFMAN_ONLY)
    assert body == deflate.compress(zlib.decompress(body)) + deflate.flush()


def test_memory_around_an_image_does_not_matter():
    image = noise(64, 64)
    expected = encode(image)
    rng = np.random.default_rng(0)
    for offset in range(50):
        room = np.frombuffer(rng.bytes(image.size + 100), np.uint8).copy()
        place = room[offset : offset + image.size].reshape(image.shape)
        place[:] = image
        assert encode(place) == expected
