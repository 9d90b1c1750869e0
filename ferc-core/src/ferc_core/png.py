"""Lossless PNG files, written fast.

ISA-L's deflate at level 1 behind the "up" filter takes a quarter of the time of OpenCV's encoder
at about the same size. The bytes may differ between processors; the pixels never do.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from isal import isal_zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR_8_BIT = (8, 2, 0, 0, 0)  # depth, colour type, deflate, adaptive filters, no interlace
UP = 2  # filter type: each byte minus the one above it
LEVEL = 1


def encode(image: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG file of a uint8 RGB picture [H, W, 3]."""
    height, width, _ = image.shape
    rows = image.reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, *TRUE_COLOUR_8_BIT)
    body = isal_zlib.compress(filtered, LEVEL)
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk: length, kind, content, checksum."""
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
