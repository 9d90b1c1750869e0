"""Write the images and the table of docs/corruptions.md, from the toy faces.

    python docs/make_corruption_pages.py

images/corruptions.png  the 17 corruptions at severity 5 (paper, Fig. 2)
images/severities.jpg   all severities of each, as `ferc corrupt` shows them
images/visibility.png   average visibility of every cell, and softening curves (paper, Fig. 4)
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from ferc_core import open_dataset, registry
from ferc_core.base.parallel import threads
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
EXPONENTS = (1, 2, 4, 8)

COLOURS = {"noise": "#b5533c", "blur": "#3a6ea5", "weather": "#6b8e4e", "digital": "#7d5a96"}
SEVERITY_COLOURS = plt.get_cmap("YlOrRd")(np.linspace(0.25, 0.95, len(SEVERITIES)))
INK = "#222222"

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
    tile, gap, head, rim = 116, 6, 40, 4  # pixels
    across, down = tile + gap, tile + head + 8
    width, height = 9 * across - gap + 2 * rim, 2 * down + rim
    figure = plt.figure(figsize=(width / 100, height / 100), dpi=100)
    clean = FACES.read(SHOWN)
    blocks = [("clean", {"": clean})] + [
        (group, {name: images[Cell(name, 5)] for name in names})
        for group, names in BY_GROUP.items()
    ]
    rows = [[blocks[1], blocks[2]], [blocks[0], blocks[3], blocks[4]]]
    for i, row in enumerate(rows):
        column = 0
        for group, tiles in row:
            colour = COLOURS.get(group, INK)
            left, right = rim + column * across, rim + (column + len(tiles)) * across - gap
            top = height - rim - i * down
            figure.text(
                (left + 2) / width,
                (top - 12) / height,
                group.capitalize(),
                color=colour,
                fontsize=10,
                fontweight="bold",
                va="center",
            )
            line = np.array([[left, right], [top - 22, top - 22]]) / [[width], [height]]
            figure.add_artist(plt.Line2D(*line, color=colour, linewidth=1.5))
            for name, image in tiles.items():
                x, y = rim + column * across, top - head - tile
                axis = figure.add_axes((x / width, y / height, tile / width, tile / height))
                axis.imshow(resize(image, tile))
                axis.set_axis_off()
                axis.set_title(name.replace("_", " "), fontsize=8, pad=3, color=INK)
                column += 1
    figure.savefig(out, dpi=100)


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
    figure = plt.figure(figsize=(11, 5.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1))
    draw_ranking(left, decided, "l2, scope average, imagenet-c:\nwhat FER-C uses")
    draw_ranking(
        middle, published, "l2-uint8, scope image, tiny-imagenet-c:\nas behind the published labels"
    )
    middle.legend(title="severity", fontsize=8, title_fontsize=8, loc="lower right", frameon=False)
    draw_curves(right, decided)
    figure.savefig(out, dpi=100)


def draw_ranking(axis: Axes, visible: Visible, title: str) -> None:
    """Draw a dot for each cell; the corruptions from most to least visible."""
    order = sorted(visible, key=lambda name: visible[name].mean())
    for row, name in enumerate(order):
        axis.plot(visible[name][[0, -1]], (row, row), color="#dddddd", linewidth=1, zorder=1)
    for i, severity in enumerate(SEVERITIES):
        axis.scatter(
            [visible[name][i] for name in order],
            range(len(order)),
            s=26,
            zorder=2,
            color=SEVERITY_COLOURS[i],
            edgecolors=INK,
            linewidths=0.4,
            label=severity,
        )
    axis.set_yticks(range(len(order)), [name.replace("_", " ") for name in order], fontsize=8)
    for label, name in zip(axis.get_yticklabels(), order, strict=True):
        label.set_color(COLOURS[registry().corruptions[name].group])
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("visibility v")
    axis.set_xlim(-0.03, 1.03)
    plain(axis)


def draw_curves(axis: Axes, visible: Visible) -> None:
    """Draw what is left for the true class of a one-hot label, with some corruptions on it."""
    v = np.linspace(0, 1, 201)
    for exponent in EXPONENTS:
        chosen = exponent == SOFTENING_EXPONENT
        axis.plot(
            v,
            confidence(v, exponent),
            color=INK if chosen else "#aaaaaa",
            linewidth=2 if chosen else 1.2,
        )
        at = {1: 0.72, 2: 0.45, 4: 0.34, 8: 0.23}[exponent]
        axis.annotate(
            f"k = {exponent}",
            (at, confidence(np.array([at]), exponent)[0]),
            (-34, 0) if exponent == 8 else (4, -9),
            textcoords="offset points",
            fontsize=8,
            color=INK if chosen else "#777777",
        )
    for name in ("gaussian_blur", "spatter", "contrast", "speckle_noise", "brightness", "snow"):
        x = visible[name][-1:]
        y = confidence(x, SOFTENING_EXPONENT)
        colour = COLOURS[registry().corruptions[name].group]
        axis.scatter(x, y, color=colour, s=24, zorder=3)
        axis.annotate(
            name.replace("_", " "),
            (x[0], y[0]),
            (6, -9),
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )
    axis.axhline(1 / CLASSES, color="#aaaaaa", linewidth=0.8, linestyle=":")
    axis.set_title("softening for K = 8 classes:\n$p = 1 - (1 - 1/K)(1 - v)^k$", fontsize=10)
    axis.set_xlabel("visibility v")
    axis.set_ylabel("probability p of the true class")
    axis.set_xlim(-0.03, 1.12)
    axis.set_ylim(0, 1.03)
    plain(axis)


def confidence(visible: npt.NDArray[np.float64], exponent: float) -> npt.NDArray[np.float64]:
    """Return the softened label's probability of the true class of a one-hot label, [N]."""
    targets = np.eye(CLASSES)[np.zeros(len(visible), int)]
    return soften(targets, visible, exponent=exponent)[:, 0]


def plain(axis: Axes) -> None:
    """Take away what is not needed."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    axis.tick_params(labelsize=8)


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
