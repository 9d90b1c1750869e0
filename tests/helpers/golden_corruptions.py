"""The bytes that the corruptions made when they were last changed on purpose.

    python tests/golden_corruptions.py

writes them anew to ``golden_corruptions.json``: after a change that is meant to alter images, or
for other versions of the libraries. `test_corruptions` compares.
"""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ferc_core import registry
from ferc_core.base.seeds import generator
from ferc_core.testing import picture

FILE = Path(__file__).with_suffix(".json")
SIDE, SEVERITIES = 64, (1, 5)


def conditions() -> dict[str, str]:
    """What else the last bit of a sum may depend on: libraries, and what the processor can do."""
    return {
        "numpy": np.__version__,
        "opencv-python": cv2.__version__,
        "machine": f"{platform.machine()}: {cv2.getCPUFeaturesLine()}",
    }


def made() -> dict[str, str]:
    """Return a hash for each of the 17 corruptions, over one image at two severities."""
    image = picture(SIDE, SIDE)
    hashes = {}
    for name, corrupt in registry().corruptions.items():
        if corrupt.in_benchmark:
            digest = hashlib.blake2b(digest_size=16)
            for severity in SEVERITIES:
                digest.update(corrupt(image, severity, generator("golden", "a", name, severity)))
            hashes[name] = digest.hexdigest()
    return hashes


def kept() -> dict[str, Any]:
    """Return what the file holds: conditions and hashes."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


if __name__ == "__main__":
    FILE.write_text(json.dumps({"conditions": conditions(), "hashes": made()}, indent=2) + "\n")
    print(f"wrote {FILE.name}")
