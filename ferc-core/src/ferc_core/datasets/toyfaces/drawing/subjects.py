"""Subjects: what is the same in all images of one subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ferc_core.datasets.toyfaces.drawing.sketch import Colour, mix

T = TypeVar("T")

# Light to dark; the ten steps are modelled on the Monk Skin Tone scale (2022), in our colours.
SKINS: tuple[Colour, ...] = (
    (246, 216, 196), (240, 204, 180), (234, 192, 160), (226, 176, 138), (208, 154, 114),
    (190, 138, 102), (170, 118, 86), (150, 102, 75), (132, 88, 66), (116, 78, 60),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (30, 26, 28), (48, 34, 28), (78, 50, 34), (112, 68, 40), (150, 74, 40),
    (206, 164, 98), (228, 198, 140), (150, 150, 154), (214, 214, 216),
)  # fmt: skip
IRISES: tuple[Colour, ...] = (
    (70, 42, 26), (98, 60, 32), (124, 92, 46), (84, 118, 74), (72, 122, 164), (104, 122, 136),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (64, 92, 134), (168, 74, 70), (76, 128, 104), (226, 180, 84), (108, 84, 138), (70, 74, 84),
    (226, 226, 222), (204, 122, 92), (88, 156, 172),
)  # fmt: skip
# Repeated names are more frequent.
WOMENS_HAIR = ("long", "bob", "bun", "fringe", "curls", "side", "crop", "scarf")
MENS_HAIR = ("crop", "crop", "side", "side", "buzz", "curls", "bald", "fringe")
MENS_BEARDS = ("", "", "", "stubble", "moustache", "full")
GREY = 7  # from this hair colour on
DARK_TONES = 5  # from this skin on, hair and eyes have dark colours only


@dataclass(frozen=True)
class Subject:
    """Lengths are in head units (see `sketch`); age is 0 to 1."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    clothes: Colour
    hairstyle: str
    beard: str  # "", "stubble", "moustache" or "full"
    lashes: bool
    age: float
    freckles: bool
    glasses: bool
    width: float  # half width of the face
    jaw: float  # half width at the jaw's corner, relative to the face
    chin: float  # half width of the chin
    eye_distance: float  # from the middle of the face to an eye
    eye_size: float  # relative
    eye_tilt: float  # how much higher the outer corner is
    brow_weight: float  # relative
    brow_arch: float  # relative
    nose_width: float  # half
    nose_length: float  # from the middle of the face
    lip_fullness: float  # relative
    mouth_width: float  # half


def random_subject(rng: np.random.Generator) -> Subject:
    """Return a subject whose hair, beard and lips roughly match each other and the skin."""
    u = rng.random
    tone = rng.integers(len(SKINS))
    skin, dark = SKINS[tone], tone >= DARK_TONES
    age = float(rng.beta(1.0, 2.4))
    grey = u() < age - 0.35
    woman = u() < 0.5
    painted = woman and u() < 0.5
    return Subject(
        skin=skin,
        hair=pick(HAIRS[GREY:] if grey else HAIRS[: 2 if dark else GREY], rng),
        iris=pick(IRISES[: 2 if dark else None], rng),
        lips=mix(skin, (196, 62, 74), 0.62) if painted else mix(skin, (178, 84, 80), 0.42),
        clothes=pick(CLOTHES, rng),
        hairstyle=pick(WOMENS_HAIR if woman else MENS_HAIR, rng),
        beard="" if woman else pick(MENS_BEARDS, rng),
        lashes=woman,
        age=age,
        freckles=u() < 0.2 and not dark,
        glasses=u() < 0.16,
        width=0.74 + 0.09 * u(),
        jaw=(0.72 if woman else 0.77) + 0.09 * u(),
        chin=(0.22 if woman else 0.27) + 0.09 * u(),
        eye_distance=0.335 + 0.05 * u(),
        eye_size=0.90 + 0.24 * u(),
        eye_tilt=-0.01 + 0.04 * u(),
        brow_weight=(0.75 if woman else 1.0) + 0.45 * u(),
        brow_arch=0.4 + 0.6 * u(),
        nose_width=0.12 + 0.07 * u(),
        nose_length=0.25 + 0.07 * u(),
        lip_fullness=0.8 + 0.5 * u(),
        mouth_width=0.30 + 0.06 * u(),
    )


def pick(choices: Sequence[T], rng: np.random.Generator) -> T:
    """Return one of ``choices``."""
    return choices[int(rng.integers(len(choices)))]
