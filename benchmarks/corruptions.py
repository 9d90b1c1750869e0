"""Time of the 85 corrupted forms of one 224x224 photograph, against ``imagecorruptions``.

    python benchmarks/corruptions.py [ROUNDS]

Both sides run on one thread in one process, turn by turn: a turn is the five severities of a type
in a row, as when a data set is built. A line shows the median milliseconds per form and the ratio;
the last line sums all 85 forms. Needs ``imagecorruptions-imaug`` and, for the photograph,
``scikit-image``.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median

import cv2
import imagecorruptions
import skimage.data

import ferc_core
from ferc_core.address import generator

SIDE = 224
SEVERITIES = range(1, 6)


def turn(function: Callable[[int], object]) -> float:
    """Return how many seconds the five severities take."""
    start = time.perf_counter()
    for severity in SEVERITIES:
        function(severity)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore")
    photo = cv2.resize(skimage.data.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    totals = [0.0, 0.0]
    print(f"{'corruption':20}{'reference ms':>14}{'ferc ms':>10}{'ratio':>8}")
    for name, ours in ferc_core.registry().corruptions.items():
        if not ours.in_benchmark:
            continue
        sides: tuple[Callable[[int], object], ...] = (
            lambda s, n=name: imagecorruptions.corrupt(photo, s, n),
            lambda s, f=ours: f(photo, s, generator("benchmark", "photo", f.name, s)),
        )
        for side in sides:
            turn(side)  # tables and compiled code are made at first use
        taken = [[turn(side) for side in sides] for _ in range(rounds)]
        medians = [median(column) for column in zip(*taken, strict=True)]
        report(name, *(1e3 * m / len(SEVERITIES) for m in medians))
        totals = [total + m for total, m in zip(totals, medians, strict=True)]
    report("all 85 forms", *(1e3 * total for total in totals))


def report(name: str, reference: float, ours: float) -> None:
    """Print one line of the table."""
    print(f"{name:20}{reference:14.2f}{ours:10.3f}{reference / ours:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
