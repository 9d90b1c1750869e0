"""A corruption of your own: one file, no packaging.

    ferc run --plugin examples/my_corruption.py --corruption censor_bar --corruption snow

A corruption is a function of an image, a severity and a random generator. It must not change the
image that it is given, and must draw every random number from the generator, so that an image is
the same whenever and wherever it is made.
"""

import numpy as np

from ferc_core import Corruption, hookimpl

HEIGHTS = (0.06, 0.1, 0.14, 0.18, 0.24)  # of the bar, as a fraction of the image


def censor_bar(image: np.ndarray, severity: int, rng: np.random.Generator) -> np.ndarray:
    """Hide the eyes behind a black bar near the middle of the image."""
    height = image.shape[0]
    thick = max(1, round(HEIGHTS[severity - 1] * height))
    top = round(height * (0.4 + rng.uniform(-0.05, 0.05)) - thick / 2)
    covered = image.copy()
    covered[top : top + thick] = 0
    return covered


@hookimpl
def register_corruptions(register):
    register(
        Corruption("censor_bar", censor_bar, summary="A bar over the eyes.", group="occlusion")
    )
