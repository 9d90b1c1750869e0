"""A model that was trained elsewhere: its input and output conventions, and its predictor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from torch import Tensor

from ferc_core.base.schemas import Checked, Texts, validated
from ferc_core.base.text import shortened
from ferc_core.errors import DataError, FercError, RequestError, RunError
from ferc_core.spec import LARGEST_SIDE
from ferc_core.task import Task
from ferc_models.images import MEAN, STD, Images
from ferc_models.options import choice
from ferc_models.saved.tensors import check_format, read_tensors, write_tensors

FORMAT = 1
BATCH = 128  # images that go through a model at once
FEW = 8  # images that it is tried on
SUM_TOLERANCE = 1e-3  # how far probabilities may be from a sum of 1

Floats = npt.NDArray[np.float32]

# (offset, scale) of R, G, B: a value v in 0 .. 255 becomes (v - offset) / scale
NORMALISATIONS = {
    "imagenet": ([255 * m for m in MEAN], [255 * s for s in STD]),
    "half": ([127.5] * 3, [127.5] * 3),  # -1 .. 1
    "unit": ([0.0] * 3, [255.0] * 3),  # 0 .. 1
    "raw": ([0.0] * 3, [1.0] * 3),  # 0 .. 255
}
CHANNELS = ("rgb", "bgr")
OUTPUTS = ("logits", "probs")


@dataclass(frozen=True)
class Convention:
    """The input and output of a model; raises `RequestError` for other words.

    normalise: imagenet (mean and standard deviation of ImageNet), half (-1 to 1), unit (0 to 1)
               or raw (0 to 255); the statistics follow the colours, whatever their order
    channels:  rgb, or bgr for models that take blue first
    output:    logits, or probs if a softmax is part of the model
    """

    normalise: str = "imagenet"
    channels: str = "rgb"
    output: str = "logits"

    def __post_init__(self) -> None:
        choice("normalise", self.normalise, NORMALISATIONS)
        choice("channels", self.channels, CHANNELS)
        choice("output", self.output, OUTPUTS)

    def pixels(self, images: Images) -> Floats:
        """Return uint8 RGB images [B, S, S, 3] as the model takes them, in the same shape."""
        offset, scale = np.array(NORMALISATIONS[self.normalise], dtype=np.float32)
        pixels: Floats = (images.astype(np.float32) - offset) / scale
        return pixels if self.channels == "rgb" else pixels[..., ::-1]

    def logits(self, values: Floats) -> Floats:
        """Return the model's outputs [B, K] as logits: the logarithms, if they are probabilities.

        A probability of 0 counts as the smallest normal float32. Raises `RequestError` if the
        model does not return probabilities although it should.
        """
        if self.output == "logits":
            return values
        if not are_probabilities(values):
            raise RequestError(
                "with output=probs the model must return probabilities that sum to 1; if it does "
                "not end with a softmax, use output=logits"
            )
        smallest = np.finfo(np.float32).tiny
        return np.log(np.maximum(values, smallest))


@dataclass(frozen=True)
class ReadyCard:
    """What a ready-made model is: its method, and how it is used.

    ``name`` is for messages; ``options`` are what the method needs to load it again.
    """

    method: str
    name: str
    classes: tuple[str, ...]
    image_size: int
    convention: Convention
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ReadyPredictor:
    """A model with its convention.

    ``compute`` maps pixels float32 [B, S, S, 3], B at least 1, to values [B, K]; the model is
    stored as ``tensors``.
    """

    card: ReadyCard
    compute: Callable[[Floats], npt.NDArray[Any]]
    tensors: Mapping[str, Tensor]

    def logits(self, images: Images) -> Floats:
        """Return logits float32 [B, K] for uint8 RGB images [B, S, S, 3].

        Raises `RequestError` for images or outputs of another shape and if the model fails on the
        images, and `RunError` for outputs that are not finite.
        """
        parts = [
            self.card.convention.logits(self.values(images[start : start + BATCH]))
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate([np.empty((0, len(self.card.classes)), np.float32), *parts])

    def values(self, images: Images) -> Floats:
        """Return the model's own outputs [B, K] for a few images."""
        card, side = self.card, self.card.image_size
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise RequestError(
                f"this model takes uint8 RGB images [B, {side}, {side}, 3], "
                f"not {images.dtype} {list(images.shape)}; resize them first"
            )
        try:
            values = self.compute(card.convention.pixels(images))
        except FercError:
            raise
        except Exception as error:  # a model may raise anything
            raise RequestError(
                f"{card.name} fails on {side}x{side} images ({in_one_line(error)}); "
                "--image-size changes their size"
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
    options: Annotated[dict[str, bool | int | float | str], Field(max_length=100)]


def check_shape(card: ReadyCard, values: npt.NDArray[Any], count: int) -> None:
    """Raise `RequestError` unless there is a value for each image and class."""
    if values.ndim != 2 or len(values) != count:
        raise RequestError(
            f"{card.name} returns an array {list(values.shape)} for {count} images; "
            f"it must return [{count}, {len(card.classes)}], a row of logits for each"
        )
    if values.shape[1] != len(card.classes):
        raise RequestError(
            f"{card.name} has {values.shape[1]} classes, but the dataset has {len(card.classes)}: "
            f"{', '.join(card.classes)}"
        )


def introduce(predictor: ReadyPredictor, task: Task) -> None:
    """Try a model on a few validation images, and tell the user what to know about it.

    Without validation images, a black one is taken.
    """
    rows, side = np.arange(min(FEW, len(task.validation))), task.image_size
    black = np.zeros((1, side, side, 3), np.uint8)
    values = predictor.values(task.validation.images(rows) if len(rows) else black)
    predictor.card.convention.logits(values)
    task.say(f"its outputs are taken to be {', '.join(task.classes)}, in this order")
    if predictor.card.convention.output == "logits" and are_probabilities(values):
        task.say("its outputs look like probabilities; if they are, use output=probs")
    if task.weights:
        task.say("--weights is ignored: it is for methods that are trained")


def are_probabilities(values: Floats) -> bool:
    """Return whether all rows [B, K] are non-negative and sum to 1."""
    off = np.abs(values.sum(axis=1) - 1)
    return bool((values >= 0).all() and (off <= SUM_TOLERANCE).all())


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
        options=header["options"],
    )


def in_one_line(error: Exception, longest: int = 200) -> str:
    """Return an error's message in one line, shortened."""
    return shortened(" ".join(str(error).split()), longest)
