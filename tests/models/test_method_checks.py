"""`Method.check`: what `fit` would refuse is refused before anything is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from helpers.colours import check, colours, fit, task
from safetensors.torch import save_file

from ferc_core import registry
from ferc_core.errors import FercError, PluginError, RequestError, RunError
from ferc_core.plugins import host
from ferc_core.task import Task

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = sorted(name for name, method in registry().methods.items() if method.trains)
BACKBONES = {"swinv2_t": "swinv2_tiny_window8_256", "scn": "test_vit", "baseline": "test_byobnet"}


def task_of(method: str, directory: Path, **changes: Any) -> Task:
    usual = {"backbone": BACKBONES.get(method, "test_resnet"), "image_size": 64, "loss": "ce"}
    if method == "swinv2_t":
        usual["options"] = {"size": "mini"}
    return task(directory, **usual | changes)


def unread(rows: Any) -> Any:
    raise AssertionError("an image was read")


@pytest.mark.parametrize("method", METHODS)
def test_a_check_neither_reads_images_nor_leaves_a_trace(method: str, tmp_path: Path) -> None:
    said: list[str] = []
    asked = task_of(method, tmp_path / "state", say=said.append, progress=said.append)
    before = torch.get_rng_state()
    train, validation = (replace(e, images=unread) for e in (asked.train, asked.validation))
    check(replace(asked, train=train, validation=validation), method)
    assert torch.equal(torch.get_rng_state(), before)
    assert not said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("method", "changes", "message"),
    [
        ("baseline", {"train": colours(1, 0, side=64)}, "at least 2 training images, not 1"),
        ("baseline", {"validation": colours(0, 1, side=64)}, "at least 1 validation image"),
        ("baseline", {"batch_size": 1}, "a batch size of 1 is too small"),
        ("baseline", {"epochs": 0}, "at least 1 epoch, not 0"),
        ("baseline", {"backbone": "resnet-18"}, "unknown backbone 'resnet-18': did you mean"),
        ("baseline", {"backbone": "test_vit", "image_size": 50}, "cannot be used on 50x50 images"),
        ("baseline", {"loss": "focl"}, "unknown loss 'focl': did you mean 'focal'"),
        ("baseline", {"loss": "mbls(margin=wide)"}, "'margin' of 'mbls' must be a number"),
        ("baseline", {"options": {"agument": "flip"}}, "option of 'baseline' 'agument': did you"),
        ("baseline", {"options": {"augment": "turn"}}, "'augment' must be none or .*, not 'turn'"),
        ("baseline", {"device": "gpu"}, "device must be auto, cpu, cuda or cuda:N, not 'gpu'"),
        ("baseline", {"weights": Path("no.pth")}, r"weights file no\.pth does not exist"),
        ("baseline", {"weights": Path("w.pth"), "pretrained": True}, "not both"),
        ("scn", {"options": {"margin2": 0.2}}, r"option of 'scn' 'margin2': did you mean 'margin_"),
        ("scn", {"options": {"margin_2": "big"}}, "'margin_2' must be a number of at least 0"),
        ("scn", {"options": {"beta": 1.2}}, r"'beta' must be a number from 0 to 1, not 1\.2"),
        ("dmue", {"backbone": "test_vit"}, "residual network, and backbone 'test_vit' is not"),
        ("dmue", {"options": {"ramp": 0}}, "'ramp' must be a number of at least 0.01, not 0"),
        ("dmue", {"options": {"similarity": "maps"}}, "must be logits or features, not 'maps'"),
        ("dmue", {"options": {"train_score": 0}}, "'train_score' must be true or false, not 0"),
        ("rul", {"options": {"dropout": 1}}, "'dropout' must be at least 0 and below 1, not 1"),
        ("rul", {"options": {"mixed_loss": "sum"}}, "must be add-up or overwrite, not 'sum'"),
        ("rul", {"backbone": "test_vit"}, r"'test_vit' has no feature maps \[C, h, w\]"),
        ("rul", {"backbone": "test_mambaout"}, "has no feature maps"),
        ("eac", {"options": {"weight": -1}}, "'weight' must be a number of at least 0, not -1"),
        ("mek", {"options": {"smoothing": 1}}, "'smoothing' must be below 1, not 1"),
        ("swinv2_t", {"backbone": "resnet50"}, "Swin transformer, which backbone 'resnet50' is"),
        ("swinv2_t", {"backbone": "swin2", "options": {}}, "unknown backbone 'swin2'"),
        ("swinv2_t", {"image_size": 100}, "images of 100x100; use an image size of 32, 64, 96,"),
        ("swinv2_t", {"image_size": 288}, "no attention window of swinv2_t fits .* 288x288"),
        ("swinv2_t", {"image_size": 16}, "fits images of 16x16"),
        ("swinv2_t", {"options": {"head": "vit"}}, "'head' must be pooled or imagenet, not 'vit'"),
        ("swinv2_t", {"pretrained": True}, "no pretrained weights for size=mini"),
        ("swinv2_t", {"backbone": "swin_s3_tiny_224"}, "size=mini is for .* alone; leave it out"),
    ],
)
def test_a_task_that_cannot_be_trained_is_refused(
    tmp_path: Path, method: str, changes: dict[str, Any], message: str
) -> None:
    for refuse in (check, fit):
        with pytest.raises(FercError, match=message) as caught:
            refuse(task_of(method, tmp_path, **changes), method)
        assert "\n" not in str(caught.value)


def test_weights_are_read_by_a_check(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    asked = task_of("baseline", tmp_path, weights=file)
    fit(replace(asked, weights=None, epochs=1)).save(file)
    check(asked)
    save_file({"other": torch.zeros(3)}, file)
    with pytest.raises(RequestError, match="none of its 1 tensors fits"):
        check(asked)


def test_an_empty_backbone_is_the_default_of_the_method(tmp_path: Path) -> None:
    check(task_of("baseline", tmp_path, backbone=""))
    predictor = fit(task_of("swinv2_t", tmp_path, backbone="", epochs=1), "swinv2_t")
    assert predictor.card.backbone == "swinv2_tiny_window8_256"


# --- pretrained weights -------------------------------------------------------------------------


@pytest.fixture
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("_offline")
def test_a_check_downloads_nothing_and_a_failed_download_has_a_remedy(tmp_path: Path) -> None:
    for method, backbone in (
        ("baseline", "test_resnet"),
        ("scn", "test_resnet"),
        ("eac", "test_resnet"),
        ("swinv2_t", "swinv2_tiny_window8_256"),
    ):
        asked = task_of(method, tmp_path, backbone=backbone, pretrained=True, options={})
        check(asked, method)
        if method != "swinv2_t":  # to save time
            with pytest.raises(RunError, match=r"could not be downloaded; .* pass the file"):
                fit(asked, method)


def test_a_backbone_without_pretrained_weights_is_refused(tmp_path: Path) -> None:
    asked = task_of("baseline", tmp_path, backbone="ghostnet_050", pretrained=True)
    with pytest.raises(RequestError, match="no pretrained weights for backbone 'ghostnet_050'"):
        check(asked)


# --- targets ------------------------------------------------------------------------------------


def softened(asked: Task) -> Task:
    targets = asked.train.targets.copy()
    targets[7] = 0.8 * targets[7] + 0.2 / 3
    return replace(asked, train=replace(asked.train, targets=targets))


def test_a_loss_for_hard_targets_is_refused_where_something_softens_them(tmp_path: Path) -> None:
    asked = task_of("mek", tmp_path, loss="ce+cpc")
    augmented = replace(asked, augmentation=lambda *batch: batch[2:])
    for method, given, message in (
        (
            "mek",
            asked,
            "^method 'mek' makes targets soft, and loss 'cpc' needs hard .*as 'ce'",
        ),
        ("eac", augmented, "^soft augmentation makes targets soft, and loss 'cpc' needs hard ones"),
        ("mek", augmented, "^soft augmentation makes"),
        ("eac", softened(asked), "^loss 'cpc' needs hard targets, one class for each image, but"),
    ):
        for refuse in (check, fit):
            with pytest.raises(RequestError, match=message):
                refuse(given, method)
    for method, given in (
        ("eac", asked),
        ("mek", replace(asked, options={"smoothing": 0})),
        ("mek", replace(softened(augmented), loss="maxent+mbls")),
    ):
        check(given, method)


PLUGIN = """
from ferc_core import Loss, hookimpl
from ferc_core.errors import RequestError

def vector(num_classes, class_prior):
    return lambda logits, targets: logits.sum(dim=1)

def plain(num_classes, class_prior):
    return lambda logits, targets: 3.0

def failing(num_classes, class_prior):
    return lambda logits, targets: logits @ targets

def refusing(num_classes, class_prior):
    def loss(logits, targets):
        raise RequestError("three classes are too few for 'refusing'")
    return loss

@hookimpl
def register_losses(register):
    for function in (vector, plain, failing, refusing):
        register(Loss(function.__name__, function))
"""


def test_a_plugin_loss_that_breaks_its_contract_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "losses.py"
    file.write_text(PLUGIN)
    monkeypatch.setattr(host, "_host", host.Host((file,)))
    for loss, message in (
        ("vector", r"loss 'vector' returns \[2\], which is not a scalar tensor"),
        ("plain", "loss 'plain' returns float, which is not a scalar tensor"),
        ("failing", "loss 'failing' fails: RuntimeError: mat1 and mat2"),
    ):
        with pytest.raises(PluginError, match=message):
            check(task_of("baseline", tmp_path, loss=loss))
    with pytest.raises(RequestError, match="three classes are too few for 'refusing'"):
        check(task_of("baseline", tmp_path, loss="refusing"))
