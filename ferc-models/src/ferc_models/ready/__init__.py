"""Your own trained torch model as a method, in a few lines of a plugin file.

    from ferc_core import hookimpl
    from ferc_models.ready import ready_made

    def build(num_classes):
        from my_package import MyNet
        return MyNet(num_classes)

    @hookimpl
    def register_methods(register):
        register(ready_made("my-net", build, "my_net.pth", normalise="half"))

``ferc run --plugin my_plugin.py --method my-net`` then scores it; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferc_core import Method

if TYPE_CHECKING:
    from torch import nn

    from ferc_core.task import Task
    from ferc_models.ready.predictor import ReadyPredictor


def ready_made(
    name: str,
    build: Callable[[int], nn.Module],
    weights: str | Path | None = None,
    *,
    normalise: str = "imagenet",
    channels: str = "rgb",
    output: str = "logits",
    classes: str | Sequence[str] = (),
    size: int = 0,
    batch: int = 0,
    summary: str = "A ready-made torch network, not trained here.",
    source: str = "-",
) -> Method:
    """Return a method that is a trained torch network.

    name:      its name for ``--method``
    build:     ``build(num_classes)`` returns the network, which maps float images [B, 3, S, S],
               [B, 1, S, S] for grey, to [B, K]. It is called when the network is needed; import
               torch inside it, so that listing plugins stays fast
    weights:   its state_dict in a .safetensors, .pth or .pt file that holds only tensors, all of
               which must fit; None if ``build`` returns the network with its weights. Users may
               name another file: ``--method "my-net(weights=other.pth)"``
    normalise: "imagenet" (ImageNet's mean and standard deviation), "half" (values from -1 to 1),
               "unit" (0 to 1), "raw" (0 to 255), or "mean:deviation" in units of 0 to 255
    channels:  "rgb", "bgr" or "grey"
    output:    "logits", or "probs" if the network ends with a softmax
    classes:   the names of its K outputs, which are matched to those of the dataset. Default:
               those in a JSON file beside the weights, or else the dataset's classes in their
               order
    size:      the side S of its images where that is not the run's; they are resized after the
               corruption
    batch:     images that go through it at once, at most; default 128

    Users may say the last three in parentheses, too. A network that cannot be used (weights missing
    or of another network, another number of classes, an unsupported image size) raises a
    `RequestError` before the run begins.
    """

    def fit(task: Task) -> ReadyPredictor:
        from ferc_models.ready.convention import Convention
        from ferc_models.ready.network import open_network

        convention = Convention(normalise, "grey" if channels == "gray" else channels, output)
        values = {"classes": classes, "size": size, "batch": batch}
        given = {option: value for option, value in values.items() if value}
        return open_network(task, name, build, weights, convention, given)

    def check(task: Task) -> None:
        fit(replace(task, say=lambda _: None))

    def load(path: Path, device: str = "auto") -> ReadyPredictor:
        from ferc_models.ready.network import load_network

        return load_network(path, name, build, device)

    return Method(name, fit, load=load, check=check, trains=False, summary=summary, source=source)
