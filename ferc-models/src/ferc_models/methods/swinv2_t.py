"""The method ``swinv2_t``: a Swin Transformer V2 with a linear classifier.

Source: Liu et al. 2022, arXiv:2111.09883; FER-C, section 5. A linear classifier on the pooled
features is the default; the authors of FER-C keep the classifier of ImageNet's 1000 classes and
put theirs behind it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_models.backbones import build, fetch
from ferc_models.options import choice
from ferc_models.recipe import Recipe

TINY = "swinv2_tiny_window8_256"  # embed 96, depths 2 2 6 2, heads 3 6 12 24, patches of 4 pixels
# Small enough for faces of 64 pixels on a laptop's CPU; our own.
MINI = {"embed_dim": 24, "depths": (1, 2, 1, 1), "num_heads": (1, 2, 4, 8)}
IMAGENET = 1000  # classes of the backbone's own classifier

STAGES = 4
STRIDE = 32  # pixels that one place of the last stage covers; 16, 8 and 4 in those before
LARGEST = 512  # image size that the advice names; any other that fits is taken, too
# Sides of an attention window, the first that fits is taken: tiny had 8 in its own training, and
# 4 gives mini shifted windows on images of 64 pixels.
WINDOWS = {"tiny": (8, 7, 6, 5), "mini": (4, 7, 6, 5)}
PRETRAINED_WINDOW = 8  # to which tiny's position bias is scaled, whatever the window (section 3.3)


class SwinNetwork(nn.Module):
    """A Swin Transformer V2 and a linear classifier behind it.

    backbone: a name of timm that starts with "swin" is taken as it is; for any other this is the
    tiny SwinV2, with the attention window that fits the images.
    head: "pooled" puts the classifier behind the pooled features, "imagenet" behind the logits of
    the backbone's own 1000 classes, as the authors of FER-C do.
    size: "tiny" or, of the SwinV2 alone, "mini", with 0.7 million parameters.

    Raises `RequestError` for an impossible option or image size, and `RunError` when pretrained
    weights cannot be fetched.
    """

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        image_size: int,
        *,
        pretrained: bool = False,
        head: str = "pooled",
        size: str = "tiny",
    ) -> None:
        super().__init__()
        pooled = choice("head", head, ("pooled", "imagenet")) == "pooled"
        size = choice("size", size, WINDOWS)
        if size == "mini" and pretrained:
            raise RequestError("there are no pretrained weights for size=mini: use size=tiny")
        name = backbone if backbone.startswith("swin") else TINY
        options = shape_options(name, image_size, size) | {"num_classes": 0 if pooled else IMAGENET}
        self.backbone, (width,) = build(name, image_size, **options)
        if pretrained:
            self.backbone = fetch(name, image_size, **options)
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, K] for normalised images [B, 3, S, S]."""
        return self.head(self.backbone(images))


def shape_options(name: str, image_size: int, size: str) -> dict[str, Any]:
    """Return what timm must be told to build a backbone for the images: size and windows."""
    if name.partition(".")[0] != TINY:
        if size == "mini":
            raise RequestError(f"size=mini is for {TINY!r} alone: leave it out with {name!r}")
        return {}
    return {
        "window_size": window(image_size, WINDOWS[size]),
        "pretrained_window_sizes": (PRETRAINED_WINDOW,) * STAGES,
        **(MINI if size == "mini" else {}),
    }


def window(image_size: int, sides: tuple[int, ...]) -> int:
    """Return the first of the window sides that fits, or raise `RequestError`."""
    fitting = [side for side in sides if fits(side, image_size)]
    if not fitting:
        sizes = [s for s in range(STRIDE, LARGEST + 1, STRIDE) if any(fits(w, s) for w in sides)]
        raise RequestError(
            f"no attention window of swinv2_t fits images of {image_size}x{image_size}: use an "
            f"image size of {', '.join(map(str, sizes))}"
        )
    return fitting[0]


def fits(side: int, image_size: int) -> bool:
    """Say whether windows of a side tile the feature grids of all stages.

    A grid that is smaller than a window is one window.
    """
    last, left_over = divmod(image_size, STRIDE)
    grids = [last * 2**i for i in range(STAGES)]
    return last > 0 and left_over == 0 and all(grid % min(side, grid) == 0 for grid in grids)


RECIPE = Recipe("swinv2_t", SwinNetwork)
fit, load = RECIPE.fit, RECIPE.load
