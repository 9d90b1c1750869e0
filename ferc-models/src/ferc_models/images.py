"""Images on their way to a network: batches, augmentation, normalisation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Rows = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]

# ImageNet's statistics for every backbone, as in the authors' code; of values in [0, 1], R G B
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

AUGMENTATIONS = ("none", "flip", "erase", "flip+erase")
DRAWS = 6  # random numbers for each image


def normalise(images: Images, device: torch.device) -> Tensor:
    """Turn uint8 [B, H, W, 3] into float32 [B, 3, H, W] on the device, channels last in memory."""
    return normalised(uploaded(images, device))


def normalised(images: Tensor) -> Tensor:
    """Do what `normalise` does with images that are on the device."""
    mean, std = statistics(images.device)
    return images.permute(0, 3, 1, 2).float().sub_(mean).div_(std)


def uploaded(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor on the device; the copy to a GPU is not waited for."""
    if device.type != "cuda":
        return torch.tensor(np.ascontiguousarray(array))
    kind = torch.from_numpy(np.empty(0, array.dtype)).dtype
    pinned = torch.empty(array.shape, dtype=kind, pin_memory=True)
    pinned.numpy()[...] = array
    return pinned.to(device, non_blocking=True)


class Uploads:
    """Yields tuples of arrays as tensors on a device, in order.

    On a GPU the next ones are copied while it computes, in a stream of their own, from when
    `look_ahead` is called; elsewhere that does nothing.
    """

    def __init__(
        self, arrays: Iterator[tuple[npt.NDArray[Any], ...]], device: torch.device
    ) -> None:
        self.arrays, self.device = arrays, device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.ahead: list[tuple[Tensor, ...]] = []

    def __iter__(self) -> Uploads:
        return self

    def __next__(self) -> tuple[Tensor, ...]:
        if self.stream is None:
            return tuple(uploaded(each, self.device) for each in next(self.arrays))
        self.look_ahead()
        if not self.ahead:
            raise StopIteration
        tensors, current = self.ahead.pop(), torch.cuda.current_stream(self.device)
        current.wait_stream(self.stream)
        for tensor in tensors:
            tensor.record_stream(current)  # its memory is not taken for the next before it is used
        return tensors

    def look_ahead(self) -> None:
        """Begin to copy what comes next to the GPU, if there is one."""
        if self.stream is None or self.ahead:
            return
        arrays = next(self.arrays, None)
        if arrays is not None:
            with torch.cuda.stream(self.stream):
                self.ahead.append(tuple(uploaded(each, self.device) for each in arrays))


@cache
def statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation [1, 3, 1, 1] of the channels, of values up to 255."""
    with torch.inference_mode(False):  # trainings take them, too
        mean, std = (torch.tensor(values).mul(255).view(1, 3, 1, 1) for values in (MEAN, STD))
        return mean.to(device), std.to(device)


def shuffled_batches(n: int, size: int, rng: np.random.Generator) -> list[Rows]:
    """Return the rows 0 .. n-1 in a random order, cut into batches.

    A single remaining row joins the previous batch, because batch normalisation cannot train on
    one image.
    """
    cuts = list(range(size, n, size))
    if cuts and n - cuts[-1] == 1:
        cuts.pop()
    return np.split(rng.permutation(n), cuts)


def augmented(images: Images, how: str, draws: npt.NDArray[np.float64]) -> Images:
    """Return randomly augmented training images [B, S, S, 3]; ``draws`` [B, DRAWS] is the chance.

    "flip" mirrors an image with probability 1/2; "erase" covers a rectangle of 2 to 25 % of it with
    probability 1/2 (Zhong et al. 2017, arXiv:1708.04896, with the areas of SCN and EAC);
    "flip+erase" does both, "none" neither.
    """
    if "flip" in how:
        images = mirrored(images, draws[:, 0] < 0.5)
    if "erase" in how:
        images = images.copy()
        for image, (chance, *place) in zip(images, draws[:, 1:], strict=True):
            if chance < 0.5:
                erase(image, *place)
    return images


def erase(image: Images, area: float, aspect: float, top: float, left: float) -> None:
    """Cover a rectangle of [S, S, 3] with the mean colour; the four numbers are in [0, 1)."""
    side = len(image)
    covered = (0.02 + 0.23 * area) * side**2
    ratio = 0.3 ** (1 - 2 * aspect)  # 0.3 to 1 / 0.3, log-uniform
    height, width = (min(side, max(1, round(math.sqrt(covered * r)))) for r in (ratio, 1 / ratio))
    y, x = int(top * (side - height + 1)), int(left * (side - width + 1))
    image[y : y + height, x : x + width] = np.round(255 * np.array(MEAN))


def mirrored(images: Images, chosen: npt.NDArray[np.bool_]) -> Images:
    """Return the images [B, H, W, 3] with the chosen ones [B] flipped left to right."""
    return np.where(chosen[:, None, None, None], images[:, :, ::-1], images)
