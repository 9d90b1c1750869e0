"""The state of a training after an epoch, from which an interrupted training is resumed.

One file holds network, optimiser, best network so far and history, and is replaced atomically: a
kill at any moment leaves the state after the last epoch or the previous one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from ferc_core.base.progress import say
from ferc_core.base.schemas import Checked, validated
from ferc_core.errors import DataError, RequestError
from ferc_core.task import PRECISIONS, Examples, Task
from ferc_models.saved.predictor import MOST_EPOCHS, EpochScores, fits
from ferc_models.saved.tensors import read_tensors, write_tensors

FILE = "training.safetensors"
FORMAT = 1
LATER = {"precision": PRECISIONS[0], "compile": False}  # what older descriptions do not say
MOMENTS = ("exp_avg", "exp_avg_sq")  # that Adam keeps of each parameter, beside its "step"


@dataclass
class State:
    """The progress of a training: ``history`` has an entry for each finished epoch."""

    history: list[dict[str, float]] = field(default_factory=list)
    best_f1: float = -1.0
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)


def describe(task: Task, method: str) -> dict[str, Any]:
    """Return everything that determines the result of a training; it identifies the training."""
    described = {
        "format": FORMAT,
        "method": method,
        "options": dict(task.options),
        "classes": task.classes,
        "loss": task.loss,
        "epochs": task.epochs,
        "batch size": task.batch_size,
        "learning rate": task.learning_rate,
        "image size": task.image_size,
        "seed": task.seed,
        "backbone": task.backbone,
        "weights": file_digest(task.weights) if task.weights else "",
        "pretrained": task.pretrained,
        "training data": data_digest(task.train),
        "validation data": data_digest(task.validation),
    }
    found = {name: getattr(task, name) for name in LATER}
    described |= {name: value for name, value in found.items() if value != LATER[name]}
    plain: dict[str, Any] = json.loads(json.dumps(described))
    return plain


def save_state(
    path: Path,
    description: Mapping[str, Any],
    state: State,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: Any = None,
) -> None:
    """Write the state to ``path``; ``scaler`` is that of the losses, if there is one."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in state.best.items()}
    for index, parameter in parameters(optimizer):
        for key, tensor in optimizer.state[parameter].items():
            tensors[f"optimizer.{index}.{key}"] = tensor
    header = {"task": description, "history": state.history, "best_f1": state.best_f1}
    if scaler is not None:
        header["scaler"] = scaler.state_dict()
    write_tensors(path, tensors, header)


def load_state(
    path: Path,
    description: Mapping[str, Any],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: Any = None,
) -> State:
    """Load ``path`` into network, optimiser and scaler; return a fresh `State` if there is no file.

    A state only saves time: where it is damaged, this is said, and the training starts over.
    Raises `RequestError` if it is the state of another training.
    """
    if not path.exists():
        return State()
    try:
        tensors, header = read_tensors(path)
        check_header(path, header)
        check_same_training(path, header["task"], description)
        check_scaler(path, header, scaler)
        check_tensors(path, tensors, network, optimizer)
    except DataError as error:
        say(f"  {error}; the training starts over")
        return State()
    network.load_state_dict(part(tensors, "network."))
    for index, parameter in parameters(optimizer):
        for key, tensor in part(tensors, f"optimizer.{index}.").items():
            if key != "step":
                tensor = like(parameter, tensor)
            elif optimizer.defaults.get("fused"):
                tensor = tensor.to(parameter.device)
            optimizer.state[parameter][key] = tensor
    if scaler is not None:
        scaler.load_state_dict(header["scaler"])
    return State(header["history"], header["best_f1"], part(tensors, "best."))


class Header(Checked):
    """What the header of a file holds; ``task`` is what `describe` returned."""

    task: dict[Any, Any]
    history: Annotated[list[EpochScores], Field(min_length=1, max_length=MOST_EPOCHS)]
    best_f1: float
    scaler: dict[str, float] | None = None


def check_header(path: Path, header: Mapping[str, Any]) -> None:
    """Raise `DataError` unless a header is that of a state."""
    try:
        validated(header, Header)
    except ValueError as error:
        raise DataError(f"{path} is not the state of a training: {error}") from error
    numbers = [entry["epoch"] for entry in header["history"]]
    if numbers != list(range(1, len(numbers) + 1)):
        raise DataError(f"{path} is not the state of a training: its epochs are not in order")


def check_scaler(path: Path, header: Mapping[str, Any], scaler: Any) -> None:
    """Raise `DataError` unless a state has what a scaler, if there is one, is loaded from."""
    if scaler is not None and (header.get("scaler") or {}).keys() != scaler.state_dict().keys():
        raise DataError(f"{path} does not hold the scale of this training's losses")


def check_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Raise `DataError` unless all tensors of a state are there, and of the right kind."""
    whole = all(fits(network, part(tensors, prefix)) for prefix in ("network.", "best."))
    for index, parameter in parameters(optimizer):
        kept = part(tensors, f"optimizer.{index}.")
        shapes = {key: tensor.shape for key, tensor in kept.items()}
        wanted = {"step": torch.Size(), **dict.fromkeys(MOMENTS, parameter.shape)}
        whole = whole and shapes in ({}, wanted)  # what has had no gradient yet has none
    if not whole:
        raise DataError(f"{path} does not hold the tensors of this training")


def check_same_training(
    path: Path, found: Mapping[str, Any], description: Mapping[str, Any]
) -> None:
    """Raise `RequestError` naming the first difference between two descriptions."""
    found = {**LATER, **found}
    for name, wanted in {**LATER, **description}.items():
        if found.get(name) != wanted:
            raise RequestError(
                f"{path} belongs to another training: its {name} is {found.get(name)!r}, not "
                f"{wanted!r}; delete the file to start over, or use another directory"
            )


def parameters(optimizer: torch.optim.Optimizer) -> Iterator[tuple[int, Tensor]]:
    """Yield the optimiser's parameters with their numbers."""
    return enumerate(p for group in optimizer.param_groups for p in group["params"])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix``, without it."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return a copy with device and memory layout of ``parameter``, on which the bits depend."""
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)


def data_digest(examples: Examples) -> str:
    """Return a short hash of ids, labels and targets."""
    digest = hashlib.blake2b("\0".join(examples.ids).encode(), digest_size=8)
    digest.update(examples.labels.tobytes())
    digest.update(examples.targets.tobytes())
    return f"{len(examples)} images, {digest.hexdigest()}"


def file_digest(path: Path) -> str:
    """Return a short hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
