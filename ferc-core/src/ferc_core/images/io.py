"""Image files as arrays: reading them, and resizing.

Everything inside FER-C is uint8 RGB ``[H, W, 3]``; OpenCV's BGR order ends here.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.files import read_bytes
from ferc_core.errors import BadImageError, RequestError, opencv_failure
from ferc_core.images.headers import (
    JPEG_START,
    MOST_PIXELS,
    PNG_START,
    UPPER_LIMIT,
    Size,
    jpeg_segments,
    size_of,
)
from ferc_core.images.quiet import quiet

# Which files of a folder are images; how a file is decoded depends on its content.
IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)

LARGEST = 1 << 30  # bytes of an image file
JPEG_END = b"\xff\xd9"
ROWS = 256  # that are converted at a time

_limit = MOST_PIXELS


def limit_pixels(most: int) -> None:
    """Refuse larger images from now on, in all threads of this process."""
    global _limit
    _limit = most


@cache
def opencv() -> Any:
    """Return the module cv2, or raise `RequestError` with remedies where it cannot be loaded.

    It prints nothing about images that it cannot read: these become a `BadImageError`.
    """
    try:
        import cv2
    except ImportError as error:
        raise opencv_failure(error) from error
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    return cv2


def read_image(path: Path | str) -> npt.NDArray[np.uint8]:
    """Read an image file as uint8 RGB [H, W, 3].

    Grey images get three equal channels. Transparency is dropped and the stored colours are kept,
    as in the usual training pipelines. 16-bit values are scaled to 8 bits. The orientation that a
    camera wrote into the file (EXIF) is applied.

    Raises `BadImageError`, which names the path, when the file is missing, empty, cut short,
    damaged, not an image, not a regular file, or larger than `limit_pixels` allows.
    """
    path = Path(path)
    try:
        data = read_bytes(path, LARGEST)  # not cv2.imread, which cannot open every path
    except OSError as error:
        raise BadImageError(f"image {path} cannot be read: {error.strerror}") from error
    return decode_image(data, path)


def decode_image(data: bytes, path: Path) -> npt.NDArray[np.uint8]:
    """Decode the content of an image file as `read_image` does; ``path`` is for the message."""
    if not data:
        raise BadImageError(f"image {path} is empty")
    size = size_of(data)
    if size is None:
        raise BadImageError(f"image {path} is damaged, or in a format that cannot be read")
    check_pixels(size, f"image {path}")
    if data.startswith(PNG_START):
        data = _png_image(data)
    elif data.startswith(JPEG_START):
        data = _whole_jpeg(data)
    if not data:
        raise BadImageError(f"image {path} is cut short or damaged")
    cv2 = opencv()
    try:
        with quiet():
            decoded = cv2.imdecode(
                np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
            )
    except cv2.error:
        decoded = None
    if decoded is None:
        np.empty((*size, 8), np.uint8)  # a MemoryError where that is why nothing was decoded
        raise BadImageError(f"image {path} is damaged, or in a format that cannot be read")
    try:
        return to_rgb(decoded if decoded.ndim == 2 else decoded[..., ::-1])
    except BadImageError as error:
        raise BadImageError(f"image {path}: {error}") from error


def check_pixels(size: Size, what: str) -> None:
    """Raise `BadImageError` for an image of more pixels than `limit_pixels` allows."""
    width, height = size
    if width * height > _limit:
        can = width * height <= UPPER_LIMIT
        more = f", or --max-pixels {width * height} where there is memory for it" if can else ""
        raise BadImageError(
            f"{what} has {width}x{height} pixels, and images of at most {_limit:,} are read; take "
            f"a smaller copy{more}"
        )


def to_rgb(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return a grey [H, W] or [H, W, 1], RGB or RGBA array as uint8 RGB [H, W, 3].

    uint8 values are kept, uint16 values are scaled so that 65535 becomes 255, and transparency is
    dropped. Raises `BadImageError` for other shapes and types.
    """
    if array.dtype == np.uint16:
        array = _eight_bits(array)
    if array.dtype != np.uint8:
        raise BadImageError(f"values must have 8 or 16 bits, not {array.dtype}")
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise BadImageError(f"shape must be [H, W], [H, W, 3] or [H, W, 4], not {array.shape}")
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[..., :3])


def resize(image: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """Return uint8 RGB [H, W, 3] as [side, side, 3]; the aspect ratio is not kept.

    A direction that shrinks is averaged over areas, one that grows is interpolated linearly. An
    image that has this size already is returned itself.
    """
    if side < 1:
        raise RequestError(f"the image size must be at least 1, not {side}")
    height, width = image.shape[:2]
    small, cv2 = (min(width, side), min(height, side)), opencv()
    if small != (width, height):
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    if small != (side, side):
        image = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR).astype(
            np.uint8, copy=False
        )
    return image


def _eight_bits(array: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Return 16-bit values as 8 bits, some rows at a time, for their sums need 32."""
    result = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), ROWS):
        part = slice(start, start + ROWS)
        result[part] = (array[part].astype(np.uint32) + 128) // 257
    return result


def _whole_jpeg(data: bytes) -> bytes:
    """Return a JPEG file, or nothing when it has no end-of-image marker.

    The segments before the compressed data are skipped: a thumbnail in them has an end marker of
    its own. Decoders accept a file that is cut short and fill the rest with grey.
    """
    ends = [end for end, _ in jpeg_segments(data)]
    return data if data.find(JPEG_END, *ends[-1:]) >= 0 else b""


def _png_image(data: bytes) -> bytes:
    """Return the chunks of a PNG file that make the image, or nothing when it is incomplete.

    Those are the critical chunks (their names begin with a capital) and the orientation. The
    decoder would print warnings about colour profiles, texts and the like.
    """
    kept, at = [PNG_START], len(PNG_START)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        name = data[at + 4 : at + 8]
        if name[:1].isupper() or name == b"eXIf":
            if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                return b""
            kept.append(data[at:end])
        if name == b"IEND":
            return b"".join(kept)
        at = end
    return b""
