"""Time of a 224x224 photograph in all 85 corrupted cells, against ``imagecorruptions``.

    python benchmarks/corruptions.py [ROUNDS]

Both sides run on one thread in one process, turn by turn: a turn is the five severities of a
corruption for four photographs in a row, as when a dataset is built. A line shows the median
milliseconds per image and the ratio; the last line sums all 85 cells of one photograph. Needs
``imagecorruptions-imaug`` and, for the photograph, ``scikit-image``.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median

import cv2
import imagecorruptions
import numpy as np
import numpy.typing as npt
import skimage.data

import ferc_core
from ferc_core.base.seeds import generator

SIDE = 224
SEVERITIES = range(1, 6)


Photo = npt.NDArray[np.uint8]


def turn(function: Callable[[Photo, int], object], photos: list[Photo]) -> float:
    """Return how many seconds an image takes: the mean over five severities of all photographs."""
    start = time.perf_counter()
    for severity in SEVERITIES:
        for photo in photos:
            function(photo, severity)
    return (time.perf_counter() - start) / len(SEVERITIES) / len(photos)


def main(rounds: int) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    warnings.filterwarnings("ignore")
    photo = cv2.resize(skimage.data.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    photos = [np.ascontiguousarray(np.rot90(photo, k)) for k in range(4)]
    totals = [0.0, 0.0]
    print(f"{'corruption':20}{'reference ms':>14}{'ferc ms':>10}{'ratio':>8}")
    for name, ours in ferc_core.registry().corruptions.items():
        if not ours.in_benchmark:
            continue
        sides: tuple[Callable[[Photo, int], object], ...] = (
            lambda x, s, n=name: imagecorruptions.corrupt(x, s, n),
            lambda x, s, f=ours: f(x, s, generator("benchmark", "photo", f.name, s)),
        )
        for side in sides:
            turn(side, photos)  # tables and compiled code are made at first use
        taken = [[turn(side, photos) for side in sides] for _ in range(rounds)]
        medians = [1e3 * median(column) for column in zip(*taken, strict=True)]
        report(name, *medians)
        totals = [total + len(SEVERITIES) * m for total, m in zip(totals, medians, strict=True)]
    report("all 85 cells", *totals)


def report(name: str, reference: float, ours: float) -> None:
    """Print one line of the table."""
    print(f"{name:20}{reference:14.2f}{ours:10.3f}{reference / ours:8.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
