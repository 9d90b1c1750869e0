"""Images and generators that corruptions are tested with."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from ferc_core import registry

CORRUPTIONS = registry().corruptions
BENCHMARK = [name for name, entry in CORRUPTIONS.items() if entry.in_benchmark]
EVERY = [*BENCHMARK, "fog"]  # frost needs an optional package, and has its own tests
RANDOM = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise", "motion_blur"),
    *("glass_blur", "snow", "elastic_transform", "spatter"),
)
SEVERITIES = range(1, 6)


def generator(seed: int = 0) -> np.random.Generator:
    """Return a counter-based generator, as the suite uses."""
    return np.random.Generator(np.random.Philox(seed))


def scene(height: int = 96, width: int = 96, seed: int = 0) -> np.ndarray:
    """Return structure of all sizes, the smaller the fainter, sharp edges and grain."""
    rng = np.random.default_rng(seed)
    sheet = np.full((height, width, 3), 120.0)
    for cells in (3, 6, 12, 24, 48):
        coarse = rng.normal(0, 150 / cells**0.8, (cells, cells, 3))
        sheet += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    sheet += rng.normal(0, 8, sheet.shape)
    sheet[height // 3 : height // 2, width // 4 : width // 2] += (90, -60, 0)
    return np.clip(sheet, 0, 255).astype(np.uint8)


def grey(level: int, side: int = 256) -> np.ndarray:
    """Return a square image of one grey level."""
    return np.full((side, side, 3), level, np.uint8)


def rmse(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root mean squared difference in grey levels."""
    return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


def digests(names: list[str], threads: int = 1) -> dict[str, str]:
    """Return a hash of one scene in every cell of these corruptions, on so many OpenCV threads."""
    cv2.setNumThreads(threads)
    return {
        f"{name}/{severity}": hashlib.sha256(
            CORRUPTIONS[name](scene(130, 118), severity, generator(severity)).tobytes()
        ).hexdigest()
        for name in names
        for severity in SEVERITIES
    }
