"""The method ``swinv2_t``: a Swin Transformer V2 with a linear classifier.

Source: Liu et al. 2022, arXiv:2111.09883; FER-C, section 5. The default is a linear classifier on
the pooled features; the authors of FER-C keep the classifier of ImageNet's 1000 classes and put
theirs behind it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ferc_core.errors import RequestError
from ferc_models.backbones import build, fetch
from ferc_models.options import choice
from ferc_models.recipe import Recipe

TINY = "swinv2_tiny_window8_256"  # embed 96, depths 2 2 6 2, heads 3 6 12 24, patches of 4 pixels
# FER-C's: small enough for faces of 64 pixels on a laptop's CPU.
MINI = {"embed_dim": 24, "depths": (1, 2, 1, 1), "num_heads": (1, 2, 4, 8)}
IMAGENET = 1000  # classes of the backbone's own classifier

STAGES = 4
STRIDE = 32  # pixels per position of the last stage; 16, 8 and 4 in the stages before
LARGEST = 512  # image size that messages suggest; larger ones that fit are accepted
# Sides of an attention window; the first that fits is used. Tiny was pretrained with 8, and 4 gives
# mini shifted windows on images of 64 pixels.
WINDOWS = {"tiny": (8, 7, 6, 5), "mini": (4, 7, 6, 5)}
PRETRAINED_WINDOW = 8  # to which tiny's position bias is scaled for any window (section 3.3)


class SwinNetwork(nn.Module):
    """A Swin Transformer V2 and a linear classifier behind it.

    backbone: a name of timm that starts with "swin"; the tiny SwinV2 gets the attention window that
    fits the images.
    head: "pooled" puts the classifier on the pooled features, "imagenet" on the logits of the
    backbone's own 1000 classes, as the authors of FER-C do.
    size: "tiny" or, for the tiny SwinV2 alone, "mini", with 0.7 million parameters.

    Raises `RequestError` for another backbone and an impossible option or image size, and
    `RunError` if pretrained weights cannot be fetched.
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
            raise RequestError("there are no pretrained weights for size=mini; use size=tiny")
        if not backbone.startswith("swin"):
            raise RequestError(
                f"method 'swinv2_t' needs a Swin transformer, which backbone {backbone!r} is not; "
                f"leave the backbone out for {TINY!r}, or use the method 'baseline'"
            )
        options = shape_options(backbone, image_size, size)
        options["num_classes"] = 0 if pooled else IMAGENET
        self.backbone, (width,) = build(backbone, image_size, **options)
        if pretrained:
            self.backbone = fetch(backbone, image_size, **options)
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, K] for normalised images [B, 3, S, S]."""
        return self.head(self.backbone(images))


def shape_options(name: str, image_size: int, size: str) -> dict[str, Any]:
    """Return timm's options for the size and the windows of a backbone."""
    if name.partition(".")[0] != TINY:
        if size == "mini":
            raise RequestError(f"size=mini is for {TINY!r} alone; leave it out with {name!r}")
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
            f"no attention window of swinv2_t fits images of {image_size}x{image_size}; use an "
            f"image size of {', '.join(map(str, sizes))}"
        )
    return fitting[0]


def fits(side: int, image_size: int) -> bool:
    """Return whether windows of a side tile the feature grids of all stages.

    A grid that is smaller than a window becomes one window.
    """
    last, left_over = divmod(image_size, STRIDE)
    grids = [last * 2**i for i in range(STAGES)]
    return last > 0 and left_over == 0 and all(grid % min(side, grid) == 0 for grid in grids)


RECIPE = Recipe("swinv2_t", SwinNetwork, backbone=TINY)
fit, load = RECIPE.fit, RECIPE.load
