"""Backbones without a classifier, which return feature maps or pooled features."""

from __future__ import annotations

from torch import nn

from ferc_core.errors import RequestError
from ferc_models.backbones import build, fetch, output_shape


def create_features(backbone: str, image_size: int, *, pretrained: bool = False) -> nn.Module:
    """Build the timm backbone of this name without pooling and classifier.

    It maps float images [B, 3, S, S] with S = image_size to feature maps [B, C, h, w]; see
    `feature_shape`. Parameters are drawn from torch's global generator, or fetched by timm if
    ``pretrained``.

    Raises `RequestError` for an unknown name, an unsupported image size, or a backbone without such
    maps (transformers), and `RunError` if the weights cannot be fetched.
    """
    network, shape = build(backbone, image_size, num_classes=0, global_pool="")
    channels_last = getattr(network, "output_fmt", "NCHW") != "NCHW"
    if len(shape) != 3 or channels_last:
        raise RequestError(
            f"backbone {backbone!r} has no feature maps [C, h, w], which this method needs; use a "
            "convolutional network such as 'resnet18'"
        )
    return fetch(backbone, image_size, num_classes=0, global_pool="") if pretrained else network


def create_pooled(backbone: str, image_size: int, *, pretrained: bool = False) -> nn.Module:
    """Build the timm backbone of this name with timm's own pooling and without classifier.

    It maps float images [B, 3, S, S] to features [B, C], and may be a transformer. Otherwise as
    `create_features`.
    """
    network, shape = build(backbone, image_size, num_classes=0)
    if len(shape) != 1:
        raise RequestError(f"backbone {backbone!r} cannot be used, because it does not pool")
    return fetch(backbone, image_size, num_classes=0) if pretrained else network


def feature_shape(features: nn.Module, image_size: int) -> tuple[int, int, int]:
    """Return (C, h, w), the shape of the maps of a `create_features` network for one image.

    A black image is passed through it; the network is left in evaluation mode.
    """
    channels, height, width = output_shape(features, image_size)
    return channels, height, width
