"""Pictures on their way to a network: order, mirroring, normalisation."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]

# ImageNet's statistics, for every backbone alike (SPEC 1.10); of values in [0, 1], R G B
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(images: Images, device: torch.device) -> Tensor:
    """Turn uint8 [B, H, W, 3] into float32 [B, 3, H, W] on the device, channels last in memory."""
    pixels = torch.tensor(np.ascontiguousarray(images), device=device).permute(0, 3, 1, 2).float()
    shape = (1, 3, 1, 1)
    mean = torch.tensor(MEAN, device=device).mul(255).view(shape)
    std = torch.tensor(STD, device=device).mul(255).view(shape)
    return (pixels - mean) / std


def shuffled_batches(n: int, size: int, rng: np.random.Generator) -> list[Rows]:
    """Return the rows 0 .. n-1 in a random order, cut into batches.

    A single row that is left over joins the batch before it, because batch normalisation cannot
    learn from one picture.
    """
    cuts = list(range(size, n, size))
    if cuts and n - cuts[-1] == 1:
        cuts.pop()
    return np.split(rng.permutation(n), cuts)


def mirrored(images: Images, chosen: npt.NDArray[np.bool_]) -> Images:
    """Return the images [B, H, W, 3] with the chosen ones [B] flipped left to right."""
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)
