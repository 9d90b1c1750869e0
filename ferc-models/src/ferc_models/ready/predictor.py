"""The predictor of a model that was trained elsewhere, and what is stored of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from ferc_core.base.schemas import Checked, Texts, validated
from ferc_core.base.text import number, shortened
from ferc_core.data.classes import check_outputs
from ferc_core.errors import DataError, FercError, RequestError, RunError
from ferc_core.images.io import resize
from ferc_core.spec import LARGEST_SIDE
from ferc_core.task import PRECISIONS, Task
from ferc_models.images import Images
from ferc_models.ready.convention import Convention, Floats, are_probabilities
from ferc_models.runtime import computing_threads
from ferc_models.saved.tensors import check_format, read_tensors, write_tensors

FORMAT = 1
BATCH = 128  # images that go through a model at once
LARGEST_BATCH = 100_000
FEW = 8  # images that it is tried on
# What an error of a model says where the size of the images is its cause.
OF_SIZE = re.compile(r"dimension|shape|size|stride|kernel", re.IGNORECASE)


@dataclass(frozen=True)
class ReadyCard:
    """What a ready-made model is: its method, and how it is used.

    name:       for messages
    classes:    of the dataset that it was opened for
    image_size: of the images that it is given
    outputs:    the names of its own outputs, or () where they are ``classes`` in their order
    size:       of the images that it takes, or 0 for ``image_size``
    batch:      images that go through it at once, at most
    options:    what the method needs to load it again
    """

    method: str
    name: str
    classes: tuple[str, ...]
    image_size: int
    convention: Convention
    outputs: tuple[str, ...] = ()
    size: int = 0
    batch: int = BATCH
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """The side of the images that it takes."""
        return self.size or self.image_size


@dataclass(eq=False)
class ReadyPredictor:
    """A model with its convention.

    ``compute`` maps pixels float32 [B, S, S, 3], or 1 for grey, B at least 1, to values [B, K];
    the model is stored as ``tensors``. ``threads`` is how many torch computes with; 0 leaves their
    number unchanged. (A session of onnxruntime has its own from the start.)
    """

    card: ReadyCard
    compute: Callable[[Floats], npt.NDArray[Any]]
    tensors: Mapping[str, Tensor]
    threads: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of its outputs, () where these are the classes of the dataset in order."""
        return self.card.outputs

    def logits(self, images: Images) -> Floats:
        """Return logits float32 [B, K] of its outputs for uint8 RGB images [B, S, S, 3].

        Raises `RequestError` for images or outputs of another shape and if the model fails on the
        images, and `RunError` for outputs that are not finite.
        """
        parts = [
            self.card.convention.logits(self.values(images[start : start + self.card.batch]))
            for start in range(0, len(images), self.card.batch)
        ]
        k = len(self.card.outputs or self.card.classes)
        return np.concatenate([np.empty((0, k), np.float32), *parts])

    def values(self, images: Images) -> Floats:
        """Return the model's own outputs [B, K] for a few images."""
        card, side = self.card, self.card.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise RequestError(
                f"this model takes uint8 RGB images [B, {side}, {side}, 3], "
                f"not {images.dtype} {list(images.shape)}; resize them first"
            )
        try:
            resized = (
                images if card.side == side else np.stack([resize(i, card.side) for i in images])
            )
            with computing_threads(self.threads):
                values = self.compute(card.convention.pixels(resized))
        except FercError:
            raise
        except Exception as error:  # a model may raise anything
            said = in_one_line(error)
            remedy = "; size= changes their size" if OF_SIZE.search(said) else ""
            raise RequestError(
                f"{card.name} fails on {card.side}x{card.side} images: {said}{remedy}"
            ) from error
        check_shape(card, values, len(images))
        if not np.isfinite(values).all():
            raise RunError(f"{card.name} returns values that are not finite")
        return values.astype(np.float32)

    def save(self, path: Path) -> None:
        """Write tensors and card to ``path``, a .safetensors file, atomically."""
        # Copies, because safetensors refuses tensors that share memory, as tied weights do.
        tensors = {name: tensor.detach().cpu().clone() for name, tensor in self.tensors.items()}
        write_tensors(path, tensors, {"format": FORMAT, **asdict(self.card)})


class Words(Checked):
    """What the header of a file says of a `Convention`."""

    normalise: str = "imagenet"
    channels: str = "rgb"
    output: str = "logits"


class Header(Checked):
    """What the header of a file holds: the fields of a `ReadyCard`."""

    format: Literal[1]
    method: str
    name: str
    classes: Annotated[Texts, Field(min_length=1)]
    image_size: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    convention: Words
    outputs: Texts = Field(default_factory=list)
    size: Annotated[int, Field(ge=0, le=LARGEST_SIDE)] = 0
    batch: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = BATCH
    options: Annotated[dict[str, bool | int | float | str], Field(max_length=100)]


def check_shape(card: ReadyCard, values: npt.NDArray[Any], count: int) -> None:
    """Raise `RequestError` unless there is a value for each image and class."""
    k = len(card.outputs or card.classes)
    if values.ndim != 2 or len(values) != count:
        raise RequestError(
            f"{card.name} returns an array {list(values.shape)} for {count} images; "
            f"it must return [{count}, {k}], a row of logits for each"
        )
    if values.shape[1] != k and card.outputs:
        raise RequestError(
            f"{card.name} has {values.shape[1]} outputs, but {number(k, 'name')} for them: "
            f"{', '.join(card.outputs)}"
        )
    if values.shape[1] != k:
        raise RequestError(
            f"{card.name} has {values.shape[1]} classes, but the dataset has {k}: "
            f"{', '.join(card.classes)}; name its outputs with classes="
        )


def introduce(predictor: ReadyPredictor, task: Task) -> None:
    """Try a model on a few validation images, and tell the user what to know about it.

    Without validation images, a black one is taken. Raises `RequestError` for a model that cannot
    be used, or whose outputs do not answer for the classes of the dataset.
    """
    card = predictor.card
    if card.outputs:
        check_outputs(card.outputs, task.classes, task.merged, card.name)
    rows, side = np.arange(min(FEW, len(task.validation))), task.image_size
    black = np.zeros((1, side, side, 3), np.uint8)
    values = predictor.values(task.validation.images(rows) if len(rows) else black)
    card.convention.logits(values)
    if not card.outputs:
        task.say(f"its outputs are taken to be {', '.join(task.classes)}, in this order")
    if card.side != side:
        task.say(
            f"images are corrupted at {side}x{side}, then resized to {card.side}x{card.side} for it"
        )
    if card.convention.output == "logits" and are_probabilities(values):
        task.say("its outputs look like probabilities; if they are, use output=probs")
    if task.precision != PRECISIONS[0]:
        task.say("--precision is ignored: it is for methods that are trained")
    if task.weights:
        task.say("--weights is ignored: it is for methods that are trained")


def read_ready(path: Path, method: str) -> tuple[dict[str, Tensor], ReadyCard]:
    """Return tensors and card of what `ReadyPredictor.save` wrote.

    Raises `RequestError` if there is no such file, and `DataError`, naming the file, if it is
    damaged or of another method.
    """
    tensors, header = read_tensors(path)
    if header.get("method") != method:
        found = shortened(repr(header.get("method")), 80)
        raise DataError(f"{path} holds a model of method {found}, not {method!r}")
    check_format(header, FORMAT, path)
    try:
        validated(header, Header)
        convention = Convention(**header["convention"])
    except (ValueError, RequestError) as error:
        raise DataError(f"{path} does not describe a ready-made model: {error}") from error
    return tensors, ReadyCard(
        method=method,
        name=header["name"],
        classes=tuple(header["classes"]),
        image_size=header["image_size"],
        convention=convention,
        outputs=tuple(header.get("outputs", ())),
        size=header.get("size", 0),
        batch=header.get("batch", BATCH),
        options=header["options"],
    )


def in_one_line(error: Exception) -> str:
    """Return an error's message, whole, in one line."""
    return " ".join(str(error).split())
