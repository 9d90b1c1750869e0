"""The images of the benchmark: the clean set and its corrupted forms, made when asked for.

A cell is (corruption, severity); the clean set is the cell ``clean``/0. Faces are first brought
to one square size, then corrupted, as in the paper.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ferc_core.base.calls import parse_call
from ferc_core.base.parallel import threads
from ferc_core.base.seeds import generator
from ferc_core.errors import BadImageError, FercError
from ferc_core.faces import FaceSplit
from ferc_core.images.io import resize
from ferc_core.plugins.host import registry
from ferc_core.spec import SEVERITIES, check_image

Images = npt.NDArray[np.uint8]

IN_MEMORY = 2 << 30  # bytes of resized images that are kept rather than read again
CHUNK = 128  # images corrupted, and shown to a model, at a time


def ignore(step: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, order=True)
class Cell:
    """One form of the set: a corruption, as its canonical call, and a severity."""

    corruption: str
    severity: int

    def __str__(self) -> str:
        return f"{self.corruption}/{self.severity}"


CLEAN = Cell("clean", 0)


def cells(corruptions: Sequence[str], severities: Sequence[int] = SEVERITIES) -> tuple[Cell, ...]:
    """Return every combination, corruption by corruption."""
    return tuple(Cell(c, s) for c in corruptions for s in severities)


class Pictures:
    """The faces of a split at one square size; uint8 RGB. Kept, so as to be read once, if asked."""

    def __init__(self, faces: FaceSplit, side: int) -> None:
        self.faces = faces
        self.side = side
        self._kept: Images | None = None

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def address(self) -> tuple[str, ...]:
        """What tells these images from others of the same dataset."""
        return str(self.side), str(len(self)), *self.faces.ids

    @property
    def kept(self) -> bool:
        """Whether the images need not be read again."""
        return self._kept is not None

    @property
    def fit_into_memory(self) -> bool:
        """Whether there is room for all of them."""
        return len(self) * self.side**2 * 3 <= IN_MEMORY

    def keep(self, images: Images | None = None, advance: Callable[[int], None] = ignore) -> None:
        """Keep these images [N, side, side, 3] of all faces, or read them into memory."""
        if images is None:
            images = np.empty((len(self), self.side, self.side, 3), np.uint8)
            for i, image in enumerate(self.read_all()):
                images[i] = image
                advance(1)
        self._kept = images

    def __call__(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> Images:
        """Return the images of these rows, [B, side, side, 3]."""
        if self._kept is not None:
            return self._kept[np.asarray(rows, dtype=np.int64)]
        return np.stack([self.read(int(i)) for i in rows])

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> Pictures:
        """Return the images of these rows, read at once where they fit into memory."""
        taken = Pictures(self.faces.take(rows), self.side)
        if taken.fit_into_memory:
            taken.keep(None if self._kept is None else self(rows))
        return taken

    def read_all(self, start: int = 0) -> Iterator[Images]:
        """Read the images from row ``start`` on, on all cores, and yield them in order."""
        return threads(self.read, range(start, len(self)), os.cpu_count() or 1)

    def read(self, i: int) -> Images:
        """Return image i [side, side, 3]; raises `BadImageError` naming the sample."""
        image = self.faces.read(i)
        try:
            check_image(image, self.faces.ids[i])
        except BadImageError as error:
            raise BadImageError(f"sample {error}") from error
        return resize(image, self.side)


@dataclass(frozen=True)
class Chunk:
    """Some clean images of one cell, on their way to be corrupted."""

    cell: Cell
    ids: tuple[str, ...]
    images: Images


@dataclass(frozen=True)
class Corruptor:
    """Turns clean images into those of a cell. A pure function of the addresses; picklable."""

    dataset: str
    table: str
    seed: int | str

    def __call__(self, chunk: Chunk) -> Images:
        """Return the images of a chunk in the form of its cell."""
        if chunk.cell == CLEAN:
            return chunk.images
        pairs = zip(chunk.images, chunk.ids, strict=True)
        return np.stack([self.one(image, sample, chunk.cell) for image, sample in pairs])

    def one(self, image: Images, sample: str, cell: Cell) -> Images:
        """Return the form ``cell`` of one clean image."""
        call = parse_call(cell.corruption)
        rng = generator(self.dataset, sample, cell.corruption, cell.severity, self.seed)
        corruption = registry().corruptions[call.name]
        try:
            return corruption(image, cell.severity, rng, table=self.table, **call.options)
        except FercError:
            raise
        except Exception as error:
            raise BadImageError(
                f"sample {sample}: {cell} failed with {type(error).__name__}: {error}"
            ) from error


@dataclass(frozen=True)
class Suite:
    """The scored split in all its forms."""

    pictures: Pictures
    corruptor: Callable[[Chunk], Images]  # makes the forms, or reads them from a build
    engine: Callable[..., Iterator[Any]]
    workers: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The sample ids [N]."""
        return self.pictures.faces.ids

    def take(self, rows: Sequence[int] | npt.NDArray[np.integer]) -> Suite:
        """Return the suite of some of the samples, their images in memory where they fit."""
        return replace(self, pictures=self.pictures.take(rows))

    def chunks(
        self, forms: Sequence[Cell], all_forms_first: bool = False
    ) -> Iterator[tuple[Cell, slice, Images]]:
        """Yield cell, rows and images [B, S, S, 3] of all forms.

        Form by form, or first all forms of the first rows.
        """
        n = len(self.pictures)
        rows = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
        places = [(cell, place) for cell in forms for place in rows]
        if all_forms_first:
            places = [(cell, place) for place in rows for cell in forms]
        work = (
            Chunk(cell, self.ids[place], self.pictures(range(n)[place])) for cell, place in places
        )
        made = self.engine(self.corruptor, work, self.workers)
        for (cell, place), images in zip(places, made, strict=True):
            yield cell, place, images
