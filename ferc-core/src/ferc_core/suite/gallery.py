"""All variants of one image: as files, and side by side on a contact sheet.

An image by itself belongs to no dataset, so its variants have addresses of their own: the dataset
is ``image``, and the sample is the name of the file without its folder. The same pixels under the
same name give the same bytes, whatever else is made beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ferc_core.base.files import write_bytes
from ferc_core.base.parallel import threads
from ferc_core.base.progress import Advance, ignore
from ferc_core.base.seeds import slug
from ferc_core.base.text import shortened
from ferc_core.errors import RequestError, UnknownNameError
from ferc_core.images.io import opencv, read_image, resize
from ferc_core.images.png import encode
from ferc_core.plugins.host import registry
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Corruption, check_image
from ferc_core.suite.cells import Cell
from ferc_core.suite.corrupt import Corruptor

Image = npt.NDArray[np.uint8]

DATASET = "image"
SHEET = "contact-sheet.png"
GROUPS = ("noise", "blur", "weather", "digital")  # in the paper's order
WORKERS = 2  # at most: a photograph takes up to a gigabyte in each

# The sheet, in pixels. Text has OpenCV's scale, and colours are RGB.
TILE, GAP, MARGIN, HEADER = 160, 6, 16, 30
LABEL, LABEL_HEIGHT, LABEL_LENGTH = 170, 36, 24
NAME_SCALE, GROUP_SCALE = 0.48, 0.4
PAPER, INK, FAINT = (255, 255, 255), (34, 34, 34), (130, 130, 130)


def chosen_corruptions(texts: Sequence[str]) -> dict[str, Chosen[Corruption]]:
    """Return these corruptions, or the benchmark's group by group, by their canonical calls.

    Raises `RequestError` for an unknown corruption or option.
    """
    known = registry().corruptions
    if not texts:
        official = [c for c in known.values() if c.in_benchmark]
        if not official:
            raise RequestError(
                "no corruption of the benchmark is installed: pip install ferc-corruptions"
            )
        place = {group: i for i, group in enumerate(GROUPS)}
        official.sort(key=lambda c: place.get(c.group, len(GROUPS)))
        texts = [c.name for c in official]
    chosen = [known.choose(text) for text in texts]
    return {str(each): each for each in chosen}


def check_table(table: str) -> None:
    """Raise `UnknownNameError` unless some corruption has this severity table."""
    tables = {name for c in registry().corruptions.values() for name in c.severity_tables}
    if table not in tables:
        raise UnknownNameError("severity table", table, tables)


def open_image(path: Path, side: int = 0) -> Image:
    """Read an image file and resize it to ``side`` x ``side`` pixels, unless ``side`` is 0.

    Raises `RequestError` when there is no such file, and `BadImageError` when it is not an image
    or smaller than 32x32.
    """
    if not os.path.isfile(path):  # unlike Path.is_file, never raises
        raise RequestError(f"there is no image file {path}")
    image = read_image(path)
    check_image(image, f"image {path}")
    return resize(image, side) if side else image


def sample_id(path: Path) -> str:
    """Return the name of a file; bytes that are not valid text become replacement characters."""
    return os.fsencode(path.name).decode(errors="replace")


def check_target(image: Path, directory: Path, cells: Sequence[Cell]) -> None:
    """Raise `RequestError` where variants cannot be stored, or one would replace the image."""
    targets = (directory / SHEET, *(variant_path(directory, cell) for cell in cells))
    for folder in dict.fromkeys(parent for target in targets for parent in target.parents):
        if os.path.exists(folder) and not os.path.isdir(folder):
            raise RequestError(f"{folder} is a file, but the variants need a directory there")
    source = image.resolve()
    if any(source == target.resolve() for target in targets):
        raise RequestError(f"image {image} would be replaced; choose another folder")


def variant_path(directory: Path, cell: Cell) -> Path:
    """Return the path of a variant: ``directory/corruption/severity.png``."""
    return directory / slug(cell.corruption) / f"{cell.severity}.png"


def write_gallery(
    image: Image,
    sample: str,
    cells: Sequence[Cell],
    corruptor: Corruptor,
    directory: Path,
    advance: Advance = ignore,
) -> Path:
    """Write every variant of an image uint8 RGB [H, W, 3], and the sheet; return its path.

    Files of the same names are replaced, each whole or not at all; others are left alone. Raises
    `StoreError` when a file cannot be written.
    """

    def make(cell: Cell) -> Image:
        variant = corruptor.one(image, sample, cell)
        write_bytes(variant_path(directory, cell), encode(variant))
        return thumbnail(variant)

    tiles: dict[Cell, Image] = {}
    made = threads(make, cells, min(WORKERS, os.cpu_count() or 1))
    for cell, tile in zip(cells, made, strict=True):
        tiles[cell] = tile
        advance(1)
    write_bytes(
        directory / SHEET, encode(contact_sheet(thumbnail(image), tiles, corruptor.corruptions))
    )
    return directory / SHEET


def thumbnail(image: Image) -> Image:
    """Return an image with sides of at most 160 pixels, its aspect ratio kept.

    A small image is enlarged by a whole factor, so that each of its pixels stays one colour.
    """
    height, width = image.shape[:2]
    scale = TILE / max(height, width)
    if scale >= 1:
        return image.repeat(int(scale), axis=0).repeat(int(scale), axis=1)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    cv2 = opencv()
    small: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return small


def contact_sheet(
    clean: Image, tiles: Mapping[Cell, Image], chosen: Mapping[str, Chosen[Corruption]]
) -> Image:
    """Return the sheet, uint8 RGB: a row for each corruption, a column for each severity.

    All tiles have the size of the clean image, which is the first of every row.
    """
    corruptions = list(dict.fromkeys(cell.corruption for cell in tiles))
    severities = sorted({cell.severity for cell in tiles})
    height, width = clean.shape[:2]
    across, down = max(width, 2 * HEADER) + GAP, max(height, LABEL_HEIGHT) + GAP
    lefts = [MARGIN + LABEL + column * across for column in range(len(severities) + 1)]
    tops = [MARGIN + HEADER + row * down for row in range(len(corruptions))]
    shape = (tops[-1] + down - GAP + MARGIN, lefts[-1] + across - GAP + MARGIN, 3)
    sheet: Image = np.full(shape, PAPER, np.uint8)

    for left, title in zip(lefts, ["clean", *map(str, severities)], strict=True):
        write(sheet, title, left + width // 2, MARGIN + HEADER // 2, NAME_SCALE, INK, centre=True)
    write(sheet, "severity", MARGIN, MARGIN + HEADER // 2, GROUP_SCALE, FAINT)
    for top, name in zip(tops, corruptions, strict=True):
        group = chosen[name].entry.group
        middle = top + height // 2
        write(sheet, shortened(name, LABEL_LENGTH), MARGIN, middle - 8, NAME_SCALE, INK)
        write(sheet, group, MARGIN, middle + 12, GROUP_SCALE, FAINT)
        row = [clean, *(tiles[Cell(name, severity)] for severity in severities)]
        for left, tile in zip(lefts, row, strict=True):
            sheet[top : top + height, left : left + width] = tile
    return sheet


def write(
    sheet: Image,
    text: str,
    x: int,
    y: int,
    scale: float,
    colour: tuple[int, int, int],
    centre: bool = False,
) -> None:
    """Write a line into the sheet: its left end or its centre at ``x``, its middle at ``y``."""
    cv2 = opencv()
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, height), _ = cv2.getTextSize(text, font, scale, 1)
    place = (x - width // 2 if centre else x, y + height // 2)
    cv2.putText(sheet, text, place, font, scale, colour, 1, cv2.LINE_AA)
