"""One linear model that was "trained elsewhere", in torch and in ONNX, and its logits by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ferc_core.task import Examples, Task
from ferc_models.ready.convention import Convention

SIDE, CLASSES = 32, ("happy", "sad", "neutral")
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 0.02, (3 * SIDE**2, len(CLASSES))).astype(np.float32)
BIAS = np.float32([0.5, -0.5, 0.0])
IMAGES = RNG.integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8)
USUAL = Convention()
CONVENTIONS = (
    {"normalise": "imagenet", "channels": "rgb"},
    {"normalise": "half", "channels": "bgr"},
    {"normalise": "unit", "channels": "rgb"},
    {"normalise": "raw", "channels": "bgr"},
    {"normalise": "imagenet", "channels": "bgr"},
)


def task(folder: Path, **changes: Any) -> Task:
    """A task with IMAGES to validate on, and nothing to train on."""
    labels = np.arange(len(IMAGES)) % 3
    ids = tuple(map(str, labels))
    validation = Examples(ids, lambda rows: IMAGES[rows], labels, np.eye(3)[labels])
    usual: dict[str, Any] = {
        "classes": CLASSES,
        "train": validation,
        "validation": validation,
        "loss": "-",
        "epochs": 1,
        "batch_size": 2,
        "learning_rate": 1.0,
        "image_size": SIDE,
        "seed": 0,
        "directory": folder / "state",
        "device": "cpu",
    }
    return Task(**usual | changes)


class Linear(nn.Module):
    """The model in torch; ``answer`` is applied to its logits."""

    def __init__(self, inputs: int, classes: int, answer: Callable[..., Any] = lambda z: z) -> None:
        super().__init__()
        self.layer, self.answer = nn.Linear(inputs, classes), answer

    def forward(self, images: torch.Tensor) -> Any:
        return self.answer(self.layer(images.flatten(1)))


def build(num_classes: int) -> nn.Module:
    return Linear(3 * SIDE**2, num_classes)


def linear_torch(path: Path, weights: np.ndarray = WEIGHTS, bias: np.ndarray = BIAS) -> Path:
    """Write the weights of `build`."""
    torch.save({"layer.weight": torch.tensor(weights.T), "layer.bias": torch.tensor(bias)}, path)
    return path


def linear_onnx(
    path: Path,
    weights: np.ndarray = WEIGHTS,
    bias: np.ndarray = BIAS,
    *,
    layout: str = "nchw",
    shape: tuple[int | str | None, ...] | None = None,
    batch: int | str | None = "N",
    takes: str = "FLOAT",
    kind: str = "FLOAT",
    answers: tuple[str, ...] = ("logits",),
    inputs: tuple[str, ...] = ("images",),
    factor: float = 1.0,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write the model in ONNX; its weights are in the order channels, rows, columns.

    ``shape`` is that of an image, ``takes`` the type of the input and ``kind`` that of all else;
    ``answers`` are some of "logits", "probs", "deep", [N, K, 1], and "class", int64 [N].
    """
    import onnx

    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    taken, inner = (onnx.TensorProto.DataType.Value(word) for word in (takes, kind))
    square = (3, SIDE, SIDE) if layout == "nchw" else (SIDE, SIDE, 3)
    turned = [0, 1, 2, 3] if layout == "nchw" else [0, 3, 1, 2]
    nodes = [
        node("Cast", ["images"], ["floats"], to=inner),
        node("Transpose", ["floats"], ["nchw"], perm=turned),
        node("Flatten", ["nchw"], ["flat"]),
        node("Gemm", ["flat", "weights", "bias"], ["sum"]),
        node("Mul", ["sum", "factor"], ["logits"]),
        node("Softmax", ["logits"], ["probs"], axis=1),
        node("Unsqueeze", ["logits", "last"], ["deep"]),
        node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0),
    ]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(inner)
    numbers = {"weights": weights, "bias": bias, "factor": np.array(factor)}
    arrays = {name: array.astype(dtype) for name, array in numbers.items()}
    types = {"class": onnx.TensorProto.INT64}
    graph = onnx.helper.make_graph(
        nodes,
        "linear",
        [info(name, taken, [batch, *(shape or square)]) for name in inputs],
        [info(name, types.get(name, inner), None) for name in answers],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in {**arrays, "last": np.array([2])}.items()
        ],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.helper.set_model_props(model, metadata or {})
    onnx.save(model, path)
    return path


def by_hand(images: np.ndarray, convention: Convention = USUAL) -> np.ndarray:
    """The logits of the model, computed in float64."""
    values = {
        "imagenet": (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "half": images / 255 * 2 - 1,
        "unit": images / 255,
        "raw": images.astype(float),
    }[convention.normalise]
    ordered = values if convention.channels == "rgb" else values[..., [2, 1, 0]]
    return ordered.transpose(0, 3, 1, 2).reshape(len(images), -1) @ WEIGHTS + BIAS


def softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
