"""What this package registers: 19 corruptions and four visibility functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ferc_core import hookimpl
from ferc_core.spec import Corruption, Visibility

SOURCE = "Hendrycks & Dietterich 2019, arXiv:1903.12261; FER-C, appendix A.2"
BOTH_TABLES = ("imagenet-c", "tiny-imagenet-c")

# group, module, name, summary; the 17 of FER-C
BENCHMARK = (
    ("noise", "noise", "gaussian_noise", "Gaussian noise of constant strength."),
    ("noise", "noise", "shot_noise", "Poisson noise, as in low light."),
    ("noise", "noise", "impulse_noise", "Random values set to black or white."),
    ("noise", "noise", "speckle_noise", "Gaussian noise proportional to each value."),
    ("blur", "blur", "motion_blur", "Blur along a line, as from a moving camera."),
    ("blur", "blur", "defocus_blur", "Blur with a disk, as from a lens out of focus."),
    ("blur", "blur", "glass_blur", "Pixels displaced locally, as behind frosted glass."),
    ("blur", "blur", "zoom_blur", "Average of the image and enlargements of its centre."),
    ("blur", "blur", "gaussian_blur", "Blur with a Gaussian."),
    ("weather", "weather", "snow", "Slanted flakes over a paler image."),
    ("digital", "digital", "brightness", "Higher HSV value; hue and saturation unchanged."),
    ("digital", "digital", "contrast", "All values moved towards their mean."),
    ("digital", "elastic", "elastic_transform", "Local stretching and squeezing."),
    ("digital", "digital", "pixelate", "Reduced, then enlarged to blocks."),
    ("digital", "digital", "jpeg_compression", "JPEG compression."),
    ("digital", "weather", "spatter", "Splashes of water or mud."),
    (
        "digital",
        "digital",
        "saturate",
        "Lower or higher saturation; severities 1 to 3 leave grey images unchanged.",
    ),
)

EXTRAS = (
    ("weather", "extras", "fog", "A layer of cloud."),
    ("weather", "extras", "frost", "A photograph of frost overlaid; needs the extra [frost]."),
)

VISIBILITIES: tuple[tuple[str, Literal["average", "image"], str, str], ...] = (
    ("l2", "average", "Root mean squared difference.", "FER-C, eq. 9"),
    ("ssim", "average", "One minus structural similarity.", "Wang et al. 2004, eqs 13-17"),
    ("psnr", "average", "Loss of peak signal-to-noise ratio in decibels.", "10 log10(1 + MSE)"),
    (
        "l2-uint8",
        "image",
        "Mean square in wrapping 8-bit arithmetic, as behind the published labels.",
        "FER-C, released labels",
    ),
)


@hookimpl
def register_corruptions(register: Callable[[Corruption], None]) -> None:
    """The 17 corruptions of FER-C, and fog and frost."""
    for rows, in_benchmark in ((BENCHMARK, True), (EXTRAS, False)):
        for group, module, name, summary in rows:
            register(
                Corruption(
                    name,
                    f"ferc_corruptions.{module}:{name}",
                    summary=summary,
                    source=SOURCE,
                    group=group,
                    in_benchmark=in_benchmark,
                    severity_tables=BOTH_TABLES if in_benchmark else (),
                )
            )


@hookimpl
def register_visibilities(register: Callable[[Visibility], None]) -> None:
    """How much a corruption degrades an image: L2, SSIM, PSNR and the published arithmetic."""
    for name, scope, summary, source in VISIBILITIES:
        function = f"ferc_corruptions.visibility:{name.replace('-', '_')}"
        prepare = "ferc_corruptions.visibility:windows" if name == "ssim" else None
        register(
            Visibility(name, function, summary=summary, source=source, scope=scope, prepare=prepare)
        )
