"""Throughput of ``ferc build`` on 224x224 toy faces, with one and with two workers.

    python benchmarks/build.py [FACES]

Whole commands in processes of their own, start-up and labels included; the best of three, the two
turn by turn.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

WORKERS = (1, 2)
ROUNDS = 3
CELLS = 86


def seconds(faces: int, workers: int) -> float:
    """Return how long a build takes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable, "-m", "ferc_core.cli", "build",
            "--dataset", f"toyfaces(train=24,valid=24,test={faces},size=224)",
            "--image-size", "224", "--workers", str(workers), "--out", f"{folder}/b",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def main(faces: int) -> None:
    """Print the table."""
    taken = [[seconds(faces, workers) for workers in WORKERS] for _ in range(ROUNDS)]
    print(f"{'workers':>8}{'seconds':>10}{'images/s':>12}   ({faces} faces x {CELLS} cells)")
    for workers, column in zip(WORKERS, zip(*taken, strict=True), strict=True):
        best = min(column)
        print(f"{workers:8}{best:10.1f}{faces * CELLS / best:12.0f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
