"""A method of your own, without torch: softmax regression on small grey images, in NumPy.

    ferc run --plugin examples/my_method.py --method softmax_regression --loss ce

A method learns from a `Task` and returns a predictor: anything with ``logits`` and ``save``. Its
loader reads back what ``save`` wrote. FER-C does the rest: cells, labels, calibrators, scores.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ferc_core import Method, hookimpl
from ferc_core.task import Epoch, Task

SIDE = 16  # images are shrunk to SIDE x SIDE grey values
STEP, DECAY = 0.05, 1e-3


@dataclass(frozen=True)
class Regression:
    """Logits are linear in the grey values; ``weights`` is float32 [SIDE * SIDE + 1, K]."""

    weights: np.ndarray

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits [B, K] of uint8 images [B, H, W, 3]."""
        return features(images) @ self.weights

    def save(self, path: Path) -> None:
        """Write the weights, and nothing that could be executed."""
        with open(path, "wb") as file:
            np.save(file, self.weights, allow_pickle=False)


def features(images: np.ndarray) -> np.ndarray:
    """Return standardised grey values and a one, float32 [B, SIDE * SIDE + 1]."""
    grey = images.mean(axis=3, dtype=np.float32)
    small = [cv2.resize(g, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for g in grey]
    x = np.array(small)
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1)
    return np.hstack([x, np.ones((len(x), 1), np.float32)])


def fit(task: Task) -> Regression:
    """Descend the cross-entropy for ``task.epochs`` x 20 full-batch steps."""
    x, y = features(task.train.images(np.arange(len(task.train)))), task.train.targets
    weights = np.zeros((x.shape[1], y.shape[1]), np.float32)
    for epoch in range(1, task.epochs + 1):
        for _ in range(20):
            z = x @ weights
            p = np.exp(z - z.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            weights -= STEP * (x.T @ (p - y).astype(np.float32) / len(x) + DECAY * weights)
        loss = -np.mean(np.log(np.clip((p * y).sum(axis=1), 1e-12, 1)))
        task.progress(Epoch(epoch, task.epochs, 1.0, float(loss)))
    return Regression(weights)


def load(path: Path, device: str) -> Regression:
    """Read what `Regression.save` wrote; NumPy has one device, the CPU."""
    with open(path, "rb") as file:
        return Regression(np.load(file, allow_pickle=False))


@hookimpl
def register_methods(register):
    register(Method("softmax_regression", fit, load=load, summary="Linear, in NumPy."))
