"""Networks that were trained elsewhere, as methods: `ferc_models.ready`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.commands import EXAMPLES
from helpers.networks import (
    BIAS,
    CONVENTIONS,
    IMAGES,
    SIDE,
    WEIGHTS,
    Linear,
    build,
    by_hand,
    linear_torch,
    softmax,
    task,
)
from torch import nn

from ferc_core.errors import DataError, RequestError
from ferc_core.spec import resolve
from ferc_models.ready import ready_made
from ferc_models.ready.convention import Convention

pytestmark = pytest.mark.usefixtures("one_thread")


def test_images_are_normalised_by_the_convention_of_the_network(tmp_path):
    for words in CONVENTIONS:
        method = ready_made("mine", build, linear_torch(tmp_path / "m.pth"), **words)
        logits = method.fit(task(tmp_path)).logits(IMAGES)
        assert logits.dtype == np.float32
        expected = by_hand(IMAGES, Convention(**words))
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-3, err_msg=str(words))


def test_probabilities_are_turned_into_their_logits(tmp_path):
    def with_softmax(num_classes: int) -> nn.Module:
        return Linear(3 * SIDE**2, num_classes, lambda z: z.softmax(1))

    method = ready_made("mine", with_softmax, linear_torch(tmp_path / "m.pth"), output="probs")
    logits = method.fit(task(tmp_path)).logits(IMAGES)
    np.testing.assert_allclose(softmax(logits), softmax(by_hand(IMAGES)), atol=1e-5)


def test_a_saved_network_gives_the_same_bytes_and_takes_other_weights(tmp_path):
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


def test_a_network_is_built_from_the_same_random_numbers(tmp_path):
    method = ready_made("mine", build)  # its weights are those that build gives
    before = torch.random.get_rng_state()
    one, two = (method.fit(task(tmp_path)).logits(IMAGES) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert one.tobytes() == two.tobytes()


def test_tied_weights_dropout_and_batch_normalisation_are_saved(tmp_path):
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


def test_weights_without_counters_of_batch_normalisation_fit(tmp_path):
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
        ({"layer_weight": torch.zeros(3, 3072)}, "missing: layer.bias$"),
        ({"fc_weight": torch.zeros(3)}, "missing: layer.*; unexpected: fc.weight$"),
        (
            {"layer_weight": torch.zeros(8, 3072), "layer_bias": torch.zeros(8)},
            r"of another shape: layer.weight \[8, 3072\] instead of \[3, 3072\], layer.bias",
        ),
        ({"layer_weight": "none"}, "does not hold tensors by name"),
        ({"layer_weight": print}, "is not a valid file of tensors alone"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, state, message):
    method = ready_made("mine", build, weights_file(tmp_path / "a.pth", **state))
    with pytest.raises(RequestError, match=message) as refusal:
        method.fit(task(tmp_path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        (lambda k: Linear(3072, 8), {}, "mine has 8 classes, but the dataset has 3: happy, sad"),
        (lambda k: Linear(99, k), {}, "mine fails on 32x32 images: mat1 and mat2 .*; size="),
        (
            lambda k: Linear(3072, k, lambda z: (z, z)),
            {},
            "returns a tuple; it must return a tensor",
        ),
        (lambda k: Linear(3072, k, lambda z: z[0]), {}, r"returns an array \[3\] for 8 images"),
        (lambda k: "network", {}, r"build\(3\) of 'mine' returned str"),
        (build, {"options": {"wieghts": "x"}}, "did you mean 'weights'"),
        (build, {"options": {"weights": "no.pth"}}, r"weights file no\.pth does not exist"),
    ],
)
def test_a_network_that_cannot_be_used_is_refused(tmp_path, network, changes, message):
    method, said = ready_made("mine", network), []
    for refuse in (method.fit, resolve(method.check)):
        with pytest.raises(RequestError, match=message) as refusal:
            refuse(task(tmp_path, say=said.append, **changes))
        assert "\n" not in str(refusal.value)
    assert not said


def test_a_check_says_nothing_and_needs_no_validation_images(tmp_path):
    method, said = ready_made("mine", build), []
    asked = task(tmp_path, say=said.append)
    resolve(method.check)(asked)
    assert not said
    none = replace(asked.validation, ids=())
    resolve(method.check)(replace(asked, validation=none))
    method.fit(replace(asked, validation=none))
    assert said


def test_an_unknown_convention_is_refused(tmp_path):
    with pytest.raises(RequestError, match="'normalise' must be"):
        ready_made("mine", build, normalise="z-score").fit(task(tmp_path))


def test_a_file_of_another_network_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    ready_made("mine", build).fit(task(tmp_path)).save(path)
    other = ready_made("mine", lambda k: Linear(99, k))
    with pytest.raises(DataError, match=r"a\.safetensors does not fit the network of 'mine'"):
        other.load_predictor(path, "cpu")


def test_listing_a_ready_made_network_does_not_import_torch():
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
