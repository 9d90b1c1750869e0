"""A trained network with everything needed to use it, stored in one safetensors file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import Tensor, nn

from ferc_core.base.schemas import Checked, Count, Texts, shown, validated
from ferc_core.errors import DataError, FercError, RequestError, as_failure
from ferc_core.spec import LARGEST_SIDE
from ferc_core.task import PRECISIONS
from ferc_models.images import Images, normalise
from ferc_models.penultimate import penultimate
from ferc_models.precision import check_precision, computing_in
from ferc_models.runtime import choose_device, computing_threads, using
from ferc_models.saved.tensors import check_format, read_tensors, write_tensors

FORMAT = 1
MOST_EPOCHS = 1_000_000
BATCH = 128  # images that go through the network at once, however many the caller passes


@dataclass(frozen=True)
class Card:
    """What a network is and how it was trained.

    ``history`` has one mapping for each epoch: its number, training loss, and validation macro-F1
    and accuracy. ``options`` are the method's options that shape the network; ``notes`` are
    sentences for the user; ``precision`` is that of the training, in which it predicts, too.
    """

    method: str
    backbone: str
    classes: tuple[str, ...]
    image_size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    history: tuple[Mapping[str, float], ...] = ()
    precision: str = PRECISIONS[0]

    def fields(self) -> dict[str, Any]:
        """Return the fields as a file has them: "fp32" is left out, as it was before there were
        others.
        """
        fields = asdict(self)
        if self.precision == PRECISIONS[0]:
            del fields["precision"]
        return fields


class NetworkPredictor:
    """A network that maps normalised images to logits, in evaluation mode.

    It takes images of the size that it was trained on and normalises them with ImageNet's mean and
    standard deviation. ``threads`` is how many it computes with; 0 leaves their number unchanged.
    """

    threads = 0

    def __init__(self, network: nn.Module, card: Card, device: torch.device) -> None:
        self.network = network.to(device, memory_format=torch.channels_last).eval()
        self.card = card
        self.device = device

    def logits(self, images: Images) -> npt.NDArray[np.float32]:
        """Return logits float32 [B, K] for uint8 RGB images [B, S, S, 3].

        Raises `RequestError` for images of another size or type.
        """
        side = self.card.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise RequestError(
                f"this model takes uint8 RGB images [B, {side}, {side}, 3], "
                f"not {images.dtype} {list(images.shape)}; resize them first"
            )
        with using(self.device), computing_threads(self.threads):
            parts = [
                logits_on(
                    self.network, images[start : start + BATCH], self.device, self.card.precision
                )
                for start in range(0, len(images), BATCH)
            ]
            # read at the end, so that a GPU is not waited for in between
            found = [part.cpu().numpy() for part in parts]
        return np.concatenate([np.empty((0, len(self.card.classes)), np.float32), *found])

    def logits_and_features(
        self, images: Images
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Return logits [B, K] and what the last layer makes them of, [B, D]; None where there is
        no such layer.
        """
        with penultimate(self.network, len(self.card.classes)) as found:
            logits = self.logits(images)
        rows = [part.float().cpu().numpy() for part in found]
        return logits, np.concatenate(rows) if rows else None

    def save(self, path: Path) -> None:
        """Write tensors and card to ``path``, a .safetensors file, atomically."""
        write_tensors(path, self.network.state_dict(), {"format": FORMAT, **self.card.fields()})


def network_logits(
    network: nn.Module,
    images: Images,
    device: torch.device,
    precision: str = PRECISIONS[0],
) -> npt.NDArray[np.float32]:
    """Return the logits of a few images; the network must be in evaluation mode."""
    logits: npt.NDArray[np.float32] = logits_on(network, images, device, precision).cpu().numpy()
    return logits


def logits_on(network: nn.Module, images: Images, device: torch.device, precision: str) -> Tensor:
    """Return what `network_logits` does as a float32 tensor on the device."""
    with torch.inference_mode(), computing_in(precision, device):
        logits: Tensor = network(normalise(images, device)).float()
    return logits


def load_predictor(
    path: Path, method: str, build: Callable[[Card], nn.Module], device: str = "auto"
) -> NetworkPredictor:
    """Read what `NetworkPredictor.save` wrote; ``build`` makes the untrained network of a card.

    Raises `RequestError` if there is no such file, and `DataError`, naming the file, if it is
    damaged, of another method, or does not fit the network that it names.
    """
    tensors, header = read_tensors(path)
    card = read_card(header, path)
    if card.method != method:
        raise DataError(f"{path} holds a model of method {shown(card.method)}, not {method!r}")
    try:
        network = built(build, card, tensors)
    except FercError as error:
        raise DataError(f"{path}: {error}") from error
    except Exception as error:  # a network may fail in any way on values that it never had
        raise DataError(f"{path} does not describe a trained model: {as_failure(error)}") from error
    if network is None:
        raise DataError(
            f"{path} does not hold the tensors of backbone {card.backbone!r} for "
            f"{len(card.classes)} classes"
        )
    chosen = choose_device(device)
    try:
        check_precision(card.precision, chosen)
    except RequestError as error:
        raise RequestError(f"{path} cannot be used on this device: {error}") from error
    return NetworkPredictor(network, card, chosen)


def built(
    build: Callable[[Card], nn.Module], card: Card, tensors: Mapping[str, Tensor]
) -> nn.Module | None:
    """Return the network of a card with its tensors, or None where they are not its own.

    An outline without memory is built first: a card of a few bytes may name the largest networks.
    """
    with suppress(Exception), torch.device("meta"):  # a network that has no outline is just built
        if not fits(build(card), tensors):
            return None
    network = build(card)
    if not fits(network, tensors):
        return None
    network.load_state_dict(tensors)
    return network


def fits(network: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Say whether tensors have the names, shapes and types of those of a network."""
    wanted = network.state_dict()
    return wanted.keys() == tensors.keys() and all(
        (tensor.shape, tensor.dtype) == (wanted[name].shape, wanted[name].dtype)
        for name, tensor in tensors.items()
    )


class EpochScores(Checked):
    """What `Card.history` has of an epoch."""

    epoch: Count
    loss: float
    f1: float
    accuracy: float


class Header(Checked):
    """What the header of a file holds: the fields of a `Card`."""

    format: Literal[1]
    method: str
    backbone: str
    classes: Annotated[Texts, Field(min_length=1)]
    image_size: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    options: Annotated[dict[str, bool | int | float | str], Field(max_length=100)]
    notes: Texts
    history: Annotated[list[EpochScores], Field(max_length=MOST_EPOCHS)]
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"


def read_card(header: dict[str, Any], path: Path) -> Card:
    """Return the card in a file's header, or raise `DataError`."""
    check_format(header, FORMAT, path)
    try:
        validated(header, Header)
    except ValueError as error:
        raise DataError(f"{path} does not describe a trained model: {error}") from error
    return Card(
        method=header["method"],
        backbone=header["backbone"],
        classes=tuple(header["classes"]),
        image_size=header["image_size"],
        options=header["options"],
        notes=tuple(header["notes"]),
        history=tuple(header["history"]),
        precision=header.get("precision", PRECISIONS[0]),
    )
