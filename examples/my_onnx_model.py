"""A model of your own in an ONNX file, from any framework, evaluated as it is.

    pip install onnx "ferc-models[onnx]"
    python examples/my_onnx_model.py         writes my_model.onnx
    ferc run --method "onnx(file=my_model.onnx,normalise=unit)" --image-size 32

The model is linear, fitted by least squares and written node by node. Your framework has a call
for that, such as torch.onnx.export(model, args, "my_model.onnx", external_data=False).
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ferc_core import open_dataset

FILE = "my_model.onnx"
SIDE = 32  # the only image size that the model takes


def fit():
    """Return weights [3 * SIDE * SIDE, K] and bias [K] for images of values from 0 to 1."""
    faces = open_dataset("toyfaces", train=400, size=SIDE)
    train = faces.splits["train"]
    x = np.stack([face.image for face in train]).transpose(0, 3, 1, 2)  # as in the file: NCHW
    x = x.reshape(len(train), -1) / 255  # normalise=unit
    mean, targets = x.mean(axis=0), np.eye(len(faces.classes))[train.labels]
    # ridge regression through the Gram matrix, which is the smaller one
    gram = (x - mean) @ (x - mean).T + 10 * np.eye(len(x))
    weights = (x - mean).T @ np.linalg.solve(gram, targets - targets.mean(axis=0))
    return weights, targets.mean(axis=0) - mean @ weights


def write(weights, bias):
    """Write the model: images [N, 3, SIDE, SIDE] in, logits [N, K] out."""
    arrays = {"weights": weights, "bias": bias}
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["values"]),
            helper.make_node("Gemm", ["values", "weights", "bias"], ["logits"]),
        ],
        "my-model",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(bias)])],
        [numpy_helper.from_array(a.astype(np.float32), name) for name, a in arrays.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), FILE)
    print(f"wrote {FILE}")


if __name__ == "__main__":
    write(*fit())
