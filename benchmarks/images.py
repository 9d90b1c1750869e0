"""What else is done with an image: milliseconds for a visibility, and for a PNG file.

    python benchmarks/images.py [ROUNDS]

One thread, medians. SSIM computes its part that concerns the clean image alone once for all cells.
The file is that of ``ferc build``, on average over the 17 corruptions at severity 3.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import mean, median

import cv2
import numpy as np
from machine import described

from ferc_core import registry
from ferc_core.base.seeds import generator
from ferc_core.images.png import encode
from ferc_core.testing import sample_image


def milliseconds(work: Callable[[], object], rounds: int) -> float:
    """Return how long something takes, once it is warm."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1e3 * median(taken)


def main(rounds: int) -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    known = registry()
    columns = (*known.visibilities, "corruption", "PNG", "of raw")
    print(described())
    print(" " * 10 + "".join(f"{name:>12}" for name in columns))
    for side in (48, 112, 224):
        clean, rngs = sample_image(side, side), [generator("bench", "a", "x", i) for i in range(17)]
        official = [c for c in known.corruptions.values() if c.in_benchmark]
        made = [c(clean, 3, rng) for c, rng in zip(official, rngs, strict=True)]
        found = []
        for visibility in known.visibilities.values():
            measure = visibility.against(clean)
            found.append(milliseconds(partial(measure, made[0]), rounds))
        each = [
            milliseconds(partial(corrupt, clean, 3, np.random.default_rng(0)), rounds)
            for corrupt in official
        ]
        files = [milliseconds(partial(encode, image), rounds) for image in made]
        share = mean(len(encode(x)) for x in made) / clean.size
        numbers = (*found, mean(each), mean(files))
        print(f"{side:7} px" + "".join(f"{n:12.3f}" for n in numbers) + f"{share:12.0%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 21)
