"""Eight expressions as facial action units, and their valence and arousal.

Action units (AU) are the movements of the Facial Action Coding System (Ekman & Friesen 1978;
Ekman, Friesen & Hager 2002). The prototypes below follow its Investigator's Guide (EMFACS); the
intensities are ours, chosen so that a small drawing can be read.

    1 inner brow raised    9 nose wrinkled           17 chin raised     26 jaw dropped
    2 outer brow raised   10 upper lip raised        19 tongue shown    43 eyes closing
    4 brows lowered       12 lip corners pulled up   20 lips stretched
    5 upper lid raised    14 lip corners tightened   23 lips tightened
    6 cheeks raised       15 lip corners down        24 lips pressed
    7 lids tightened      16 lower lip down          25 lips apart
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

AUs: TypeAlias = Mapping[int, float]

CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")

# Action units of the full expression; each image shows one of its class's variants.
PROTOTYPES: Mapping[str, tuple[Mapping[int, float], ...]] = {
    "neutral": ({},),
    "happy": (
        {6: 0.8, 12: 1.0, 25: 0.9, 26: 0.35},
        {6: 0.9, 12: 1.0, 25: 0.6},
        {6: 0.7, 12: 1.0},
    ),
    "sad": (
        {1: 1.0, 4: 0.5, 15: 1.0, 43: 0.2},
        {1: 1.0, 4: 0.6, 15: 0.9, 17: 0.8, 43: 0.1},
    ),
    "surprise": (
        {1: 1.0, 2: 1.0, 5: 0.9, 25: 0.5, 26: 0.9},
        {1: 1.0, 2: 1.0, 5: 1.0, 25: 0.3, 26: 0.6},
    ),
    "fear": (
        {1: 1.0, 2: 0.5, 4: 0.7, 5: 1.0, 20: 1.0, 25: 0.9},
        {1: 1.0, 2: 0.4, 4: 0.8, 5: 1.0, 20: 0.9, 25: 0.8, 26: 0.35},
    ),
    "disgust": (
        {4: 0.5, 6: 0.4, 7: 0.7, 9: 1.0, 10: 1.0, 15: 0.5, 25: 0.8},
        {4: 0.5, 6: 0.4, 7: 0.8, 9: 1.0, 10: 0.7, 15: 0.6, 19: 1.0, 25: 0.6, 26: 0.25},
        {4: 0.4, 6: 0.3, 7: 0.7, 9: 1.0, 10: 0.6, 15: 0.8, 17: 0.8},
    ),
    "anger": (
        {4: 1.0, 5: 0.5, 7: 0.5, 17: 0.5, 23: 0.7, 24: 1.0},
        {4: 1.0, 5: 0.6, 7: 0.4, 10: 0.3, 16: 0.5, 20: 0.2, 23: 0.4, 25: 1.0},
    ),
    # One side only (see ONE_SIDED), with half-closed lids, as if looking down on the viewer.
    "contempt": (
        {2: 0.9, 12: 0.9, 14: 1.0, 43: 0.35},
        {12: 1.0, 14: 1.0, 43: 0.4},
    ),
}

# These units of contempt appear on one side of the face.
ONE_SIDED = (2, 12, 14)

# Valence and arousal of the full expression: our reading of the circumplex (Russell 1980), close
# to the means of AffectNet's annotations (Mollahosseini et al. 2017, fig. 6).
FULL_VA: Mapping[str, tuple[float, float]] = {
    "neutral": (0.00, 0.00),
    "happy": (0.90, 0.35),
    "sad": (-0.85, -0.45),
    "surprise": (0.25, 0.95),
    "fear": (-0.30, 0.98),
    "disgust": (-0.90, 0.40),
    "anger": (-0.65, 0.85),
    "contempt": (-0.70, 0.15),
}

UNITS = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 16, 17, 19, 20, 23, 24, 25, 26, 43)

INTENSITY = (0.2, 1.0)  # the weakest and the strongest expression drawn
INTENSITY_SHAPE = (1.6, 1.0)  # of the beta distribution between them
VA_SPREAD = 0.09  # standard deviation of valence and arousal around intensity * FULL_VA
AU_SPREAD = 0.15  # relative standard deviation of each action unit
TWITCH = 0.08  # standard deviation of movements unrelated to the expression
TWITCHING = (1, 2, 4, 5, 7, 12, 15, 17, 43)  # the units that make them
TEAR = 0.6  # a sad face weeps when its intensity times a uniform draw exceeds this
GAZE = 0.15  # standard deviation of where the eyes look; 1 is as far as they go


@dataclass(frozen=True)
class Emotion:
    """What a face shows: class, intensity in (0, 1], valence and arousal in [-1, 1]."""

    label: int
    intensity: float
    valence: float
    arousal: float


@dataclass(frozen=True)
class Expression:
    """Action units of the left and right half of the image, 0 (absent) to about 1 (full).

    ``gaze`` is where the eyes look, (right, down), each about -1 to 1.
    """

    left: AUs
    right: AUs
    gaze: tuple[float, float]
    tear: bool

    @cached_property
    def mean(self) -> AUs:
        """Action units of the whole face."""
        return {unit: (self.left[unit] + self.right[unit]) / 2 for unit in UNITS}


def random_emotion(label: int, rng: np.random.Generator) -> Emotion:
    """Return the intensity, valence and arousal of a face of this class.

    Valence and arousal scatter around ``intensity * FULL_VA``: weak expressions crowd around
    neutral, where the classes overlap, as they do in AffectNet.
    """
    low, high = INTENSITY
    intensity = low + (high - low) * rng.beta(*INTENSITY_SHAPE)
    centre = np.array(FULL_VA[CLASSES[label]])
    valence, arousal = np.clip(intensity * centre + VA_SPREAD * rng.standard_normal(2), -1, 1)
    return Emotion(label, float(intensity), float(valence), float(arousal))


def express(emotion: Emotion, rng: np.random.Generator) -> Expression:
    """Return the movements of a face with this emotion.

    The prototype is scaled by the intensity. Valence and arousal beyond those of the class move
    the lip corners and the eyelids, so that an image shows its own values, not its class's.
    """
    name = CLASSES[emotion.label]
    prototype = PROTOTYPES[name][rng.integers(len(PROTOTYPES[name]))]
    valence = emotion.valence - emotion.intensity * FULL_VA[name][0]
    arousal = emotion.arousal - emotion.intensity * FULL_VA[name][1]
    beside = {12: valence, 15: -valence, 5: arousal, 43: -arousal}
    scatter, twitch = rng.standard_normal((2, len(UNITS)))
    left = {
        unit: emotion.intensity * prototype.get(unit, 0.0) * (1 + AU_SPREAD * scatter[i])
        + max(0.0, beside.get(unit, 0.0))
        + (TWITCH * abs(twitch[i]) if unit in TWITCHING else 0.0)
        for i, unit in enumerate(UNITS)
    }
    right = dict(left)
    if name == "contempt":
        relaxed = (left, right)[rng.integers(2)]
        relaxed.update(dict.fromkeys(ONE_SIDED, 0.0))
    across, down = GAZE * rng.standard_normal(2)
    tear = name == "sad" and emotion.intensity * rng.random() > TEAR
    return Expression(left, right, gaze=(across, down), tear=tear)
