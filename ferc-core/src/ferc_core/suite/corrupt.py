"""The images of every cell, made when they are asked for.

Faces are first resized to one square size, then corrupted, as in the paper.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ferc_core.base.seeds import generator
from ferc_core.errors import BadImageError, FercError, PluginError, as_failure, is_out_of_memory
from ferc_core.images.store import Images, ImageStore, Rows
from ferc_core.plugins.registry import Chosen
from ferc_core.spec import Corruption
from ferc_core.suite.cells import CLEAN, Cell

CHUNK = 128  # images corrupted, and shown to a model, at a time


@dataclass(frozen=True)
class Chunk:
    """Some clean images of one cell, on their way to be corrupted."""

    cell: Cell
    ids: tuple[str, ...]
    images: Images


@dataclass(frozen=True)
class Corruptor:
    """Turns clean images into those of a cell. A pure function of the addresses; picklable.

    ``corruptions`` has the entry of every corruption of a cell, by its canonical call.
    """

    dataset: str
    corruptions: Mapping[str, Chosen[Corruption]]
    table: str
    seed: int | str

    def __call__(self, chunk: Chunk) -> Images:
        """Return the images of a chunk in its cell."""
        if chunk.cell == CLEAN:
            return chunk.images
        pairs = zip(chunk.images, chunk.ids, strict=True)
        return np.stack([self.one(image, sample, chunk.cell) for image, sample in pairs])

    def one(self, image: Images, sample: str, cell: Cell) -> Images:
        """Return one clean image in a cell."""
        rng = generator(self.dataset, sample, cell.corruption, cell.severity, self.seed)
        try:
            corrupted: Images = self.corruptions[cell.corruption](
                image, cell.severity, rng, table=self.table
            )
        except FercError:
            raise
        except BaseException as error:
            cause = as_failure(error)
            if is_out_of_memory(error):
                raise cause from error
            raise BadImageError(f"sample {sample}: {cell} failed with {cause}") from error
        return corrupted


@dataclass(frozen=True)
class Suite:
    """A split in all its cells."""

    images: ImageStore
    corruptor: Callable[[Chunk], Images]  # makes the images, or reads them from a build
    executor: Callable[..., Iterator[Any]]
    workers: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The sample ids [N]."""
        return self.images.ids

    def take(self, rows: Rows) -> Suite:
        """Return the suite of some of the samples, their images in memory where they fit."""
        return replace(self, images=self.images.take(rows))

    def chunks(self, cells: Iterable[Cell]) -> Iterator[tuple[Cell, slice, Images]]:
        """Yield cell, rows and images [B, S, S, 3], cell by cell, whatever the executor.

        Cells are asked for a little ahead of their turn.
        """
        n, places = len(self.images), deque[tuple[Cell, slice]]()

        def work() -> Iterator[Chunk]:
            for cell in cells:
                for start in range(0, n, CHUNK):
                    place = slice(start, min(start + CHUNK, n))
                    places.append((cell, place))
                    yield Chunk(cell, self.ids[place], self.images(range(n)[place]))

        for images in self.executor(self.corruptor, work(), self.workers):
            cell, place = places.popleft()
            if not isinstance(images, np.ndarray) or len(images) != place.stop - place.start:
                raise PluginError(f"executor {self.executor} returned something else than images")
            yield cell, place, images
