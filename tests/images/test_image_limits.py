"""What an image may cost: its header is believed before its pixels are decoded."""

from __future__ import annotations

import os
import random
import socket
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.runs import folder_of_faces

from ferc_core.errors import BadImageError
from ferc_core.images import io
from ferc_core.images.headers import MOST_PIXELS, size_of
from ferc_core.images.io import limit_pixels, read_image
from ferc_core.images.png import chunk

SIDE = 20_000
SUFFIXES = (".png", ".jpg", ".bmp", ".webp", ".tif", ".ppm", ".pgm")


def huge_png() -> bytes:
    """Return the beginning of a 16-bit RGB PNG of 20,000 x 20,000 pixels: 2.3 MB for 2.4 GB."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 + 6 * SIDE) * 10)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def encoded(suffix: str, height: int = 40, width: int = 60) -> bytes:
    shape = (height, width) if suffix == ".pgm" else (height, width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return cv2.imencode(suffix, image)[1].tobytes()


def with_checksums(png: bytearray) -> bytes:
    """Return a damaged PNG whose checksums are right, so that the decoder meets the damage."""
    at = 8
    while at + 12 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")
        png[end - 4 : end] = zlib.crc32(png[at + 4 : end - 4]).to_bytes(4, "big")
        at = end
    return bytes(png)


@pytest.fixture(autouse=True)
def usual_limit():
    yield
    limit_pixels(MOST_PIXELS)


def refused(path: Path) -> str:
    """Return the message about an image, which comes at once."""
    begun = time.monotonic()
    with pytest.raises(BadImageError) as caught:
        read_image(path)
    assert time.monotonic() - begun < 0.2
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_small_file_of_a_huge_image_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr(io, "opencv", lambda: pytest.fail("a pixel was decoded"))
    path = tmp_path / "huge.png"
    path.write_bytes(huge_png())
    assert "20000x20000" in (message := refused(path))
    assert "--max-pixels 400000000" in message


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_of_every_format_is_read(tmp_path, suffix):
    path = tmp_path / f"face{suffix}"
    path.write_bytes(encoded(suffix))
    assert size_of(path.read_bytes()) == (60, 40)
    limit_pixels(60 * 40)
    assert read_image(path).shape == (40, 60, 3)
    limit_pixels(60 * 40 - 1)
    assert "60x40" in refused(path)


@pytest.mark.parametrize("suffix", [".gif", ".jp2", ".hdr", ".pfm", ".ras", ".pam"])
def test_content_of_other_formats_is_refused(tmp_path, suffix):
    image = np.full((40, 60, 3), 128, np.float32 if suffix in (".hdr", ".pfm") else np.uint8)
    path = tmp_path / "face.png"
    path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    assert "format" in refused(path)


def test_tiles_larger_than_their_image_count():
    entries = [(256, 4, 8), (257, 4, 8), (322, 4, 1 << 15), (323, 4, 1 << 15)]
    listed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries)) + listed + bytes(4)
    assert size_of(tiff) == (1 << 15, 1 << 15)


def test_a_header_that_leads_far_away_has_no_size():
    assert size_of(b"II+\0" + struct.pack("<HHQ", 8, 0, 2**64 - 1)) is None


def test_damaged_images_are_arrays_or_sentences_and_decoders_are_silent(tmp_path, capfd):
    rng, path = random.Random(0), tmp_path / "damaged"
    for suffix in SUFFIXES * 15:
        data = bytearray(encoded(suffix))
        for _ in range(rng.randrange(1, 4)):
            data[rng.choice((rng.randrange(64), rng.randrange(len(data))))] = rng.randrange(256)
        path.write_bytes(with_checksums(data) if suffix == ".png" else data)
        with suppress(BadImageError):
            assert read_image(path).dtype == np.uint8
    os.write(2, b"not silenced for good")
    assert capfd.readouterr() == ("", "not silenced for good")


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder", "dangling", "loop", "big"])
def test_what_is_no_regular_file_is_never_waited_for(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # names of sockets must be short
    path = tmp_path / "face.png"
    make: dict[str, Callable[[], object]] = {
        "fifo": lambda: os.mkfifo(path),
        "socket": lambda: listener.bind(path.name),
        "device": lambda: path.symlink_to("/dev/zero"),
        "folder": lambda: path.mkdir(),
        "dangling": lambda: path.symlink_to(tmp_path / "none"),
        "loop": lambda: path.symlink_to(path),
        "big": lambda: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), (1 << 30) + 1),
    }
    with socket.socket(socket.AF_UNIX) as listener:
        make[kind]()
        assert "cannot be read" in refused(path)


@pytest.mark.parametrize(
    "command",
    [
        "corrupt ROOT/train/calm/0.png out",
        "data check folder --data-root ROOT",
        "build --dataset folder --data-root ROOT --out out --executor serial",
    ],
)
def test_commands_that_read_images_take_the_limit(ferc, tmp_path, command):
    root = folder_of_faces(tmp_path / "data", 3)
    words = [word.replace("ROOT", str(root)) for word in command.split()]
    done = ferc(*words, "--max-pixels", 100)
    assert done.returncode == 1, done.stderr
    assert "at most 100 are read" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
