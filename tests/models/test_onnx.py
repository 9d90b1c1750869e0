"""The method ``onnx``: models that were trained elsewhere, in ONNX files."""

from __future__ import annotations

import os
import sys
from contextlib import chdir
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from helpers.networks import (
    BIAS,
    CONVENTIONS,
    IMAGES,
    WEIGHTS,
    build,
    by_hand,
    linear_onnx,
    softmax,
    task,
)

from ferc_core.errors import DataError, RequestError, RunError
from ferc_models.methods.onnx import check, fit, load
from ferc_models.ready import ready_made
from ferc_models.ready.convention import Convention
from ferc_models.saved.tensors import write_tensors

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("one_thread")


def test_images_are_normalised_by_the_convention_of_the_model(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    for words in CONVENTIONS:
        logits = fit(task(tmp_path, options={"file": str(file), **words})).logits(IMAGES)
        expected = by_hand(IMAGES, Convention(**words))
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3, err_msg=str(words))


def test_probabilities_are_turned_into_their_logits(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",))
    logits = fit(task(tmp_path, options={"file": str(file), "output": "probs"})).logits(IMAGES)
    np.testing.assert_allclose(softmax(logits), softmax(by_hand(IMAGES)), atol=1e-5)


def test_models_of_any_layout_batch_size_and_precision_can_be_used(tmp_path):
    for model in (
        {"layout": "nchw", "batch": None},
        {"layout": "nhwc", "batch": 1},
        {"layout": "nhwc", "batch": 4},
        {"shape": ("channels", None, "width")},
        {"takes": "FLOAT16", "kind": "FLOAT16"},
        {"takes": "DOUBLE", "kind": "DOUBLE"},
    ):
        file = linear_onnx(tmp_path / "m.onnx", **model)
        options = {"file": str(file), "layout": model.get("layout", "nchw")}
        predictor = fit(task(tmp_path, options=options))
        logits = predictor.logits(IMAGES)
        assert logits.dtype == np.float32
        tolerance = 0.02 if model.get("kind") == "FLOAT16" else 1e-4
        np.testing.assert_allclose(logits, by_hand(IMAGES), rtol=tolerance, atol=tolerance)
        assert predictor.logits(IMAGES[:0]).shape == (0, 3)


def test_a_probability_of_zero_has_a_finite_logit(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",), factor=1e4)
    logits = fit(task(tmp_path, options={"file": str(file), "output": "probs"})).logits(IMAGES)
    assert np.isfinite(logits).all()
    assert softmax(logits).min() < 1e-30


def test_a_saved_model_does_not_need_its_onnx_file(tmp_path):
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


def test_the_number_of_threads_does_not_change_the_logits(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    one = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    torch.set_num_threads(2)
    two = fit(task(tmp_path, options={"file": str(file)})).logits(IMAGES)
    torch.set_num_threads(1)
    assert one.tobytes() == two.tobytes()


def test_the_user_is_told_about_classes_probabilities_and_weights(tmp_path):
    said: list[str] = []
    file = linear_onnx(tmp_path / "m.onnx", answers=("probs",))
    usual = task(tmp_path, options={"file": str(file)}, say=said.append, weights=Path("x.pth"))
    fit(usual)
    assert "happy, sad, neutral, in this order" in said[0]
    assert "look like probabilities; if they are, use output=probs" in said[1]
    assert "--weights is ignored" in said[2]
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
        (of_shape(3, 48, 48), {"size": 32}, r"float \[\?, 3, 48, 48\]; leave out size=32"),
        (of_shape(3, "height", 96), {"size": 64}, r"\[\?, 3, \?, 96\]; leave out size=64"),
        (of_shape(3, 48, 32), {}, "it must take square images"),
        (of_shape(1, 32, 32), {}, "normalise=imagenet is for three channels; .* use half"),
        (of_shape(1, 32, 32), {"channels": "bgr"}, "not 3 channels .*; use channels=grey"),
        (of_shape(2, 32, 32), {}, "not 3 channels with layout=nchw; images have 3, or 1 with"),
        ({}, {"channels": "grey", "normalise": "half"}, "not 1 channel .*; leave out channels=gr"),
        ({}, {"layout": "nhwc"}, "not 3 channels with layout=nhwc; use layout=nchw"),
        ({"layout": "nhwc"}, {}, "not 3 channels with layout=nchw; use layout=nhwc"),
        ({"takes": "INT8"}, {}, r"takes int8 \[\?, 3, 32, 32\]; it must take a batch of images"),
        ({"takes": "UINT8"}, {"normalise": "unit"}, r"raw pixels \(uint8\); leave out normalise="),
        ({"inputs": ("images", "more")}, {}, r"has 2 inputs \(images, more\)"),
        ({"answers": ("logits", "probs")}, {}, r"has 2 outputs \(logits, probs\); choose"),
        ({"answers": ("logits", "probs")}, {"output_name": "prob"}, "did you mean 'probs'"),
        ({"answers": ("class",)}, {}, r"returns tensor\(int64\); it must return floats \[\?, K\]"),
        ({"answers": ("deep",)}, {}, r"returns an array \[8, 3, 1\] for 8 images; .* \[8, 3\]"),
        ({"weights": WEIGHTS[:, :2], "bias": BIAS[:2]}, {}, "has 2 classes, but the dataset has 3"),
        ({"weights": WEIGHTS[:99], "shape": ("C", "H", "W")}, {}, "fails on 32x32 images"),
        ({}, {"output": "probs"}, "must return probabilities that sum to 1.*use output=logits"),
        ({}, {"output": "softmax"}, "'output' must be logits or probs"),
        ({}, {"normalise": True}, "option 'normalise' must be a text, not True"),
        ({}, {"normalise": "imagnet"}, "'normalise' must be imagenet or half or unit or raw"),
        ({}, {"normalise": "1,2:3"}, "normalise must be mean:deviation in units of 0 to 255"),
        ({}, {"normalise": "1:0"}, "deviations above 0"),
        ({}, {"normalise": "1:a"}, "normalise must be mean:deviation"),
        ({}, {"normalise": "nan:1"}, "normalise must be mean:deviation"),
        ({}, {"size": 0}, "option 'size' must be a whole number from 1 to"),
        ({}, {"batch": 0}, "option 'batch' must be a whole number from 1 to"),
        ({}, {"providers": "tensorrt"}, "onnxruntime has no provider 'tensorrt' here: known are"),
        ({}, {"classes": "happy"}, "option 'classes' must be two names or more"),
        ({}, {"classes": 3}, "option 'classes' must be two names or more"),
        ({}, {"classes": "happy sad"}, "has 3 outputs, but 2 names|no output for neutral"),
        ({}, {"classes": "happy sad joy"}, "two outputs for one class: 'happy' and 'joy'"),
        ({}, {"classes": "happy sad netural"}, "did you mean 'neutral'"),
        ({}, {"classes": "happy sad fear"}, "no output for neutral; judge it on the others with"),
        ({}, {"classes": "happy,sad,neutral,fear"}, "has 3 outputs, but 4 names for them"),
        ({"metadata": {"classes": "[1, 2]"}}, {}, "has 'classes', which is no list of names"),
        ({}, {"channels": "gbr"}, "'channels' must be rgb or bgr"),
        ({}, {"layout": "hwc"}, "'layout' must be nchw or nhwc"),
        ({}, {"fiel": "x"}, "unknown option of 'onnx' 'fiel'"),
    ],
)
def test_an_onnx_file_that_cannot_be_used_is_refused(tmp_path, model, options, message):
    file = linear_onnx(tmp_path / "m.onnx", **model)
    for refuse in (fit, check):
        with pytest.raises(RequestError, match=message) as refusal:
            refuse(task(tmp_path, options={"file": str(file), **options}))
        assert "\n" not in str(refusal.value)


def test_a_check_opens_the_model_and_says_nothing(tmp_path):
    said: list[str] = []
    file = linear_onnx(tmp_path / "m.onnx")
    check(task(tmp_path, options={"file": str(file)}, say=said.append))
    assert not said


def test_an_input_other_than_a_batch_of_images_is_refused(tmp_path):
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


def test_a_missing_or_invalid_file_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"use onnx\(file=model.onnx\)"):
        fit(task(tmp_path))
    with pytest.raises(RequestError, match=r"no\.onnx cannot be read: No such file"):
        fit(task(tmp_path, options={"file": str(tmp_path / "no.onnx")}))
    os.mkfifo(tmp_path / "waiting.onnx")
    for endless in (tmp_path / "waiting.onnx", "/dev/zero"):
        with pytest.raises(RequestError, match="cannot be read: it is not a file"):
            fit(task(tmp_path, options={"file": str(endless)}))
    with pytest.raises(RequestError, match="cannot be read: Is a directory"):
        fit(task(tmp_path, options={"file": str(tmp_path)}))
    whole = linear_onnx(tmp_path / "m.onnx").read_bytes()
    for content in (b"", b"no model", whole[:500]):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(RequestError, match=r"m\.onnx is not a valid ONNX file for onnxruntime"):
            fit(task(tmp_path, options={"file": str(tmp_path / "m.onnx")}))


def test_weights_in_a_second_file_are_refused(tmp_path):
    model = onnx.load(linear_onnx(tmp_path / "m.onnx"))
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="m.bin", size_threshold=0
    )
    with chdir(tmp_path), pytest.raises(RequestError, match="has its weights in another file"):
        fit(task(tmp_path, options={"file": "m.onnx"}))


def test_outputs_that_are_not_finite_are_an_error(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", factor=float("nan"))
    with pytest.raises(RunError, match=r"m\.onnx returns values that are not finite"):
        fit(task(tmp_path, options={"file": str(file)}))


def test_without_onnxruntime_the_user_is_told_what_to_install(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    missing = mock.patch.dict(sys.modules, {"onnxruntime": None})  # as if it were not installed
    with missing, pytest.raises(RequestError, match=r"pip install 'ferc-models\[onnx\]'"):
        fit(task(tmp_path, options={"file": str(file)}))


@pytest.mark.parametrize(("device", "found"), [("cuda", "no GPU"), ("cuda:7", "no such GPU")])
def test_a_missing_gpu_is_refused(tmp_path, device, found):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use a GPU")
    file = linear_onnx(tmp_path / "m.onnx")
    with pytest.raises(RequestError, match=f"'{device}' is not .*: onnxruntime finds {found}"):
        fit(task(tmp_path, options={"file": str(file)}, device=device))


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(RequestError, match="does not exist"):
        load(path)
    ready_made("mine", build).fit(task(tmp_path)).save(path)
    with pytest.raises(DataError, match="a model of method 'mine', not 'onnx'"):
        load(path)
    header = {"method": "onnx", "format": 1}
    card = {"name": "m", "classes": ["a"], "image_size": 32, "convention": {}, "options": {}}
    for content, message in (
        ({"method": "onnx", "format": 9}, "has format 9"),
        (header, "does not describe a ready-made model"),
        (header | card, "does not hold an ONNX file and its layout"),
    ):
        write_tensors(path, {"onnx": torch.zeros(3)}, content)
        with pytest.raises(DataError, match=message):
            load(path)


def test_images_of_another_size_or_type_are_refused(tmp_path):
    predictor = fit(task(tmp_path, options={"file": str(linear_onnx(tmp_path / "m.onnx"))}))
    for images in (IMAGES[:, :20], IMAGES.astype(np.float32)):
        with pytest.raises(RequestError, match="takes uint8 RGB images"):
            predictor.logits(images)
