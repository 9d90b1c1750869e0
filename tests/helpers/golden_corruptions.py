"""Hashes of the bytes that corruptions, visibilities and labels had when they last changed.

    python tests/helpers/golden_corruptions.py

writes the file of this benchmark version in tests/golden, after a change that is meant to alter
images. With ``--show`` it prints the hashes: a test runs it so, with lesser processors simulated.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferc_core import registry
from ferc_core.base.seeds import BENCHMARK_VERSION, generator
from ferc_core.labels import mixture
from ferc_core.labels.schemes import soften
from ferc_core.testing import sample_image

FILE = Path(__file__).parents[1] / "golden" / f"corruptions-{BENCHMARK_VERSION}.json"
SIDE, SEVERITIES = 48, (1, 3, 5)
OPENCV = ("jpeg_compression", "spatter")  # which take a step by OpenCV


def digest(*arrays: np.ndarray) -> str:
    """Return a hash of the bytes of arrays."""
    found = hashlib.blake2b(digest_size=16)
    for array in arrays:
        found.update(np.ascontiguousarray(array))
    return found.hexdigest()


def made() -> dict[str, str]:
    """Return a hash for each of the 17 corruptions and each visibility, and one for labels."""
    clean = sample_image(SIDE, SIDE)
    images = {
        name: [corrupt(clean, s, generator("golden", "a", name, s)) for s in SEVERITIES]
        for name, corrupt in registry().corruptions.items()
        if corrupt.in_benchmark
    }
    values = {
        name: np.array([visibility(clean, x) for made in images.values() for x in made])
        for name, visibility in registry().visibilities.items()
    }
    return {
        **{name: digest(*made) for name, made in images.items()},
        **{f"visibility {name}": digest(found) for name, found in values.items()},
        "labels": digest(*labels()),
    }


def labels() -> tuple[np.ndarray, ...]:
    """Return a mixture of valence and arousal, its distributions, and these softened."""
    whole = np.arange(3 * 2000)  # numbers that look random, of whole ones alone
    spread = ((whole * 7919 + whole**2 * 104729) % 20011 / 10005.5 - 1).reshape(-1, 3)
    classes = (whole[: len(spread)] * 31 % 8).astype(np.int64)
    points = spread[:, :2] * 0.4 + np.stack([classes % 3 - 1, classes // 3 - 1], axis=1) * 0.5
    fitted = mixture.fit(points, classes, 8)
    distributions = fitted.posterior(points)
    return fitted.mu, fitted.sigma, distributions, soften(distributions, np.abs(spread[:, 2]))


def kept() -> dict[str, Any]:
    """Return the content of the file: the version of OpenCV, and the hashes."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def comparable(hashes: dict[str, str]) -> dict[str, str]:
    """Return those of the hashes that this version of OpenCV must give, too."""
    if kept()["opencv-python"] == cv2.__version__:
        return hashes
    return {name: value for name, value in hashes.items() if name not in OPENCV}


def write() -> None:
    """Write the hashes."""
    FILE.write_text(
        json.dumps({"opencv-python": cv2.__version__, "hashes": made()}, indent=2) + "\n"
    )
    print(f"wrote {FILE}")


if __name__ == "__main__":
    if "--show" in sys.argv:
        print(json.dumps(made()))
    else:
        write()
