"""The method ``onnx``: a model that was trained elsewhere, in an ONNX file; nothing is trained.

    ferc run --method "onnx(file=model.onnx)" --dataset folder --data-root PATH

Options: ``file``; ``classes``, ``size`` and ``batch``, see `ferc_models.ready.ready_made`;
``normalise``, ``channels`` and ``output``, see `ferc_models.ready.convention.Convention`;
``layout``, nchw or nhwc; ``output_name``, where there are several outputs; ``providers``, those of
onnxruntime.

The file has one input, a batch of images of one size: floats, or uint8 for raw pixels. What it says
of itself is taken: the size of the images, a single grey channel, and the names of the classes in
its metadata or in a JSON file beside it. Needs onnxruntime, which the extra ``ferc-models[onnx]``
installs.

Source: ONNX, https://onnx.ai
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ferc_core.base.files import read_bytes
from ferc_core.base.paths import expanded
from ferc_core.errors import DataError, RequestError
from ferc_core.task import Task
from ferc_models.options import check_options, choice
from ferc_models.ready.convention import Convention
from ferc_models.ready.naming import named_in
from ferc_models.ready.onnx_session import LAYOUTS, Model, open_model
from ferc_models.ready.predictor import ReadyCard, ReadyPredictor, introduce, read_ready
from ferc_models.ready.request import COMMON, CONVENTION, batch_in, outputs_in, size_in, words_in

NAME = "onnx"
OWN = ("file", "layout", "output_name", "providers")
TENSOR = "onnx"  # name of the file's bytes in a checkpoint
LARGEST = 8 << 30  # bytes of a file


def fit(task: Task) -> ReadyPredictor:
    """Open the file and try it on a few images; raises `RequestError` if it cannot be used."""
    options = task.options
    check_options(NAME, options, [*OWN, *COMMON, *CONVENTION])
    if "file" not in options:
        raise RequestError("method 'onnx' needs a file; use onnx(file=model.onnx)")
    path = expanded(str(options["file"]))
    layout = choice("layout", options.get("layout", "nchw"), LAYOUTS)
    words, size = words_in(options), size_in(options)
    content = read_file(path)
    model = open_model(
        content,
        path.name,
        layout=layout,
        output=str(options.get("output_name", "")),
        providers=str(options.get("providers", "")),
        device=task.device,
    )
    embedded = () if "classes" in options else named_in(model.metadata, path.name)
    convention = convention_of(model, words, task)
    card = ReadyCard(
        method=NAME,
        name=path.name,
        classes=task.classes,
        image_size=task.image_size,
        convention=convention,
        outputs=outputs_in(options, task, path, embedded),
        size=model.size_for(size or task.image_size, asked=bool(size)),
        batch=batch_in(options),
        options={name: options[name] for name in OWN[2:] if name in options} | {"layout": layout},
    )
    predictor = as_predictor(model, card, content)
    introduce(predictor, task)
    return predictor


def check(task: Task) -> None:
    """Raise what `fit` would raise; nothing is said."""
    fit(replace(task, say=lambda _: None))


def load(path: Path, device: str = "auto") -> ReadyPredictor:
    """Read what the predictor of `fit` wrote; the ONNX file itself is no longer needed."""
    tensors, card = read_ready(path, NAME)
    if TENSOR not in tensors or card.options.get("layout") not in LAYOUTS:
        raise DataError(f"{path} does not hold an ONNX file and its layout")
    content = tensors[TENSOR].numpy().tobytes()
    options = {name: str(card.options.get(name, "")) for name in ("output_name", "providers")}
    model = open_model(
        content,
        card.name,
        layout=card.options["layout"],
        output=options["output_name"],
        providers=options["providers"],
        device=device,
    )
    return as_predictor(model, card, content)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file, or raise `RequestError`."""
    try:
        return read_bytes(path, LARGEST)
    except OSError as error:
        raise RequestError(f"the ONNX file {path} cannot be read: {error.strerror}") from error


def convention_of(model: Model, words: dict[str, str], task: Task) -> Convention:
    """Return how the model takes images: as the user says, and else as its input shows.

    Raises `RequestError` where these differ.
    """
    if model.channels == 1 and "channels" not in words:
        task.say("it takes grey images")
        words = {**words, "channels": "grey"}
    if model.takes_bytes and words.setdefault("normalise", "raw") != "raw":
        raise RequestError(
            f"{model.name} takes raw pixels (uint8); leave out normalise={words['normalise']}"
        )
    convention = Convention(**words)
    model.check_channels(convention.channels)
    return convention


def as_predictor(model: Model, card: ReadyCard, content: bytes) -> ReadyPredictor:
    """Return a model with its file as the one tensor that is stored."""
    tensor = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return ReadyPredictor(card, model, {TENSOR: tensor})
