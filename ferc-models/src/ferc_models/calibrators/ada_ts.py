"""Sample-dependent adaptive temperature scaling (AdaTS). Importing this imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ferc_models.calibrators.inputs import (
    Floats,
    canonical_order,
    check_logits,
    check_samples,
)
from ferc_models.options import whole

if TYPE_CHECKING:
    from ferc_models.calibrators.ada_ts_networks import Networks

EPOCHS = 100  # Joy et al., and so are the 16 latent dimensions
LATENT = 16
WIDTH = 128  # theirs is 1024, for 2048 features instead of K logits
FARTHEST = 10.0  # standard deviations from the mean; the networks learn nothing beyond


@dataclass(frozen=True, eq=False)
class AdaTS:
    """Fitted networks that give each row its temperature, to be called with logits."""

    networks: Networks
    mean: Floats
    scale: Floats
    settings: dict[str, int]
    fitted_temperatures: tuple[float, float, float]  # smallest, mean, largest of the samples

    def __call__(self, logits: npt.ArrayLike) -> Floats:
        """Return softmax(logits / T), float64 [M, K], with a T for each of the logits [M, K]."""
        scores = check_logits(logits, len(self.mean))
        probs: Floats = softmax(scores / self.temperatures(scores)[:, None], axis=1)
        return probs

    def temperatures(self, logits: npt.ArrayLike) -> Floats:
        """Return the temperature of each row, float64 [M], at least 0.001."""
        scores = check_logits(logits, len(self.mean))
        return self.networks.temperatures(standardised(scores, self.mean, self.scale))

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record; seed and samples determine the networks' weights."""
        names = ("smallest_temperature", "mean_temperature", "largest_temperature")
        return {**self.settings, **dict(zip(names, self.fitted_temperatures, strict=True))}


def fit_ada_ts(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    epochs: int = EPOCHS,
    latent: int = LATENT,
    width: int = WIDTH,
    seed: int = 0,
) -> AdaTS:
    """Return a temperature for each image, computed from its place in a class-conditional VAE.

    logits: [N, K], finite. targets: classes int [N], or distributions [N, K].
    epochs: of training, with Adam. latent: dimensions of the VAE. width: of its widest layer; the
    other two have half of it. seed: for weights, batches and noise.

    A VAE with a prior p(z | y) for each class models the features; T is the output of a small
    network for the K densities p(z | y). Both are trained together on the sum of the VAE's loss and
    the NLL of ``softmax(logits / T)``. The paper's features are those of the penultimate layer.
    Only logits are stored, so the features here are the logits, standardised by their mean and
    standard deviation over the samples and clipped at 10 standard deviations.

    T is always computed at the posterior mean of z, in training and afterwards. If it is trained on
    samples of z, as in the authors' code, it is wrong at the mean, and at new samples it is random.
    The width is 128; the paper's 1024 took five times as long on 1500 simulated samples and had a
    larger NLL on new ones. The same samples in any order give the same networks on the CPU. Raises
    `DataError` for empty or broken input, `RequestError` for a wrong option.

    Source: Joy et al. 2023, arXiv:2207.06211.
    """
    settings = {
        "epochs": whole("epochs", epochs, 1, 100_000),
        "latent": whole("latent", latent, 1, 1024),
        "width": whole("width", width, 2, 8192),
        "seed": whole("seed", seed, 0, 2**63 - 1),
    }
    scores, soft = check_samples(logits, targets)
    order = canonical_order(scores, soft)
    scores, soft = scores[order], soft[order]
    mean, scale = scores.mean(axis=0), scores.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    from ferc_models.calibrators.ada_ts_networks import train  # torch comes with it

    features = standardised(scores, mean, scale)
    networks = train(features, scores, soft, **settings)
    t = networks.temperatures(features)
    return AdaTS(networks, mean, scale, settings, (float(t.min()), float(t.mean()), float(t.max())))


def standardised(scores: Floats, mean: Floats, scale: Floats) -> Floats:
    """Return logits in standard deviations from the mean, clipped at ten."""
    return np.clip((scores - mean) / scale, -FARTHEST, FARTHEST)
