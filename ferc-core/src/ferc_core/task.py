"""What a method is given to learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Examples:
    """N images of one size with their targets.

    ``images(rows)`` reads uint8 RGB [B, S, S, 3]; ``labels`` are int64 [N]; ``targets`` are the
    float64 [N, K] vectors to learn (one-hot unless asked otherwise).
    """

    ids: tuple[str, ...]
    images: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]] = field(repr=False)
    labels: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


Augmentation = Callable[
    [int, npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.float64]],
    tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]],
]


@dataclass(frozen=True)
class Epoch:
    """Progress of a training: epoch ``number`` of ``total`` is ``done`` (0 to 1) complete."""

    number: int
    total: int
    done: float
    loss: float
    validation_f1: float | None = None


@dataclass(frozen=True)
class Task:
    """One training: data, objective and budget.

    directory:  where the state to resume from is kept; empty at the first call
    backbone:   a timm name, or "" for the method's own default
    weights:    a local file of pretrained weights, or None
    pretrained: fetch pretrained weights through timm's own loader (needs a network)
    device:     "auto", "cpu", "cuda", or a GPU as in "cuda:1"
    threads:    threads that may compute, 0 for as many as there are cores; their number may
                change the last bits of what is learned
    precision:  "fp32", or "bf16" or "fp16" for mixed precision, in training and prediction
    compile:    compile the network for the training
    workers:    threads that may read images
    augmentation: called with epoch, rows [B] of ``train``, images [B, S, S, 3] and targets
                [B, K] of every training batch, returns images and targets to learn from
    progress:   called a few times a second with an `Epoch`
    say:        called with a sentence for the user, such as how many weights fitted
    options:    what the user wrote in parentheses behind the method's name
    merged:     the members of classes that were put together, by the name of such a class
    """

    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    loss: str
    epochs: int
    batch_size: int
    learning_rate: float
    image_size: int
    seed: int
    directory: Path
    backbone: str = ""
    weights: Path | None = None
    pretrained: bool = False
    device: str = "auto"
    threads: int = 0
    workers: int = 0
    precision: str = PRECISIONS[0]
    compile: bool = False
    augmentation: Augmentation | None = None
    progress: Callable[[Epoch], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None
    options: Mapping[str, Any] = field(default_factory=dict)
    merged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def class_prior(self) -> npt.NDArray[np.float64]:
        """Fraction of each class among the training labels, float64 [K]."""
        counts = np.bincount(self.train.labels, minlength=len(self.classes))
        fractions: npt.NDArray[np.float64] = counts / counts.sum()
        return fractions
