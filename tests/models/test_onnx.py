"""The method ``onnx``: models that were trained elsewhere, in ONNX files."""

from __future__ import annotations

import sys
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from test_ready_made import (
    BIAS,
    CONVENTIONS,
    IMAGES,
    SIDE,
    WEIGHTS,
    build,
    by_hand,
    softmax,
    task,
)  # fmt: skip

from ferc_core.errors import DataError, RequestError, RunError
from ferc_models.methods.onnx import fit, load
from ferc_models.ready import ready_made
from ferc_models.ready.predictor import Convention
from ferc_models.saved.tensors import write_tensors

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("one_thread")


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
) -> Path:
    """Write a linear model whose weights are in the order channels, rows, columns.

    ``shape`` is that of an image, ``takes`` the type of the input and ``kind`` that of all else;
    ``answers`` are some of "logits", "probs" and "deep", [N, K, 1].
    """
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
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
    ]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(inner)
    numbers = {"weights": weights, "bias": bias, "factor": np.array(factor)}
    arrays = {name: array.astype(dtype) for name, array in numbers.items()}
    graph = onnx.helper.make_graph(
        nodes,
        "linear",
        [value(name, taken, [batch, *(shape or square)]) for name in inputs],
        [value(name, inner, None) for name in answers],
        [
            onnx.numpy_helper.from_array(array, name)
            for name, array in {**arrays, "last": np.array([2])}.items()
        ],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.mark.parametrize("words", CONVENTIONS)
def test_images_reach_the_model_as_it_wants_them(tmp_path, words):
    file = linear_onnx(tmp_path / "m.onnx")
    logits = fit(task(tmp_path, options={"file": str(file), **words})).logits(IMAGES)
    np.testing.assert_allclose(logits, by_hand(IMAGES, Convention(**words)), rtol=1e-4, atol=1e-3)


def test_probabilities_become_logits_that_give_them_back(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",))
    logits = fit(task(tmp_path, options={"file": str(file), "output": "probs"})).logits(IMAGES)
    np.testing.assert_allclose(softmax(logits), softmax(by_hand(IMAGES)), atol=1e-5)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("batch", ["N", None, 1, 4])
def test_an_onnx_model_gives_its_logits_whatever_its_layout_and_batch(tmp_path, layout, batch):
    file = linear_onnx(tmp_path / "m.onnx", layout=layout, batch=batch)
    predictor = fit(task(tmp_path, options={"file": str(file), "layout": layout}))
    logits = predictor.logits(IMAGES)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, by_hand(IMAGES), rtol=1e-4, atol=1e-4)
    assert predictor.logits(IMAGES[:0]).shape == (0, 3)


def test_a_probability_of_zero_has_a_finite_logit(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",), factor=1e4)
    logits = fit(task(tmp_path, options={"file": str(file), "output": "probs"})).logits(IMAGES)
    assert np.isfinite(logits).all()
    assert softmax(logits).min() < 1e-30


@pytest.mark.parametrize("kind", ["FLOAT16", "DOUBLE"])
def test_models_of_other_precision_work(tmp_path, kind):
    file = linear_onnx(tmp_path / "m.onnx", takes=kind, kind=kind)
    logits = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    np.testing.assert_allclose(logits, by_hand(IMAGES), rtol=0.02, atol=0.02)


def test_a_model_for_any_size_of_images_is_tried_on_this_one(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", shape=("channels", None, "width"))
    logits = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    np.testing.assert_allclose(logits, by_hand(IMAGES), rtol=1e-4, atol=1e-4)


def test_a_saved_onnx_model_needs_its_file_no_more_and_gives_the_same_bytes(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", layout="nhwc", batch=4, answers=("probs",))
    words = {"layout": "nhwc", "output": "probs", "normalise": "half", "channels": "bgr"}
    predictor = fit(task(tmp_path, options={"file": str(file), **words}))
    predictor.save(tmp_path / "a.safetensors")
    file.unlink()
    again = load(tmp_path / "a.safetensors", "cpu")
    assert again.logits(IMAGES).tobytes() == predictor.logits(IMAGES).tobytes()
    again.save(tmp_path / "b.safetensors")
    first, second = (tmp_path / f"{name}.safetensors" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_the_number_of_threads_changes_no_byte(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    one = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    torch.set_num_threads(2)
    two = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    torch.set_num_threads(1)
    assert one.tobytes() == two.tobytes()


def test_the_user_is_told_what_the_outputs_are_taken_for(tmp_path):
    said: list[str] = []
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",))
    usual = task(tmp_path, options={"file": str(file)}, say=said.append, weights=Path("x.pth"))
    fit(usual)
    assert "happy, sad, neutral, in this order" in said[0]
    assert "look like probabilities; if they are, say output=probs" in said[1]
    assert "--weights is for methods that train here" in said[2]
    said.clear()
    linear_onnx(file)
    fit(task(tmp_path, options={"file": str(file)}, say=said.append))
    assert len(said) == 1


def of_shape(*shape: int | str) -> dict[str, Any]:
    """Return what makes a model for images of this shape."""
    sizes = [size if isinstance(size, int) else 1 for size in shape]
    return {"shape": shape, "weights": np.zeros((np.prod(sizes), len(BIAS)))}


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (of_shape(3, 48, 48), {}, r"float \[\?, 3, 48, 48\].* 32x32: add --image-size 48"),
        (of_shape(3, "height", 96), {}, r"\[\?, 3, \?, 96\].* 32x32: add --image-size 96"),
        (of_shape(3, 48, 32), {}, "FER-C's images are square"),
        (of_shape(1, 32, 32), {}, "as nchw is not 3 channels; images have 3"),
        ({}, {"layout": "nhwc"}, "as nhwc is not 3 channels; say layout=nchw"),
        ({"layout": "nhwc"}, {}, "as nchw is not 3 channels; say layout=nhwc"),
        ({"takes": "UINT8"}, {}, r"takes uint8 \[\?, 3, 32, 32\]; it must take a batch of float"),
        ({"inputs": ("images", "more")}, {}, r"has 2 inputs \(images, more\)"),
        ({"answers": ("logits", "probs")}, {}, r"has 2 outputs \(logits, probs\)"),
        ({"answers": ("deep",)}, {}, r"gives an array \[8, 3, 1\] for 8 images; .* \[8, 3\]"),
        ({"weights": WEIGHTS[:, :2], "bias": BIAS[:2]}, {}, "knows 2 classes, and the data has 3"),
        ({"weights": WEIGHTS[:99], "shape": ("C", "H", "W")}, {}, "fails on 32x32 images"),
        ({}, {"output": "probs"}, "no probabilities that sum to 1.*say output=logits"),
        ({}, {"output": "softmax"}, "'output' must be logits or probs"),
        ({}, {"normalise": True}, "'normalise' must be imagenet or half or unit or raw"),
        ({}, {"channels": "gbr"}, "'channels' must be rgb or bgr"),
        ({}, {"layout": "hwc"}, "'layout' must be nchw or nhwc"),
        ({}, {"fiel": "x"}, "unknown option of 'onnx' 'fiel'"),
    ],
)
def test_an_onnx_file_that_cannot_be_used_gets_one_sentence(tmp_path, model, options, message):
    file = linear_onnx(tmp_path / "m.onnx", **model)
    with pytest.raises(RequestError, match=message) as refusal:
        fit(task(tmp_path, options={"file": str(file), **options}))
    assert "\n" not in str(refusal.value)


def test_an_input_that_is_no_batch_of_images_is_refused(tmp_path):
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node("Softmax", ["values"], ["probs"], axis=1)],
        "flat",
        [value("values", onnx.TensorProto.FLOAT, ["N", 3072])],
        [value("probs", onnx.TensorProto.FLOAT, ["N", 3072])],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), tmp_path / "m.onnx")
    with pytest.raises(RequestError, match=r"takes float \[\?, 3072\]; it must take a batch"):
        fit(task(tmp_path, options={"file": str(tmp_path / "m.onnx")}))


def test_a_file_that_is_missing_broken_or_not_named_gets_one_sentence(tmp_path):
    with pytest.raises(RequestError, match=r"write onnx\(file=model.onnx\)"):
        fit(task(tmp_path))
    with pytest.raises(RequestError, match=r"no\.onnx cannot be read: No such file"):
        fit(task(tmp_path, options={"file": str(tmp_path / "no.onnx")}))
    with pytest.raises(RequestError, match="cannot be read: Is a directory"):
        fit(task(tmp_path, options={"file": str(tmp_path)}))
    whole = linear_onnx(tmp_path / "m.onnx").read_bytes()
    for content in (b"", b"no model", whole[:500]):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(RequestError, match=r"m\.onnx is no ONNX file that onnxruntime opens"):
            fit(task(tmp_path, options={"file": str(tmp_path / "m.onnx")}))


def test_weights_in_a_file_beside_the_model_are_refused_even_where_they_are_found(tmp_path):
    model = onnx.load(linear_onnx(tmp_path / "m.onnx"))
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0
    )
    with chdir(tmp_path), pytest.raises(RequestError, match="keeps its weights in another file"):
        fit(task(tmp_path, options={"file": "m.onnx"}))


def test_answers_that_are_not_finite_fail_the_run(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", factor=float("nan"))
    with pytest.raises(RunError, match=r"m\.onnx gives values that are not finite"):
        fit(task(tmp_path, options={"file": str(file)}))


def test_without_onnxruntime_the_user_is_told_what_to_install(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    missing = mock.patch.dict(sys.modules, {"onnxruntime": None})  # as if it were not installed
    with missing, pytest.raises(RequestError, match=r"pip install 'ferc-models\[onnx\]'"):
        fit(task(tmp_path, options={"file": str(file)}))


def test_a_gpu_that_is_not_there_is_refused(tmp_path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use a GPU")
    file = linear_onnx(tmp_path / "m.onnx")
    with pytest.raises(RequestError, match="onnxruntime finds no GPU"):
        fit(task(tmp_path, options={"file": str(file)}, device="cuda"))


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(RequestError, match="does not exist"):
        load(path)
    ready_made("mine", build).fit(task(tmp_path)).save(path)
    with pytest.raises(DataError, match="a model of method 'mine', not 'onnx'"):
        load(path)
    for header, message in (({"format": 9}, "has format 9"), ({"format": 1}, "lacks what belongs")):
        write_tensors(path, {"onnx": torch.zeros(3)}, {"method": "onnx", **header})
        with pytest.raises(DataError, match=message):
            load(path)


def test_images_of_another_size_or_type_are_refused(tmp_path):
    predictor = fit(task(tmp_path, options={"file": str(linear_onnx(tmp_path / "m.onnx"))}))
    for images in (IMAGES[:, :20], IMAGES.astype(np.float32)):
        with pytest.raises(RequestError, match="takes uint8 RGB images"):
            predictor.logits(images)
