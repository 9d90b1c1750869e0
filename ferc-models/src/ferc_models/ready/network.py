"""Ready-made torch networks: loading their weights and wrapping them as predictors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ferc_core.base.paths import expanded
from ferc_core.base.text import listed
from ferc_core.errors import DataError, RequestError
from ferc_core.task import Task
from ferc_models.options import check_options
from ferc_models.ready.convention import Convention, Floats
from ferc_models.ready.predictor import ReadyCard, ReadyPredictor, introduce, read_ready
from ferc_models.ready.request import COMMON, batch_in, outputs_in, size_in
from ferc_models.runtime import choose_device, seeded
from ferc_models.weights import read_weights

Build = Callable[[int], nn.Module]


def open_network(
    task: Task,
    name: str,
    build: Build,
    weights: str | Path | None,
    convention: Convention,
    given: Mapping[str, Any],
) -> ReadyPredictor:
    """Return the network with its weights as a predictor; see `ferc_models.ready.ready_made`.

    ``given`` are the author's own values of the options that all ready-made models have.
    """
    check_options(name, task.options, ["weights", *COMMON])
    options = {**given, **task.options}
    chosen = options.get("weights", weights)
    path = None if chosen is None else expanded(str(chosen))
    outputs = outputs_in(options, task, path)
    network = built(build, len(outputs or task.classes), name)
    if path is not None:
        tensors = read_weights(path)
        if misfit := misfits(network, tensors):
            raise RequestError(f"{path} does not fit the network of {name!r}: {misfit}")
        network.load_state_dict(tensors)
        task.say(f"all {len(tensors)} tensors are from {path}")
    card = ReadyCard(
        method=name,
        name=name,
        classes=task.classes,
        image_size=task.image_size,
        convention=convention,
        outputs=outputs,
        size=size_in(options),
        batch=batch_in(options),
    )
    predictor = as_predictor(network, card, task.device)
    introduce(predictor, task)
    return predictor


def load_network(path: Path, name: str, build: Build, device: str) -> ReadyPredictor:
    """Read what the predictor of `open_network` wrote.

    Raises `RequestError` if there is no such file, `DataError` if it is not of this network.
    """
    tensors, card = read_ready(path, name)
    network = built(build, len(card.outputs or card.classes), name)
    if misfit := misfits(network, tensors):
        raise DataError(f"{path} does not fit the network of {name!r}: {misfit}")
    network.load_state_dict(tensors)
    return as_predictor(network, card, device)


def built(build: Build, num_classes: int, name: str) -> nn.Module:
    """Build the network; what it draws from torch's generator is the same every time."""
    with seeded(0):
        network = build(num_classes)
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        raise RequestError(f"build({num_classes}) of {name!r} returned {kind}, not a torch Module")
    return network


def as_predictor(network: nn.Module, card: ReadyCard, device_name: str) -> ReadyPredictor:
    """Return the network as a predictor, in evaluation mode."""
    device = choose_device(device_name)
    network.to(device).eval()

    def compute(pixels: Floats) -> npt.NDArray[Any]:
        batch = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(device)
        with torch.inference_mode():
            answer = network(batch)
        if not isinstance(answer, Tensor):
            kind = type(answer).__name__
            raise RequestError(f"{card.name} returns a {kind}; it must return a tensor of logits")
        return answer.float().cpu().numpy()

    return ReadyPredictor(card, compute, network.state_dict())


def misfits(network: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """Return why tensors are not the weights of a network; empty if they are."""
    wanted = network.state_dict()
    # Files from before torch 0.4.1 lack the counters of batch normalisation, which nothing reads.
    missing = [n for n in wanted if n not in tensors and not n.endswith("num_batches_tracked")]
    unknown = [n for n in tensors if n not in wanted]
    other = [
        f"{n} {list(tensors[n].shape)} instead of {list(wanted[n].shape)}"
        for n in wanted
        if n in tensors and tensors[n].shape != wanted[n].shape
    ]
    found = {"missing": missing, "unexpected": unknown, "of another shape": other}
    return "; ".join(f"{what}: {listed(names, 3)}" for what, names in found.items() if names)
