"""How a model that was trained elsewhere takes images, and what its outputs are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ferc_core.errors import RequestError
from ferc_core.images.io import opencv
from ferc_models.images import MEAN, STD, Images
from ferc_models.options import choice

SUM_TOLERANCE = 1e-3  # how far probabilities may be from a sum of 1

Floats = npt.NDArray[np.float32]

# (mean, standard deviation) of R, G, B: a value v in 0 .. 255 becomes (v - mean) / deviation
NORMALISATIONS = {
    "imagenet": ([255 * m for m in MEAN], [255 * s for s in STD]),
    "half": ([127.5], [127.5]),  # -1 .. 1
    "unit": ([0.0], [255.0]),  # 0 .. 1
    "raw": ([0.0], [1.0]),  # 0 .. 255
}
CHANNELS = {"rgb": 3, "bgr": 3, "grey": 1}
OUTPUTS = ("logits", "probs")


@dataclass(frozen=True)
class Convention:
    """The input and output of a model; raises `RequestError` for other words.

    normalise: imagenet (mean and standard deviation of ImageNet), half (-1 to 1), unit (0 to 1),
               raw (0 to 255), or "mean:deviation" in units of 0 to 255, one number for all
               channels or three of R, G, B, as in "122.8,117,104.3:255"; the statistics follow
               the colours, whatever their order
    channels:  rgb, bgr for models that take blue first, or grey: the luma of ITU-R BT.601, which
               OpenCV's RGB2GRAY computes
    output:    logits, or probs if a softmax is part of the model
    """

    normalise: str = "imagenet"
    channels: str = "rgb"
    output: str = "logits"

    def __post_init__(self) -> None:
        choice("channels", self.channels, CHANNELS)
        choice("output", self.output, OUTPUTS)
        mean, deviation = statistics(self.normalise)
        if self.channels == "grey" and len(mean) + len(deviation) > 2:
            raise RequestError(
                f"normalise={self.normalise} is for three channels; with channels=grey use half, "
                "unit, raw, or one mean and one deviation as in normalise=127.5:127.5"
            )

    def pixels(self, images: Images) -> Floats:
        """Return uint8 RGB images [B, S, S, 3] as the model takes them, [B, S, S, 3 or 1]."""
        if self.channels == "grey":
            cv2 = opencv()
            grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
            images = np.stack(grey)[..., None]
        mean, deviation = (np.array(part, np.float32) for part in statistics(self.normalise))
        pixels: Floats = (images.astype(np.float32) - mean) / deviation
        return pixels[..., ::-1] if self.channels == "bgr" else pixels

    def logits(self, values: Floats) -> Floats:
        """Return the model's outputs [B, K] as logits: the logarithms, if they are probabilities.

        A probability of 0 counts as the smallest normal float32. Raises `RequestError` if the
        model does not return probabilities although it should.
        """
        if self.output == "logits":
            return values
        if not are_probabilities(values):
            raise RequestError(
                "with output=probs the model must return probabilities that sum to 1; if it does "
                "not end with a softmax, use output=logits"
            )
        smallest = np.finfo(np.float32).tiny
        return np.log(np.maximum(values, smallest))


def statistics(normalise: str) -> tuple[list[float], list[float]]:
    """Return the means and the deviations, of all channels or of R, G, B.

    >>> statistics("122.8,117,104.3:255")
    ([122.8, 117.0, 104.3], [255.0])
    """
    if ":" not in normalise:
        return NORMALISATIONS[choice("normalise", normalise, NORMALISATIONS)]
    try:
        mean, deviation = ([float(x) for x in part.split(",")] for part in normalise.split(":"))
    except ValueError:
        mean, deviation = [], []
    finite = np.isfinite([*mean, *deviation]).all()
    if len(mean) not in (1, 3) or len(deviation) not in (1, 3) or not finite or min(deviation) <= 0:
        raise RequestError(
            "normalise must be mean:deviation in units of 0 to 255, one number or three on each "
            f"side, deviations above 0, as in normalise=127.5:127.5, not {normalise!r}"
        )
    return mean, deviation


def are_probabilities(values: Floats) -> bool:
    """Return whether all rows [B, K] are non-negative and sum to 1."""
    off = np.abs(values.sum(axis=1) - 1)
    return bool((values >= 0).all() and (off <= SUM_TOLERANCE).all())
