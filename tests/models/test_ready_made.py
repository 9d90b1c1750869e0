"""Networks that were trained elsewhere, as methods: `ferc_models.ready`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.commands import EXAMPLES
from torch import nn

from ferc_core.errors import RequestError
from ferc_core.task import Examples, Task
from ferc_models.ready import ready_made
from ferc_models.ready.predictor import Convention

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE, CLASSES = 32, ("happy", "sad", "neutral")
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(0, 0.02, (3 * SIDE**2, len(CLASSES))).astype(np.float32)
BIAS = np.float32([0.5, -0.5, 0.0])
IMAGES = RNG.integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8)
USUAL = Convention()
CONVENTIONS = [
    {"normalise": normalise, "channels": channels}
    for normalise in ("imagenet", "half", "unit", "raw")
    for channels in ("rgb", "bgr")
]


def task(folder: Path, **changes: Any) -> Task:
    """Return a task with IMAGES to validate on, and nothing to train on."""
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
    """The same model in torch."""

    def __init__(self, inputs: int, classes: int, answer: Callable[..., Any] = lambda z: z) -> None:
        super().__init__()
        self.layer, self.answer = nn.Linear(inputs, classes), answer

    def forward(self, images: torch.Tensor) -> Any:
        return self.answer(self.layer(images.flatten(1)))


def build(num_classes: int) -> nn.Module:
    return Linear(3 * SIDE**2, num_classes)


def linear_torch(path: Path, weights: np.ndarray = WEIGHTS, bias: np.ndarray = BIAS) -> Path:
    """Write the weights of `build`."""
    state = {"layer.weight": torch.tensor(weights.T), "layer.bias": torch.tensor(bias)}
    torch.save(state, path)
    return path


def by_hand(images: np.ndarray, convention: Convention = USUAL) -> np.ndarray:
    """Return the logits of the linear model, worked out in float64."""
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


@pytest.mark.parametrize("words", CONVENTIONS)
def test_images_reach_the_network_as_it_wants_them(tmp_path, words):
    method = ready_made("mine", build, linear_torch(tmp_path / "m.pth"), **words)
    logits = method.fit(task(tmp_path)).logits(IMAGES)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, by_hand(IMAGES, Convention(**words)), rtol=1e-4, atol=1e-3)


def test_probabilities_become_logits_that_give_them_back(tmp_path):
    def with_softmax(num_classes: int) -> nn.Module:
        return Linear(3 * SIDE**2, num_classes, lambda z: z.softmax(1))

    method = ready_made("mine", with_softmax, linear_torch(tmp_path / "m.pth"), output="probs")
    logits = method.fit(task(tmp_path)).logits(IMAGES)
    np.testing.assert_allclose(softmax(logits), softmax(by_hand(IMAGES)), atol=1e-5)


def test_a_saved_network_gives_the_same_bytes_and_other_weights_can_be_named(tmp_path):
    method = ready_made("mine", build, linear_torch(tmp_path / "a.pth"), normalise="half")
    assert not method.trains
    predictor = method.fit(task(tmp_path))
    predictor.save(tmp_path / "a.safetensors")
    (tmp_path / "a.pth").unlink()
    again = method.load_predictor(tmp_path / "a.safetensors", "cpu")
    assert again.logits(IMAGES).tobytes() == predictor.logits(IMAGES).tobytes()
    other = linear_torch(tmp_path / "b.pth", 2 * WEIGHTS, 2 * BIAS)
    doubled = method.fit(task(tmp_path, options={"weights": str(other)}))
    np.testing.assert_allclose(
        doubled.logits(IMAGES), 2 * predictor.logits(IMAGES), rtol=1e-4, atol=1e-4
    )


def test_what_a_network_draws_is_the_same_every_time_and_leaves_the_generator_alone(tmp_path):
    method = ready_made("mine", build)  # its weights are those that build gives
    before = torch.random.get_rng_state()
    one, two = (method.fit(task(tmp_path)).logits(IMAGES) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.tobytes() == two.tobytes()


def test_tied_weights_and_layers_that_behave_otherwise_in_training_are_kept_as_they_are(tmp_path):
    def tied(num_classes: int) -> nn.Module:
        layer = nn.Linear(SIDE, SIDE)
        return nn.Sequential(
            layer, nn.Dropout(0.5), layer, nn.BatchNorm2d(3), Linear(3 * SIDE**2, num_classes)
        )

    method = ready_made("mine", tied)
    predictor = method.fit(task(tmp_path))
    predictor.save(tmp_path / "a.safetensors")
    again = method.load_predictor(tmp_path / "a.safetensors", "cpu")
    assert again.logits(IMAGES).tobytes() == predictor.logits(IMAGES).tobytes()
    # an image's logits do not depend on its neighbours
    np.testing.assert_allclose(again.logits(IMAGES[:1]), predictor.logits(IMAGES)[:1], rtol=1e-4)


def test_weights_from_before_batch_normalisation_counted_its_batches_fit(tmp_path):
    def normalised(num_classes: int) -> nn.Module:
        return nn.Sequential(nn.BatchNorm2d(3), Linear(3 * SIDE**2, num_classes))

    state = normalised(3).state_dict()
    old = {name: value for name, value in state.items() if not name.endswith("tracked")}
    assert len(old) < len(state)
    torch.save({"state_dict": old}, tmp_path / "a.pth")
    method = ready_made("mine", normalised, tmp_path / "a.pth")
    assert np.isfinite(method.fit(task(tmp_path)).logits(IMAGES)).all()


def weights_file(path: Path, **state: Any) -> Path:
    torch.save({name.replace("_", "."): value for name, value in state.items()}, path)
    return path


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"layer_weight": torch.zeros(3, 3072)}, "it lacks layer.bias$"),
        ({"fc_weight": torch.zeros(3)}, "it lacks layer.*; it has besides fc.weight$"),
        (
            {"layer_weight": torch.zeros(8, 3072), "layer_bias": torch.zeros(8)},
            r"of other shapes are layer.weight \[8, 3072\] instead of \[3, 3072\], layer.bias",
        ),
        ({"layer_weight": "none"}, "holds something else than tensors by name"),
        ({"layer_weight": print}, "is no file of tensors alone"),
    ],
)
def test_weights_that_do_not_fit_get_one_sentence(tmp_path, state, message):
    method = ready_made("mine", build, weights_file(tmp_path / "a.pth", **state))
    with pytest.raises(RequestError, match=message) as refusal:
        method.fit(task(tmp_path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        (lambda k: Linear(3072, 8), {}, "mine knows 8 classes, and the data has 3: happy, sad"),
        (lambda k: Linear(99, k), {}, "mine fails on 32x32 images, which --image-size can"),
        (lambda k: Linear(3072, k, lambda z: (z, z)), {}, "gives a tuple, and not the tensor"),
        (lambda k: Linear(3072, k, lambda z: z[0]), {}, r"gives an array \[3\] for 8 images"),
        (lambda k: "network", {}, r"build\(3\) of 'mine' returned str"),
        (build, {"options": {"wieghts": "x"}}, "did you mean 'weights'"),
        (build, {"options": {"weights": "no.pth"}}, r"the weights no\.pth do not exist"),
    ],
)
def test_a_network_that_cannot_be_used_gets_one_sentence(tmp_path, network, changes, message):
    with pytest.raises(RequestError, match=message) as refusal:
        ready_made("mine", network).fit(task(tmp_path, **changes))
    assert "\n" not in str(refusal.value)


def test_wrong_words_for_a_convention_are_refused(tmp_path):
    with pytest.raises(RequestError, match="'normalise' must be"):
        ready_made("mine", build, normalise="z-score").fit(task(tmp_path))


def test_listing_a_ready_made_network_imports_no_torch():
    plugin = str(EXAMPLES / "my_torch_model.py")
    code = (
        "import sys\n"
        f"sys.argv = ['ferc', 'list', 'methods', '--plugin', {plugin!r}]\n"
        "from ferc_core.cli import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "my-net" in done.stdout
