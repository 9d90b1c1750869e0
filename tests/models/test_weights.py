"""Backbones, pretrained weights from local files, and the files of trained models."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ferc_core import registry
from ferc_core.errors import DataError, RequestError
from ferc_models.backbones import create_network
from ferc_models.methods.baseline import load
from ferc_models.runtime import choose_device, seeded
from ferc_models.saved.predictor import Card, NetworkPredictor
from ferc_models.saved.tensors import write_tensors
from ferc_models.weights import load_matching

SIDE = 32
CLASSES = ("happy", "sad", "neutral")
CARD = Card(
    method="baseline",
    backbone="test_resnet",
    classes=CLASSES,
    image_size=SIDE,
    notes=("a note",),
    history=({"epoch": 1, "loss": 0.5, "f1": 0.25, "accuracy": 0.5},),
)


def network(seed: int = 0, name: str = "test_resnet", classes: int = 3) -> nn.Module:
    with seeded(seed):
        return create_network(name, classes, SIDE)


def predictor(seed: int = 0) -> NetworkPredictor:
    return NetworkPredictor(network(seed), CARD, choose_device("cpu"))


def some_images(n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, SIDE, SIDE, 3), dtype=np.uint8)


def same(a: nn.Module, b: nn.Module, *, except_for: str = "-") -> bool:
    mine, other = a.state_dict(), b.state_dict()
    return all(torch.equal(mine[n], other[n]) for n in mine if not n.startswith(except_for))


# --- backbones ----------------------------------------------------------------------------------


def test_backbones_are_built_for_the_image_size() -> None:
    for name, side in (("test_resnet", 48), ("test_vit", 48), ("swinv2_tiny_window8_256", 64)):
        built = create_network(name, 7, side)
        with torch.inference_mode():
            assert built(torch.zeros(2, 3, side, side)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "side", "message"),
    [
        ("resnet81", 32, "unknown backbone 'resnet81': did you mean 'resnet"),
        ("zzzzzz", 32, "unknown backbone 'zzzzzz': timm.list_models"),
        ("hf-hub:someone/something", 32, "'hf-hub:someone/something' must be the name of a timm"),
        ("hf_hub:resnet18", 32, "paths and addresses are not followed"),
        ("local-dir:resnet18", 32, "paths and addresses are not followed"),
        ("https://host/resnet18", 32, "paths and addresses are not followed"),
        ("timm/resnet18.a1_in1k", 32, "paths and addresses are not followed"),
        ("..\\resnet18", 32, "paths and addresses are not followed"),
        ("x" * 100_000, 32, "unknown backbone '" + "x" * 77 + r"\.\.\.': timm"),
        ("resnet18.nope", 32, "backbone 'resnet18.nope' cannot be used on 32x32 images: .*nope"),
        ("test_resnet", 4097, "images of 4097x4097 are above 4096 pixels"),
        ("test_vit", 50, "cannot be used on 50x50 images: .*divisible"),
    ],
)
def test_a_backbone_that_cannot_be_built_is_refused(name: str, side: int, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        create_network(name, 3, side)


# --- pretrained weights -------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["w.safetensors", "w.pth", "model.pt", "parallel.pth"])
def test_weights_are_loaded_from_every_usual_file(tmp_path: Path, file: str) -> None:
    source, path = network(1), tmp_path / file
    tensors: Any = source.state_dict()
    if file == "parallel.pth":
        tensors = {"epoch": 3, "state_dict": {f"module.{k}": v for k, v in tensors.items()}}
    elif file == "model.pt":
        tensors = {"model": tensors}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    target = network(2)
    assert not same(source, target)
    note = load_matching(target, path)
    count = len(source.state_dict())
    assert note == f"{count} of {count} tensors are from {file}"
    assert same(source, target)


def test_a_classifier_of_other_classes_keeps_its_initial_values(tmp_path: Path) -> None:
    source, target, before = network(1, classes=1000), network(2), network(2)
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    note = load_matching(target, tmp_path / "w.safetensors")
    assert note.endswith("; newly initialised: fc.weight, fc.bias")
    assert same(target, source, except_for="fc.")
    assert torch.equal(target.state_dict()["fc.weight"], before.state_dict()["fc.weight"])


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_file(network(1, "test_vit").state_dict(), tmp_path / "vit.safetensors")
    with pytest.raises(RequestError, match=r"vit.safetensors: none of its \d+ tensors fits"):
        load_matching(network(), tmp_path / "vit.safetensors")


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "executed")


def test_nothing_in_a_weights_file_is_executed(tmp_path: Path) -> None:
    for name, write in (("torch.pth", torch.save), ("plain.pt", dump)):
        write({"state_dict": Evil(tmp_path / "proof")}, tmp_path / name)
        with pytest.raises(RequestError, match="not a valid file of tensors alone"):
            load_matching(network(), tmp_path / name)
    assert not (tmp_path / "proof").exists()


def dump(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def test_a_weights_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    save_file(network().state_dict(), tmp_path / "whole.safetensors")
    torch.save(network().state_dict(), tmp_path / "whole.pth")
    for name in ("whole.safetensors", "whole.pth"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / f"cut-{name}").write_bytes(content[: len(content) // 2])
        (tmp_path / f"empty-{name}").write_bytes(b"")
        (tmp_path / f"text-{name}").write_text("no tensors at all")
    torch.save([1, 2, 3], tmp_path / "list.pth")
    torch.save({"state_dict": {"fc.weight": 3.0}}, tmp_path / "numbers.pth")
    torch.save({}, tmp_path / "nothing.pth")
    (tmp_path / "w.onnx").write_bytes(b"x")
    for name, message in (
        ("cut-whole.safetensors", "is not a valid safetensors file"),
        ("empty-whole.safetensors", "is not a valid safetensors file"),
        ("text-whole.safetensors", "is not a valid safetensors file"),
        ("cut-whole.pth", "is not a valid file of tensors alone"),
        ("empty-whole.pth", "is not a valid file of tensors alone"),
        ("text-whole.pth", "is not a valid file of tensors alone"),
        ("list.pth", "does not hold tensors by name"),
        ("numbers.pth", "does not hold tensors by name"),
        ("nothing.pth", "none of its 0 tensors fits"),
        ("w.onnx", "must be a .safetensors, .pth or .pt file"),
        ("missing.pth", "does not exist"),
    ):
        with pytest.raises(RequestError, match=f"{name}.*{message}"):
            load_matching(network(), tmp_path / name)


# --- files of trained models --------------------------------------------------------------------


def test_a_saved_model_gives_the_same_logits_and_the_same_file(tmp_path: Path) -> None:
    model = predictor()
    model.save(tmp_path / "a.safetensors")
    copy = registry().methods["baseline"].load_predictor(tmp_path / "a.safetensors")
    copy.save(tmp_path / "b.safetensors")
    np.testing.assert_array_equal(copy.logits(some_images()), model.logits(some_images()))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert load(tmp_path / "a.safetensors", device="cpu").card == CARD
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.safetensors", "b.safetensors"]


def test_logits_are_float32_and_do_not_depend_on_the_batch() -> None:
    model, images = predictor(), some_images(130)
    logits = model.logits(images)
    assert logits.dtype == np.float32
    assert logits.shape == (130, 3)
    parts = [model.logits(images[i : i + 40]) for i in range(0, 130, 40)]
    np.testing.assert_allclose(np.concatenate(parts), logits, atol=1e-5)
    np.testing.assert_array_equal(model.logits(images), logits)
    assert model.logits(images[:0]).shape == (0, 3)


def test_logits_do_not_change_the_images() -> None:
    images = some_images()
    images.setflags(write=False)
    before = images.copy()
    predictor().logits(images[:, :, ::-1])
    np.testing.assert_array_equal(images, before)


def test_images_of_another_shape_or_type_are_refused() -> None:
    model = predictor()
    for images in (
        np.zeros((2, 48, 48, 3), np.uint8),
        np.zeros((SIDE, SIDE, 3), np.uint8),
        np.zeros((2, SIDE, SIDE, 3), np.float32),
    ):
        with pytest.raises(RequestError, match=r"takes uint8 RGB images \[B, 32, 32, 3\], not"):
            model.logits(images)


def test_a_file_without_a_valid_model_is_refused(tmp_path: Path) -> None:
    model = predictor()
    tensors = {k: v.contiguous() for k, v in model.network.state_dict().items()}
    model.save(tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    header = {
        "format": 1,
        "method": "baseline",
        "backbone": "test_resnet",
        "classes": CLASSES,
        "image_size": SIDE,
        "options": {},
        "notes": [],
        "history": [],
    }
    (tmp_path / "cut.safetensors").write_bytes(whole[:-100])
    (tmp_path / "short.safetensors").write_bytes(whole[:5])
    (tmp_path / "empty.safetensors").write_bytes(b"")
    dump({"backbone": "test_resnet"}, tmp_path / "pickle.safetensors")
    save_file(tensors, tmp_path / "foreign.safetensors")
    save_file(tensors, tmp_path / "list.safetensors", metadata={"ferc": "[]"})
    save_file(tensors, tmp_path / "nojson.safetensors", metadata={"ferc": "{"})
    for name, changes in (
        ("method", {"method": "scn"}),
        ("future", {"format": 2}),
        ("backbone", {"backbone": "test_resnte"}),
        ("other", {"backbone": "test_byobnet"}),
        ("classes", {"classes": ["a", "b"]}),
        ("size", {"image_size": "big"}),
    ):
        write_tensors(tmp_path / f"{name}.safetensors", tensors, header | changes)
    del header["classes"]
    write_tensors(tmp_path / "lacking.safetensors", tensors, header)
    for name, message in (
        ("cut", "is not a valid safetensors file"),
        ("short", "is not a valid safetensors file"),
        ("empty", "is not a valid safetensors file"),
        ("pickle", "is not a valid safetensors file"),
        ("foreign", "that FER-C did not write"),
        ("list", "that FER-C did not write"),
        ("nojson", "that FER-C did not write"),
        ("method", "holds a model of method 'scn', not 'baseline'"),
        ("future", "has format 2, and this version of FER-C reads 1"),
        ("backbone", "unknown backbone 'test_resnte': did you mean 'test_resnet'"),
        ("other", "does not hold the tensors of backbone 'test_byobnet' for 3 classes"),
        ("classes", "does not hold the tensors of backbone 'test_resnet' for 2 classes"),
        ("size", "does not describe a trained model"),
        ("lacking", "does not describe a trained model: classes: field required"),
    ):
        with pytest.raises(DataError, match=f"{name}.safetensors.*{message}") as caught:
            load(tmp_path / f"{name}.safetensors")
        assert "\n" not in str(caught.value)
    with pytest.raises(RequestError, match=r"missing\.safetensors does not exist"):
        load(tmp_path / "missing.safetensors")


def test_a_model_file_has_a_plain_json_header(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    predictor().save(path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ferc"])
    assert header["method"] == "baseline"
    assert header["classes"] == list(CLASSES)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_missing_gpu_is_refused() -> None:
    with pytest.raises(RequestError, match="'cuda' is not available: torch finds no GPU"):
        choose_device("cuda")
