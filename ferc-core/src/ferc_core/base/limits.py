"""What images and severities may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ferc_core.errors import BadImageError, RequestError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST_SIDE, LARGEST_SIDE = 32, 4096  # of the images of a run


def check_severity(severity: object) -> None:
    """Raise `RequestError` unless ``severity`` is 1, 2, 3, 4 or 5."""
    if not hasattr(severity, "__index__") or isinstance(severity, bool):
        raise RequestError(f"severity must be a whole number, 1 to 5, not {severity!r}")
    if severity not in SEVERITIES:
        raise RequestError(f"severity must be 1, 2, 3, 4 or 5, not {severity}")


def check_image(image: Image, name: str = "image") -> None:
    """Raise `BadImageError` unless ``image`` is uint8 RGB of at least 32x32."""
    shape: tuple[int, ...] = tuple(getattr(image, "shape", ()))
    if getattr(image, "dtype", "") != "uint8" or len(shape) != 3 or shape[-1] != 3:
        raise BadImageError(f"{name} must be a uint8 RGB array [H, W, 3]")
    if min(shape[:2]) < SMALLEST_SIDE:
        raise BadImageError(
            f"{name} is {shape[1]}x{shape[0]}; corruptions need at least "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE} pixels"
        )
