"""Label noise: a fraction of the training labels is changed to other classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferc_core.base.seeds import key

NOISE_SCHEMES = ("exact", "ferc")


def flip_labels(
    labels: npt.NDArray[np.int64], rate: float, num_classes: int, seed: int, scheme: str = "exact"
) -> npt.NDArray[np.int64]:
    """Return labels [N], a fraction ``rate`` of them changed.

    "exact": exactly int(rate N) labels, each to another class, drawn from ``seed``. "ferc": as
    the authors did: int(rate N) draws of a row, with replacement, and of any class, possibly the
    row's own; the same for every seed, so that a fraction (1 - e^-rate)(K - 1) / K changes.
    """
    drawn_from = seed if scheme == "exact" else "ferc"
    address = key("noise", drawn_from)
    rng = np.random.Generator(np.random.Philox(key=int.from_bytes(address, "little")))
    count = int(rate * len(labels))
    noisy = labels.copy()
    if scheme == "exact":
        rows = rng.permutation(len(labels))[:count]
        noisy[rows] = (labels[rows] + rng.integers(1, num_classes, count)) % num_classes
    else:
        classes = rng.integers(num_classes, size=count)
        for row, drawn in zip(rng.integers(len(labels), size=count), classes, strict=True):
            noisy[row] = drawn
    return noisy
