"""Faces with valence and arousal, and valence-arousal mixtures fitted to them."""

from __future__ import annotations

import numpy as np
from scipy.stats import multivariate_normal

from ferc_core.faces import FaceSet, FaceSplit
from ferc_core.labels.mixture import Mixture
from ferc_core.labels.mixture_file import GmmFile, fitted

CLASSES = ("calm", "glad", "low")


def split(labels, va=None, dist=None) -> FaceSplit:
    """Return grey faces of these labels, with valence-arousal and distributions if given."""
    return FaceSplit(
        ids=tuple(f"s{i}" for i in range(len(labels))),
        labels=np.array(labels, dtype=np.int64),
        read=lambda i: np.zeros((40, 40, 3), np.uint8),
        valence_arousal=None if va is None else np.array(va, float),
        distributions=None if dist is None else np.array(dist, float),
    )


def oracle_points() -> tuple[np.ndarray, np.ndarray]:
    """Return points and labels of the three clouds behind the part "gmm" of golden.json."""
    rng = np.random.RandomState(0)
    means, counts = [(0.1, -0.1), (0.7, 0.2), (-0.6, -0.3)], [60, 90, 50]
    clouds = [
        rng.normal(m, (0.12, 0.15), (n, 2)).round(4) for m, n in zip(means, counts, strict=True)
    ]
    return np.concatenate(clouds), np.repeat([0, 1, 2], counts)


def clouds(labels=None, points=None, classes=CLASSES) -> FaceSet:
    """Return a dataset of these points, by default of the three clouds."""
    if points is None:
        points, labels = oracle_points()
    return FaceSet("clouds", classes, {"train": split(labels, points)})


def parameters(classes=CLASSES) -> GmmFile:
    """Return the parameters of the three clouds."""
    faces = clouds(classes=classes)
    return fitted(faces, faces.splits["train"], "clouds")


def posterior(mixture: Mixture, points: np.ndarray) -> np.ndarray:
    """Return the posterior [N, K] of eq. 6 with densities computed by scipy."""
    parts = zip(mixture.pi, mixture.mu, mixture.sigma, strict=True)
    density = np.stack([p * multivariate_normal(m, s).pdf(points) for p, m, s in parts], axis=1)
    return density / density.sum(axis=1, keepdims=True)
