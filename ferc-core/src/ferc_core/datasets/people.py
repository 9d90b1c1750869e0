"""Persons: what stays the same in all pictures of somebody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferc_core.datasets.sketch import Colour

# Light to dark; the ten steps follow the idea of the Monk Skin Tone scale (2022), in our colours.
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
HAIRSTYLES = ("bald", "buzz", "crop", "side", "fringe", "long", "bob", "bun", "curls", "scarf")
DARK_TONES = 5  # from this skin on, hair and eyes are drawn from the dark colours only


@dataclass(frozen=True)
class Person:
    """Lengths are in head units (see `sketch`), shares are 0 to 1."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    clothes: Colour
    hairstyle: str
    width: float  # half width of the face
    jaw: float  # half width at the jaw's corner, relative to the face
    chin: float  # half width of the chin
    eye_distance: float  # from the middle of the face to an eye
    eye_size: float  # relative
    eye_tilt: float  # how much higher the outer corner is
    brow_weight: float  # relative
    brow_arch: float
    nose_width: float
    nose_length: float
    lip_fullness: float  # relative
    mouth_width: float  # half
    age: float
    freckles: bool
    glasses: bool
    lashes: bool
    beard: str  # "", "stubble", "moustache" or "full"


def draw_person(rng: np.random.Generator) -> Person:
    """Draw somebody."""
    tone = int(rng.integers(len(SKINS)))
    skin = SKINS[tone]
    age = float(rng.beta(1.0, 2.4))
    dark = tone >= DARK_TONES
    hair_choice = rng.integers(2 if dark else 7)
    hair = HAIRS[7 + rng.integers(2)] if rng.random() < age - 0.35 else HAIRS[hair_choice]
    iris = IRISES[rng.integers(2 if dark else len(IRISES))]
    feminine = rng.random() < 0.5
    hairstyle = str(
        rng.choice(
            ("long", "bob", "bun", "fringe", "curls", "side", "crop", "scarf")
            if feminine
            else ("crop", "side", "buzz", "curls", "bald", "crop", "fringe", "side")
        )
    )
    beard = "" if feminine else str(rng.choice(("", "", "", "stubble", "moustache", "full")))
    lip_tint = (196, 62, 74) if feminine and rng.random() < 0.5 else (178, 84, 80)
    lip_share = 0.62 if lip_tint[0] > 180 else 0.42
    lips = tuple(s + (t - s) * lip_share for s, t in zip(skin, lip_tint, strict=True))
    u = rng.random
    return Person(
        skin=skin,
        hair=hair,
        iris=iris,
        lips=(lips[0], lips[1], lips[2]),
        clothes=CLOTHES[rng.integers(len(CLOTHES))],
        hairstyle=hairstyle,
        width=0.74 + 0.09 * u(),
        jaw=(0.72 if feminine else 0.77) + 0.09 * u(),
        chin=(0.22 if feminine else 0.27) + 0.09 * u(),
        eye_distance=0.335 + 0.05 * u(),
        eye_size=0.90 + 0.24 * u(),
        eye_tilt=-0.01 + 0.04 * u(),
        brow_weight=(0.75 if feminine else 1.0) + 0.45 * u(),
        brow_arch=0.4 + 0.6 * u(),
        nose_width=0.12 + 0.07 * u(),
        nose_length=0.25 + 0.07 * u(),
        lip_fullness=0.8 + 0.5 * u(),
        mouth_width=0.30 + 0.06 * u(),
        age=age,
        freckles=bool(tone < DARK_TONES and u() < 0.2),
        glasses=bool(u() < 0.16),
        lashes=bool(feminine),
        beard=beard,
    )
