"""ONNX models as they come: any size, grey, any statistics and precision, with names."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.networks import BIAS, IMAGES, WEIGHTS, build, by_hand, linear_onnx, linear_torch, task

from ferc_core.images.io import resize
from ferc_models.methods.onnx import check, fit, load
from ferc_models.ready import ready_made

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.usefixtures("one_thread")

GREY = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in IMAGES])
NAMES = ["Neutral", "joyful", "SADNESS"]


def opened(folder: Path, file: Path, **options):
    """A model with what was said of it."""
    said: list[str] = []
    predictor = fit(task(folder, options={"file": str(file), **options}, say=said.append))
    check(task(folder, options={"file": str(file), **options}))
    predictor.save(folder / "saved.safetensors")
    again = load(folder / "saved.safetensors", "cpu")
    assert again.logits(IMAGES).tobytes() == predictor.logits(IMAGES).tobytes()
    assert again.classes == predictor.classes
    return predictor, said


@pytest.mark.parametrize("options", [{}, {"channels": "grey"}, {"channels": "gray"}])
def test_grey_images_are_the_luma_that_opencv_computes(tmp_path, options):
    file = linear_onnx(tmp_path / "m.onnx", WEIGHTS[:1024], shape=(1, 32, 32))
    predictor, said = opened(tmp_path, file, normalise="127.5:127.5", **options)
    expected = (GREY.reshape(10, -1) / 127.5 - 1) @ WEIGHTS[:1024] + BIAS
    np.testing.assert_allclose(predictor.logits(IMAGES), expected, rtol=1e-4, atol=1e-4)
    assert ("it takes grey images" in said) == (not options)


def test_any_mean_and_deviation_of_each_channel(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    mean, deviation = np.array([122.782, 117.001, 104.298]), np.array([255, 250, 245])
    text = f"{','.join(map(str, mean))}:{','.join(map(str, deviation))}"
    values = ((IMAGES - mean) / deviation).transpose(0, 3, 1, 2).reshape(10, -1)
    found, _ = opened(tmp_path, file, normalise=text)
    np.testing.assert_allclose(found.logits(IMAGES), values @ WEIGHTS + BIAS, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "options"), [((3, 16, 16), {}), ((3, "h", 16), {}), ((3, "h", "w"), {"size": 16})]
)
def test_a_model_of_another_size_takes_resized_images(tmp_path, shape, options):
    file = linear_onnx(tmp_path / "m.onnx", WEIGHTS[:768], shape=shape)
    predictor, said = opened(tmp_path, file, normalise="raw", **options)
    small = np.stack([resize(image, 16) for image in IMAGES])
    expected = small.transpose(0, 3, 1, 2).reshape(10, -1) @ WEIGHTS[:768] + BIAS
    np.testing.assert_allclose(predictor.logits(IMAGES), expected, rtol=1e-4, atol=1e-2)
    assert "images are corrupted at 32x32, then resized to 16x16 for it" in said


def test_bytes_are_raw_pixels(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", takes="UINT8")
    predictor, _ = opened(tmp_path, file)
    values = IMAGES.transpose(0, 3, 1, 2).reshape(10, -1).astype(float)
    np.testing.assert_allclose(predictor.logits(IMAGES), values @ WEIGHTS + BIAS, rtol=1e-3)


def test_a_quantised_model_is_close_to_its_original(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    file = linear_onnx(tmp_path / "m.onnx")
    model = onnx.load(file)
    quantization.quantize_dynamic(model, tmp_path / "q.onnx")
    predictor, _ = opened(tmp_path, tmp_path / "q.onnx")
    expected = by_hand(IMAGES)
    assert np.abs(predictor.logits(IMAGES) - expected).max() < 0.1 * np.abs(expected).max()


def test_an_output_is_chosen_by_its_name(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", answers=("class", "logits", "probs"))
    predictor, _ = opened(tmp_path, file, output_name="logits")
    np.testing.assert_allclose(predictor.logits(IMAGES), by_hand(IMAGES), rtol=1e-4, atol=1e-4)


def test_batches_are_as_large_as_was_asked(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx")
    three, _ = opened(tmp_path, file, batch=3)
    np.testing.assert_allclose(three.logits(IMAGES), by_hand(IMAGES), rtol=1e-4, atol=1e-4)
    sizes = []
    three = type(three)(three.card, lambda x: sizes.append(len(x)) or np.ones((len(x), 3)), {})
    three.logits(IMAGES)
    assert sizes == [3, 3, 3, 1]


@pytest.mark.parametrize("providers", ["cpu", "CPUExecutionProvider", "cpu cpu"])
def test_providers_are_chosen_by_name(tmp_path, providers):
    predictor, _ = opened(tmp_path, linear_onnx(tmp_path / "m.onnx"), providers=providers)
    assert predictor.compute.session.get_providers() == ["CPUExecutionProvider"]


# The names of the outputs


@pytest.mark.parametrize(
    "metadata",
    [
        {"classes": json.dumps(NAMES)},
        {"labels": "Neutral, joyful, SADNESS"},
        {"names": "{0: 'Neutral', 1: 'joyful', 2: 'SADNESS'}"},
        {"id2label": json.dumps({"2": "SADNESS", "0": "Neutral", "1": "joyful"})},
    ],
)
def test_names_in_the_metadata_of_a_file_are_used_and_said(tmp_path, metadata):
    file = linear_onnx(tmp_path / "m.onnx", metadata=metadata)
    predictor, said = opened(tmp_path, file)
    assert predictor.classes == tuple(NAMES)
    assert said == ["its outputs are Neutral, joyful, SADNESS, according to the file's metadata"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.json", {"class_names": NAMES}),
        ("config.json", {"model_type": "vit", "id2label": dict(enumerate(NAMES))}),
    ],
)
def test_names_in_a_file_beside_the_model_are_used_and_said(tmp_path, name, content):
    file = linear_onnx(tmp_path / "m.onnx")
    (tmp_path / name).write_text(json.dumps(content))
    predictor, said = opened(tmp_path, file)
    assert predictor.classes == tuple(NAMES)
    assert said == [f"its outputs are Neutral, joyful, SADNESS, according to {name}"]


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}', "\xff", "[" * 10_000])
def test_another_file_beside_the_model_is_left_alone(tmp_path, content):
    file = linear_onnx(tmp_path / "m.onnx")
    (tmp_path / "m.json").write_text(content, encoding="latin-1")
    assert opened(tmp_path, file)[0].classes == ()


def test_the_names_of_the_user_go_first(tmp_path):
    file = linear_onnx(tmp_path / "m.onnx", metadata={"classes": json.dumps(NAMES)})
    predictor, said = opened(tmp_path, file, classes="sad,neutral,happy")
    assert predictor.classes == ("sad", "neutral", "happy")
    assert not said


def test_a_text_in_the_metadata_is_never_executed(tmp_path):
    mark = tmp_path / "mark"
    evil = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    file = linear_onnx(tmp_path / "m.onnx", metadata={"classes": evil})
    with pytest.raises(Exception, match=r"no list of names|no output for|unknown class"):
        fit(task(tmp_path, options={"file": str(file)}))
    assert not mark.exists()


def test_a_torch_network_has_names_and_a_size_of_its_own(tmp_path):
    weights = linear_torch(tmp_path / "w.pth")
    (tmp_path / "w.json").write_text(json.dumps({"classes": NAMES}))
    named = ready_made("mine", build, weights).fit(task(tmp_path))
    assert named.classes == tuple(NAMES)
    ours = ready_made("mine", build, weights, classes=["sad", "happy", "neutral"])
    assert ours.fit(task(tmp_path)).classes == ("sad", "happy", "neutral")
    users = task(tmp_path, options={"classes": "neutral sad happy", "batch": 2})
    assert ours.fit(users).classes == ("neutral", "sad", "happy")
    large = task(tmp_path, image_size=64, validation=task(tmp_path).train)
    images = np.repeat(np.repeat(IMAGES, 2, axis=1), 2, axis=2)
    shown = type(large.train)(large.train.ids, lambda rows: images[rows], large.train.labels,
                              large.train.targets)  # fmt: skip
    large = task(tmp_path, image_size=64, validation=shown)
    method = ready_made("mine", build, weights, size=32, classes=NAMES)
    predictor = method.fit(large)
    expected = by_hand(np.stack([resize(image, 32) for image in images]))
    np.testing.assert_allclose(predictor.logits(images), expected, rtol=1e-4, atol=1e-3)
    predictor.save(tmp_path / "net.safetensors")
    again = method.load_predictor(tmp_path / "net.safetensors", "cpu")
    assert again.logits(images).tobytes() == predictor.logits(images).tobytes()


def test_an_error_of_onnxruntime_is_kept_whole(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"\x08\x09" + b"x" * 500)
    with pytest.raises(Exception, match="is not a valid ONNX file for onnxruntime: ") as refusal:
        fit(task(tmp_path, options={"file": str(tmp_path / "m.onnx")}))
    assert "\n" not in str(refusal.value)
    assert not str(refusal.value).endswith("...")
