"""The method swinv2_t: which network is built, for which images, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from helpers.colours import task as usual_task
from safetensors.torch import save_file
from timm.models.swin_transformer import SwinTransformer

from ferc_core.errors import DataError
from ferc_core.task import Task
from ferc_models.methods.swinv2_t import TINY, WINDOWS, SwinNetwork, fit, load, window
from ferc_models.saved.predictor import Card, NetworkPredictor

pytestmark = pytest.mark.usefixtures("one_thread")


def task(directory: Path, **changes: Any) -> Task:
    usual = {
        "backbone": "",
        "image_size": 64,
        "loss": "ce",
        "epochs": 1,
        "learning_rate": 1e-3,
        "options": {"size": "mini"},
    }
    return usual_task(directory, **usual | changes)


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


# --- the network --------------------------------------------------------------------------------


def test_the_default_classifies_the_pooled_features_of_the_tiny_network() -> None:
    torch.manual_seed(0)
    reference = timm.create_model(TINY, num_classes=0).eval()
    network = SwinNetwork(f"{TINY}.ms_in1k", 7, 256).eval()
    assert (network.head.in_features, network.head.out_features) == (768, 7)
    network.backbone.load_state_dict(reference.state_dict())
    images = torch.randn(1, 3, 256, 256)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), network.head(reference(images)))


def test_the_other_head_is_behind_the_classifier_of_imagenet() -> None:
    network = SwinNetwork(TINY, 7, 64, head="imagenet", size="mini").eval()
    assert (network.head.in_features, network.head.out_features) == (1000, 7)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert network.backbone(images).shape == (2, 1000)
        torch.testing.assert_close(network(images), network.head(network.backbone(images)))


@pytest.mark.parametrize("size", [32, 64, 96, 224])
def test_windows_tile_the_grid_of_every_stage(size: int) -> None:
    network = SwinNetwork(TINY, 3, size, size="mini").eval()
    for stage, layer in enumerate(network.backbone.layers):
        grid = size // 4 // 2**stage
        for block in layer.blocks:
            assert block.input_resolution == (grid, grid)
            side, _ = block.window_size
            assert grid % side == 0
            assert 3 <= side <= 7 or side == grid
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, size, size)).shape == (1, 3)


def test_the_first_window_that_fits_is_used() -> None:
    for size, tiny, mini in ((64, 8, 4), (96, 6, 6), (160, 5, 5), (224, 7, 7), (256, 8, 4)):
        assert window(size, WINDOWS["tiny"]) == tiny
        assert window(size, WINDOWS["mini"]) == mini


def test_the_position_bias_keeps_its_scale_in_other_windows() -> None:
    # one place to the side is as far in windows of 4 as in those of 6
    networks = (SwinNetwork(TINY, 3, side, size="mini") for side in (64, 96))
    of_4, of_6 = (network.backbone.layers[0].blocks[0].attn for network in networks)
    inner = of_6.relative_coords_table[:, 2:-2, 2:-2]
    torch.testing.assert_close(of_4.relative_coords_table, inner)


def test_mini_is_small_and_shifts_its_windows() -> None:
    network = SwinNetwork(TINY, 7, 64, size="mini")
    assert parameters(network) < 1_000_000
    assert any(any(b.shift_size) for layer in network.backbone.layers for b in layer.blocks)


def test_another_swin_is_built_as_it_is() -> None:
    network = SwinNetwork("swin_tiny_patch4_window7_224", 3, 96)
    assert isinstance(network.backbone, SwinTransformer)
    assert network.backbone.layers[0].blocks[0].window_size == (7, 7)


# --- training -----------------------------------------------------------------------------------


def test_the_other_head_learns_and_is_loaded_from_its_file(tmp_path: Path) -> None:
    options = {"size": "mini", "head": "imagenet"}
    asked = task(tmp_path, epochs=2, batch_size=8, loss="maxent+mbls", options=options)
    predictor = fit(asked)
    assert max(h["f1"] for h in predictor.card.history) > 0.8
    predictor.save(tmp_path / "model.safetensors")
    images = asked.validation.images(np.arange(24))
    again = load(tmp_path / "model.safetensors", "cpu")
    assert dict(again.card.options) == options
    np.testing.assert_array_equal(again.logits(images), predictor.logits(images))


def test_weights_from_a_file_go_into_the_backbone_at_another_image_size(tmp_path: Path) -> None:
    weights = SwinNetwork(TINY, 5, 224, size="mini").backbone.state_dict()
    save_file(weights, tmp_path / "w.safetensors")
    predictor = fit(task(tmp_path, weights=tmp_path / "w.safetensors", learning_rate=1e-9))
    (note,) = predictor.card.notes
    assert note == f"{len(weights)} of {len(weights)} tensors are from w.safetensors"
    name = "layers.3.blocks.0.mlp.fc1.weight"
    torch.testing.assert_close(predictor.network.backbone.state_dict()[name], weights[name])


def test_a_file_with_the_wrong_size_in_its_card_is_refused(tmp_path: Path) -> None:
    card = Card("swinv2_t", TINY, ("a", "b", "c"), 64)  # without size=mini
    network = SwinNetwork(TINY, 3, 64, size="mini")
    NetworkPredictor(network, card, torch.device("cpu")).save(tmp_path / "model.safetensors")
    with pytest.raises(DataError, match=r"model\.safetensors does not hold the tensors"):
        load(tmp_path / "model.safetensors", "cpu")
