"""How many instructions a corruption takes, which a busy machine does not blur.

    python benchmarks/instructions.py [--sides 48 112 224]

Thousands of instructions for an image, the mean over severities 1, 3 and 5, counted by valgrind's
callgrind, which must be installed (``apt-get install valgrind``). It knows no AVX-512, so the loops
are compiled for AVX2.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from machine import described

SEVERITIES, CALLS = (1, 3, 5), 5


def executed() -> int:
    """Return how many instructions this process has executed, all threads together."""
    command = ["callgrind_control", "-e", str(os.getpid())]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(n.replace(",", "")) for n in re.findall(r"Th \d+ +([\d,]+)", shown))


def compile_loops() -> None:
    """Call every corruption, so that callgrind finds the loops compiled."""
    from ferc_core import registry
    from ferc_core.testing import sample_image

    image, rng = sample_image(32, 32), np.random.default_rng(0)
    for corrupt in registry().corruptions.values():
        if corrupt.in_benchmark:
            for severity in SEVERITIES:
                corrupt(image, severity, rng)


def count(sides: list[int]) -> None:
    """Print a line for each corruption; under callgrind."""
    from ferc_core import registry
    from ferc_core.testing import sample_image

    executed()
    start = executed()
    asking = executed() - start
    images = [sample_image(side, side) for side in sides]
    for name, corrupt in registry().corruptions.items():
        if not corrupt.in_benchmark:
            continue
        found = []
        for image in images:
            rng = np.random.default_rng(0)
            for severity in SEVERITIES:
                corrupt(image, severity, rng)  # loops are loaded and tables made at first use
            start = executed()
            for severity in SEVERITIES * CALLS:
                corrupt(image, severity, rng)
            found.append((executed() - start - asking) / len(SEVERITIES) / CALLS)
        print(f"{name:20}" + "".join(f"{n / 1e3:12,.0f}" for n in found), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[48, 112, 224])
    parser.add_argument("--inside", choices=("compile", "count"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        compile_loops() if given.inside == "compile" else count(given.sides)
        return
    if shutil.which("valgrind") is None:
        print("valgrind is not installed")
        return
    print(described())
    print(" " * 20 + "".join(f"{f'{side} px':>12}" for side in given.sides), flush=True)
    env = os.environ | {"NUMBA_CPU_NAME": "haswell", "OMP_NUM_THREADS": "1"}
    sides = [str(side) for side in given.sides]
    with tempfile.TemporaryDirectory() as scratch:
        callgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={scratch}/out"]
        itself = [sys.executable, __file__, "--sides", *sides, "--inside"]
        subprocess.run([*itself, "compile"], env=env, check=True)
        subprocess.run([*callgrind, *itself, "count"], env=env, check=True)


if __name__ == "__main__":
    main()
