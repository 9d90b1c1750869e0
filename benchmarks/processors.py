"""Which corruptions and visibilities make other bytes on a lesser processor, simulated.

    python benchmarks/processors.py [--sides 48 112 224]

NumPy and OpenCV choose their instructions when they are loaded. Here they are told not to use some
of them, in a process of its own for each set, and what the 17 corruptions make of two images at all
severities is compared with what they make on this processor as it is. A table names the types that
differ: in how many cells, in how many values of them, and by how many levels at most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.processors import SETS

SEVERITIES, IMAGES = range(1, 6), 2


def make(sides: list[int], out: Path) -> None:
    """Write what every corruption and visibility makes, with the instructions of this process."""
    from ferc_core import registry
    from ferc_core.base.seeds import generator
    from ferc_core.testing import sample_image

    found = {}
    for side in sides:
        for number in range(IMAGES):
            image = sample_image(side, side)
            if number:
                image = np.ascontiguousarray(image[:, ::-1, ::-1])
            for name, corrupt in registry().corruptions.items():
                if not corrupt.in_benchmark:
                    continue
                for severity in SEVERITIES:
                    place = f"{name}/{severity}/{side}/{number}"
                    rng = generator("processors", place, name, severity)
                    found[place] = made = corrupt(image, severity, rng)
                    for visibility, function in registry().visibilities.items():
                        key = f"visibility {visibility}/{severity}/{side}/{number} {name}"
                        found[key] = np.array([function(image, made)])
    np.savez(out, **found)


def differing(usual: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[str]:
    """Return a line for each type that differs."""
    names = dict.fromkeys(place.partition("/")[0] for place in usual)
    lines = []
    for name in names:
        places = [place for place in usual if place.partition("/")[0] == name]
        gaps = [np.abs(usual[p].astype(np.float64) - other[p].astype(np.float64)) for p in places]
        cells = sum(bool(gap.any()) for gap in gaps)
        if cells:
            part = np.mean([np.mean(gap > 0) for gap in gaps])
            most = max(gap.max() for gap in gaps)
            lines.append(f"  {name:24} {cells:3} of {len(gaps)} cells, {part:8.3%}, {most:.3g}")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[48, 112, 224])
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.sides, given.make)
        return
    with tempfile.TemporaryDirectory() as scratch:
        made = {}
        for name, environment in {"": {}, **SETS}.items():
            if "NUMBA_DISABLE_JIT" in environment:
                continue  # which takes long; the tests do it on smaller images
            path = Path(scratch) / "made.npz"
            sides = map(str, given.sides)
            command = [sys.executable, __file__, "--make", str(path), "--sides", *sides]
            done = subprocess.run(
                command,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
                continue
            with np.load(path) as stored:
                made[name] = dict(stored)
            if name:
                lines = differing(made[""], made[name])
                print(name, *(lines or ["  the same bytes"]), sep="\n")


if __name__ == "__main__":
    main()
