"""Hashes of the bytes that the corruptions made when they were last changed on purpose.

    python tests/helpers/golden_corruptions.py

writes tests/golden/corruptions.json after a change that is meant to alter images, or with other
versions of the libraries. On another machine that makes the same bytes it adds the machine.
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
from ferc_core.testing import sample_image

FILE = Path(__file__).parents[1] / "golden" / "corruptions.json"
SIDE, SEVERITIES = 64, (1, 5)


def versions() -> dict[str, str]:
    """Return the versions of the libraries that the last bit of a sum may depend on."""
    return {"numpy": np.__version__, "opencv-python": cv2.__version__}


def machine() -> str:
    """Return the architecture and the instruction sets that OpenCV finds."""
    return f"{platform.machine()}: {cv2.getCPUFeaturesLine()}"


def made() -> dict[str, str]:
    """Return a hash for each of the 17 corruptions, over one image at two severities."""
    image = sample_image(SIDE, SIDE)
    hashes = {}
    for name, corrupt in registry().corruptions.items():
        if corrupt.in_benchmark:
            digest = hashlib.blake2b(digest_size=16)
            for severity in SEVERITIES:
                digest.update(corrupt(image, severity, generator("golden", "a", name, severity)))
            hashes[name] = digest.hexdigest()
    return hashes


def kept() -> dict[str, Any]:
    """Return the content of the file: versions, machines and hashes."""
    content: dict[str, Any] = json.loads(FILE.read_text())
    return content


def write() -> None:
    """Write the hashes of this machine."""
    new = {"versions": versions(), "machines": [machine()], "hashes": made()}
    old = kept()
    if all(old[key] == new[key] for key in ("versions", "hashes")):
        new["machines"] = sorted({*old["machines"], machine()})
    FILE.write_text(json.dumps(new, indent=2) + "\n")
    print(f"wrote {FILE}")


if __name__ == "__main__":
    write()
