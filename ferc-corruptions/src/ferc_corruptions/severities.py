"""Severity tables: five rows of constants for each corruption, in two tables.

``imagenet-c``       the constants of the ``imagecorruptions`` library (Hendrycks & Dietterich 2019,
                     arXiv:1903.12261; Michaelis et al. 2019, arXiv:1907.07484)
``tiny-imagenet-c``  the weaker ones of TinyImageNet-C (same authors), which the published images
                     of FER-C show, with its literal side of 64 pixels replaced by the real side

The docstring of a corruption's ``apply_`` function explains the numbers of its rows.
Images are scaled to [0, 1] wherever a constant is an intensity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.spec import check_severity

IMAGENET_C = "imagenet-c"
TINY_IMAGENET_C = "tiny-imagenet-c"


def _factors(*ranges: tuple[float, float]) -> tuple[tuple[float, ...], ...]:
    """Zoom factors from 1 up to the given end in the given steps, as ``numpy.arange`` counts."""
    return tuple(tuple(np.arange(1, end, step).tolist()) for end, step in ranges)


# fmt: off
TABLES: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    IMAGENET_C: {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "shot_noise": (60, 25, 12, 5, 3),
        "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
        "speckle_noise": (0.15, 0.2, 0.35, 0.45, 0.6),
        "gaussian_blur": (1, 2, 3, 4, 6),
        "glass_blur": ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        "defocus_blur": ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        "motion_blur": ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        "zoom_blur": _factors((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        "snow": (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7), (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        "spatter": (
            (0.65, 0.3, 4, 0.69, 0.6, "water"), (0.65, 0.3, 3, 0.68, 0.6, "water"),
            (0.65, 0.3, 2, 0.68, 0.5, "water"), (0.65, 0.3, 1, 0.65, 1.5, "mud"),
            (0.67, 0.4, 1, 0.65, 1.5, "mud"),
        ),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        "jpeg_compression": (25, 18, 15, 10, 7),
        "pixelate": (0.6, 0.5, 0.4, 0.3, 0.25),
        # the library's 250 * (.05 .065 .085 .1 .12) times its largest step of .005 sides
        "elastic_transform": (
            (0.0625, 0.01, 0), (0.08125, 0.01, 0), (0.10625, 0.01, 0), (0.125, 0.01, 0),
            (0.15, 0.01, 0),
        ),
        "fog": ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4)),
        "frost": ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    },
    TINY_IMAGENET_C: {
        "gaussian_noise": (0.04, 0.08, 0.12, 0.15, 0.18),
        "shot_noise": (250, 100, 50, 30, 15),
        "impulse_noise": (0.01, 0.02, 0.05, 0.08, 0.14),
        "speckle_noise": (0.15, 0.2, 0.25, 0.3, 0.35),
        "gaussian_blur": (0.5, 0.75, 1, 1.25, 1.5),
        "glass_blur": ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        "defocus_blur": ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        "motion_blur": ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        "zoom_blur": _factors((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        "snow": (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8), (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7), (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
        "spatter": (
            (0.62, 0.1, 0.7, 0.7, 0.6, "water"), (0.65, 0.1, 0.8, 0.7, 0.6, "water"),
            (0.65, 0.3, 1, 0.69, 0.6, "water"), (0.65, 0.1, 0.7, 0.68, 0.6, "mud"),
            (0.65, 0.1, 0.5, 0.67, 0.6, "mud"),
        ),
        "contrast": (0.4, 0.3, 0.2, 0.1, 0.05),
        "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
        "saturate": ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        "jpeg_compression": (65, 58, 50, 40, 25),
        "pixelate": (0.9, 0.8, 0.7, 0.6, 0.5),
        "elastic_transform": (
            (0, 0, 0.08), (0.05, 0.3, 0.06), (0.1, 0.08, 0.06), (0.1, 0.03, 0.03),
            (0.16, 0.03, 0.02),
        ),
    },
}
# fmt: on


def constants(name: str, severity: int, table: str = IMAGENET_C) -> Any:
    """Return the constants of corruption ``name`` at ``severity`` (1 to 5) in ``table``."""
    if table not in TABLES:
        raise UnknownNameError("severity table", table, TABLES)
    rows = TABLES[table].get(name)
    if rows is None:
        raise RequestError(f"corruption {name!r} has no constants in severity table {table!r}")
    check_severity(severity)
    return rows[severity - 1]
