"""Time of a photograph in all 85 corrupted cells, against ``imagecorruptions``.

    python benchmarks/corruptions.py [ROUNDS] [--sides 48 112 224]

Both sides run on one thread in one process, turn by turn: a turn is the five severities of a
corruption for four photographs in a row, as when a dataset is built. A line shows the median
milliseconds per image and the ratio; the last line sums all 85 cells of one photograph. Needs
``imagecorruptions-imaug`` and, for the photograph, ``scikit-image``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from statistics import median

import cv2
import imagecorruptions
import numpy as np
import numpy.typing as npt
import skimage.data
from machine import described

import ferc_core
from ferc_core.base.seeds import generator

SEVERITIES = range(1, 6)

Photo = npt.NDArray[np.uint8]


def turn(function: Callable[[Photo, int], object], photos: list[Photo]) -> float:
    """Return how many seconds an image takes: the mean over five severities of all photographs."""
    start = time.perf_counter()
    for severity in SEVERITIES:
        for photo in photos:
            function(photo, severity)
    return (time.perf_counter() - start) / len(SEVERITIES) / len(photos)


def table(side: int, rounds: int) -> None:
    """Print the table of photographs of one size."""
    photo = cv2.resize(skimage.data.astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    photos = [np.ascontiguousarray(np.rot90(photo, k)) for k in range(4)]
    totals = [0.0, 0.0]
    print(f"{f'{side} x {side}':20}{'reference ms':>14}{'ferc ms':>10}{'ratio':>8}")
    for name, ours in ferc_core.registry().corruptions.items():
        if not ours.in_benchmark:
            continue
        sides: tuple[Callable[[Photo, int], object], ...] = (
            lambda x, s, n=name: imagecorruptions.corrupt(x, s, n),
            lambda x, s, f=ours: f(x, s, generator("benchmark", "photo", f.name, s)),
        )
        for each in sides:
            turn(each, photos)  # tables and compiled code are made at first use
        taken = [[turn(each, photos) for each in sides] for _ in range(rounds)]
        medians = [1e3 * median(column) for column in zip(*taken, strict=True)]
        report(name, *medians)
        totals = [total + len(SEVERITIES) * m for total, m in zip(totals, medians, strict=True)]
    report("all 85 cells", *totals)


def report(name: str, reference: float, ours: float) -> None:
    """Print one line of a table."""
    print(f"{name:20}{reference:14.2f}{ours:10.3f}{reference / ours:8.1f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=11)
    parser.add_argument("--sides", type=int, nargs="+", default=[48, 112, 224])
    given = parser.parse_args()
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore")
    print(described())
    for side in given.sides:
        table(side, given.rounds)


if __name__ == "__main__":
    main()
