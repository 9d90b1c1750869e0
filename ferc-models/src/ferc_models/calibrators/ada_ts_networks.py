"""The networks of adaptive temperature scaling, and their training.

f are features [B, F], y targets [B, K], z latent [B, D]. Source: Joy et al. 2023,
arXiv:2207.06211; the soft-target form is the expectation over a label drawn from y.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, softplus

from ferc_models.calibrators.inputs import Floats
from ferc_models.runtime import deterministic, seeded

BATCH = 128
LEARNING_RATE = 5e-4
SMALLEST = 1e-3  # of a temperature and of a standard deviation
TEMPERATURE_WIDTH = 128


class Networks(nn.Module):
    """A class-conditional VAE of the features, and the temperature as a function of its densities.

    The posterior q(z | f) and the priors p(z | y) are Gaussians with diagonal covariance, the
    likelihood p(f | z) is a Laplace distribution of scale 1.
    """

    def __init__(self, features: int, classes: int, latent: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.encoder = trunk(features, width)
        self.posterior_mean = nn.Linear(half, latent)
        self.posterior_scale = nn.Linear(half, latent)
        self.decoder = nn.Sequential(trunk(latent, width), nn.Linear(half, features))
        self.prior_mean = nn.Linear(classes, latent, bias=False)
        self.prior_scale = nn.Linear(classes, latent, bias=False)
        self.temperature = nn.Sequential(
            nn.Linear(classes, TEMPERATURE_WIDTH),
            nn.ELU(),
            nn.Linear(TEMPERATURE_WIDTH, TEMPERATURE_WIDTH),
            nn.ELU(),
            nn.Linear(TEMPERATURE_WIDTH, 1),
        )

    def posterior(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of q(z | f), each [B, D]."""
        hidden = self.encoder(f)
        return self.posterior_mean(hidden), positive(self.posterior_scale(hidden))

    def priors(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of p(z | y) for each class, [K, D]."""
        return self.prior_mean.weight.T, positive(self.prior_scale.weight.T)

    def temperature_at(self, z: Tensor) -> Tensor:
        """Return T [B, 1], a function of log p(z | y) for all classes y."""
        mean, scale = self.priors()
        square = ((z[:, None] - mean) / scale).square()
        log_density = -(square / 2 + scale.log() + math.log(2 * math.pi) / 2).sum(dim=2)
        return positive(self.temperature(log_density))

    def loss(self, f: Tensor, logits: Tensor, y: Tensor) -> Tensor:
        """Return the mean over samples of cross-entropy less the evidence lower bound."""
        mean, scale = self.posterior(f)
        z = mean + scale * torch.randn_like(scale)
        reconstruction = (f - self.decoder(z)).abs().sum(dim=1)
        log_p = log_softmax(logits / self.temperature_at(mean), dim=1)
        divergence = (y * self.divergences(mean, scale)).sum(dim=1)
        return (reconstruction + divergence - (y * log_p).sum(dim=1)).mean()

    def divergences(self, mean: Tensor, scale: Tensor) -> Tensor:
        """Return KL(q(z | f) || p(z | y)) for all classes y, [B, K]."""
        prior_mean, prior_scale = self.priors()
        ratio = scale[:, None] / prior_scale
        shift = (mean[:, None] - prior_mean) / prior_scale
        return ((ratio.square() + shift.square() - 1) / 2 - ratio.log()).sum(dim=2)

    @torch.no_grad()
    def temperatures(self, features: Floats) -> Floats:
        """Return the temperature of each row of features [M, F], float64 [M]."""
        mean, _ = self.posterior(torch.from_numpy(features).float())
        return self.temperature_at(mean)[:, 0].numpy().astype(np.float64)


def trunk(inputs: int, width: int) -> nn.Sequential:
    """Return the layers that encoder and decoder have in common: width, and twice half of it."""
    half = width // 2
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ELU(),
        nn.Linear(width, half),
        nn.ELU(),
        nn.Linear(half, half),
        nn.Softplus(),
    )


def positive(values: Tensor) -> Tensor:
    """Return softplus, at least 0.001."""
    return softplus(values).clamp_min(SMALLEST)


def train(
    features: Floats,
    scores: Floats,
    soft: Floats,
    *,
    epochs: int,
    latent: int,
    width: int,
    seed: int,
) -> Networks:
    """Return the networks fitted on the CPU to features [N, F], logits and targets [N, K]."""
    f, y = (torch.from_numpy(values).float() for values in (features, soft))
    logits = torch.from_numpy(scores - scores.max(axis=1, keepdims=True)).float()
    with seeded(seed), deterministic(torch.device("cpu")), torch.enable_grad():
        networks = Networks(f.shape[1], scores.shape[1], latent, width)
        optimizer = torch.optim.Adam(networks.parameters(), lr=LEARNING_RATE)
        for _ in range(epochs):
            for rows in torch.randperm(len(f)).split(BATCH):
                optimizer.zero_grad()
                networks.loss(f[rows], logits[rows], y[rows]).backward()
                optimizer.step()
    return networks.requires_grad_(False).eval()
