"""Sample-dependent adaptive temperature scaling (AdaTS). Importing this imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from ferc_core.errors import DataError
from ferc_models.calibrators.inputs import (
    Floats,
    canonical_order,
    check_features,
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
    classes: int

    def __call__(self, logits: npt.ArrayLike, features: npt.ArrayLike | None = None) -> Floats:
        """Return softmax(logits / T), float64 [M, K], with a T for each of the logits [M, K]."""
        scores = check_logits(logits, self.classes)
        temperatures = self.temperatures(scores, features)
        probs: Floats = softmax(scores / temperatures[:, None], axis=1)
        return probs

    def temperatures(self, logits: npt.ArrayLike, features: npt.ArrayLike | None = None) -> Floats:
        """Return the temperature of each row, float64 [M], at least 0.001."""
        scores = check_logits(logits, self.classes)
        rows = scores if features is None else check_features(features, len(scores))
        if rows.shape[1] != len(self.mean):
            raise DataError(
                f"it was fitted on {len(self.mean)} features, and is given {rows.shape[1]}"
            )
        return self.networks.temperatures(standardised(rows, self.mean, self.scale))

    def parameters(self) -> dict[str, Any]:
        """What was fitted, for the record; seed and samples determine the networks' weights."""
        names = ("smallest_temperature", "mean_temperature", "largest_temperature")
        return {**self.settings, **dict(zip(names, self.fitted_temperatures, strict=True))}


def fit_ada_ts(
    logits: npt.ArrayLike,
    targets: npt.ArrayLike,
    *,
    features: npt.ArrayLike | None = None,
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
    the NLL of ``softmax(logits / T)``. The features are those of the penultimate
    layer, [N, D], as in the paper, which a run keeps with ``--keep-features``; without them they
    are the logits. They are standardised by their mean and standard deviation over the samples and
    clipped at 10 standard deviations.

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
    rows = scores if features is None else check_features(features, len(scores))
    order = canonical_order(scores, soft)
    scores, soft, rows = scores[order], soft[order], rows[order]
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    from ferc_models.calibrators.ada_ts_networks import train  # torch comes with it

    seen = standardised(rows, mean, scale)
    networks = train(seen, scores, soft, **settings)
    t = networks.temperatures(seen)
    fitted = float(t.min()), float(t.mean()), float(t.max())
    return AdaTS(networks, mean, scale, settings, fitted, scores.shape[1])


def standardised(features: Floats, mean: Floats, scale: Floats) -> Floats:
    """Return features in standard deviations from the mean, clipped at ten."""
    return np.clip((features - mean) / scale, -FARTHEST, FARTHEST)
