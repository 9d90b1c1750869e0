"""A program of your own that FER-C never runs: it reads images and writes a table of predictions.

    ferc build --dataset "toyfaces(test=80)" --image-size 32 --severity 1 --severity 5 --out toys-c
    python examples/my_predictions.py toys-c         writes predictions.parquet
    ferc score predictions.parquet --dataset toys-c --by corruption

The table has a row for each image: sample, corruption, severity, and the list "logits" (or
"probs"), in the order of the classes. The program may be in any language; this one is a linear
regression on small grey images.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from ferc_core import open_dataset

FILE = "predictions.parquet"
SIDE = 16  # images are shrunk to SIDE x SIDE


def features(images):
    """Return standardised grey values and a one, [N, SIDE * SIDE + 1]."""
    grey = [cv2.resize(i, (SIDE, SIDE), interpolation=cv2.INTER_AREA).mean(axis=2) for i in images]
    x = np.stack(grey).reshape(len(grey), -1)
    x = (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1)
    return np.hstack([x, np.ones((len(x), 1))])


def fit():
    """Return the weights [SIDE * SIDE + 1, K] of a ridge regression on toy faces."""
    faces = open_dataset("toyfaces", train=400, size=32)
    train = faces.splits["train"]
    x, y = features(face.image for face in train), np.eye(len(faces.classes))[train.labels]
    return np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ y)


def predict(build, weights):
    """Write the logits of every image of a build, clean and corrupted."""
    table = pl.read_parquet(build / "labels.parquet").select("sample", "corruption", "severity")
    files = [build / f"images/{cell}/{severity}/{s}.png" for s, cell, severity in table.iter_rows()]
    logits = features(cv2.imread(str(file)) for file in files) @ weights
    table.with_columns(logits=pl.Series(logits.tolist())).write_parquet(FILE)
    print(f"wrote {FILE}: {len(table)} images")


if __name__ == "__main__":
    predict(Path(sys.argv[1]), fit())
