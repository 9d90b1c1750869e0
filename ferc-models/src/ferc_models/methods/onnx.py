"""The method ``onnx``: a model that was trained elsewhere, in an ONNX file; nothing is trained.

    ferc run --method "onnx(file=model.onnx)" --dataset folder --data-root PATH

Options: ``file``; ``layout``, nchw or nhwc; ``normalise``, ``channels`` and ``output``, see
`ferc_models.ready.predictor.Convention`.

The file has one input, a batch of float images of one size, and one output [B, K], K in the
order of the dataset's classes. Batch size and image size may be free or fixed. Needs onnxruntime,
which the extra ``ferc-models[onnx]`` installs.

Source: ONNX, https://onnx.ai
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ferc_core.base.files import read_bytes
from ferc_core.base.paths import expanded
from ferc_core.errors import DataError, FercError, RequestError
from ferc_core.task import Task
from ferc_models.options import check_options, choice
from ferc_models.ready.predictor import (
    Convention,
    Floats,
    ReadyCard,
    ReadyPredictor,
    in_one_line,
    introduce,
    read_ready,
)

NAME = "onnx"
LAYOUTS = {"nchw": 1, "nhwc": 3}  # axis of the channels
CONVENTION = ("normalise", "channels", "output")
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
TENSOR = "onnx"  # name of the file's bytes in a checkpoint
LARGEST = 8 << 30  # bytes of a file
ONLY_FATAL = 4  # severity from which onnxruntime prints its own messages


def fit(task: Task) -> ReadyPredictor:
    """Open the file and try it on a few images; raises `RequestError` if it cannot be used."""
    check_options(NAME, task.options, ["file", "layout", *CONVENTION])
    if "file" not in task.options:
        raise RequestError("method 'onnx' needs a file; use onnx(file=model.onnx)")
    convention = Convention(**{k: v for k, v in task.options.items() if k in CONVENTION})
    layout = choice("layout", task.options.get("layout", "nchw"), LAYOUTS)
    path = expanded(str(task.options["file"]))
    card = ReadyCard(NAME, path.name, task.classes, task.image_size, convention, {"layout": layout})
    predictor = open_model(read_file(path), card, task.device)
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
    return open_model(tensors[TENSOR].numpy().tobytes(), card, device)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file, or raise `RequestError`."""
    try:
        return read_bytes(path, LARGEST)
    except OSError as error:
        raise RequestError(f"the ONNX file {path} cannot be read: {error.strerror}") from error


def open_model(content: bytes, card: ReadyCard, device: str) -> ReadyPredictor:
    """Return an ONNX file as a predictor, after checking its input and output."""
    session = open_session(content, card.name, device)
    source, batch = check_input(session.get_inputs(), card)
    check_output(session.get_outputs(), card)

    def compute(pixels: Floats) -> npt.NDArray[Any]:
        if card.options["layout"] == "nchw":
            pixels = pixels.transpose(0, 3, 1, 2)
        pixels = np.ascontiguousarray(pixels, dtype=FLOATS[source.type])
        size = batch or len(pixels)
        parts = []
        for start in range(0, len(pixels), size):
            part = pixels[start : start + size]
            filled = np.resize(part, (size, *part.shape[1:]))  # repeats images to fill a batch
            parts.append(session.run(None, {source.name: filled})[0][: len(part)])
        return np.concatenate(parts)

    tensor = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return ReadyPredictor(card, compute, {TENSOR: tensor})


def open_session(content: bytes, name: str, device: str) -> Any:
    """Return an onnxruntime session, on a GPU if onnxruntime has one and "cpu" is not asked for."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RequestError(
            "method 'onnx' needs onnxruntime: pip install 'ferc-models[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    # A fixed number of threads, so that the same images give the same bytes.
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Weights in a second file would not be part of the checkpoint, so they must not be found.
    nowhere = "session.model_external_initializers_file_folder_path"
    options.add_session_config_entry(nowhere, os.devnull)
    gpu = "CUDAExecutionProvider"
    wanted = [gpu] if device != "cpu" and gpu in onnxruntime.get_available_providers() else []
    try:
        session = onnxruntime.InferenceSession(
            content, options, providers=[*wanted, "CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors have no common type
        raise unusable(name, error) from error
    if device == "cuda" and gpu not in session.get_providers():
        raise RequestError(
            "device 'cuda' is not available: onnxruntime finds no GPU; install onnxruntime-gpu, or "
            "use auto or cpu"
        )
    return session


def unusable(name: str, error: Exception) -> FercError:
    """Return the error for a file that onnxruntime cannot open."""
    if "external data" in str(error).lower():
        return RequestError(
            f"{name} has its weights in another file; export it with the weights inside, as "
            "torch.onnx.export(..., external_data=False) does"
        )
    return RequestError(f"{name} is not a valid ONNX file for onnxruntime ({in_one_line(error)})")


def check_input(inputs: Sequence[Any], card: ReadyCard) -> tuple[Any, int]:
    """Return the only input and its batch size, 0 if that is free."""
    name, side, layout = card.name, card.image_size, card.options["layout"]
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise RequestError(
            f"{name} has {len(inputs)} inputs ({names}); export it with the image batch as the "
            "only input"
        )
    (source,) = inputs
    kind = source.type.removeprefix("tensor(").removesuffix(")")
    # a free size has a name or nothing in place of a number
    shape = [size if isinstance(size, int) and size > 0 else 0 for size in source.shape]
    shown = f"{name} takes {kind} [{', '.join(str(size or '?') for size in shape)}]"
    if source.type not in FLOATS or len(shape) != 4:
        raise RequestError(f"{shown}; it must take a batch of float images [?, 3, S, S]")
    if shape[LAYOUTS[layout]] not in (0, 3):
        other = next(word for word in LAYOUTS if word != layout)
        remedy = f"use layout={other}" if shape[LAYOUTS[other]] == 3 else "images have 3"
        raise RequestError(f"{shown}, which is not 3 channels with layout={layout}; {remedy}")
    sizes = {size for axis, size in enumerate(shape) if axis not in (0, LAYOUTS[layout])} - {0}
    if len(sizes) > 1:
        raise RequestError(f"{shown}; it must take square images")
    if sizes - {side}:
        raise RequestError(
            f"{shown}, but the images are {side}x{side}; add --image-size {min(sizes)}"
        )
    return source, shape[0]


def check_output(outputs: Sequence[Any], card: ReadyCard) -> None:
    """Raise `RequestError` unless there is one output of float numbers."""
    if len(outputs) != 1:
        names = ", ".join(each.name for each in outputs)
        raise RequestError(
            f"{card.name} has {len(outputs)} outputs ({names}); export it with the class scores as "
            "the only output"
        )
    if outputs[0].type not in FLOATS:
        raise RequestError(f"{card.name} returns {outputs[0].type}; it must return floats [?, K]")
