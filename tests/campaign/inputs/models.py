"""Files of models: checkpoints, states of trainings, weights, ONNX."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

from campaign import stock
from campaign.cases import ENDLESS, Asked, Dice, case
from campaign.damage import as_json, damaged, warped
from campaign.inputs.data import spoil
from campaign.inputs.predictions import Payload
from campaign.inputs.records import AGAIN

SAME = ("run/results.parquet", "torch_run/results.parquet")
TORCH_AGAIN = ("run", *stock.TORCH, "--workers", 0, "--out", "run")
CHECKPOINT = f"checkpoints/{stock.TORCH_TRIAL}.safetensors"


def without_predictions(root: Path) -> Path:
    """Remove what a checkpoint predicted, so that it is read again."""
    for path in root.glob("predictions/*/*.parquet"):
        path.unlink()
    return root


def header(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the header and the rest of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(text: bytes, rest: bytes) -> bytes:
    """Return a safetensors file with this header."""
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + rest


def warp_header(path: Path, dice: Dice) -> None:
    """Warp the header of a safetensors file, or what FER-C wrote into it."""
    known, rest = header(path)
    if dice.random() < 0.6 and "ferc" in known.get("__metadata__", {}):
        card = warped(json.loads(known["__metadata__"]["ferc"]), dice)
        known["__metadata__"]["ferc"] = as_json(card, dice)
    else:
        known = warped(known, dice)
    path.write_bytes(with_header(as_json(known, dice).encode(errors="surrogatepass"), rest))


@case(many=ENDLESS, quick=False)
def checkpoint_damaged(folder: Path, dice: Dice) -> Asked:
    path = without_predictions(stock.copy("torch_run", folder / "run")) / CHECKPOINT
    path.write_bytes(damaged(path.read_bytes(), dice))
    return Asked(*TORCH_AGAIN, may_change=("run",), same=SAME)


@case(many=ENDLESS)
def checkpoint_warped(folder: Path, dice: Dice) -> Asked:
    path = without_predictions(stock.copy("torch_run", folder / "run")) / CHECKPOINT
    warp_header(path, dice)
    return Asked(*TORCH_AGAIN, may_change=("run",), same=SAME)


@case(many=ENDLESS)
def state_of_a_training_warped(folder: Path, dice: Dice) -> Asked:
    root = stock.copy("begun_run", folder / "run")
    path = next(root.glob("checkpoints/*/*.safetensors"))
    if dice.random() < 0.4:
        spoil(path, dice)
    else:
        warp_header(path, dice)
    return Asked(*TORCH_AGAIN, "--epochs", 3, may_change=("run",))


LENGTHS = (0, 1, 7, 8, 2**31, 2**40, 2**63, 2**64 - 1, 100_000_001)


@case(many=len(LENGTHS))
def checkpoint_with_a_lying_length(folder: Path, dice: Dice) -> Asked:
    path = without_predictions(stock.copy("torch_run", folder / "run")) / CHECKPOINT
    path.write_bytes(struct.pack("<Q", dice.turn(LENGTHS)) + path.read_bytes()[8:])
    return Asked(*TORCH_AGAIN, may_change=("run",), same=SAME)


CARDS: tuple[tuple[str, Any], ...] = (
    ("backbone", "hf-hub:evil/evil"), ("backbone", "resnet18"), ("backbone", "../../evil"),
    ("backbone", ""), ("backbone", "x" * 5000), ("backbone", "\x1b[31m"), ("image_size", 10**9),
    ("image_size", -1), ("image_size", "nan"), ("classes", []), ("classes", ["a"] * 10**6),
    ("classes", [1, 2]), ("classes", "abc"), ("method", "scn"), ("method", "x"), ("format", 99),
    ("options", {"pretrained": True}), ("options", {"size": "huge"}), ("options", []),
    ("notes", ["\x1b[31m"]), ("notes", 3), ("history", [{}]), ("history", "x"),
    ("pretrained", True), ("weights", "/etc/passwd"),
)  # fmt: skip


@case(many=len(CARDS))
def checkpoint_that_gives_orders(folder: Path, dice: Dice) -> Asked:
    path = without_predictions(stock.copy("torch_run", folder / "run")) / CHECKPOINT
    known, rest = header(path)
    card = json.loads(known["__metadata__"]["ferc"])
    name, value = dice.turn(CARDS)
    known["__metadata__"]["ferc"] = json.dumps({**card, name: value})
    path.write_bytes(with_header(json.dumps(known).encode(), rest))
    return Asked(*TORCH_AGAIN, may_change=("run",), same=SAME)


@case(many=6)
def checkpoint_of_another(folder: Path, dice: Dice) -> Asked:
    """A checkpoint under the name of another is not adopted."""
    root = without_predictions(stock.copy("torch_run", folder / "run"))
    other = stock.get("run") / f"checkpoints/{stock.TRIAL}.safetensors"
    kind = dice.turn(("other", "weights", "empty", "zeros", "folder", "no manifest"))
    path = root / CHECKPOINT
    if kind == "other":
        path.write_bytes(other.read_bytes())
    elif kind == "weights":
        path.write_bytes(stock.get("safe_weights").read_bytes())
    elif kind in ("empty", "zeros"):
        path.write_bytes(bytes(0 if kind == "empty" else path.stat().st_size))
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    else:
        (root / "manifest.json").unlink()
    return Asked(*TORCH_AGAIN, may_change=("run",), same=SAME)


@case
def checkpoint_of_an_earlier_training(folder: Path, dice: Dice) -> Asked:
    """Without a record an old checkpoint is not taken for one that is trained in another way."""
    root = without_predictions(stock.copy("torch_run", folder / "run"))
    for name in ("manifest.json", "config.toml", "results.parquet"):
        (root / name).unlink()
    stock.get("other_run")
    same = ("run/results.parquet", "other_run/results.parquet")
    return Asked(*TORCH_AGAIN, "--learning-rate", 0.05, may_change=("run",), same=same)


@case(many=ENDLESS)
def checkpoint_of_a_plugin_damaged(folder: Path, dice: Dice) -> Asked:
    """The file of a method of one's own, in which there may be a pickle."""
    import numpy as np

    root = without_predictions(stock.copy("run", folder / "run"))
    path = root / f"checkpoints/{stock.TRIAL}.safetensors"
    if dice.random() < 0.3:
        content = io.BytesIO()
        np.save(content, np.array(Payload(folder.parent / "executed"), object), allow_pickle=True)
        path.write_bytes(content.getvalue())
    else:
        path.write_bytes(damaged(path.read_bytes(), dice))
    return Asked(*AGAIN, may_change=("run",))


def pickled(mark: Path, kind: str) -> bytes:
    """Return a file of weights that would execute code if it were obeyed."""
    load = Payload(mark)
    if kind == "plain":
        return pickle.dumps({"state_dict": load})
    if kind == "legacy":
        return pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1001) + pickle.dumps(load)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"layer": load}, protocol=2))
        archive.writestr("archive/version", "3")
        if kind == "script":
            archive.writestr("archive/constants.pkl", pickle.dumps(load))
            archive.writestr("archive/code/x.py", "")
        if kind == "bomb":
            archive.writestr("archive/data/0", bytes(1 << 20), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


WEIGHTS = ("run", *stock.TORCH, "--workers", 0, "--out", "out", "--weights")


@case(many=8)
def weights_that_execute_code(folder: Path, dice: Dice) -> Asked:
    kind = ("plain", "legacy", "zip", "script")[dice.number % 4]
    name = ("w.pth", "w.pt")[dice.number // 4 % 2]
    (folder / name).write_bytes(pickled(folder.parent / "executed", kind))
    return Asked(*WEIGHTS, name, expect="refused")


@case(many=ENDLESS)
def weights_damaged(folder: Path, dice: Dice) -> Asked:
    name = dice.choice(("weights", "safe_weights"))
    suffix = "pth" if name == "weights" else "safetensors"
    path = stock.copy(name, folder / f"w.{suffix}")
    if dice.random() < 0.4 and suffix == "safetensors":
        warp_header(path, dice)
    else:
        path.write_bytes(damaged(path.read_bytes(), dice))
    return Asked(*WEIGHTS, path.name)


@case(many=10)
def weights_of_other_things(folder: Path, dice: Dice) -> Asked:
    """Tensors by name that are not those of a network."""
    import torch

    things: tuple[Any, ...] = (
        {}, [], 3, "x", {"a": 1}, {1: torch.zeros(2)}, {"a": torch.zeros(2)},
        {"state_dict": {"state_dict": {}}}, torch.zeros(3), {"conv1.weight": torch.zeros(0)},
    )  # fmt: skip
    torch.save(dice.turn(things), folder / "w.pth")
    return Asked(*WEIGHTS, "w.pth", expect="refused")


@case(many=7)
def weights_that_are_no_file(folder: Path, dice: Dice) -> Asked:
    kind = dice.turn(("fifo", "folder", "/dev/zero", "loop", "nowhere", "empty", "suffix"))
    path = folder / dice.choice(("w.pth", "w.safetensors"))
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind in ("empty", "suffix"):
        path = path.with_suffix(".bin") if kind == "suffix" else path
        path.touch()
    else:
        path.symlink_to(kind)
    return Asked(*WEIGHTS, path.name, expect="refused")


ONNX = ("run", *stock.SMALL, "--workers", 0, "--out", "out", "--method")


@case(many=ENDLESS)
def onnx_damaged(folder: Path, dice: Dice) -> Asked:
    (folder / "m.onnx").write_bytes(damaged(stock.get("network").read_bytes(), dice))
    return Asked(*ONNX, "onnx(file=m.onnx)")


@case(many=10)
def onnx_that_is_no_file(folder: Path, dice: Dice) -> Asked:
    os.mkfifo(folder / "fifo")
    (folder / "folder").mkdir()
    (folder / "empty").touch()
    (folder / "png").write_bytes((stock.get("photos") / "face.png").read_bytes())
    name = dice.turn(("fifo", "folder", "empty", "png", "nowhere", "/dev/zero", "/dev/urandom",
                      "/proc/self/mem", "/dev/full", '""'))  # fmt: skip
    return Asked(*ONNX, f"onnx(file={name})", expect="refused")


@case(many=6)
def onnx_with_weights_elsewhere(folder: Path, dice: Dice) -> Asked:
    """An ONNX file may name other files, which must not be read."""
    import onnx

    model = onnx.load(stock.get("network"))
    place = dice.turn(("w.bin", "/etc/passwd", "../outside/w.bin", "/dev/zero", "", "a\x00b"))
    (folder / "w.bin").write_bytes(bytes(1 << 20))
    tensor = next(t for t in model.graph.initializer if t.name == "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", place), ("offset", "0"), ("length", str(8 * 3 * 32 * 32 * 4))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return Asked(*ONNX, "onnx(file=m.onnx)", expect="refused")
