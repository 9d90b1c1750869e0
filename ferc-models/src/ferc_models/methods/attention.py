"""Class attention maps that must be consistent under mirroring, for eac and mek.

Source: Zhang et al. 2022, "Learn From All: Erasing Attention Consistency for Noisy Label Facial
Expression Recognition", arXiv:2207.10299, section 3; the attention map of a class is its class
activation map (Zhou et al. 2016, arXiv:1512.04150).
"""

from __future__ import annotations

from torch import Tensor, nn

from ferc_models.features import create_features, feature_shape
from ferc_models.precision import in_float32


class AttentionNetwork(nn.Module):
    """A backbone's feature maps, their mean over the image, and a linear classifier."""

    def __init__(
        self, backbone: str, num_classes: int, image_size: int, *, pretrained: bool = False
    ) -> None:
        super().__init__()
        self.backbone = create_features(backbone, image_size, pretrained=pretrained)
        channels, _, _ = feature_shape(self.backbone, image_size)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits [B, K] for normalised images [B, 3, S, S]."""
        return self.classify(self.backbone(images))

    def classify(self, features: Tensor) -> Tensor:
        """Return logits [B, K] for feature maps [B, C, h, w]."""
        return self.classifier(features.mean(dim=(2, 3)))

    def attention(self, features: Tensor) -> Tensor:
        """Return the attention maps [B, K, h, w] of feature maps [B, C, h, w].

        Map k is sum_c W_kc F_c, where W are the weights of the classifier. They are constants
        here: gradients of the maps reach the features, not the classifier.
        """
        return nn.functional.conv2d(features, self.classifier.weight.detach()[:, :, None, None])


def look_twice(network: AttentionNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
    """Pass images [B, 3, S, S] and their mirror images through the network.

    Returns the logits [B, K] of the unmirrored images, and the inconsistency of attention for each
    class, [B, K]: the mean over the map of (M(x) - mirrored M(mirrored x))^2, at least 0.
    """
    features = network.backbone(images)
    mirrored = network.backbone(images.flip(3))
    difference = differences(features, mirrored, network)
    return network.classify(features), difference


@in_float32
def differences(features: Tensor, mirrored: Tensor, network: AttentionNetwork) -> Tensor:
    """Return the inconsistency [B, K] of feature maps [B, C, h, w] and those of mirror images."""
    difference = network.attention(features) - network.attention(mirrored).flip(3)
    return difference.square().mean(dim=(2, 3))
