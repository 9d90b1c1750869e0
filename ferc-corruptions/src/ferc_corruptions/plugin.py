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
    ("noise", "noise", "gaussian_noise", "Normal noise of one strength on every value."),
    ("noise", "noise", "shot_noise", "Poisson noise, as from few photons."),
    ("noise", "noise", "impulse_noise", "Single values turned black or white."),
    ("noise", "noise", "speckle_noise", "Normal noise in proportion to every value."),
    ("blur", "blur", "motion_blur", "Smeared along a line, as by a moving camera."),
    ("blur", "blur", "defocus_blur", "Blurred with a disk, as by a lens out of focus."),
    ("blur", "blur", "glass_blur", "Pixels in each other's place, as behind frosted glass."),
    ("blur", "blur", "zoom_blur", "Averaged with enlargements of the middle."),
    ("blur", "blur", "gaussian_blur", "Blurred with a Gaussian."),
    ("weather", "weather", "snow", "Slanted flakes over a paler image."),
    ("digital", "digital", "brightness", "A higher value of every pixel, hue and saturation kept."),
    ("digital", "digital", "contrast", "All values drawn towards the mean."),
    ("digital", "elastic", "elastic_transform", "Stretched and squeezed locally."),
    ("digital", "digital", "pixelate", "Shrunk, and enlarged to blocks."),
    ("digital", "digital", "jpeg_compression", "Compressed as JPEG."),
    ("digital", "weather", "spatter", "Splashed with water or mud."),
    ("digital", "digital", "saturate", "Less or more saturation, hue and value kept."),
)

EXTRAS = (
    ("weather", "extras", "fog", "A cloudy veil."),
    ("weather", "extras", "frost", "A photograph of frost laid over; needs the extra [frost]."),
)

VISIBILITIES: tuple[tuple[str, Literal["average", "image"], str, str], ...] = (
    ("l2", "average", "Root mean squared difference.", "FER-C, eq. 9"),
    ("ssim", "average", "One minus structural similarity.", "Wang et al. 2004, eqs 13-17"),
    ("psnr", "average", "Decibels of peak signal-to-noise ratio lost.", "10 log10(1 + MSE)"),
    (
        "l2-uint8",
        "image",
        "Mean square in wrap-around 8-bit arithmetic, as in the published labels.",
        "FER-C, released labels",
    ),
)


@hookimpl
def register_corruptions(register: Callable[[Corruption], None]) -> None:
    """The 17 corruptions of FER-C; fog and frost beside them."""
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
    """How much of an image is lost: L2, SSIM, PSNR and the published arithmetic."""
    for name, scope, summary, source in VISIBILITIES:
        function = f"ferc_corruptions.visibility:{name.replace('-', '_')}"
        prepare = "ferc_corruptions.visibility:planes" if name == "ssim" else None
        register(
            Visibility(name, function, summary=summary, source=source, scope=scope, prepare=prepare)
        )
