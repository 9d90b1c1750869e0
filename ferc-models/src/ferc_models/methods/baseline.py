"""The method ``baseline``: a timm backbone with a linear classifier.

Source: FER-C, section 5.
"""

from __future__ import annotations

from ferc_models.backbones import create_network
from ferc_models.recipe import Recipe

RECIPE = Recipe("baseline", create_network)
fit, load = RECIPE.fit, RECIPE.load
