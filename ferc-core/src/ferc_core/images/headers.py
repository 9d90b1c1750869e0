"""The size of an image as its header says it, before any of its pixels is decoded.

Only the formats that `ferc_core.images.io` reads are known. Where a file says its size twice, the
larger one counts: it is compared with a limit.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

MOST_PIXELS = 64_000_000  # of an image that is read, unless another limit is set
UPPER_LIMIT = 1 << 30  # OpenCV reads no more

PNG_START = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8\xff"
JPEG_SCAN = 0xDA  # marker in front of the compressed data
JPEG_END = 0xD9
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers with the size
JPEG_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}  # markers without content

BLANK = rb"(?:\s|#[^\r\n]*[\r\n])+"
PNM = re.compile(rb"P[1-6]" + BLANK + rb"(\d{1,10})" + BLANK + rb"(\d{1,10})\s")
PNM_HEADER = 1 << 16  # bytes, comments included

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TIFF_FORMATS = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 16: "Q", 17: "Q"}
TIFF_WIDTH, TIFF_HEIGHT, TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT = 256, 257, 322, 323
MOST_TAGS = 4096

Size = tuple[int, int]  # width, height


def size_of(data: bytes) -> Size | None:
    """Return width and height of an image file; None where its header is of no known format."""
    try:
        size = _size(data)
    except (struct.error, IndexError, OverflowError):  # the header is cut short, or leads far away
        return None
    return size if size is not None and min(size) > 0 else None


def _size(data: bytes) -> Size | None:
    if data.startswith(PNG_START):
        width, height = struct.unpack_from(">II", data, 16)
        return (width, height) if data[12:16] == b"IHDR" else None
    if data.startswith(JPEG_START):
        return next((size for _, size in jpeg_segments(data) if size), None)
    if data.startswith(b"BM"):
        if struct.unpack_from("<I", data, 14)[0] == 12:
            width, height = struct.unpack_from("<HH", data, 18)
            return width, height
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)  # a negative height: rows from the top
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data.startswith(TIFF_STARTS):
        return _tiff(data)
    found = PNM.match(data[:PNM_HEADER])
    return (int(found[1]), int(found[2])) if found else None


def jpeg_segments(data: bytes) -> Iterator[tuple[int, Size | None]]:
    """Yield where each segment of a JPEG file ends, up to the first scan, and the size if it has.

    Like decoders it skips what is between segments, and fill bytes.
    """
    at = 2
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker in (JPEG_SCAN, JPEG_END):
            return
        if marker in (0x00, 0xFF) or marker in JPEG_BARE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        size = None
        if marker in JPEG_FRAMES:
            if at + 9 > len(data):  # cut short
                return
            height, width = struct.unpack_from(">HH", data, at + 5)
            size = width, height
        at += 2 + max(length, 2)
        yield at, size


def _webp(data: bytes) -> Size | None:
    if data[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if data[12:16] == b"VP8X" and len(data) >= 30:
        width, height = (1 + int.from_bytes(data[i : i + 3], "little") for i in (24, 27))
        return width, height
    return None


def _tiff(data: bytes) -> Size | None:
    """Return the size of the first image, or of its tiles where these are larger."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2] + data[3] == ord("+")
    (at,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    count_format, entry, inline = ("Q", 20, 12) if big else ("H", 12, 8)
    (count,) = struct.unpack_from(order + count_format, data, at)
    at += struct.calcsize(order + count_format)
    wanted = (TIFF_WIDTH, TIFF_HEIGHT, TIFF_TILE_WIDTH, TIFF_TILE_HEIGHT)
    found = dict.fromkeys(wanted, 0)
    for place in range(at, at + entry * min(count, MOST_TAGS), entry):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in found:
            if kind not in TIFF_FORMATS:
                return None
            (value,) = struct.unpack_from(order + TIFF_FORMATS[kind], data, place + inline)
            found[tag] = max(found[tag], value)
    width, height = found[TIFF_WIDTH], found[TIFF_HEIGHT]
    if not width or not height:
        return None
    return max(
        (width, height),
        (found[TIFF_TILE_WIDTH], found[TIFF_TILE_HEIGHT]),
        key=lambda size: size[0] * size[1],
    )
