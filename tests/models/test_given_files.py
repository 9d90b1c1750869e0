"""Files of models from somebody else: nothing in them is executed, fetched or believed."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save, save_file
from torch import Tensor

from ferc_core import registry
from ferc_core.errors import DataError, FercError, RequestError
from ferc_models.methods.baseline import load
from ferc_models.ready.predictor import read_ready
from ferc_models.runtime import choose_device
from ferc_models.saved.predictor import Card, NetworkPredictor
from ferc_models.saved.tensors import read_tensors, write_tensors
from ferc_models.weights import read_weights

CLASSES = ("happy", "sad", "neutral")
HEADER: dict[str, Any] = {
    "format": 1,
    "method": "baseline",
    "backbone": "test_resnet",
    "classes": list(CLASSES),
    "image_size": 32,
    "options": {},
    "notes": ["a note"],
    "history": [{"epoch": 1, "loss": 0.5, "f1": 0.25, "accuracy": 0.5}],
}


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    network = timm.create_model("test_resnet", num_classes=3)
    return dict(network.state_dict())


@pytest.fixture
def no_fetching(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of memory that networks were built in; a pretrained one fails the test."""
    create, places = timm.create_model, []

    def built(name: str, pretrained: bool = False, **options: Any) -> Any:
        assert not pretrained
        network = create(name, **options)
        places.append(next(network.parameters()).device.type)
        return network

    monkeypatch.setattr(timm, "create_model", built)
    return places


def sentence(path: Path, error: type[FercError] = DataError) -> str:
    with pytest.raises(error) as refusal:
        load(path, "cpu")
    message = str(refusal.value)
    assert path.name in message
    assert message.isprintable()
    assert len(message) < 500 + len(str(path))
    return message


def test_the_whole_file_is_loaded(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    write_tensors(tmp_path / "a.safetensors", tensors, HEADER)
    assert load(tmp_path / "a.safetensors", "cpu").card.classes == CLASSES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"pretrained": True}}, "unknown option of 'baseline' 'pretrained'"),
        ({"options": {"size": "mini"}}, "unknown option of 'baseline' 'size'"),
        ({"options": {"size": [1]}}, "options.size"),
        ({"options": []}, "options"),
        ({"backbone": "hf-hub:x/y"}, "paths and addresses are not followed"),
        ({"backbone": "hf_hub:x"}, "paths and addresses are not followed"),
        ({"backbone": "local-dir:."}, "paths and addresses are not followed"),
        ({"backbone": "https://x/y.pth"}, "paths and addresses are not followed"),
        ({"backbone": "timm/test_resnet"}, "paths and addresses are not followed"),
        ({"backbone": "test_resnet.x"}, "cannot be used on 32x32 images"),
        ({"backbone": "\x1b[2J" * 1000}, "unknown backbone"),
        ({"backbone": None}, "backbone: input should be a valid string"),
        ({"method": ["baseline"]}, "method"),
        ({"image_size": 0}, "image_size: input should be greater than or equal to 1"),
        ({"image_size": 5000}, "image_size: input should be less than or equal to 4096"),
        ({"image_size": 10**30}, "image_size"),
        ({"image_size": 32.0}, "image_size: input should be a valid integer"),
        ({"image_size": "32"}, "image_size: input should be a valid integer"),
        ({"image_size": True}, "image_size: input should be a valid integer"),
        ({"classes": []}, "classes: list should have at least 1 item"),
        ({"classes": ["a"] * 10_001}, "classes: list should have at most 10000 items"),
        ({"classes": ["a"] * 10_000}, "does not hold the tensors of backbone 'test_resnet'"),
        ({"classes": "abc"}, "classes: input should be a valid list"),
        ({"classes": [1, 2, 3]}, "classes.0: input should be a valid string"),
        ({"notes": "x"}, "notes"),
        ({"history": [{"epoch": 1}]}, "history.0.loss: field required"),
        ({"history": [{**HEADER["history"][0], "f1": None}]}, "history.0.f1"),
        ({"history": [{**HEADER["history"][0], "run": "x"}]}, "history.0.run: extra inputs"),
        ({"history": {}}, "history"),
        ({"more": 1}, "it must not have 'more'"),
        ({"format": "1"}, "has format '1'"),
        ({"format": [1] * 9999}, "has format [1, 1"),
    ],
)
def test_a_header_is_held_against_its_schema(
    tmp_path: Path, tensors: dict[str, Tensor], no_fetching: list[str], changes: Any, message: str
) -> None:
    write_tensors(tmp_path / "a.safetensors", tensors, HEADER | changes)
    assert message in sentence(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "text", ["", "[", "[" * 100_000, '{"format": NaN}', '{"format": 1, "format": 1}', "3", "null"]
)
def test_a_header_that_is_no_object_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor], text: str
) -> None:
    save_file(tensors, tmp_path / "a.safetensors", metadata={"ferc": text})
    assert "that FER-C did not write" in sentence(tmp_path / "a.safetensors")


def test_a_header_takes_no_memory_for_a_network_that_the_file_does_not_hold(
    tmp_path: Path, tensors: dict[str, Tensor], no_fetching: list[str]
) -> None:
    giant = {**HEADER, "backbone": "vit_giant_patch14_224", "image_size": 224}
    write_tensors(tmp_path / "a.safetensors", tensors, giant)
    assert "does not hold the tensors of backbone 'vit_giant" in sentence(
        tmp_path / "a.safetensors"
    )
    assert no_fetching == ["meta"]


def test_tensors_of_another_kind_are_refused(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path, name = tmp_path / "a.safetensors", next(iter(tensors))
    for other in (
        {**tensors, name: tensors[name].double()},
        {**tensors, name: tensors[name].to(torch.complex64)},
        {**tensors, name: tensors[name].flatten()},
        {**tensors, "more": torch.zeros(1)},
        {k: v for k, v in tensors.items() if k != name},
        {},
    ):
        write_tensors(path, other, HEADER)
        assert "does not hold the tensors of backbone 'test_resnet'" in sentence(path)


def test_a_file_that_is_not_what_its_list_says_is_refused(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    path, whole = tmp_path / "a.safetensors", save(tensors, {"ferc": json.dumps(HEADER)})
    size = int.from_bytes(whole[:8], "little")
    listed, rest, name = whole[8 : 8 + size], whole[8 + size :], next(iter(tensors))
    value = json.loads(listed)
    start, end = value[name]["data_offsets"]

    def changed(**parts: Any) -> bytes:
        return json.dumps({**value, name: {**value[name], **parts}}).encode()

    def twice() -> bytes:
        return listed.rstrip()[:-1] + f', "{name}": {json.dumps(value[name])}}}'.encode()

    for content in (
        b"", whole[:3], whole[:8], whole[: 8 + size], whole[:-1], whole + b"x",
        struct.pack("<Q", 2**63) + listed, struct.pack("<Q", 10**8) + listed,
        *(struct.pack("<Q", len(part)) + part + rest for part in (
            changed(dtype="F99"), changed(dtype="F4"), changed(dtype=None), changed(shape=[-1]),
            changed(shape=[2**62, 2**62]), changed(data_offsets=[start, end + 4]),
            changed(data_offsets=[end, start]), changed(data_offsets=[start, 2**70]),
            changed(data_offsets="x"), twice(), b"{}", b"[" * 50_000, b"{\xff}", b"null",
        )),
    ):  # fmt: skip
        path.write_bytes(content)
        sentence(path)


def test_only_regular_files_are_loaded(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.safetensors")
    (tmp_path / "folder.safetensors").mkdir()
    assert "it is not a file" in sentence(tmp_path / "fifo.safetensors")
    assert "Is a directory" in sentence(tmp_path / "folder.safetensors")
    sentence(Path("/dev/zero"))
    sentence(tmp_path / "missing.safetensors", RequestError)
    for name in ("fifo.safetensors", "folder.safetensors"):
        with pytest.raises(RequestError, match=f"{name} cannot be read"):
            read_weights(tmp_path / name)


def test_a_changed_file_is_loaded_or_refused(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    card = Card("baseline", "test_resnet", CLASSES, 32)
    network = timm.create_model("test_resnet", num_classes=3)
    NetworkPredictor(network, card, choose_device("cpu")).save(tmp_path / "whole.safetensors")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    size, rng = 8 + int.from_bytes(whole[:8], "little"), np.random.default_rng(0)
    for _ in range(60):
        content = bytearray(whole)
        for at in rng.integers(0, size, rng.integers(1, 4)):
            content[at] = rng.integers(256)
        (tmp_path / "changed.safetensors").write_bytes(content)
        with suppress(FercError):  # and nothing else
            load(tmp_path / "changed.safetensors", "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": [1]}, "classes.0"),
        ({"image_size": 10**9}, "image_size"),
        ({"convention": {"normalise": "z"}}, "'normalise' must be"),
        ({"convention": {"normalise": 1}}, "convention.normalise"),
        ({"convention": {"path": "x"}}, "convention must not have 'path'"),
        ({"options": {"layout": None}}, "options.layout"),
        ({"name": 3}, "name"),
        ({"more": 3}, "it must not have 'more'"),
    ],
)
def test_the_header_of_a_ready_made_model_is_held_against_its_schema(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    header = {
        "format": 1, "method": "mine", "name": "net", "classes": ["a"], "image_size": 32,
        "convention": {}, "options": {},
    }  # fmt: skip
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"x": torch.zeros(3)}, header)
    assert read_ready(path, "mine")[1].classes == ("a",)
    write_tensors(path, {"x": torch.zeros(3)}, header | changes)
    with pytest.raises(DataError, match=r"a\.safetensors does not describe") as refusal:
        read_ready(path, "mine")
    assert message in str(refusal.value)


# Weights


class Evil:
    """Calls a function when it is unpickled."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


def test_no_form_of_a_weights_file_is_executed(tmp_path: Path) -> None:
    proof = str(tmp_path / "proof")
    evils = {
        "system": Evil(os.system, f"touch {proof}"),
        "eval": Evil(eval, f"open({proof!r}, 'w')"),
        "nested": Evil(getattr, Evil(__import__, "os"), "system"),
        "load": Evil(torch.load, proof),
        "rebuilt": Evil(
            torch._utils._rebuild_tensor_v2, Evil(os.mkdir, proof), 0, (1,), (1,), 0, 0
        ),
    }
    for name, evil in evils.items():
        torch.save({"state_dict": {"x": evil}}, tmp_path / f"zip-{name}.pth")
        torch.save({"x": evil}, tmp_path / f"old-{name}.pt", _use_new_zipfile_serialization=False)
        for protocol in (0, 2, 5):
            content = pickle.dumps({"x": evil}, protocol=protocol)
            (tmp_path / f"plain-{name}-{protocol}.pth").write_bytes(content)
        with tarfile.open(tmp_path / f"tar-{name}.pth", "w") as tar:
            for part in ("storages", "tensors", "pickle", "sys_info"):
                info = tarfile.TarInfo(part)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 6 * len(evils)
    for path in files:
        with pytest.raises(RequestError, match=f"{path.name} is not a valid file of tensors alone"):
            read_weights(path)
    assert not (tmp_path / "proof").exists()


def test_a_small_file_of_weights_stays_small(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(1_000_000)}, tmp_path / "plain.pth")
    with (
        zipfile.ZipFile(tmp_path / "plain.pth") as plain,
        zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in plain.namelist():
            bomb.writestr(name, plain.read(name))
    assert (tmp_path / "bomb.pth").stat().st_size < 20_000
    with pytest.raises(RequestError, match=r"bomb\.pth is compressed"):
        read_weights(tmp_path / "bomb.pth")
    assert len(read_weights(tmp_path / "plain.pth")) == 1


def test_tensors_that_no_network_holds_are_refused(tmp_path: Path) -> None:
    for name, tensor in {
        "sparse": torch.eye(3).to_sparse(),
        "meta": torch.zeros(3, device="meta"),
    }.items():
        torch.save({"x": tensor}, tmp_path / f"{name}.pth")
        with pytest.raises(RequestError, match=f"{name}.pth .*(tensors by name|tensors alone)"):
            read_weights(tmp_path / f"{name}.pth")


def test_safetensors_as_weights_are_checked_as_checkpoints_are(
    tmp_path: Path, tensors: dict[str, Tensor]
) -> None:
    whole = save(tensors)
    for content in (whole[:-1], whole + b"x", struct.pack("<Q", 2**63), b"[" * 9999, b""):
        (tmp_path / "w.safetensors").write_bytes(content)
        with pytest.raises(RequestError, match=r"w\.safetensors is not a valid safetensors file"):
            read_weights(tmp_path / "w.safetensors")


def test_a_method_has_its_own_options_alone(tmp_path: Path, tensors: dict[str, Tensor]) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, tensors, {**HEADER, "method": "rul", "options": {"dropout": "much"}})
    with pytest.raises(DataError, match=r"a\.safetensors: option 'dropout' must be a number"):
        registry().methods["rul"].load_predictor(path, "cpu")
    assert read_tensors(path)[1]["method"] == "rul"
