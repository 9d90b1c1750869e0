"""Write the images and the table of docs/corruptions.md, from the toy faces.

    python docs/make_corruption_pages.py

images/corruptions.png  the 17 corruptions at severity 5 (paper, Fig. 2)
images/severities.jpg   all severities of each, as `ferc corrupt` shows them
images/visibility.png   average visibility of every cell, and softening curves (paper, Fig. 4)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import altair as alt
import cv2
import numpy as np
import numpy.typing as npt
import polars as pl

from ferc_core import open_dataset, registry
from ferc_core.base.parallel import threads
from ferc_core.drawing import theme
from ferc_core.drawing.tiles import tile
from ferc_core.images.io import resize
from ferc_core.images.store import ImageStore
from ferc_core.labels.schemes import SOFTENING_EXPONENT, soften
from ferc_core.labels.visibility import measure, normalise, sample_rows
from ferc_core.spec import SEVERITIES
from ferc_core.suite.cells import Cell, cells
from ferc_core.suite.corrupt import Corruptor, Suite
from ferc_core.suite.gallery import GROUPS, chosen_corruptions, contact_sheet

DOCS = Path(__file__).parent
IMAGES, PAGE = DOCS / "images", DOCS / "corruptions.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"

SIDE = 224  # as in the paper; the strengths of blurs are in pixels
SHOWN = 41  # row of the test split
SMALL = 84  # tiles of severities.jpg
CLASSES = 8
NAMED_AT = {1: 0.46, 2: 0.45, 4: 0.26, 8: 0.1}  # exponents, and where their curves are named
MARKED = ("gaussian_blur", "spatter", "contrast", "speckle_noise", "brightness", "snow")

COLOURS = {"noise": "#b5533c", "blur": "#3a6ea5", "weather": "#6b8e4e", "digital": "#7d5a96"}
SCALE = 1.2  # of pixels
TILE, GAP, APART = 100, 6, 20  # of corruptions.png: a tile, to the next one, between groups
PANEL = 270  # of visibility.png

Image = npt.NDArray[np.uint8]
Visible = dict[str, npt.NDArray[np.float64]]  # by corruption, one value for each severity

FACES = open_dataset("toyfaces", size=SIDE).splits["test"]
CORRUPTIONS = chosen_corruptions(())  # those of the benchmark, group by group
CELLS = cells(CORRUPTIONS)
BY_GROUP = {
    group: [name for name, chosen in CORRUPTIONS.items() if chosen.entry.group == group]
    for group in GROUPS
}


def variants() -> dict[Cell, Image]:
    """Return one toy face in all corrupted cells."""
    corruptor = Corruptor("toyfaces", CORRUPTIONS, "imagenet-c", 0)
    return {cell: corruptor.one(FACES.read(SHOWN), FACES.ids[SHOWN], cell) for cell in CELLS}


def draw_corruptions(images: dict[Cell, Image], out: Path) -> None:
    """Draw each corruption at its highest severity, by groups; two rows of nine."""
    clean = block("clean", {" ": FACES.read(SHOWN)})
    noise, blur, weather, digital = (
        block(group, {name: images[Cell(name, 5)] for name in names})
        for group, names in BY_GROUP.items()
    )
    above = alt.hconcat(noise, blur, spacing=2 * APART - GAP)  # as wide as the row below
    below = alt.hconcat(clean, weather, digital, spacing=APART)
    theme.themed(alt.vconcat(above, below, spacing=16)).save(out, scale_factor=SCALE)


def block(group: str, tiles: dict[str, Image]) -> alt.HConcatChart:
    """Return the tiles of a group under its name."""
    shown = [
        tile(resize(image, round(TILE * SCALE)), TILE).properties(
            title=alt.TitleParams(name.replace("_", " "), fontSize=11, fontWeight="normal")
        )
        for name, image in tiles.items()
    ]
    title = alt.TitleParams(group.capitalize(), color=COLOURS.get(group, theme.INK), fontSize=14)
    return alt.hconcat(*shown, spacing=GAP).properties(title=title)


def draw_severities(images: dict[Cell, Image], out: Path) -> None:
    """Draw the contact sheet of all cells."""
    tiles = {cell: resize(image, SMALL) for cell, image in images.items()}
    sheet = contact_sheet(resize(FACES.read(SHOWN), SMALL), tiles, CORRUPTIONS)
    full_colour = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, 88, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, full_colour]
    cv2.imwrite(str(out), sheet[..., ::-1], options)


def visibilities(function: str, table: str) -> Visible:
    """Return the mean visibility of every cell over a hundred toy faces."""
    entry = registry().visibilities[function]
    corruptor = Corruptor("toyfaces", CORRUPTIONS, table, 0)
    everyone = Suite(ImageStore(FACES, SIDE), corruptor, threads, os.cpu_count() or 1)
    suite = everyone.take(sample_rows(everyone.ids, "average"))
    degradation = measure(suite, CELLS, entry.against)
    visible = normalise(degradation, np.ones(len(CELLS), bool), entry.scope).mean(axis=0)
    return dict(zip(CORRUPTIONS, visible.reshape(len(CORRUPTIONS), -1), strict=True))


def draw_visibility(decided: Visible, published: Visible, out: Path) -> None:
    """Draw both rankings of the corruptions, and the softening curves."""
    panels = (
        ranking(decided, ["l2, scope average, imagenet-c:", "what FER-C uses"]),
        ranking(
            published,
            ["l2-uint8, scope image, tiny-imagenet-c:", "as behind the published labels"],
        ),
        curves(decided),
    )
    theme.themed(alt.hconcat(*panels)).save(out, scale_factor=SCALE)


def ranking(visible: Visible, title: list[str]) -> alt.LayerChart:
    """Return a dot for each cell; the corruptions from most to least visible."""
    order = sorted(visible, key=lambda name: visible[name].mean(), reverse=True)
    frame = pl.DataFrame({"corruption": order, "v": [visible[name] for name in order]})
    frame = frame.with_columns(severity=pl.lit(list(SEVERITIES))).explode("severity", "v")
    by_group = [
        {"test": f"indexof({names}, datum.value) >= 0", "value": COLOURS[group]}
        for group, names in BY_GROUP.items()
    ]
    axis = alt.Axis(
        title=None,
        labelColor={"condition": by_group, "value": theme.INK},
        labelExpr="replace(datum.label, '_', ' ')",
        grid=False,
    )
    base = alt.Chart(frame).encode(
        x=alt.X("v:Q", title="visibility v", scale=alt.Scale(domain=[0, 1])),
        y=alt.Y("corruption:N", sort=order, axis=axis),
    )
    legend = alt.Legend(
        title="severity", orient="bottom", titleOrient="left", symbolStrokeWidth=0.4
    )
    colour = alt.Color("severity:O", scale=alt.Scale(scheme="yelloworangered"), legend=legend)
    dots = base.mark_circle(size=50, opacity=1, stroke=theme.INK, strokeWidth=0.4)
    return alt.layer(
        base.mark_line(color="#dddddd").encode(detail="corruption:N"), dots.encode(color=colour)
    ).properties(title=title, width=PANEL, height=PANEL)


def curves(visible: Visible) -> alt.LayerChart:
    """Return what is left for the true class of a one-hot label, with some corruptions on it."""
    shades = {k: theme.INK if k == SOFTENING_EXPONENT else theme.FAINT for k in NAMED_AT}
    whole = np.linspace(0, 1, 101)
    lines = on_curves((f"k = {k}", shades[k], k, v) for k in NAMED_AT for v in whole)
    names = on_curves((f"k = {k}", shades[k], k, v) for k, v in NAMED_AT.items())
    dots = on_curves(
        (
            name.replace("_", " "),
            COLOURS[registry().corruptions[name].group],
            SOFTENING_EXPONENT,
            visible[name][-1],
        )
        for name in MARKED
    )
    floor = alt.Chart().mark_rule(color=theme.FAINT, strokeDash=[2, 2])
    layers = (
        floor.encode(y=alt.datum(1 / CLASSES)),
        lines.mark_line(),
        told(names),
        dots.mark_circle(size=60, opacity=1),
        told(dots, align="left", dx=7, dy=9),
    )
    title = [f"softening for K = {CLASSES} classes:", "p = 1 - (1 - 1/K)(1 - v)^k"]
    return alt.layer(*layers).properties(title=title, width=PANEL, height=PANEL)


def on_curves(points: Iterable[tuple[str, str, int, float]]) -> alt.Chart:
    """Return a chart of names and colours on the curves of exponents, at visibilities."""
    rows = [(name, colour, float(v), confidence(v, k)) for name, colour, k, v in points]
    frame = pl.DataFrame(rows, schema=["name", "colour", "v", "p"], orient="row")
    p = alt.Y("p:Q", title="probability p of the true class", scale=alt.Scale(domain=[0, 1.05]))
    return alt.Chart(frame).encode(
        x=alt.X("v:Q", title="visibility v", scale=alt.Scale(domain=[0, 1.15])),
        y=p,
        color=alt.Color("colour:N", scale=None),
        detail="name:N",
    )


def told(points: alt.Chart, **place: Any) -> alt.LayerChart:
    """Return the names of points, with a white rim."""
    rim = points.mark_text(stroke="white", strokeWidth=4, **place).encode(color=alt.value("white"))
    return (rim + points.mark_text(**place)).encode(text="name:N")


def confidence(visible: float, exponent: float) -> float:
    """Return the softened label's probability of the true class of a one-hot label."""
    return float(soften(np.eye(CLASSES)[:1], np.array([visible]), exponent=exponent)[0, 0])


def table(visible: Visible) -> str:
    """Return the Markdown table of the corruptions."""
    lines = ["| corruption | what it does | v at severity 1 | 2 | 3 | 4 | 5 |", "|-|-|-|-|-|-|-|"]
    for group, names in BY_GROUP.items():
        lines.append(f"| **{group.capitalize()}** | | | | | | |")
        for name in names:
            values = " | ".join(f"{v:.2f}" for v in visible[name])
            lines.append(f"| `{name}` | {registry().corruptions[name].summary} | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Write everything."""
    IMAGES.mkdir(exist_ok=True)
    images = variants()
    draw_corruptions(images, IMAGES / "corruptions.png")
    draw_severities(images, IMAGES / "severities.jpg")
    decided = visibilities("l2", "imagenet-c")
    published = visibilities("l2-uint8", "tiny-imagenet-c")
    draw_visibility(decided, published, IMAGES / "visibility.png")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page = f"{before}{BEGIN}\n{table(decided)}\n{END}{after}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
